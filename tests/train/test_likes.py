"""Labels from likes: planted popularity is found again, and every post is accounted for."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cropper.errors import ConfigError, DataError
from cropper.train.selfies.data import read_folders, read_posts, read_ucf, split_by_user
from cropper.train.selfies.likes import OUT, LabelRules, Posts, halves, label_posts
from cropper.train.selfies.summary import likes_by_audience, summarise_labels

DAY = np.datetime64("2015-10-25")
EVERYONE = LabelRules(min_age=0, min_followers=0, max_followers=10**9, max_tags=10**6)


def table(count: int, seed: int = 0, signal: float = 1.0) -> tuple[Posts, NDArray[np.float64]]:
    """Posts whose likes are audience x charm, and their charm, half of which is above 0."""
    rng = np.random.default_rng(seed)
    charm = rng.normal(size=count)
    followers = np.exp(rng.uniform(np.log(100), np.log(100_000), count)).astype(np.int64)
    noise = rng.normal(size=count) * 0.3
    likes = (0.2 * followers * np.exp(signal * charm + noise)).astype(np.int64)
    days = rng.integers(30, 400, count)
    posted = DAY - days.astype("timedelta64[D]")
    return Posts(likes, followers, rng.integers(0, 15, count), posted), charm


def slow_labels(values: list[float], drop_middle: float) -> list[int]:
    """One group, by the definition: each post against all others."""
    count = len(values)
    labels = []
    for value in values:
        below = sum(other < value for other in values) / count
        upto = sum(other <= value for other in values) / count
        upper = below >= 0.5 + drop_middle / 2 - 1e-9
        lower = upto <= 0.5 - drop_middle / 2 + 1e-9
        labels.append(1 if upper else 0 if lower else OUT)
    return labels


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), min_size=1, max_size=60),
    st.sampled_from([0.0, 0.2, 0.5]),
)
def test_halves_are_those_of_the_definition(rows: list[tuple[int, int]], drop: float) -> None:
    group, values = np.array(rows).T
    found = halves(values, group, drop)
    for each in np.unique(group):
        of_group = found[group == each].tolist()
        assert of_group == slow_labels(values[group == each].tolist(), drop)


def test_without_ties_a_group_of_100_gives_50_and_50() -> None:
    values = np.random.default_rng(0).permutation(100)
    label = halves(values, np.zeros(100, dtype=np.int64))
    assert (label == (values >= 50)).all()


def test_dropping_the_middle_leaves_the_ends() -> None:
    label = halves(np.arange(100), np.zeros(100, dtype=np.int64), 0.4)
    assert (label[:30] == 0).all()
    assert (label[30:70] == OUT).all()
    assert (label[70:] == 1).all()


def test_the_planted_signal_is_recovered() -> None:
    posts, charm = table(20_000)
    labels = label_posts(posts, replace(EVERYONE, tag_bonus=0))
    kept = labels.label != OUT
    assert kept.mean() > 0.98
    agree = (labels.label[kept] == (charm[kept] > 0)).mean()
    assert agree > 0.88  # the planted noise turns atan(0.3) / pi = 9 % of the signs
    clear = kept & (np.abs(charm) > 1)
    assert (labels.label[clear] == (charm[clear] > 0)).mean() > 0.995


def test_likes_alone_would_have_found_the_audience_instead() -> None:
    posts, _ = table(5_000)
    one_group = label_posts(posts, replace(EVERYONE, group=5_000))
    grouped = label_posts(posts, EVERYONE)
    large = posts.followers > np.median(posts.followers)
    assert one_group.label[large].mean() > 0.8
    assert 0.45 < (grouped.label[large & (grouped.label != OUT)]).mean() < 0.55


def test_every_post_is_accounted_for_at_each_step() -> None:
    posts, _ = table(3_000, seed=1)
    rules = LabelRules(
        as_of=DAY, min_age=60, min_followers=300, max_followers=50_000, max_tags=10, drop_middle=0.3
    )
    labels = label_posts(posts, rules)
    young = (DAY - posts.posted).astype(int) < 60
    few = ~young & (posts.followers < 300)
    many = ~young & (posts.followers > 50_000)
    tagged = ~young & ~few & ~many & (posts.tags > 10)
    assert [step.out for step in labels.steps[:4]] == [g.sum() for g in (young, few, many, tagged)]
    assert (labels.label[young | few | many | tagged] == OUT).all()
    assert sum(step.out for step in labels.steps) + (labels.label != OUT).sum() == len(posts)


def test_groups_march_down_the_audience() -> None:
    posts, _ = table(1_000, seed=2)
    labels = label_posts(posts, EVERYONE)
    assert np.bincount(labels.group).tolist() == [100] * 10
    lows = [labels.audience[labels.group == g].min() for g in range(10)]
    highs = [labels.audience[labels.group == g].max() for g in range(10)]
    assert all(low >= high for low, high in zip(lows[:-1], highs[1:], strict=True))


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(100, [100]), (149, [149]), (150, [100, 50]), (199, [100, 99]), (7, [7]), (249, [100, 149])],
)
def test_the_remainder_joins_or_stands(count: int, sizes: list[int]) -> None:
    posts, _ = table(count, seed=3)
    labels = label_posts(posts, EVERYONE)
    assert np.bincount(labels.group).tolist() == sizes
    assert labels.remainder == count % 100


def test_tags_widen_the_audience_a_little() -> None:
    posts = Posts(*(np.array(c) for c in ([1, 1], [1000, 1005], [3, 1])), np.array([DAY, DAY]))
    assert label_posts(posts, replace(EVERYONE, tag_bonus=10)).audience.tolist() == [1020, 1005]
    assert label_posts(posts, replace(EVERYONE, tag_bonus=0)).audience.tolist() == [1000, 1005]


@given(st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_file_changes_no_label(seed: int) -> None:
    posts, _ = table(500, seed=4)  # audiences without tags are all different here
    order = np.random.default_rng(seed).permutation(500)
    distinct = replace(posts, followers=np.arange(500) + 100)
    mixed = Posts(*(c[order] for c in (distinct.likes, distinct.followers, distinct.tags,
        distinct.posted)))  # fmt: skip
    rules = replace(EVERYONE, tag_bonus=0)
    assert (label_posts(mixed, rules).label == label_posts(distinct, rules).label[order]).all()


def test_nothing_left_names_the_rules() -> None:
    posts, _ = table(10)
    with pytest.raises(DataError, match=r"none of 10 posts is left.*under 1000000 followers: 9"):
        label_posts(posts, LabelRules(min_followers=10**6, max_followers=10**7))


@pytest.mark.parametrize(
    "wrong",
    [{"group": 1}, {"drop_middle": 1.0}, {"min_followers": 9, "max_followers": 3}, {"min_age": -1}],
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong)).replace("_", "-")):
        LabelRules(**wrong)


def test_the_summary_counts_and_draws_likes_by_audience() -> None:
    posts, _ = table(1_030, seed=5)
    labels = label_posts(posts, EVERYONE)
    text = summarise_labels(posts, labels, 100)
    assert "1,030 posts" in text
    assert "10 groups of 100" in text
    assert "the 30 posts after the last whole group joined the last group, of 130" in text
    counts = likes_by_audience(posts.likes, labels.audience)
    assert counts.sum() == 1_030
    assert counts[3, 5] == (
        (labels.audience >= 1000) & (labels.audience < 3000) & (posts.likes >= 100)
        & (posts.likes < 300)
    ).sum()  # fmt: skip
    assert f"{counts[3, 5]:>9}" in text


# Tables


def write_table(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def row(image: str, likes: object, **more: object) -> dict[str, object]:
    usual = {"followers": 1000, "tags": 2, "posted_at": "2015-09-01T12:30:00Z"}
    return {"image": image, "likes": likes, **usual, **more}


def test_a_table_becomes_labelled_pictures(tmp_path: Path) -> None:
    rows = [row(f"{i}.jpg", i, user=f"u{i % 3}") for i in range(10)]
    rows.append(row("late.jpg", 99, posted_at="2015-10-25", user="u0"))
    found = read_posts(write_table(tmp_path / "posts.csv", rows), tmp_path / "images")
    assert [path.name for path in found.paths] == [f"{i}.jpg" for i in range(10)]
    assert found.paths[0].parent == tmp_path / "images"
    assert found.label.tolist() == [0] * 5 + [1] * 5
    assert found.user.tolist() == [i % 3 for i in range(10)]
    assert "-1 younger than 30 days at 2015-10-25" in found.summary
    assert found.facts["positive"] == 5


def test_without_users_every_picture_is_one(tmp_path: Path) -> None:
    rows = [row(f"{i}.jpg", i) for i in range(4)]
    table_ = write_table(tmp_path / "posts.csv", rows)
    found = read_posts(table_, tmp_path, LabelRules(min_age=0))
    assert len(set(found.user.tolist())) == 4


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"image": "a", "likes": 1}], "no column 'followers'"),
        ([row("a", "many")], "post 1: likes is 'many'"),
        ([row("a", 3), row("b", -1)], "post 2: likes is a count, got -1"),
        ([row("a", 3, posted_at="yesterday")], "post 1: posted_at is 'yesterday'"),
        ([row("a", 3, posted_at="")], "post 1: posted_at is"),
    ],
)
def test_a_broken_table_is_named_by_its_post(
    tmp_path: Path, rows: list[dict[str, object]], message: str
) -> None:
    path = write_table(tmp_path / "posts.csv", rows)
    with pytest.raises(DataError, match=message) as caught:
        read_posts(path, tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "image,likes,followers,tags,posted_at\n", "image,likes\n1"])
def test_a_table_without_posts_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "posts.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=r"posts\.csv"):
        read_posts(path, tmp_path)


def ucf_line(name: str, popularity: object) -> str:
    return " ".join([name, str(popularity), *["-1"] * 36])


def test_ucf_selfie_is_read_as_published(tmp_path: Path) -> None:
    lines = [ucf_line(f"00a_{i}", 3 + i / 10) for i in range(10)]
    (tmp_path / "selfie_dataset.txt").write_text("\n".join(lines) + "\n")
    found = read_ucf(tmp_path)
    assert found.paths[3] == tmp_path / "images" / "00a_3.jpg"
    assert found.label.tolist() == [0] * 5 + [1] * 5
    assert read_ucf(tmp_path, drop_middle=0.6).label.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("line", ["a 4.5 1 -1", ucf_line("a", "good"), ucf_line("a", "nan"), ""])
def test_a_broken_ucf_table_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "selfie_dataset.txt").write_text(line + "\n")
    with pytest.raises(DataError, match=r"selfie_dataset\.txt"):
        read_ucf(tmp_path)


def test_two_folders_are_labels(tmp_path: Path) -> None:
    for name in ("good/a.jpg", "good/deep/b.PNG", "bad/c.webp", "bad/notes.txt", "bad/._c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = read_folders(tmp_path)
    assert [path.name for path in found.paths] == ["a.jpg", "b.PNG", "c.webp"]
    assert found.label.tolist() == [1, 1, 0]
    (tmp_path / "bad" / "c.webp").unlink()
    with pytest.raises(DataError, match="bad holds no picture"):
        read_folders(tmp_path)


@given(st.lists(st.integers(0, 12), min_size=2, max_size=60), st.floats(0.05, 0.9), st.integers(0))
def test_no_user_is_on_both_sides(users: list[int], share: float, seed: int) -> None:
    user = np.array(users, dtype=np.int64)
    if len(set(users)) < 2:
        with pytest.raises(DataError, match="two users"):
            split_by_user(user, share, seed)
        return
    train, held_out = split_by_user(user, share, seed)
    assert len(train)
    assert len(held_out)
    assert not set(user[train]) & set(user[held_out])
    assert sorted([*train, *held_out]) == list(range(len(users)))

"""Faces told apart: the figures of small sets that are known, and the commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cropper.errors import DataError
from cropper.identity.verification import FacePairs, all_pairs, one_shot
from eval.commands import cli
from eval.planted import measure_planted
from eval.strangers import DEGRADATIONS, measure_degraded
from eval.verification import measure_pairs
from tests.faces import STRANGERS, astronaut, save, side_by_side, stranger


def run(*line: str) -> Result:
    return CliRunner().invoke(cli, list(line))


def slow_auc(pairs: FacePairs) -> float:
    one, two = pairs.distances[pairs.same], pairs.distances[~pairs.same]
    wins = [(a < b) + 0.5 * (a == b) for a in one for b in two]
    return float(np.mean(wins))


@pytest.mark.parametrize("seed", range(5))
def test_measures_are_those_of_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people = rng.integers(0, 4, 14)
    own = people[:, None] * np.eye(1, 8) * 0.8 + rng.normal(size=(14, 8)).round(0)
    pairs = all_pairs(own.astype(np.float32), people)
    assert pairs.auc() == pytest.approx(slow_auc(pairs))
    limit = float(np.median(pairs.distances))
    near = pairs.distances <= limit
    right = (near[pairs.same].mean() + (~near[~pairs.same]).mean()) / 2
    assert pairs.accuracy(limit) == pytest.approx(right)
    limits = [g for g in pairs.distances if (pairs.distances[~pairs.same] <= g).mean() <= 0.2]
    best = max((float((pairs.distances[pairs.same] <= g).mean()) for g in limits), default=0.0)
    assert pairs.tar_at(0.2) == pytest.approx(best)
    low, high = pairs.interval("auc")
    assert low <= pairs.auc() <= high


def test_weights_are_pairs_counted_more_than_once() -> None:
    rng = np.random.default_rng(0)
    pairs = FacePairs(rng.normal(size=30), rng.integers(0, 3, 30), rng.integers(0, 3, 30))
    times = rng.integers(0, 3, 30)
    rows = np.repeat(np.arange(30), times)
    more = FacePairs(pairs.distances[rows], pairs.first[rows], pairs.second[rows])
    weights = times.astype(np.float64)
    assert pairs.auc(weights) == pytest.approx(more.auc())
    assert pairs.tar_at(0.3, weights) == pytest.approx(more.tar_at(0.3))
    assert pairs.accuracy(0.1, weights) == pytest.approx(more.accuracy(0.1))


def test_people_who_lie_apart_are_all_told_and_noise_is_chance() -> None:
    people = np.repeat(np.arange(20), 3)
    apart = np.eye(20, dtype=np.float32)[people]
    assert one_shot(apart, people, (2, 5, 20, 50)) == {2: 1.0, 5: 1.0, 20: 1.0}
    noise = np.random.default_rng(0).normal(size=(60, 128)).astype(np.float32)
    found = one_shot(noise, people, (2, 10))
    assert found[2] == pytest.approx(0.5, abs=0.1)
    assert found[10] == pytest.approx(0.1, abs=0.06)


def test_one_person_is_no_pair() -> None:
    with pytest.raises(DataError, match="two people"):
        all_pairs(np.zeros((3, 128), np.float32), np.zeros(3, dtype=np.intp))


@pytest.fixture
def album(tmp_path: Path) -> Path:
    save(tmp_path / "ann" / "a.png", astronaut())
    save(tmp_path / "ann" / "b.png", astronaut()[:, ::-1])
    for index in STRANGERS[:3]:
        save(tmp_path / f"s{index}" / "a.png", stranger(index))
    save(tmp_path / "wall" / "a.png", np.full((80, 80, 3), 99, np.uint8))
    lines = ["first,second,same", "ann/a.png,ann/b.png,1"]
    lines += [f"ann/{x}.png,s{index}/a.png,0" for index in STRANGERS[:3] for x in "ab"]
    (tmp_path / "pairs.csv").write_text("\n".join([*lines, "wall/a.png,ann/a.png,0"]))
    return tmp_path


def test_pairs_of_a_table_are_measured(album: Path) -> None:
    found = measure_pairs(album / "pairs.csv", album)
    assert found.unread == 1
    assert found.pairs.auc() == 1
    assert len(found.pairs.same) == 7
    line = ["faces", "--root", str(album), "--plot", str(album / "roc.png")]
    assert run(*line).exit_code == 2
    told = run(*line, "--pairs", str(album / "pairs.csv"))
    assert told.exit_code == 0, told.output
    assert "1 pairs of one person, 6 of two; 1 not read" in told.stdout
    assert "AUC 1.0000" in told.stdout
    assert (album / "roc.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n", "no columns first, second and same"),
        ("first,second,same\na/b.png,a/c.png,yes\n", "line 2: same is 0 or 1"),
        ("first,second,same\na/b.png,a/c.png,0\n", "line 2: photos of one person lie in one"),
        ("first,second,same\nann/a.png,ann/b.png,1\n", "it takes pairs of one person and"),
    ],
)
def test_a_table_that_breaks_its_format_is_named(album: Path, text: str, says: str) -> None:
    (album / "pairs.csv").write_text(text)
    with pytest.raises(DataError, match=says):
        measure_pairs(album / "pairs.csv", album)


def test_a_face_is_known_again_from_a_worse_picture(album: Path) -> None:
    counts = measure_degraded([album / "ann" / "a.png"])
    assert counts.keys() == DEGRADATIONS.keys()
    assert counts["as it is"] == (1, 1, 1)
    assert counts["mirrored"] == (1, 1, 1)
    told = run("degraded", str(album / "ann"))
    assert told.exit_code == 0, told.output
    assert "2 faces" in told.stdout
    assert run("degraded", str(album / "wall")).exit_code == 1


def test_too_few_strangers_are_refused(album: Path) -> None:
    found = run("strangers", str(album))
    assert found.exit_code == 1
    assert "too few" in found.stderr


def test_a_planted_person_is_found_and_nobody_else(album: Path, tmp_path: Path) -> None:
    for name, view in (("a", astronaut()), ("b", astronaut()[:, ::-1])):
        save(tmp_path / "people" / "ann" / f"{name}.png", view)
    crowd = side_by_side(*(stranger(index, 120, 60) for index in STRANGERS[:4]))
    save(album / "crowd" / "a.png", np.pad(crowd, ((0, 200), (0, 0), (0, 0)), mode="edge"))
    for people in (album / "ann", tmp_path / "people"):
        found = measure_planted([album / "crowd" / "a.png"], people, height=80)
        assert (found.crowds, found.found, found.wrong, found.false) == (1, 1, 0, 0)
    with pytest.raises(DataError, match="nobody to plant"):
        measure_planted([album / "crowd" / "a.png"], album / "wall")
    line = ["--crowds", str(album / "crowd"), "--people", str(album / "ann"), "--height", "80"]
    told = run("planted", *line)
    assert told.exit_code == 0, told.output
    assert "1 crowds with one person planted" in told.stdout


def test_speed_is_told_for_each_step() -> None:
    found = run("bench-faces", "--known", "50", "--repeats", "2")
    assert found.exit_code == 0, found.output
    lines = found.stdout.splitlines()[1:4]
    assert [line.split()[-1] for line in lines] == ["second"] * 3
    assert all(float(line.split(" ms")[0].split()[-1]) > 0 for line in lines)

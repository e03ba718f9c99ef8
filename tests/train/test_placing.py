"""The two parts of a score of likes: where the face is, and the rest, told apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from cropper import CropFinder, from_array, load_image, load_scorer
from cropper.cli import main
from cropper.faces import find_faces
from cropper.rank.stream import whole_score
from cropper.scorers.convnet import ConvNetScorer
from cropper.scorers.header import read_header
from cropper.scorers.selfie import SelfieScorer, place_of
from cropper.train.selfies.batches import Vary, _draw
from cropper.train.selfies.placing import learn_placing, place_odds
from cropper.train.selfies.quality import auc, measure_parts

Floats = NDArray[np.float64]
ASTRONAUT = data.astronaut()  # type: ignore[no-untyped-call]
FACE = find_faces(from_array(ASTRONAUT).view(512))[0].box
SIDE, COUNT, NOISE = 160, 200, 0.1  # px, pictures, share of the labels that are turned
TRUNK = ["--backbone", "trunk", "--side", 65, "--epochs", 2, "--fresh-rate", 1e-3]
RULES: dict[str, Callable[[bool, bool, float], bool]] = {
    "place": lambda high, warm, chance: high != (chance < NOISE),
    "taste": lambda high, warm, chance: warm != (chance < NOISE),
    "both": lambda high, warm, chance: high if high == warm else chance < 0.5,
}


def picture(rng: np.random.Generator, high: bool, warm: bool) -> Image.Image:
    """A face, high up or low down, before a warm or a cold wall."""
    x0, y0, x1, y1 = FACE
    wall = rng.integers(60, 130, (8, 8, 3))
    wall[..., 0 if warm else 2] += 90
    made = Image.fromarray(wall.astype(np.uint8)).resize((SIDE, SIDE))
    face = Image.fromarray(ASTRONAUT).crop((int(x0) - 10, int(y0) - 25, int(x1) + 10, int(y1) + 10))
    height = int(rng.uniform(60, 75))
    face = face.resize((round(height * face.width / face.height), height))
    left = int(rng.uniform(0.3, 0.7) * (SIDE - face.width))
    top = int(((0.15 if high else 0.75) + rng.uniform(-0.1, 0.1)) * (SIDE - height))
    made.paste(face, (left, top))
    return made


def write_posts(
    root: Path, rule: Callable[[bool, bool, float], bool], count: int = COUNT
) -> list[object]:
    """A table of posts, and the arguments that read it; every user has two posts."""
    rng = np.random.default_rng(0)
    root.mkdir()
    rows = ["image,likes,followers,tags,posted_at,user"]
    for number in range(count):
        high, warm = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
        picture(rng, high, warm).save(root / f"{number}.png")
        likes = rng.integers(10, 90) + 100 * rule(high, warm, rng.random())
        rows.append(f"{number}.png,{likes},1000,1,2015-01-01,u{number // 2}")
    (root / "posts.csv").write_text("\n".join(rows))
    return ["--posts", root / "posts.csv", "--images", root, "--as-of", "2015-10-25",
        "--group", count, "--batch", 16, "--val-share", 0.4, "--device", "cpu"]  # fmt: skip


def train(*arguments: object) -> Result:
    torch.set_num_threads(1)  # the work is small, and threads on shared cores wait for each other
    line = ["train", "selfies", *map(str, arguments)]
    return CliRunner().invoke(main, line, catch_exceptions=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Result]]:
    """A training for each rule that decides the likes."""
    root = tmp_path_factory.mktemp("posts")
    runs = {}
    for name, rule in RULES.items():
        posts = write_posts(root / name, rule)
        runs[name] = root / f"{name}-out", train(*posts, *TRUNK, "--out", root / f"{name}-out")
    return runs


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_the_report_says_which_part_decides(
    trained: dict[str, tuple[Path, Result]], rule: str
) -> None:
    out, done = trained[rule]
    assert done.exit_code == 0, done.stderr
    parts = json.loads((out / "report.json").read_text())["parts"]
    place, taste = parts["place"], parts["taste"]
    if rule == "place":
        assert place["alone"]["auc_low"] > 0.6
        assert abs(taste["adds_auc"]["mean"]) < 0.05
    elif rule == "taste":
        assert abs(place["adds_auc"]["mean"]) < 0.05
        assert taste["adds_auc"]["low"] > 0.15
    else:
        assert place["alone"]["auc_low"] > 0.6
        assert place["adds_auc"]["mean"] > 0.05
        assert taste["adds_auc"]["low"] > 0.03
    for name in ("the face's place", "the network's taste"):
        assert f"  {name} alone: accuracy" in done.stderr


@pytest.mark.slow
def test_scores_in_training_are_the_scores_in_use_and_a_search_stays_inside(
    trained: dict[str, tuple[Path, Result]],
) -> None:
    out, _ = trained["both"]
    scorer = load_scorer(str(out / "selfies.safetensors"), "cpu")
    assert isinstance(scorer, SelfieScorer)
    header = read_header(out / "selfies.safetensors")
    finder = CropFinder(scorer)
    rng = np.random.default_rng(1)
    made = [(high, warm) for high in (True, False) for warm in (True, False)] * 2
    scores = np.empty(len(made))
    for number, (high, warm) in enumerate(made):
        image = from_array(np.asarray(picture(rng, high, warm)))
        view = scorer.spec.view(image)
        face = torch.tensor([find_faces(view)[0].box]).double() / SIDE
        odds = scorer.geometry.odds
        assert odds is not None
        at = place_of(face[0], torch.tensor([[0.0, 0.0, 1.0, 1.0]]).double())
        scores[number] = whole_score(finder, view)
        taste = float(scorer.taste.bind(view)(view.whole)[0])
        assert scores[number] == pytest.approx(taste + odds(at).item(), abs=1e-4)
        best = finder.find(image, aspect="1:1", min_scale=0.3, budget=200).best
        assert best.width > 0.35 * SIDE
    liked = np.array([high and warm for high, warm in made], np.int8)
    disliked = np.array([not (high or warm) for high, warm in made])
    assert scores[liked == 1].min() > scores[disliked].max()
    assert header["validation"]["parts"].keys() == {"place", "taste"}


@pytest.mark.slow
def test_best_and_selfie_take_the_checkpoint_and_do_not_speak_of_2015(
    trained: dict[str, tuple[Path, Result]], tmp_path: Path
) -> None:
    weights = trained["place"][0] / "selfies.safetensors"
    photo = tmp_path / "me.png"
    picture(np.random.default_rng(2), False, True).save(photo)
    best = ["best", photo, "--aspect", "1:1", "-o", tmp_path / "best.png"]
    for command in (best, ["selfie", photo]):
        line = [*map(str, command), "--scorer", str(weights)]
        done = CliRunner().invoke(main, line, catch_exceptions=False)
        assert done.exit_code == 0, done.stderr
    assert load_image(tmp_path / "best.png").size[0] < SIDE
    assert "(the pictures that were liked)" in done.stdout
    assert "2015" not in done.stdout


@pytest.mark.slow
def test_a_network_of_torchvision_has_two_parts_too_and_none_where_that_is_switched_off(
    tmp_path: Path,
) -> None:
    posts = write_posts(tmp_path / "posts", RULES["place"], 100)
    other = ["--backbone", "shufflenet_v2_x0_5", "--weights", "none", "--side", 32, "--epochs", 1]
    for flag, kind in (("--geometry", SelfieScorer), ("--no-geometry", ConvNetScorer)):
        done = train(*posts, *other, flag, "--out", tmp_path / flag)
        assert done.exit_code == 0, done.stderr
        scorer = load_scorer(str(tmp_path / flag / "selfies.safetensors"), "cpu")
        assert isinstance(scorer, kind)
        parts = json.loads((tmp_path / flag / "report.json").read_text())["parts"]
        assert len(parts) == (2 if flag == "--geometry" else 0)


def some_faces(rng: np.random.Generator, count: int) -> Floats:
    sides = rng.uniform(0.2, 0.35, (count, 1)) * [1.0, 1.3]
    low = rng.uniform(0.05, 0.5, (count, 2))
    return np.concatenate([low, low + sides], 1)


def test_a_picture_keeps_its_label_only_while_its_face_stays() -> None:
    rng = np.random.default_rng(0)
    face = some_faces(rng, 200)
    face[:5] = np.nan
    label = (rng.random(200) < 0.5).astype(np.int8)
    placing = learn_placing(face, label, np.arange(200), seed=0)
    assert placing is not None
    odds = placing.geometry.odds
    assert odds is not None
    shares, mirrored = [], 0
    for row in range(5, 200):
        (x0, y0, x1, y1), mirror = _draw(row, Vary(placing=placing))
        shares.append((x1 - x0) * (y1 - y0))
        left, top, right, bottom = face[row]
        whole = np.array([(left + right) / 2, (top + bottom) / 2])
        crop = (whole - [x0, y0]) / [x1 - x0, y1 - y0]
        if mirror:
            crop[0], mirrored = 1 - crop[0], mirrored + 1
        assert (np.abs(crop - whole) <= 0.5 * np.array(odds.deviation[:2]) + 1e-9).all()
        assert -np.log(shares[-1]) / 2 <= 0.5 * odds.deviation[2] + 1e-9
    assert np.mean(np.array(shares) < 1) > 0.5
    assert 10 < mirrored < 100  # not of faces at a side
    (x0, _, x1, _), _ = _draw(0, Vary(placing=placing))
    assert x1 - x0 >= 0.9  # no face: as without geometry


def test_the_odds_are_a_logistic_regression_on_squares_and_products() -> None:
    """Against plain gradient ascent on the same penalised likelihood."""
    rng = np.random.default_rng(0)
    places = rng.normal([0.5, 0.3, -1], [0.1, 0.1, 0.3], (400, 3))
    liked = rng.random(400) < 1 / (1 + np.exp(-(places[:, 1] - 0.3) * 20 - (places[:, 2] + 1) * 3))
    odds = place_odds(places, liked)
    off = np.clip((places - places.mean(0)) / (places.std(0) + 1e-2), -3, 3)
    pairs = [off[:, i] * off[:, j] for i in range(3) for j in range(i, 3)]
    terms = np.stack([np.ones(400), *off.T, *pairs], 1)
    weights = np.zeros(10)
    for _ in range(20_000):
        slope = terms.T @ (liked - 1 / (1 + np.exp(-terms @ weights)))
        slope[1:] -= weights[1:]
        weights += 2e-3 * slope
    np.testing.assert_allclose(odds(torch.from_numpy(places)), terms @ weights, atol=1e-3)
    far = odds(torch.tensor([[50.0, -50, 50], [1e6, -1e6, 1e6]]).double())
    assert far[0] == far[1]  # bounded
    assert odds(torch.full((1, 3), float("nan")).double()).item() == 0


def test_pictures_without_a_face_have_the_odds_of_their_share() -> None:
    rng = np.random.default_rng(0)
    face = some_faces(rng, 100)
    label = np.tile([0, 1], 50).astype(np.int8)
    face[[1, 3, 5, 2]] = np.nan
    face[7] = np.inf  # cannot be read: of the training, but not for its face
    placing = learn_placing(face, label, np.arange(100), seed=0)
    assert placing is not None
    assert placing.odds[[1, 2]] == pytest.approx(np.log(5 / 2))
    assert placing.geometry.whole(None) == pytest.approx(np.log(5 / 2))
    assert learn_placing(face, label, np.arange(40), seed=0) is None  # too few


def test_what_a_part_adds_is_the_area_that_is_lost_without_it() -> None:
    rng = np.random.default_rng(0)
    label = np.tile([0, 1], 200).astype(np.int8)
    useful, useless = label + rng.normal(0, 1, 400), np.zeros(400)
    parts = measure_parts({"a": useful, "b": useless}, label, np.arange(400) // 2)
    assert parts["a"].adds.mean == pytest.approx(auc(useful, label) - 0.5)
    assert parts["a"].adds.low > 0.15
    assert parts["b"].adds.mean == parts["b"].adds.low == parts["b"].adds.high == 0
    assert parts["b"].alone.auc == 0.5

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from cropper import SearchConfig, find_best_crop, from_array, load_image, load_scorer
from cropper.boxes import Boxes, iou
from cropper.cli import main
from cropper.errors import ConfigError, DataError, MissingModelError
from cropper.scorers.convnet import ConvNetScorer
from cropper.scorers.cropnet import CropNetConfig, CropNetScorer
from cropper.scorers.header import read_header
from cropper.scorers.trunk import Trunk, input_size
from cropper.train import ConvNetConfig, CropsConfig, train_convnet, train_crops, train_from_crops
from cropper.train.augment import Augment, Drawn, draw, render
from cropper.train.data import Judged, candidates, load_judged, overlap
from cropper.train.losses import list_loss, pair_loss

torch.set_num_threads(1)  # the work is small, and threads on shared cores wait for each other

TINY = CropNetConfig(pixels=9409, fused=32, channels=8, hidden=64)
WHOLE = np.array([0.0, 0.0, 1.0, 1.0])
SEEDS = st.integers(0, 2**32 - 1)

# Losses


def test_list_loss_is_zero_where_scores_are_overlaps_over_temperature() -> None:
    overlaps = torch.tensor([0.1, 0.9, 0.4])
    assert list_loss(overlaps / 0.1 + 7, overlaps, 0.1).item() == pytest.approx(0, abs=1e-6)


def test_list_loss_equals_the_value_by_hand() -> None:
    # targets e^0 and e^ln 3, over their sum: 1/4 and 3/4; scores say 1/2 and 1/2
    loss = list_loss(torch.zeros(2), torch.tensor([0.0, math.log(3)]), 1.0)
    by_hand = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert loss.item() == pytest.approx(by_hand, rel=1e-5)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 1)), min_size=2, max_size=9))
def test_list_loss_is_positive_unless_the_distributions_agree(
    rows: list[tuple[float, float]],
) -> None:
    scores, overlaps = torch.tensor(rows, dtype=torch.float64).unbind(1)
    gap = torch.softmax(scores, 0) - torch.softmax(overlaps / 0.1, 0)
    loss = list_loss(scores, overlaps, 0.1).item()
    assert loss >= 0.5 * gap.abs().sum().item() ** 2 - 1e-9  # Pinsker


def test_pair_loss_equals_the_value_by_hand() -> None:
    scores = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    votes = torch.tensor([[3.0, 2.0], [4.0, 1.0]])
    sure = 1 / (1 + math.exp(-1))
    by_hand = (-0.6 * math.log(sure) - 0.4 * math.log(1 - sure) + math.log(2)) / 2
    assert pair_loss(scores, votes).item() == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("votes", [(3, 2), (4, 1), (5, 5)])
def test_pair_loss_is_least_at_the_log_odds_of_the_votes(votes: tuple[int, int]) -> None:
    odds = math.log(votes[0] / votes[1])
    given_votes = torch.tensor([votes]).double()

    def loss(difference: float) -> float:
        return pair_loss(torch.tensor([[difference, 0.0]]).double(), given_votes).item()

    assert all(loss(odds) < loss(odds + off) for off in (-2, -0.1, 0.1, 2))


# Candidates


@st.composite
def judged(draw: Any) -> Judged:
    size = draw(st.tuples(st.integers(20, 900), st.integers(20, 900)))
    w, h = draw(st.floats(0.15, 1)), draw(st.floats(0.15, 1))
    x, y = draw(st.floats(0, 1)) * (1 - w), draw(st.floats(0, 1)) * (1 - h)
    expert = np.clip([[x, y, x + w, y + h]], 0, 1)
    pixels = np.zeros((97, 97, 3), np.uint8)
    return Judged(Path("x"), size, pixels, expert, np.empty((0, 2, 4)), np.empty((0, 2)))


def aspects(boxes: Boxes, size: tuple[int, int]) -> NDArray[np.float64]:
    sides = (boxes[:, 2:] - boxes[:, :2]) * size
    return np.asarray(sides[:, 0] / sides[:, 1])


@given(judged(), st.integers(1, 80), st.booleans(), SEEDS)
def test_candidates_lie_inside_and_are_as_many_as_asked(
    item: Judged, count: int, with_aspect: bool, seed: int
) -> None:
    boxes = candidates(item, count, with_aspect, np.random.default_rng(seed))
    assert boxes.shape == (count, 4)
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    assert (boxes[:, 2:] > boxes[:, :2]).all()


@given(judged(), st.integers(1, 80), SEEDS)
def test_candidates_of_a_given_aspect_have_the_expert_s(
    item: Judged, count: int, seed: int
) -> None:
    boxes = candidates(item, count, True, np.random.default_rng(seed))
    assert np.allclose(aspects(boxes, item.size), aspects(item.expert, item.size), rtol=1e-6)


@given(judged(), st.integers(1, 80), SEEDS)
def test_the_last_free_candidate_is_the_whole_picture(item: Judged, count: int, seed: int) -> None:
    boxes = candidates(item, count, False, np.random.default_rng(seed))
    assert np.array_equal(boxes[-1], WHOLE)


def test_candidates_have_easy_and_hard_neighbours() -> None:
    expert = np.array([[0.2, 0.3, 0.7, 0.9]])
    item = Judged(
        Path("x"), (300, 200), np.zeros((97, 97, 3), np.uint8), expert, expert[:0], expert[:0]
    )
    for with_aspect in (False, True):
        boxes = candidates(item, 400, with_aspect, np.random.default_rng(0))
        overlaps = overlap(item, boxes, given=False)
        assert np.array_equal(overlaps, iou(boxes, expert)[:, 0])
        assert (overlaps > 0.6).mean() > 0.1
        assert (overlaps < 0.4).mean() > 0.1


# Augmentation


def painted(size: tuple[int, int], expert: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Grey, the expert's box in red; fine enough that its edges are where they are said to be."""
    height, width = 400, 400
    pixels = np.full((height, width, 3), 90, np.uint8)
    x0, y0, x1, y1 = np.round(expert[0] * [width, height, width, height]).astype(int)
    pixels[y0:y1, x0:x1] = (220, 20, 20)
    return pixels


@settings(max_examples=40, deadline=None)
@given(judged(), SEEDS)
def test_the_expert_s_box_refers_to_the_same_pixels_after_augmentation(
    item: Judged, seed: int
) -> None:
    item = replace(item, pixels=painted(item.size, item.expert))
    drawn = draw(item, Augment(window=1.0), 25_000, np.random.default_rng(seed))
    seen = render(item, drawn)
    x0, y0, x1, y1 = seen.expert[0]
    assert 0 <= x0 < x1 <= 1
    assert 0 <= y0 < y1 <= 1
    height, width = seen.pixels.shape[:2]
    assert (width, height) == drawn.size
    red = seen.pixels[..., 0].astype(int) - seen.pixels[..., 1] > 60
    xs, ys = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    slack_x, slack_y = 1.5 / width + 0.01, 1.5 / height + 0.01
    columns, rows = red.any(0), red.any(1)
    assert columns[(xs > x0 + slack_x) & (xs < x1 - slack_x)].all()
    assert not columns[(xs < x0 - slack_x) | (xs > x1 + slack_x)].any()
    assert rows[(ys > y0 + slack_y) & (ys < y1 - slack_y)].all()
    assert not rows[(ys < y0 - slack_y) | (ys > y1 + slack_y)].any()


@given(judged(), SEEDS)
def test_a_window_holds_the_expert_s_box_and_lies_inside(item: Judged, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x0, y0, x1, y1 = draw(item, Augment(window=1.0), 9409, rng).window
    left, top, right, bottom = item.expert[0]
    assert 0 <= x0 <= left + 1e-12
    assert 0 <= y0 <= top + 1e-12
    assert right - 1e-12 <= x1 <= 1
    assert bottom - 1e-12 <= y1 <= 1


@given(judged(), SEEDS)
def test_without_augmentation_the_picture_is_seen_whole(item: Judged, seed: int) -> None:
    drawn = draw(item, Augment(0, 0, 0, 0), 9409, np.random.default_rng(seed))
    assert np.array_equal(drawn.window, WHOLE)
    assert drawn.size == input_size(item.size, 9409)
    assert drawn.colour == (1, 1, 1)
    assert np.array_equal(render(item, drawn).expert, item.expert)


def test_pairs_outside_the_window_are_left_out_with_their_votes() -> None:
    inner, outer = [0.3, 0.3, 0.7, 0.6], [0.0, 0.3, 0.7, 0.6]
    pairs = np.array([[inner, inner], [inner, outer], [outer, inner], [inner, inner]])
    votes = np.array([[5.0, 0], [4, 1], [3, 2], [2, 3]])
    pixels = np.zeros((100, 100, 3), np.uint8)
    item = Judged(Path("x"), (400, 200), pixels, np.array([inner]), pairs, votes)
    window = np.array([0.2, 0.2, 0.8, 0.7])
    seen = render(item, Drawn(window, (97, 65), (1.0, 1.0, 1.0), False))
    assert seen.votes.tolist() == [[5, 0], [2, 3]]
    assert np.allclose(seen.pairs, (0.1 / 0.6, 0.2, 0.5 / 0.6, 0.8))
    assert seen.size == (240, 100)


def test_colour_changes_brightness_contrast_and_saturation_alone() -> None:
    pixels = np.full((97, 97, 3), (100, 60, 20), np.uint8)
    expert = np.array([[0.1, 0.1, 0.9, 0.9]])
    item = Judged(Path("x"), (97, 97), pixels, expert, np.empty((0, 2, 4)), np.empty((0, 2)))

    def seen(*colour: float) -> list[int]:
        drawn = Drawn(WHOLE, (97, 97), (colour[0], colour[1], colour[2]), False)
        return [int(v) for v in render(item, drawn).pixels[40, 40]]

    assert seen(1, 1, 1) == [100, 60, 20]
    assert seen(1.5, 1, 1) == [150, 90, 30]
    assert seen(1, 0, 1) == [60, 60, 60]
    assert seen(1, 1, 0) == [60, 60, 60]
    assert seen(1, 1, 0.5) == [80, 60, 40]


@given(judged(), SEEDS)
def test_the_same_seed_draws_the_same(item: Judged, seed: int) -> None:
    first, again = (draw(item, Augment(), 9409, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(first.window, again.window)
    assert (first.size, first.colour) == (again.size, again.colour)


@given(judged(), SEEDS)
def test_a_mirrored_picture_has_its_boxes_mirrored(item: Judged, seed: int) -> None:
    drawn = draw(item, Augment(mirror=1.0), 9409, np.random.default_rng(seed))
    plain, seen = render(item, replace(drawn, mirror=False)), render(item, drawn)
    assert np.array_equal(seen.pixels, plain.pixels[:, ::-1])
    for flipped, boxes in ((seen.expert, plain.expert), (seen.pairs, plain.pairs)):
        x0, y0, x1, y1 = np.moveaxis(boxes, -1, 0)
        assert np.allclose(flipped, np.stack([1 - x1, y0, 1 - x0, y1], -1))


# A folder of judged pictures


def subject_photo(rng: np.random.Generator) -> tuple[NDArray[np.uint8], list[float]]:
    """Dim noise with a bright subject; the expert's box is around the subject, with a margin."""
    width, height = (int(side) for side in rng.choice([(120, 120), (150, 100), (100, 150)]))
    pixels = rng.integers(20, 70, (height, width, 3), dtype=np.uint8)
    w, h = rng.uniform(0.3, 0.5, 2) * (width, height)
    x, y = rng.uniform(0.1, 0.9, 2) * (width - w, height - h)
    x0, y0, x1, y1 = (round(float(edge)) for edge in (x, y, x + w, y + h))
    pixels[y0:y1, x0:x1] = (240, 220, 90)
    margin = 0.2
    box = [(x - margin * w) / width, (y - margin * h) / height]
    box += [(x + (1 + margin) * w) / width, (y + (1 + margin) * h) / height]
    return pixels, np.clip(box, 0, 1).tolist()


def write_folder(root: Path, train: int, val: int, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    entries = []
    for index in range(train + val):
        pixels, box = subject_photo(rng)
        name = f"{index:03}.png"
        Image.fromarray(pixels).save(root / "images" / name)
        worse = [0.0, 0.0, 0.5, 0.5] if box[0] + box[2] > 1 else [0.5, 0.5, 1.0, 1.0]
        split = "train" if index < train else "val"
        entries.append({"image": name, "split": split, "box": box, "pairs": [[box, worse, 5, 0]]})
    (root / "annotations.json").write_text(json.dumps(entries))
    return root


def write_trunk(path: Path, seed: int = 0) -> Path:
    """A trunk of random weights under which signals neither die nor explode."""
    torch.manual_seed(seed)
    trunk = Trunk()
    with torch.no_grad():
        for weights in trunk.parameters():
            if weights.ndim == 4:
                torch.nn.init.kaiming_normal_(weights)
    save_file(trunk.state_dict(), path)
    return path


@dataclass(frozen=True)
class Trained:
    """One training that several tests look at."""

    folder: Path  # data, trunk and what was written
    config: CropsConfig
    untrained: float  # mean IoU on val
    trained: float
    log: list[str]

    @property
    def out(self) -> Path:
        return self.folder / "out"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("training")
    data, trunk = write_folder(folder / "data", 24, 8), write_trunk(folder / "trunk.safetensors")
    config = CropsConfig(
        epochs=5,
        batch=3,
        free=32,
        given=16,
        head_rate=5e-3,
        trunk_rate=3e-4,
        average=0.8,
        augment=Augment(scale=0),
    )
    still = replace(config, epochs=1, head_rate=0.0, trunk_rate=0.0)
    before = train_crops(
        data, trunk, folder / "still", still, net_config=TINY, device="cpu", log=ignore
    )
    log: list[str] = []
    after = train_crops(
        data, trunk, folder / "out", config, net_config=TINY, device="cpu", log=log.append
    )
    return Trained(folder, config, before.mean, after.mean, log)


def ignore(line: str) -> None:
    pass


def test_training_lowers_the_loss(trained: Trained) -> None:
    rows = [json.loads(line) for line in (trained.out / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == list(range(1, trained.config.epochs + 1))
    assert rows[-1]["loss"] < 0.6 * rows[0]["loss"]
    assert len([line for line in trained.log if line.startswith("epoch ")]) == len(rows)


def test_the_log_is_drawn(trained: Trained) -> None:
    with Image.open(trained.out / "curve.png") as curve:
        assert curve.width > curve.height
        assert len(curve.getcolors(2**20) or ()) > 100  # not a blank page
    assert f"wrote {trained.out / 'curve.png'}" in trained.log


def test_patience_ends_a_training_that_gets_no_better(trained: Trained, tmp_path: Path) -> None:
    config = replace(SHORT, epochs=9, patience=2, head_rate=0.0, trunk_rate=0.0)
    data, trunk = trained.folder / "data", trained.folder / "trunk.safetensors"
    for _ in range(2):  # the same command again adds nothing
        lines: list[str] = []
        train_crops(
            data, trunk, tmp_path, config, net_config=TINY, device="cpu", limit=6, log=lines.append
        )
        rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
        assert [row["epoch"] for row in rows] == [1, 2, 3]  # the first is the best, then two more
        assert lines[-2] == "stopped: 2 epochs without a better one"
        assert lines[-1].startswith("weights of epoch 1, ")
    more = replace(config, patience=3)  # patience is when to end, not what to learn
    train_crops(data, trunk, tmp_path, more, net_config=TINY, device="cpu", limit=6, log=ignore)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 4


def test_training_beats_untrained_weights_on_unseen_photos(trained: Trained) -> None:
    assert trained.trained > trained.untrained + 0.15
    rows = [json.loads(line) for line in (trained.out / "log.jsonl").read_text().splitlines()]
    best = max((row["given"] + row["free"]) / 2 for row in rows)
    assert trained.trained == pytest.approx(best)


def test_the_trained_scorer_loads_and_finds_unseen_subjects(trained: Trained) -> None:
    path = trained.out / "cropnet.safetensors"
    scorers = [load_scorer(str(p), "cpu") for p in (path, trained.folder / "still" / path.name)]
    assert isinstance(scorers[0], CropNetScorer)
    assert scorers[0].net.config == TINY
    assert scorers[0].spec.licence
    overlaps: list[list[float]] = [[], []]
    rng = np.random.default_rng(99)
    for _ in range(12):
        pixels, expert = subject_photo(rng)
        size = np.array([pixels.shape[1], pixels.shape[0]] * 2)
        for scorer, row in zip(scorers, overlaps, strict=True):
            config = SearchConfig(budget=800)
            found = find_best_crop(from_array(pixels), scorer=scorer, aspect="free", config=config)
            row.append(float(iou(np.array([found.best.box]) / size, np.array([expert]))[0, 0]))
    assert np.mean(overlaps[0]) > np.mean(overlaps[1]) + 0.15


class CutOffError(Exception):
    """The power went."""


def weights_of(out: Path) -> dict[str, Tensor]:
    state = torch.load(out / "last.pt", weights_only=True)
    tensors = {f"net.{key}": value for key, value in state["net"].items()}
    return tensors | {f"average.{key}": value for key, value in state["average"].items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


SHORT = CropsConfig(epochs=2, batch=4, free=16, given=8, head_rate=2e-3, average=0.9)


def short_run(
    trained: Trained,
    out: Path,
    seed: int = 0,
    log: Callable[[str], None] = ignore,
    net_config: CropNetConfig = TINY,
) -> Path:
    data, trunk = trained.folder / "data", trained.folder / "trunk.safetensors"
    config = replace(SHORT, seed=seed)
    train_crops(data, trunk, out, config, net_config=net_config, device="cpu", limit=6, log=log)
    return out


@pytest.fixture(scope="module")
def straight(trained: Trained) -> Path:
    """A short training that nothing interrupts."""
    return short_run(trained, trained.folder / "straight")


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_training_that_was_cut_off_ends_as_if_it_had_not_been(
    trained: Trained, straight: Path, tmp_path: Path, dropout: float
) -> None:
    net_config = replace(TINY, dropout=dropout)
    if dropout != TINY.dropout:
        straight = short_run(trained, tmp_path / "straight", net_config=net_config)

    def cut(line: str) -> None:
        if line.startswith("epoch 2"):
            raise CutOffError

    out = tmp_path / "out"
    with pytest.raises(CutOffError):
        short_run(trained, out, log=cut, net_config=net_config)
    lines: list[str] = []
    short_run(trained, out, log=lines.append, net_config=net_config)
    assert "continuing after epoch 1" in lines
    assert same(weights_of(out), weights_of(straight))
    name = "cropnet.safetensors"
    assert (out / name).read_bytes() == (straight / name).read_bytes()


def test_a_finished_training_is_left_as_it_is(
    trained: Trained, straight: Path, tmp_path: Path
) -> None:
    before = (straight / "cropnet.safetensors").read_bytes(), weights_of(straight)
    lines: list[str] = []
    short_run(trained, straight, log=lines.append)
    assert not [line for line in lines if line.startswith("epoch ")]
    assert (straight / "cropnet.safetensors").read_bytes() == before[0]
    assert same(weights_of(straight), before[1])


def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    trained: Trained, straight: Path, tmp_path: Path
) -> None:
    again, other = short_run(trained, tmp_path / "a"), short_run(trained, tmp_path / "b", seed=1)
    assert same(weights_of(again), weights_of(straight))
    assert not same(weights_of(other), weights_of(straight))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"config": replace(SHORT, seed=1)}, "from, seed"),
        ({"config": replace(SHORT, epochs=3)}, "epochs"),
        ({"net_config": replace(TINY, hidden=8)}, "from, net"),
        ({"limit": 7}, "data"),
        ({"start": True}, "from"),
    ],
)
def test_a_training_of_another_recipe_is_left_alone(
    trained: Trained, straight: Path, tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    out = Path(shutil.copytree(straight, tmp_path / "out"))
    before = files_of(out)
    trunk = write_trunk(tmp_path / "other.safetensors", 9) if change.pop("start", None) else None
    asked: dict[str, Any] = {"config": SHORT, "net_config": TINY, "limit": 6} | change
    config = asked.pop("config")
    with pytest.raises(ConfigError, match=rf"another recipe \({named}\).*another --out"):
        train_crops(
            trained.folder / "data",
            trunk or trained.folder / "trunk.safetensors",
            out,
            config,
            device="cpu",
            log=ignore,
            **asked,
        )
    assert files_of(out) == before


def test_a_state_that_is_none_is_named(trained: Trained, straight: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(straight, tmp_path / "out"))
    (out / "last.pt").write_text("garbage")
    with pytest.raises(DataError, match=r"last\.pt is no state.*remove it"):
        short_run(trained, out)


def test_a_finished_training_writes_again_what_is_missing(
    trained: Trained, straight: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(straight, tmp_path / "out"))
    before = files_of(out)
    for name in ("cropnet.safetensors", "log.jsonl", "curve.png"):
        (out / name).unlink()
    lines: list[str] = []
    short_run(trained, out, log=lines.append)
    after = files_of(out)
    assert set(after) == set(before)
    assert after["cropnet.safetensors"] == before["cropnet.safetensors"]
    assert after["log.jsonl"] == before["log.jsonl"]
    assert lines[-1].startswith("weights of epoch ")


def test_the_frozen_part_of_the_trunk_stays_as_it_was(trained: Trained, straight: Path) -> None:
    start, end = load_file(trained.folder / "trunk.safetensors"), weights_of(straight)
    moved = {
        int(key.split(".")[1])
        for key in start
        if not torch.equal(start[key], end[f"net.trunk.{key}"])
    }
    assert moved == set(range(7, 18))


def test_convnet_trains_on_the_trunk_of_a_cropnet_and_loads_beside_it(trained: Trained) -> None:
    lines: list[str] = []
    config = ConvNetConfig(epochs=3, free=6, given=3, pixels=20_000)
    score = train_convnet(
        trained.folder / "data",
        trained.out / "cropnet.safetensors",
        trained.out,
        config,
        device="cpu",
        limit=4,
        log=lines.append,
    )
    assert 0 < score <= 1
    assert len([line for line in lines if line.startswith("epoch ")]) == 3
    scorer = load_scorer(str(trained.out / "convnet.safetensors"), "cpu")
    assert isinstance(scorer, ConvNetScorer)
    assert scorer.spec.costly
    view = scorer.spec.view(load_image(trained.folder / "data" / "images" / "000.png"))
    with torch.no_grad():
        boxes = np.array([[0.0, 0, *view.size], [10, 10, 90, 90]])
        assert np.ptp(scorer.bind(view)(boxes)) > 0


def test_training_needs_weights_to_start_from(trained: Trained, tmp_path: Path) -> None:
    data = trained.folder / "data"
    for trunk in (None, tmp_path / "nowhere.safetensors"):
        with pytest.raises(MissingModelError, match=r"--trunk"):
            train_from_crops("cropnet", data, trunk, tmp_path, log=ignore)


# Broken data

GOOD = {"image": "000.png", "split": "train", "box": [0.1, 0.1, 0.9, 0.9], "pairs": []}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "data", 2, 1)


def test_a_folder_is_read_by_split_at_the_network_s_size(folder: Path) -> None:
    items = load_judged(folder, "train", 9409)
    entries = json.loads((folder / "annotations.json").read_text())
    assert [item.path.name for item in items] == ["000.png", "001.png"]
    for item, entry in zip(items, entries, strict=False):
        width, height = input_size(item.size, 9409)
        assert item.pixels.shape == (height, width, 3)
        assert item.expert.tolist() == [entry["box"]]
        assert item.pairs.tolist() == [entry["pairs"][0][:2]]
        assert item.votes.tolist() == [[5, 0]]
    (val,) = load_judged(folder, "val", 9409)
    assert val.path.name == "002.png"


@pytest.mark.parametrize("content", ["", "[", "3", '["a"]', '[{"image": "000.png"}]', '{"a": 1}'])
def test_a_broken_annotation_file_is_named(folder: Path, content: str) -> None:
    (folder / "annotations.json").write_text(content)
    with pytest.raises(DataError, match=r"annotations\.json"):
        load_judged(folder, "train", 9409)


def test_a_missing_annotation_file_or_split_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"annotations\.json"):
        load_judged(tmp_path / "nowhere", "train", 9409)
    with pytest.raises(DataError, match=r"annotations\.json.*'test'"):
        load_judged(folder, "test", 9409)


@pytest.mark.parametrize(
    "change",
    [
        {"box": None},
        {"box": [0.1, 0.1, 0.9]},
        {"box": "all of it"},
        {"box": {"x0": 0}},
        {"box": [0.9, 0.1, 0.1, 0.9]},
        {"box": [0.1, 0.5, 0.9, 0.5]},
        {"box": [0.1, 0.1, float("nan"), 0.9]},
        {"box": [10, 10, 90, 90]},
        {"pairs": [[[0, 0, 1, 1], [0, 0, 1, 1], 3]]},
        {"pairs": [[[0, 0, 1, 1], [0, 0, 1], 3, 2]]},
        {"pairs": 7},
        {"pairs": [[[0, 0, 1, 1], [0, 0, 0.5, 1], 0, 0]]},
        {"pairs": [[[0, 0, 1, 1], [0.5, 0, 0.5, 1], 3, 2]]},
    ],
    ids=lambda change: json.dumps(change)[:50],
)
def test_a_broken_entry_is_named_by_its_picture(folder: Path, change: dict[str, Any]) -> None:
    entry = {key: value for key, value in (GOOD | change).items() if value is not None}
    (folder / "annotations.json").write_text(json.dumps([entry]))
    with pytest.raises(DataError, match=r"000\.png"):
        load_judged(folder, "train", 9409)


def test_a_picture_that_cannot_be_read_is_named(folder: Path) -> None:
    picture = folder / "images" / "001.png"
    picture.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"001\.png"):
        load_judged(folder, "train", 9409)
    picture.unlink()
    with pytest.raises(DataError, match=r"001\.png"):
        load_judged(folder, "train", 9409)


def test_training_on_broken_data_names_the_file(trained: Trained, folder: Path) -> None:
    (folder / "annotations.json").write_text("{")
    trunk = trained.folder / "trunk.safetensors"
    with pytest.raises(DataError, match=r"annotations\.json"):
        train_crops(folder, trunk, folder / "out", SHORT, net_config=TINY, log=ignore)


@pytest.mark.parametrize("content", [b"", b"these are no weights" * 9])
def test_a_trunk_that_is_no_weights_is_named(
    trained: Trained, tmp_path: Path, content: bytes
) -> None:
    trunk = tmp_path / "broken.safetensors"
    trunk.write_bytes(content)
    with pytest.raises((DataError, MissingModelError), match=r"broken\.safetensors"):
        train_crops(
            trained.folder / "data", trunk, tmp_path / "out", SHORT, net_config=TINY, log=ignore
        )


# Folds, and what a held-out judge is trained on


def test_folds_are_disjoint_and_together_everything(folder: Path) -> None:
    whole = [item.path for item in load_judged(folder, "train", 9409)]
    parts = [[i.path for i in load_judged(folder, "train", 9409, fold=(k, 2))] for k in (0, 1)]
    assert sorted(parts[0] + parts[1]) == sorted(whole)
    assert not set(parts[0]) & set(parts[1])
    assert min(map(len, parts)) > 0


def test_a_trunk_rate_of_nothing_leaves_the_trunk_and_the_header_says_so(
    trained: Trained, tmp_path: Path
) -> None:
    config = replace(trained.config, epochs=1, trunk_rate=0.0, fold=(1, 2), seed=5)
    trunk = trained.folder / "trunk.safetensors"
    train_crops(
        trained.folder / "data",
        trunk,
        tmp_path,
        config,
        net_config=TINY,
        device="cpu",
        log=ignore,
    )
    before, after = load_file(trunk), load_file(tmp_path / "cropnet.safetensors")
    for key, value in before.items():
        torch.testing.assert_close(after["trunk." + key], value.half())
    said = read_header(tmp_path / "cropnet.safetensors")["trained"]
    assert said == {"seed": 5, "fold": "1/2", "trunk": "frozen", "epoch": 1}


@pytest.mark.parametrize("fold", ["2/2", "x", "1", "-1/2", "0/0"])
def test_a_fold_that_is_none_is_refused(folder: Path, fold: str) -> None:
    line = ["train", "crops", "--data", str(folder), "--fold", fold]
    ran = CliRunner().invoke(main, line)
    assert ran.exit_code == 2
    assert "is not K/N" in ran.output


def test_convnet_has_no_trunk_rate(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--trunk-rate, .* are cropnet's"):
        train_from_crops("convnet", folder, None, tmp_path, trunk_rate=0.0)


def test_a_student_goes_on_from_its_first_teacher(trained: Trained, tmp_path: Path) -> None:
    first = short_run(trained, tmp_path / "teacher") / "cropnet.safetensors"
    lines: list[str] = []
    train_crops(
        trained.folder / "data",
        trained.folder / "trunk.safetensors",
        tmp_path / "student",
        replace(SHORT.distilled((str(first), str(first)), None), epochs=1),
        net_config=TINY,
        device="cpu",
        limit=6,
        log=lines.append,
    )
    assert lines[0] == "2 teachers judge 6 pictures, parts of them and 0"
    assert lines[1].startswith("12 pictures to train on")
    student = load_file(tmp_path / "student" / "cropnet.safetensors")
    teacher = load_file(first)
    frozen = "trunk.features.3.expand.weight"
    assert torch.equal(student[frozen], teacher[frozen])
    assert not torch.equal(student["head.reduce.weight"], teacher["head.reduce.weight"])

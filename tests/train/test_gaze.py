"""Where people look: what is read, and what is learned from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from numpy.typing import NDArray
from PIL import Image

from cropper import load_scorer
from cropper.annotations import fixations_of, share_kept
from cropper.errors import ConfigError, DataError
from cropper.scorers.checkpoint import save_scorer
from cropper.scorers.cropnet.config import input_size
from cropper.scorers.cropnet.network import CropNet, CropNetConfig, CropNetScorer
from cropper.train import train_crops
from cropper.train.augment import Augment, draw, render
from cropper.train.crops import header_of
from cropper.train.data import Judged
from cropper.train.gaze import (
    bind_all,
    fixation_density,
    gaze_loss,
    load_watched,
    windows,
)
from cropper.train.losses import density_loss
from tests.train.support import SEEDS, SHORT, TINY, Start, subject_photo


def watched_photo(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A photo whose viewers look at its bright subject."""
    pixels, box = subject_photo(rng)
    x0, y0, x1, y1 = box
    return pixels, rng.uniform((x0, y0), (x1, y1), (30, 2))


def write_gaze(root: Path, count: int) -> Path:
    rng = np.random.default_rng(3)
    root.mkdir()
    entries = []
    for index in range(count):
        pixels, seen = watched_photo(rng)
        Image.fromarray(pixels).save(root / f"{index}.png")
        rows = [[n % 3, x, y, 100] for n, (x, y) in enumerate(seen.tolist())]
        entries.append({"image": f"{index}.png", "split": "train", "fixations": rows})
    (root / "annotations.json").write_text(json.dumps(entries))
    return root


def watched(rng: np.random.Generator) -> Judged:
    pixels, seen = watched_photo(rng)
    size = (pixels.shape[1], pixels.shape[0])
    seen_at = np.array(Image.fromarray(pixels).resize(input_size(size, TINY.pixels)))
    held = np.array([[*seen.min(0), *seen.max(0)]])
    none = np.empty((0, 2, 4)), np.empty((0, 2))
    return Judged(Path("x"), size, seen_at, held, *none, fixations=seen)


def test_each_viewers_first_fixation_and_those_outside_are_left_out() -> None:
    rows = [[0, 0.5, 0.5, 9], [0, 0.1, 0.2, 9], [1, 0.5, 0.5], [1, 0.3, 0.4], [1, 1.2, 0.4]]
    assert fixations_of({"fixations": rows}).tolist() == [[0, 0.1, 0.2], [1, 0.3, 0.4]]
    assert fixations_of({"fixations": []}).shape == (0, 3)


def test_the_density_is_that_of_gaussians_at_the_fixations() -> None:
    seen = np.array([[0.2, 0.5], [0.9, 0.1], [0.2, 0.6]])
    found = fixation_density(seen, (9, 5))
    slow = np.zeros((5, 9))
    for x, y in seen:
        for row in range(5):
            for column in range(9):  # map pixel i lies on the centre of input pixel 16 i
                far = (x * 129 - (16 * column + 0.5)) ** 2 + (y * 65 - (16 * row + 0.5)) ** 2
                slow[row, column] += np.exp(-far / 16**2 / 2)
    np.testing.assert_allclose(found, slow / slow.sum(), atol=1e-12)
    assert np.unravel_index(found.argmax(), found.shape) == (2, 2)


@given(SEEDS)
def test_windows_of_a_list_have_one_size_inside_the_photo(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = (int(rng.integers(50, 900)), int(rng.integers(50, 900)))
    boxes = windows(size, 24, rng)
    sides = boxes[:, 2:] - boxes[:, :2]
    np.testing.assert_allclose(sides, np.broadcast_to(sides[0], sides.shape), atol=1e-9)
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    aspect = sides[0, 0] * size[0] / (sides[0, 1] * size[1])
    assert 0.5 - 1e-9 <= aspect <= 2 + 1e-9
    assert 0.6 - 1e-9 <= sides[0].max() <= 1 + 1e-9


@given(SEEDS)
def test_the_share_kept_is_counted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen, boxes = rng.uniform(0, 1, (20, 2)), windows((300, 200), 5, rng)
    slow = [sum(b[0] <= x <= b[2] and b[1] <= y <= b[3] for x, y in seen) / 20 for b in boxes]
    np.testing.assert_allclose(share_kept(seen, boxes), slow)


def test_a_photo_that_was_looked_at_once_can_be_augmented(tmp_path: Path) -> None:
    root = write_gaze(tmp_path / "gaze", 1)
    rows = [[0, 0.5, 0.5], [0, 1.0, 0.3], [1, 0.5, 0.5]]
    entry = {"image": "0.png", "split": "train", "fixations": rows}
    (root / "annotations.json").write_text(json.dumps([entry]))
    (item,) = load_watched(root, "train", TINY.pixels)
    np.testing.assert_allclose(item.expert, [[0.95, 0.25, 1.0, 0.35]])
    rng = np.random.default_rng(0)
    for _ in range(200):
        seen = render(item, draw(item, Augment(window=1.0), TINY.pixels, rng))
        assert min(seen.pixels.shape[:2]) >= 33


@given(SEEDS)
def test_augmentation_moves_fixations_with_the_picture(seed: int) -> None:
    rng = np.random.default_rng(seed)
    item = watched(rng)
    assert item.fixations is not None
    drawn = draw(item, Augment(window=1.0, mirror=1.0), TINY.pixels, rng)
    seen = render(item, drawn)
    assert seen.fixations is not None
    height, width = item.pixels.shape[:2]
    x0, y0, x1, y1 = np.round(drawn.window * [width, height, width, height])  # as pixels are cut
    moved = [
        ((x * width - x0) / (x1 - x0), (y * height - y0) / (y1 - y0)) for x, y in item.fixations
    ]
    slow = [(1 - x, y) for x, y in moved if 0 <= x <= 1 and 0 <= y <= 1]
    assert len(slow) >= len(item.fixations) - 4  # the window holds all but those that rounding cuts
    np.testing.assert_allclose(seen.fixations, np.array(slow), atol=1e-12)


def test_a_density_is_no_further_from_itself_than_nothing() -> None:
    density = torch.full((2, 3), 1 / 6)
    assert density_loss(density.log(), density).item() == pytest.approx(0, abs=1e-6)
    sure = torch.tensor([[1.0, 0, 0], [0, 0, 0]])
    assert density_loss(density.log(), sure).item() == pytest.approx(np.log(6), abs=1e-5)


def test_the_loss_falls_and_the_density_finds_the_subject() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    net = CropNet(replace(TINY, gaze=True, dropout=0.0))
    item = watched(rng)
    optimiser = torch.optim.Adam(net.head.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        loss = gaze_loss(net, [item], rng)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    assert item.fixations is not None
    with torch.no_grad():
        log_density = bind_all(net, [item])[0].gaze
    assert log_density is not None
    found = log_density.exp().numpy()
    assert found.sum() == pytest.approx(1, abs=1e-5)
    target = fixation_density(item.fixations, found.shape[::-1])
    assert np.corrcoef(found.ravel(), target.ravel())[0, 1] > 0.8


@pytest.mark.slow
def test_a_checkpoint_says_and_keeps_what_was_learned(start: Start, tmp_path: Path) -> None:
    gaze = write_gaze(tmp_path / "gaze", 6)
    config = replace(SHORT, gaze=str(gaze))
    lines: list[str] = []
    train_crops(
        start.few,
        start.trunk,
        tmp_path,
        config,
        net_config=TINY,
        device="cpu",
        limit=6,
        log=lines.append,
    )
    assert lines[0].startswith("6 pictures and 6 with fixations to train on")
    scorer = load_scorer(str(tmp_path / "cropnet.safetensors"), "cpu")
    assert isinstance(scorer, CropNetScorer)
    assert scorer.net.config.gaze
    assert scorer.net.head.gaze.weight.abs().sum() > 0
    share, area = scorer.net.head.gaze_weights.tolist()
    assert share > 0 > area
    assert share / area == pytest.approx(-3.2, rel=0.01)  # scaled together by the calibration
    assert not CropNetConfig().gaze  # of checkpoints without it


@pytest.mark.slow
@pytest.mark.parametrize("first", ["with", "without"])
def test_teachers_of_other_tasks_are_refused(start: Start, tmp_path: Path, first: str) -> None:
    gaze = str(write_gaze(tmp_path / "gaze", 2)) if first == "without" else None
    net, teacher = CropNet(replace(TINY, gaze=first == "with")), tmp_path / "start.safetensors"
    save_scorer(net, header_of(net.config, SHORT), teacher)
    config = replace(SHORT, gaze=gaze, start=str(teacher))
    with pytest.raises(ConfigError, match=f"trained {first} gaze"):
        train_crops(start.few, start.trunk, tmp_path, config, net_config=TINY, limit=2)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([{"image": "0.png", "split": "val", "fixations": []}], "no photo of split 'train'"),
        ([{"image": "0.png", "split": "train", "fixations": [["a"]]}], r"0\.png"),
        ([{"image": "none.png", "split": "train", "fixations": []}], r"none\.png"),
    ],
)
def test_a_broken_folder_is_named(tmp_path: Path, entries: list[object], said: str) -> None:
    root = write_gaze(tmp_path / "gaze", 1)
    (root / "annotations.json").write_text(json.dumps(entries))
    with pytest.raises(DataError, match=said):
        load_watched(root, "train", 10_000)

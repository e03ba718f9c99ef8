"""Training on crops, from start to end."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from cropper import CropRequest, find_best_crop, load_image, load_scorer
from cropper.boxes import iou
from cropper.errors import ConfigError, DataError, MissingModelError
from cropper.scorers.convnet import ConvNetScorer
from cropper.scorers.cropnet.network import CropNetScorer
from cropper.train import ConvNetConfig, train_convnet, train_crops, train_from_crops
from tests.train.support import (
    SHORT,
    TINY,
    Start,
    Trained,
    ignore,
    short_run,
    subject_photo,
    write_trunk,
)

pytestmark = pytest.mark.slow


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


def test_training_beats_untrained_weights_on_unseen_photos(trained: Trained) -> None:
    assert trained.trained > trained.untrained + 0.15
    rows = [json.loads(line) for line in (trained.out / "log.jsonl").read_text().splitlines()]
    assert trained.trained == pytest.approx((rows[-1]["given"] + rows[-1]["free"]) / 2)


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
            search = CropRequest(aspect="free", strategy="grid", budget=800)
            found = find_best_crop(pixels, search, scorer=scorer)
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


@pytest.fixture(scope="module")
def straight(start: Start) -> Path:
    """A short training that nothing interrupts."""
    return short_run(start, start.folder / "straight")


def test_a_training_that_was_cut_off_ends_as_if_it_had_not_been(
    start: Start, tmp_path: Path
) -> None:
    net_config = replace(TINY, dropout=0.3)  # draws too
    straight = short_run(start, tmp_path / "straight", net_config=net_config)

    def cut(line: str) -> None:
        if line.startswith("epoch 2"):
            raise CutOffError

    out = tmp_path / "out"
    with pytest.raises(CutOffError):
        short_run(start, out, log=cut, net_config=net_config)
    lines: list[str] = []
    short_run(start, out, log=lines.append, net_config=net_config)
    assert "continuing after epoch 1" in lines
    assert same(weights_of(out), weights_of(straight))
    name = "cropnet.safetensors"
    assert (out / name).read_bytes() == (straight / name).read_bytes()


def test_a_finished_training_is_left_as_it_is(start: Start, straight: Path, tmp_path: Path) -> None:
    before = (straight / "cropnet.safetensors").read_bytes(), weights_of(straight)
    lines: list[str] = []
    short_run(start, straight, log=lines.append)
    assert not [line for line in lines if line.startswith("epoch ")]
    assert (straight / "cropnet.safetensors").read_bytes() == before[0]
    assert same(weights_of(straight), before[1])


def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    start: Start, straight: Path, tmp_path: Path
) -> None:
    again, other = short_run(start, tmp_path / "a"), short_run(start, tmp_path / "b", seed=1)
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
    start: Start, straight: Path, tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    out = Path(shutil.copytree(straight, tmp_path / "out"))
    before = files_of(out)
    trunk = write_trunk(tmp_path / "other.safetensors", 9) if change.pop("start", None) else None
    asked: dict[str, Any] = {"config": SHORT, "net_config": TINY, "limit": 6} | change
    config = asked.pop("config")
    with pytest.raises(ConfigError, match=rf"another recipe \({named}\).*another `out`"):
        train_crops(
            start.few,
            trunk or start.trunk,
            out,
            config,
            device="cpu",
            log=ignore,
            **asked,
        )
    assert files_of(out) == before


def test_a_state_that_is_none_is_named(start: Start, straight: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(straight, tmp_path / "out"))
    (out / "last.pt").write_text("garbage")
    with pytest.raises(DataError, match=r"last\.pt is no state.*remove it"):
        short_run(start, out)


def test_a_finished_training_writes_again_what_is_missing(
    start: Start, straight: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(straight, tmp_path / "out"))
    before = files_of(out)
    for name in ("cropnet.safetensors", "log.jsonl", "curve.png"):
        (out / name).unlink()
    lines: list[str] = []
    short_run(start, out, log=lines.append)
    after = files_of(out)
    assert set(after) == set(before)
    assert after["cropnet.safetensors"] == before["cropnet.safetensors"]
    assert after["log.jsonl"] == before["log.jsonl"]
    assert lines[-1].startswith("the weights written: ")


def test_the_frozen_part_of_the_trunk_stays_as_it_was(start: Start, straight: Path) -> None:
    before, after = load_file(start.trunk), weights_of(straight)
    moved = {
        int(key.split(".")[1])
        for key in before
        if not torch.equal(before[key], after[f"net.trunk.{key}"])
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


def test_training_needs_weights_to_start_from(start: Start, tmp_path: Path) -> None:
    for trunk in (None, tmp_path / "nowhere.safetensors"):
        with pytest.raises(MissingModelError, match=r"`trunk=FILE`"):
            train_from_crops("cropnet", start.data, trunk, tmp_path, log=ignore)

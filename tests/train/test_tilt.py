"""Training of the tilt network: from drawn fronts alone, through the real command."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from cropper.cli import main
from cropper.image import View, from_array
from cropper.tilt import ANGLES, BINS, CELLS, TiltFinder, edge_directions
from cropper.train.tilt import TiltConfig, _varied, mirrored, photos_of, turned_window


def _front(width: int) -> np.ndarray:
    y, x = np.mgrid[:300, :400]
    wall = np.full((300, 400), 170, np.uint8)
    wall[(x % width > 16) & (x % width < 44) & (y % 72 > 16) & (y % 72 < 52)] = 60
    return wall[..., None].repeat(3, 2)


@pytest.fixture
def fronts(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for number, width in enumerate(range(50, 74, 2)):
        Image.fromarray(_front(width)).save(tmp_path / "photos" / f"{number:02}.png")
    return tmp_path / "photos"


@pytest.mark.slow
def test_a_network_learns_drawn_fronts_and_keeps_its_windows(fronts: Path, tmp_path: Path) -> None:
    line = ["train", "tilt", str(fronts), "--out", str(tmp_path / "run"), "--epochs", "14"]
    found = CliRunner().invoke(main, line, catch_exceptions=False)
    assert found.exit_code == 0, found.stderr
    finder = TiltFinder(tmp_path / "run" / "tilt.safetensors")
    photo, rng = from_array(_front(61)), np.random.default_rng(0)  # a width that it has not seen
    truth = np.array([-9.0, -4.0, 3.0, 8.0])
    views = [turned_window(photo, angle, 1.0, 90, rng) for angle in truth]
    errors = [
        abs(finder.find(view).angle - angle) for view, angle in zip(views, truth, strict=True)
    ]
    assert np.median(errors) < 1.5
    again = CliRunner().invoke(main, [*line[:-1], "1"])
    assert "turning 12 photos" in found.stderr
    assert "turning" not in again.stderr


def test_the_training_split_alone_is_used(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    rows = [{"image": "a.jpg", "split": "train"}, {"image": "b.jpg", "split": "val"}]
    (tmp_path / "annotations.json").write_text(json.dumps([*rows, {"image": "c.jpg"}]))
    names = [path.name for path in photos_of(tmp_path, "train")]
    assert names == ["a.jpg", "c.jpg"]


@pytest.mark.parametrize("count", [3, 11])
def test_too_few_photos_are_refused(fronts: Path, tmp_path: Path, count: int) -> None:
    line = ["train", "tilt", str(fronts), "--limit", str(count), "--out", str(tmp_path / "run")]
    found = CliRunner().invoke(main, line)
    assert found.exit_code == 1
    assert f"{count} photos are too few" in found.stderr


@pytest.mark.parametrize(
    "line",
    [
        ["tilt", "photos"],
        ["orientation", "photos"],
        ["crops", "--data", "photos", "--trunk", "file"],
        ["localizer", "--data", "photos"],
    ],
    ids=lambda line: line[0],
)
def test_a_folder_that_cannot_be_made_is_told(
    fronts: Path, line: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fronts.parent)
    Path("file").touch()
    found = CliRunner().invoke(main, ["train", *line, "--epochs", "2", "--out", "file/run"])
    assert found.exit_code == 5, found.stderr
    assert "file/run" in found.stderr


def test_no_room_for_the_windows_is_told_and_leaves_none_behind(
    fronts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, **arrays: object) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    found = CliRunner().invoke(main, ["train", "tilt", str(fronts), "--out", str(tmp_path / "run")])
    assert found.exit_code == 5
    assert "windows.npz: cannot be written: No space left on device" in found.stderr
    assert not [*(tmp_path / "run").iterdir()]


def test_a_batch_is_turned_further_by_whole_bins() -> None:
    """Against moving each peak by hand: a peak at an angle stays at the angle that goes with it."""
    angles = torch.linspace(-12, 12, 9)
    edges = torch.zeros(9, 2, 2, CELLS, CELLS, BINS)
    places = ((angles + BINS / 4) * 2 - 0.5).round().long()
    edges[torch.arange(9), :, :, 3, 1, places] = 1.0
    centres = (torch.arange(BINS) + 0.5) / 2 - BINS / 4
    for seed in range(8):
        torch.manual_seed(seed)
        turned, labels = _varied(edges, angles, TiltConfig())
        assert len(turned) == len(labels)
        assert (labels.abs() <= TiltConfig().most).all()
        peaks = centres[turned[:, 0, 0].sum((1, 2)).argmax(1)]
        assert (peaks - labels).abs().max() <= 0.26


def test_mirrored_edges_are_those_of_the_mirrored_photo() -> None:
    pixels = np.ascontiguousarray(_front(58)[:, 13:381])
    own, other = (
        edge_directions(View(np.ascontiguousarray(each), (368, 300)))
        for each in (pixels, pixels[:, ::-1])
    )
    assert np.allclose(mirrored(torch.from_numpy(own)).numpy(), other, atol=1e-4)
    assert len(ANGLES) == BINS - 24

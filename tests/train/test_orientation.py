"""Training of the orientation network: from drawn scenes alone, through the real command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cropper.cli import main
from cropper.image import View
from cropper.orientation import OrientationFinder


def _scene(seed: int) -> np.ndarray:
    """A bright sky above dark ground with bars that stand on it."""
    rng = np.random.default_rng(seed)
    height, width = 240, 320
    horizon = int(rng.integers(100, 160))
    scene = np.empty((height, width, 3), np.uint8)
    scene[:horizon] = rng.integers(180, 250, 3)
    scene[horizon:] = rng.integers(20, 90, 3)
    for _ in range(5):
        left, top = int(rng.integers(0, width - 24)), int(rng.integers(30, horizon))
        scene[top : horizon + 20, left : left + 18] = rng.integers(60, 160, 3)
    return scene


@pytest.mark.slow
def test_a_network_learns_drawn_scenes(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for seed in range(12):
        Image.fromarray(_scene(seed)).save(tmp_path / "photos" / f"{seed:02}.png")
    line = ["train", "orientation", str(tmp_path / "photos"), "--out", str(tmp_path / "run")]
    found = CliRunner().invoke(main, [*line, "--epochs", "60"], catch_exceptions=False)
    assert found.exit_code == 0, found.stderr
    assert "12 of 12 photos" in found.stderr
    finder = OrientationFinder(tmp_path / "run" / "orientation.safetensors")
    right = 0
    for seed in range(100, 106):
        for quarters in range(4):
            pixels = np.ascontiguousarray(np.rot90(_scene(seed), quarters))
            right += finder.find(View(pixels, pixels.shape[1::-1])).quarters == quarters
    assert right >= 20


def test_too_few_photos_are_refused(tmp_path: Path) -> None:
    Image.fromarray(_scene(0)).save(tmp_path / "one.png")
    line = ["train", "orientation", str(tmp_path), "--out", str(tmp_path / "run")]
    found = CliRunner().invoke(main, line)
    assert found.exit_code == 1
    assert "1 photos are too few" in found.stderr

"""Heads that crops cut: counted where the shape could hold them, for any method."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from skimage import data

from cropper.errors import DataError
from cropper.image import SourceImage
from cropper.space import CropSpace
from eval.__main__ import cli
from eval.heads import SHAPES, measure_heads, render_heads
from eval.methods import Choice


@dataclass(frozen=True)
class At:
    """The largest box of an aspect, at one height of the photo."""

    name: str
    y: float

    def crop(self, image: SourceImage, aspect: float | None) -> Choice:
        assert aspect is not None
        return Choice(tuple(CropSpace(image.size, aspect).boxes([[1.0, 0.5, self.y]])[0].tolist()))

    def score(self, image: SourceImage, boxes: np.ndarray) -> None:
        return None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One portrait and one photo of nobody."""
    tall = np.pad(data.astronaut()[:300, 80:380], ((0, 200), (0, 0), (0, 0)), mode="edge")
    Image.fromarray(tall).save(tmp_path / "a.png")
    Image.fromarray(data.coffee()).save(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes(b"no picture")
    return tmp_path


def test_a_head_is_cut_or_kept(folder: Path) -> None:
    photos, found = measure_heads(sorted(folder.iterdir()), [At("top", 0.0), At("end", 1.0)])
    assert photos == 1
    assert found[0].heads == found[1].heads
    held = dict(zip(SHAPES, zip(found[0].shares, found[1].shares, strict=True), strict=True))
    top, end = held["1:1"]
    assert top is not None
    assert end is not None
    assert (top.mean, end.mean) == (0, 1)
    assert held["16:9"] == (None, None)  # the head is higher than the largest such box
    told = render_heads(photos, found)
    assert "1 photos of one or two people" in told
    assert "100.0% [100.0%, 100.0%]" in told


def test_photos_of_nobody_are_no_benchmark(folder: Path) -> None:
    with pytest.raises(DataError, match="no photo of one or two people among 1"):
        measure_heads([folder / "b.png"], [At("top", 0.0)])


def test_the_command_holds_the_product_against_itself(folder: Path) -> None:
    done = CliRunner().invoke(cli, ["heads", str(folder), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line[:24].strip() for line in lines[2:5]] == [
        "centre",
        "cropper, --keep none",
        "cropper",
    ]
    assert lines[4][24:].split()[:2] == ["-", "0.0%"]

"""Heads that crops cut: counted where the shape could hold them, for any method."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from cropper.errors import DataError
from cropper.image import SourceImage
from cropper.space import CropSpace
from eval.__main__ import cli
from eval.heads import SHAPES, _cut_at_least, measure_heads, render_heads
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


whole = st.integers(0, 30)


@given(st.lists(st.tuples(whole, whole), min_size=1, max_size=2), st.integers(10, 40))
def test_no_crop_cuts_less_than_the_least(places: list[tuple[int, int]], side: int) -> None:
    heads = np.array([(x, y, x + 8, y + 10) for x, y in places], dtype=np.float64)
    slack, room = np.full(len(heads), 2.0), np.array([side, side], dtype=np.float64)
    x, y = (each.ravel() for each in np.meshgrid(range(-40, 41), range(-40, 41)))
    out = [
        np.max([x - x0, y - y0, x1 - x - side, y1 - y - side], axis=0) > 2
        for x0, y0, x1, y1 in heads
    ]
    assert sum(_cut_at_least(heads, slack, room)) == np.sum(out, axis=0).min()


def test_photos_of_nobody_are_no_benchmark(folder: Path) -> None:
    with pytest.raises(DataError, match="no photo of one or two people among 1"):
        measure_heads([folder / "b.png"], [At("top", 0.0)])


def test_the_command_holds_the_product_against_itself(folder: Path) -> None:
    done = CliRunner().invoke(cli, ["heads", str(folder), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line[:24].strip() for line in lines[2:6]] == [
        "centre",
        "cropper, --keep none",
        "cropper",
        "least possible",
    ]
    assert lines[4][24:].split()[:2] == ["-", "0.0%"]

"""Fixations that crops keep, beside a centred crop and what viewers can say of each other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from cropper.annotations import share_kept
from cropper.errors import DataError
from cropper.space import CropSpace
from eval.__main__ import cli
from eval.attention import ceiling, measure_attention, slid
from eval.methods import Centre, FullFrame


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A photo of 512 x 512 whose four viewers look at its left end, and one that nobody saw."""
    Image.fromarray(data.astronaut()[:256]).save(tmp_path / "a.png")
    Image.fromarray(data.coffee()).save(tmp_path / "b.png")
    rows = [[v, x, 0.5] for v in range(4) for x in (0.5, 0.05, 0.1, 0.6)]
    entries = [
        {"image": "a.png", "split": "val", "fixations": rows},
        {"image": "b.png", "split": "val", "fixations": []},
    ]
    (tmp_path / "annotations.json").write_text(json.dumps(entries))
    return tmp_path


def test_shares_are_counted_without_the_first_fixations(folder: Path) -> None:
    photos, found = measure_attention(folder, "val", [Centre(), FullFrame()])
    assert photos == 1
    by_name = {each.method: [round(x.mean, 4) for x in each.shares] for each in found}
    # 2:1; the centred square has x from .25 to .75 and so one fixation of three
    assert by_name["centre"] == [0.6667, 0.3333, 0.3333, 0.3333]
    assert by_name["full frame"] == [1, 1, 1, 1]
    assert by_name["one half of the viewers for the other"] == [1, 0.6667, 0.6667, 0.6667]
    assert found[1].above_first[1].mean == pytest.approx(2 / 3)


def test_the_largest_box_slides_from_end_to_end() -> None:
    boxes = slid(CropSpace((300, 200), 1.0))
    np.testing.assert_allclose(boxes[[0, -1]], [[0, 0, 2 / 3, 1], [1 / 3, 0, 1, 1]])


@given(st.integers(0, 2**32 - 1))
def test_viewers_are_never_better_than_the_best_box_for_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = np.column_stack([np.repeat(np.arange(4), 5), rng.uniform(0, 1, (20, 2))])
    boxes = slid(CropSpace((400, 200), 1.0))
    halves = [points[np.isin(points[:, 0], own)] for own in ((0, 2), (1, 3))]
    most = np.mean([share_kept(half[:, 1:], boxes).max() for half in halves])
    assert 0 <= ceiling(points, boxes) <= most + 1e-12


def test_a_split_of_no_photo_is_named(folder: Path) -> None:
    with pytest.raises(DataError, match="no photo of split 'train' has two viewers"):
        measure_attention(folder, "train", [Centre()])


def test_the_command_measures_scorers_beside_the_centre(folder: Path) -> None:
    asked = ["attention", "--root", str(folder), "--device", "cpu"]
    done = CliRunner().invoke(cli, asked)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert "1 photos" in lines[0]
    assert [line[:40].strip() for line in lines[2:5]] == [
        "centre",
        "cropnet",
        "one half of the viewers for the other",
    ]
    assert lines[2][40:].split()[0] == "0.667"
    broken = folder / "annotations.json"
    broken.write_text("[{}]")
    assert CliRunner().invoke(cli, asked).exit_code == 1

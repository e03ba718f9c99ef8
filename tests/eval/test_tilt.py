"""``python -m eval tilt``: figures against what they are by hand, on drawn fronts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cropper.errors import DataError
from eval.tilt import hough, measure_tilt, render_tilt


@pytest.fixture
def fronts(tmp_path: Path) -> Path:
    y, x = np.mgrid[:300, :400]
    for number, width in enumerate((52, 64, 76)):
        wall = np.full((300, 400), 170, np.uint8)
        wall[(x % width > 16) & (x % width < 44) & (y % 72 > 16) & (y % 72 < 52)] = 60
        Image.fromarray(wall).save(tmp_path / f"{number}.png")
    return tmp_path


def test_no_turn_and_a_fixed_one_have_the_figures_that_they_must_have(fronts: Path) -> None:
    methods = [("none", lambda _: 0.0), ("seven", lambda _: 7.0)]
    count, (none, seven) = measure_tilt(fronts, "all", methods, turns=40, seed=1)
    truth = np.concatenate([np.random.default_rng([1, i]).uniform(-10, 10, 40) for i in range(3)])
    assert count == 3
    assert (none.turned.mean, none.within, none.left.mean, none.wins.mean) == (0, None, 1, 0)
    assert none.error.mean == pytest.approx(np.abs(truth).mean())
    assert (seven.turned.mean, seven.left.mean) == (1, 0)
    tilted = np.abs(truth) >= 2
    assert seven.within is not None
    assert seven.within.mean == pytest.approx((np.abs(truth - 7) <= 1)[tilted].mean())
    assert seven.median == pytest.approx(np.median(np.abs(truth - 7)[tilted]))
    assert seven.apart == pytest.approx(np.median(np.abs(truth)))
    nearer = np.abs(truth - 7) < np.abs(truth)
    assert seven.wins.mean == pytest.approx(nearer.mean(), abs=0.1)  # sizes differ too
    assert "seven" in render_tilt(count, 40, [none, seven])


def test_hough_lines_find_a_drawn_front(fronts: Path) -> None:
    _, (found,) = measure_tilt(fronts, "all", [("hough", hough)], turns=5)
    assert found.median < 0.6


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="no photo of split 'val' can be read"):
        measure_tilt(tmp_path, "val", [])

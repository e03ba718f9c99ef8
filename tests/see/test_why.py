"""What a score hangs on, of scorers that look at one known place."""

from __future__ import annotations

import numpy as np
import pytest

from cropper import CropFinder
from cropper.boxes import Boxes
from cropper.image import View
from cropper.scorers import BoundScorer, ScorerSpec
from cropper.see import score_losses
from cropper.see.why import _window


class Contrast:
    """Scores any crop by the contrast of one part of the picture, which a blur takes away."""

    spec = ScorerSpec(
        "contrast", 240, 100, costly=False, summary="contrast of a part", licence="none"
    )

    def __init__(self, rows: slice, columns: slice, sign: float = 1) -> None:
        self.part, self.sign = (rows, columns), sign

    def bind(self, view: View) -> BoundScorer:
        value = self.sign * float(view.pixels[self.part].std())

        def score(boxes: Boxes) -> np.ndarray:
            return np.full(len(boxes), value)

        return BoundScorer(score, view.size, 100)


def noisy() -> View:
    pixels = np.random.default_rng(0).integers(0, 256, (120, 240, 3), dtype=np.uint8)
    return View(pixels, (480, 240))


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 7), (5, 11)])
def test_the_place_that_is_looked_at_is_found(row: int, column: int) -> None:
    rows, columns = slice(20 * row, 20 * row + 20), slice(20 * column, 20 * column + 20)
    losses = score_losses(CropFinder(Contrast(rows, columns)), noisy(), (0, 0, 480, 240))
    assert losses.shape == (6, 12)
    assert np.unravel_index(losses.argmax(), losses.shape) == (row, column)
    far = np.hypot(*(np.indices(losses.shape) - np.array([row, column])[:, None, None])) > 2
    assert np.abs(losses[far]).max() < 1e-9
    assert losses.max() > 20


def test_what_a_crop_would_be_better_without_is_below_0() -> None:
    finder = CropFinder(Contrast(slice(40, 60), slice(100, 120), sign=-1))
    losses = score_losses(finder, noisy(), (0, 0, 480, 240))
    assert np.unravel_index(losses.argmin(), losses.shape) == (2, 5)
    assert losses.min() < -20


@pytest.mark.parametrize("size", [(60, 90), (97, 41)])
def test_windows_hide_each_pixel_once(size: tuple[int, int]) -> None:
    """But at the border, where there is no neighbour to share with."""
    shape = (4, 6)
    total = sum(_window(shape, row, column, size) for row, column in np.ndindex(*shape))
    inner = total[size[0] // 8 : -size[0] // 8, size[1] // 12 : -size[1] // 12]
    assert np.allclose(inner, 1, atol=1e-6)
    assert total.max() <= 1 + 1e-6


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    finder = CropFinder(Contrast(slice(0, 9), slice(0, 9)))
    score_losses(
        finder, noisy(), (0, 0, 480, 240), columns=4, progress=lambda *args: told.append(args)
    )
    assert told == [(done, 8) for done in range(1, 9)]

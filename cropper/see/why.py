"""Which parts of a photo the score of its best crop hangs on, by hiding them one after another.

Occlusion as in Zeiler and Fergus (2014), by blur instead of grey: a grey square is something to see
of its own. It works with every scorer.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Box
from cropper.finder import CropFinder
from cropper.image import View

__all__ = ["score_losses"]

_BLUR = 24  # px of the long side that is left of what is hidden
_COLUMNS = 12  # of parts, along the longer side


def score_losses(
    finder: CropFinder,
    view: View,
    box: Box,
    *,
    columns: int = _COLUMNS,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float64]:
    """(rows, columns) over the photo: what the score of ``box`` loses where a part is blurred.

    Below 0 it gains: the crop would be better without what is there. Parts are square, and fade out
    over the parts around them.
    """
    height, width = view.pixels.shape[:2]
    side = max(width, height) / columns
    shape = (max(round(height / side), 1), max(round(width / side), 1))
    hidden = _blurred(view).astype(np.float32)
    boxes = np.array([box], dtype=np.float64)
    whole = float(finder.bind_view(view)(boxes)[0])
    losses = np.empty(shape)
    for number, (row, column) in enumerate(np.ndindex(*shape)):
        share = _window(shape, row, column, (height, width))[..., None]
        pixels = view.pixels + share * (hidden - view.pixels)
        changed = View(np.ascontiguousarray(pixels.round().astype(np.uint8)), view.size)
        losses[row, column] = whole - float(finder.bind_view(changed)(boxes)[0])
        if progress:
            progress(number + 1, losses.size)
    return losses


def _window(
    shape: tuple[int, int], row: int, column: int, size: tuple[int, int]
) -> NDArray[np.float32]:
    """(H, W) in [0, 1]: how much of each pixel is hidden; all windows together hide all once."""
    across, down = (
        np.clip(1 - np.abs((np.arange(pixels) + 0.5) * parts / pixels - place - 0.5), 0, 1)
        for pixels, parts, place in zip(size[::-1], shape[::-1], (column, row), strict=True)
    )
    return np.outer(down, across).astype(np.float32)


def _blurred(view: View) -> NDArray[np.uint8]:
    height, width = view.pixels.shape[:2]
    scale = min(1.0, _BLUR / max(height, width))
    small = view.resized(max(math.ceil(width * scale), 1), max(math.ceil(height * scale), 1))
    return View(small, view.size).resized(width, height)

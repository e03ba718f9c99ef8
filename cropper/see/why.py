"""Which parts of a photo the score of its best crop hangs on: by hiding them, and by gradients.

Occlusion as in Zeiler and Fergus (2014), one part after another, by blur instead of grey: a grey
square is something to see of its own. It works with every scorer. Integrated gradients as in
Sundararajan et al. (2017), from the photo blurred all over to the photo itself: what its parts are
given sums to the difference of the two scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cropper.boxes import Box, normalise
from cropper.finder import CropFinder
from cropper.image import View
from cropper.sampling import theta_from_boxes
from cropper.scorers import Scorer
from cropper.scorers.affine import as_pixels

__all__ = ["STEPS", "Attribution", "attribute_score", "score_losses"]

STEPS = 64  # on the way from the blurred photo

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
    shape = _grid(view, columns)
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


@dataclass(frozen=True)
class Attribution:
    """What integrated gradients give to the parts of a photo."""

    parts: NDArray[np.float64]  # (rows, columns) over the photo
    score: float
    blurred: float  # score of the same crop of the blurred photo

    @property
    def missing(self) -> float:
        """Of the difference of the scores, what the parts do not sum to."""
        return self.score - self.blurred - float(self.parts.sum())


def attribute_score(
    scorer: Scorer,
    view: View,
    box: Box,
    *,
    steps: int = STEPS,
    columns: int = _COLUMNS,
    progress: Callable[[int, int], None] | None = None,
) -> Attribution:
    """What each part brings to the score of ``box``, on the straight way from the blurred photo.

    The integral is a sum of ``steps`` slopes by the midpoint rule, one pass of the network forth
    and back for each. Raises ConfigError for a scorer without slopes in pixels.
    """
    bound = as_pixels(scorer).bind_pixels(view)
    seen = View(bound.pixels, view.size)
    end = torch.from_numpy(seen.pixels).float()
    start = torch.from_numpy(_blurred(seen)).float()
    theta = theta_from_boxes(torch.from_numpy(normalise(np.array([box]), view.size)).float())
    slopes = torch.zeros_like(end)
    for step in range(steps):
        pixels = torch.lerp(start, end, (step + 0.5) / steps).requires_grad_()
        slopes += torch.autograd.grad(bound.score(pixels, theta)[0], pixels)[0].to(slopes)
        if progress:
            progress(step + 1, steps)
    given = ((end - start) * slopes / steps).sum(2, dtype=torch.float64).numpy()
    with torch.no_grad():
        score, blurred = (float(bound.score(pixels, theta)[0]) for pixels in (end, start))
    return Attribution(_in_parts(given, _grid(seen, columns)), score, blurred)


def _grid(view: View, columns: int) -> tuple[int, int]:
    """(rows, columns) of square parts, ``columns`` along the longer side, none without a pixel."""
    height, width = view.pixels.shape[:2]
    side = max(max(width, height) / columns, 1)
    return max(round(height / side), 1), max(round(width / side), 1)


def _in_parts(values: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """(H, W) -> their sums over ``shape`` (rows, columns) of parts; each pixel is in one."""
    for axis, parts in enumerate(shape):
        first = np.arange(parts) * values.shape[axis] // parts
        values = np.add.reduceat(values, first, axis)
    return values


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

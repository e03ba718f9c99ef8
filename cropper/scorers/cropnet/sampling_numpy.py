"""``cropper.sampling`` for boxes and feature maps in NumPy, by the same definition.

Reading an axis-aligned box of a mip pyramid is bilinear in its rows and columns, so it is matrix
products; boxes of one shape that share x and y intervals, as a search's do, share them too.

Maps are (H, W, C). Boxes are (N, 4) xyxy, normalised to the map. What is read is ``Folded``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Doubles",
    "Floats",
    "Folded",
    "NumpyPyramid",
    "fold",
    "groups",
    "mip_levels",
    "read_boxes",
    "read_lattice",
]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
# Boxes of one shape, and a quarter of all boxes: fewer are read as fast one by one, and judged
# together with the others
_WORTH_SHARING = 64


@dataclass(frozen=True)
class NumpyPyramid:
    """Mip levels of one feature map; level 0 is the map itself."""

    levels: tuple[Floats, ...]  # (ceil(H / 2**l), ceil(W / 2**l), C) each


@dataclass(frozen=True)
class Folded:
    """Grids of side x side samples, whose columns that a mirror swaps are a sum and a difference.

    A row of 7 samples of C channels each, from left to right in memory, channels last:

        symmetric                          | antisymmetric
        s0 + s6 | s1 + s5 | s2 + s4 | s3   | s0 - s6 | s1 - s5 | s2 - s4

    A mirrored grid has the same symmetric part and the negative antisymmetric part.
    """

    values: Floats  # (..., side, K) with K = side * C; a lattice has its columns before K
    side: int

    @property
    def symmetric(self) -> Floats:
        return self.values[..., : self._middle]

    @property
    def antisymmetric(self) -> Floats:
        return self.values[..., self._middle :]

    @property
    def _middle(self) -> int:
        channels: int = self.values.shape[-1] // self.side
        return (self.side - self.side // 2) * channels

    def unfold(self) -> Floats:
        """(..., side, K) -> (..., side, side, C): the samples themselves."""
        side, half = self.side, self.side // 2
        grid = self.values.reshape(*self.values.shape[:-1], side, -1)
        sums, middle = grid[..., :half, :], grid[..., half : side - half, :]
        differences = grid[..., side - half :, :]
        left, right = (sums + differences) / 2, (sums - differences) / 2
        return np.concatenate([left, middle, right[..., ::-1, :]], -2)


def fold(weights: Floats) -> Floats:
    """(K, side, W): what each sample takes from each pixel -> what its folded row takes."""
    half = weights.shape[1] // 2
    mirrored = weights[:, ::-1]
    left, right = weights[:, :half], mirrored[:, :half]
    middle = weights[:, half : weights.shape[1] - half]
    return np.concatenate([left + right, middle, left - right], 1)


def mip_levels(image: Floats) -> NumpyPyramid:
    """(H, W, C) -> its mip levels, down to one pixel; each covers the same extent exactly."""
    levels = [image]
    while max(levels[-1].shape[:2]) > 1:
        above = levels[-1]
        rows, columns = _halving(above.shape[0]), _halving(above.shape[1])
        halved = rows @ above.reshape(len(above), -1)
        levels.append(columns @ halved.reshape(len(rows), *above.shape[1:]))
    return NumpyPyramid(tuple(levels))


@lru_cache(64)
def _halving(length: int) -> Floats:
    """(ceil(length / 2), length): rows average the exact share of the pixels that they cover."""
    rows = math.ceil(length / 2)
    edges = np.arange(rows + 1) * (length / rows)
    pixels = np.arange(length)
    shares = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    matrix: Floats = (shares.clip(0) * (rows / length)).astype(np.float32)
    return matrix


def groups(
    boxes: Doubles, most: int
) -> Iterator[tuple[NDArray[np.intp], tuple[NDArray[Any], ...] | None]]:
    """Rows to read together, at most ``most``: of one lattice, or (None) of no common shape.

    A lattice is ``x0`` (X,), ``y0`` (Y,), the row's column in it (n,) and row in it (n,).
    """
    if len(boxes) < 4 * _WORTH_SHARING:
        yield np.arange(len(boxes)), None
        return
    # 32 bits for the width, 32 for the height
    sides = np.round((boxes[:, 2:] - boxes[:, :2]) * 1e6).astype(np.int64)
    _, group, counts = np.unique(
        sides[:, 0] << 32 | sides[:, 1], return_inverse=True, return_counts=True
    )
    order = np.argsort(group, kind="stable")
    loose = []
    for rows in np.split(order, np.cumsum(counts)[:-1]):
        if len(rows) < _WORTH_SHARING:
            loose.append(rows)
            continue
        x0, column = np.unique(boxes[rows, 0], return_inverse=True)
        y0, row = np.unique(boxes[rows, 1], return_inverse=True)
        if len(x0) * len(y0) > 2 * len(rows) + 8:
            loose.append(rows)
        else:
            yield rows, (x0, y0, column, row)
    if loose:
        rest = np.concatenate(loose)
        for start in range(0, len(rest), most):
            yield rest[start : start + most], None


def read_lattice(source: NumpyPyramid, x0: Doubles, y0: Doubles, box: Doubles, side: int) -> Folded:
    """Every box of the shape of ``box`` (4,) at each x0 and y0: (Y, side, X, K)."""
    sides = (box[2:] - box[:2])[None]
    level = _level(source, sides, side)[0]
    down, strips = [], []
    for index, weight in _mixed(source, level):
        pixels = source.levels[index]
        height, width, channels = pixels.shape
        across = fold(_hat(x0, sides[:, 0], side, width)) * np.float32(weight)
        read = across.reshape(-1, width) @ pixels  # (H, X * side, C)
        strips.append(read.reshape(height, len(x0) * side * channels))
        down.append(_hat(y0, sides[:, 1], side, height).reshape(-1, height))
    lattice = np.concatenate(down, 1) @ np.concatenate(strips)
    return Folded(lattice.reshape(len(y0), side, len(x0), -1), side)


def read_boxes(source: NumpyPyramid, boxes: Doubles, side: int) -> Folded:
    """(N, 4) -> (N, side, K), boxes of any shapes."""
    sides = boxes[:, 2:] - boxes[:, :2]
    levels = np.arange(len(source.levels))[:, None]
    weights = np.maximum(1 - np.abs(_level(source, sides, side) - levels), 0).astype(np.float32)
    out = np.zeros((len(boxes), side, side * source.levels[0].shape[2]), np.float32)
    for index in np.flatnonzero(weights.any(1)):
        pixels, rows = source.levels[index], np.flatnonzero(weights[index])
        height, width, _ = pixels.shape
        across = fold(_hat(boxes[rows, 0], sides[rows, 0], side, width))
        down = _hat(boxes[rows, 1], sides[rows, 1], side, height) * weights[index, rows, None, None]
        strips = across.reshape(-1, width) @ pixels  # (H, n * side, C)
        out[rows] += down @ strips.reshape(height, len(rows), -1).transpose(1, 0, 2)
    return Folded(out, side)


def _level(source: NumpyPyramid, sides: Doubles, side: int) -> Doubles:
    """(N, 2) -> (N,): log2 of map px per sample, along the axis where that is larger."""
    height, width, _ = source.levels[0].shape
    step = np.maximum(sides[:, 0] * width, sides[:, 1] * height) / side
    level: Doubles = np.log2(step.clip(1e-6)).clip(0, len(source.levels) - 1)
    return level


def _mixed(source: NumpyPyramid, level: float) -> list[tuple[int, float]]:
    """The two levels that a fractional level lies between, with their weights."""
    low = int(level)
    if level == low:
        return [(low, 1.0)]
    return [(low, 1 - (level - low)), (low + 1, level - low)]


def _hat(low: Doubles, sides: Doubles, samples: int, length: int) -> Floats:
    """(K,) intervals -> (K, samples, length): what each sample takes from each pixel."""
    steps = (np.arange(samples) + 0.5) / samples
    places = (low[:, None] + sides[:, None] * steps) * length - 0.5
    nearest = np.minimum(np.maximum(places, 0), length - 1).astype(np.float32)
    shares: Floats = np.abs(nearest[..., None] - np.arange(length, dtype=np.float32))
    np.subtract(1, shares, out=shares)
    return np.maximum(shares, 0, out=shares)

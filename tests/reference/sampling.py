"""The resampler's definition, one output pixel at a time, in float64.

Mip levels are area averages of the level before, over equal shares of its extent; a crop is read
at the centre of each output pixel, bilinearly within two levels and linearly between them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]  # (C, H, W)


def halved(image: Image) -> Image:
    """The next level: ceil(H / 2) x ceil(W / 2) px that share the extent equally."""
    channels, height, width = image.shape
    rows, columns = math.ceil(height / 2), math.ceil(width / 2)
    out = np.zeros((channels, rows, columns))
    for row in range(rows):
        for column in range(columns):
            top, bottom = row * height / rows, (row + 1) * height / rows
            left, right = column * width / columns, (column + 1) * width / columns
            for y in range(height):
                for x in range(width):
                    high = max(0.0, min(bottom, y + 1) - max(top, y))
                    wide = max(0.0, min(right, x + 1) - max(left, x))
                    out[:, row, column] += image[:, y, x] * high * wide
            out[:, row, column] /= (bottom - top) * (right - left)
    return out


def levels_of(image: Image) -> list[Image]:
    levels = [image]
    while max(levels[-1].shape[1:]) > 1:
        levels.append(halved(levels[-1]))
    return levels


def bilinear(image: Image, x: float, y: float) -> NDArray[np.float64]:
    """(C,) at a place in [0, 1] from edge to edge; outside, the border pixels continue."""
    _, height, width = image.shape
    column = min(max(x * width - 0.5, 0.0), width - 1.0)
    row = min(max(y * height - 0.5, 0.0), height - 1.0)
    left, top = math.floor(column), math.floor(row)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    u, v = column - left, row - top
    above = (1 - u) * image[:, top, left] + u * image[:, top, right]
    below = (1 - u) * image[:, bottom, left] + u * image[:, bottom, right]
    value: NDArray[np.float64] = (1 - v) * above + v * below
    return value


def sample_affine(
    levels: list[Image], theta: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float64]:
    """One (2, 3) theta -> (C, *size)."""
    height, width = size
    rows, columns = levels[0].shape[1:]
    # source px that one output px steps over, along the output's x and along its y
    along_x = math.hypot(theta[0, 0] * columns / width, theta[1, 0] * rows / width)
    along_y = math.hypot(theta[0, 1] * columns / height, theta[1, 1] * rows / height)
    longest = max(along_x, along_y)
    level = min(max(math.log2(longest), 0.0), len(levels) - 1.0) if longest > 0 else 0.0
    low = math.floor(level)
    high = min(low + 1, len(levels) - 1)
    out = np.zeros((len(levels[0]), height, width))
    for row in range(height):
        for column in range(width):
            u, v = (2 * column + 1) / width - 1, (2 * row + 1) / height - 1
            x = (theta[0] @ [u, v, 1.0] + 1) / 2
            y = (theta[1] @ [u, v, 1.0] + 1) / 2
            fine, coarse = bilinear(levels[low], x, y), bilinear(levels[high], x, y)
            out[:, row, column] = fine + (level - low) * (coarse - fine)
    return out


def sample_box(
    levels: list[Image], box: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float64]:
    """One normalised xyxy box -> (C, *size)."""
    x0, y0, x1, y1 = box
    theta = np.array([[x1 - x0, 0.0, x0 + x1 - 1], [0.0, y1 - y0, y0 + y1 - 1]])
    return sample_affine(levels, theta, size)

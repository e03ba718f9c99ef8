"""Resizing in linear light by its definition, one output pixel at a time, in float64.

Values become light, light is averaged by a bicubic kernel (a = -0.5) as wide as an output pixel,
and becomes the nearest value.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Curve = Callable[[float], float]  # value -> light, both in [0, 1]


def srgb(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def kernel(x: float) -> float:
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def weights(length: int, start: float, end: float, size: int) -> list[Floats]:
    """For each of ``size`` output pixels of [start, end] the weights of ``length`` pixels."""
    step = (end - start) / size
    wide = max(step, 1.0)
    rows = []
    for index in range(size):
        centre = start + (index + 0.5) * step
        row = np.array([kernel((x + 0.5 - centre) / wide) for x in range(length)])
        rows.append(row / row.sum())
    return rows


def nearest(light: float, curve: Curve, top: int) -> int:
    """The value, of 0 to ``top``, whose neighbours' half ways enclose the light."""
    low, high = 0, top
    while low < high:
        middle = (low + high) // 2
        if light > curve((middle + 0.5) / top):
            low = middle + 1
        else:
            high = middle
    return low


def resized(
    values: NDArray[np.integer],  # (H, W)
    box: tuple[float, float, float, float],
    size: tuple[int, int],  # (width, height)
    curve: Curve,
    *,
    top: int = 255,
    alpha: Floats | None = None,  # (H, W) in [0, 1]
) -> NDArray[np.int64]:
    light = np.array([[curve(value / top) for value in row] for row in values.tolist()])
    alpha = np.ones(light.shape) if alpha is None else alpha
    columns = weights(light.shape[1], box[0], box[2], size[0])
    rows = weights(light.shape[0], box[1], box[3], size[1])
    out = np.zeros((size[1], size[0]), dtype=np.int64)
    for y, down in enumerate(rows):
        for x, across in enumerate(columns):
            share = float(down @ alpha @ across)
            total = float(down @ (light * alpha) @ across)
            out[y, x] = nearest(total / share if share > 1e-4 else 0.0, curve, top)
    return out

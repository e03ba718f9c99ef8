"""How alike two faces are, told as the share of pairs of strangers that are as alike.

A distance says nothing by itself. The table below is measured on photos of different people by
``python -m eval strangers`` (docs/faces.md has the command's figures and what they leave out);
between its lines, and beyond them, the logarithm of the share goes straight.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["RATE", "farthest", "stranger_rate"]

RATE = 1e-3  # of false accepts: strangers that are taken for one person
_LEAST = 1e-6
_SHARES = np.log10([1e-4, 1e-3, 1e-2, 1e-1, 0.5])
_DISTANCES = np.array([0.412, 0.471, 0.546, 0.645, 0.763])


def stranger_rate(distance: float) -> float:
    """The share of pairs of different people whose encodings are as near, in [1e-6, 1].

    The least is what is told of the nearest: nothing smaller was measured.
    """
    return float(np.clip(10 ** _line(distance, _DISTANCES, _SHARES), _LEAST, 1.0))


def farthest(rate: float) -> float:
    """The distance up to which two faces are of one person, at a rate of false accepts."""
    return max(_line(math.log10(rate), _SHARES, _DISTANCES), 0.0)


def _line(x: float, xs: np.ndarray, ys: np.ndarray) -> float:
    """Linear between the points, and beyond the ends as between the last two."""
    place = int(np.clip(np.searchsorted(xs, x), 1, len(xs) - 1))
    slope = (ys[place] - ys[place - 1]) / (xs[place] - xs[place - 1])
    return float(ys[place] + slope * (x - xs[place]))

"""How far a photo is tilted: a small network on the directions of its edges.

Buildings, people and horizons are upright or level, so the edges of a level photo gather at two
directions. What the network reads is a histogram of edge directions near those two for each cell
of a grid over the photo, at two scales; which cells and peaks tell something it has learned from
photos that were turned by known angles (``cropper train tilt``).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from cropper.errors import MissingModelError
from cropper.image import View
from cropper.tone import LUMA
from cropper.turn import Tilt

__all__ = [
    "ANGLES",
    "BINS",
    "CELLS",
    "EDGE_RANGE",
    "INNER",
    "LEAST_EDGE",
    "LONG_SIDE",
    "PLACES",
    "SMOOTHINGS",
    "WEIGHTS",
    "TiltFinder",
    "edge_directions",
    "find_tilt",
    "grey_levels",
]

Floats = NDArray[np.float32]

WEIGHTS = Path(__file__).parent / "scorers" / "weights" / "tilt.safetensors"
LONG_SIDE = 384  # px of what is looked at
CELLS = 8  # a side of the grid
BINS = 90  # of half a degree, around upright and around level
EDGE_RANGE = BINS / 4  # degrees, either way
INNER = slice(12, -12)  # bins that a photo may be found tilted by; the others are around them
ANGLES = (np.arange(BINS, dtype=np.float32)[INNER] + 0.5) / 2 - EDGE_RANGE  # of these
LEAST_EDGE = 1.0  # of an edge's strength, in grey levels a pixel; less is noise
SMOOTHINGS = (2, 4)  # of the structure tensor: the second scale is smoothed on top of the first


def _places() -> Floats:
    """(CELLS ** 2, 5): where each cell is, as the network is told."""
    steps = (np.arange(CELLS) + 0.5) / (CELLS / 2) - 1
    y, x = (each.ravel() for each in np.meshgrid(steps, steps, indexing="ij"))
    return np.stack([x, y, np.abs(x), x * x, y * y], 1).astype(np.float32)


PLACES = _places()


class TiltFinder:
    """The network without torch. Threads may share it."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        """Raises MissingModelError for a file that holds no such network."""
        try:
            stored = load_file(weights)
            self._weights = {name: value.astype(np.float32) for name, value in stored.items()}
            self.odds(np.zeros((len(SMOOTHINGS), 2, CELLS, CELLS, BINS), np.float32))
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            raise MissingModelError(f"{weights} holds no tilt network: {error}") from error

    def find(self, view: View) -> Tilt:
        """Of a photo and of its mirror image alike, but for the sign."""
        edges = edge_directions(view)
        mirrored = edges[:, :, :, ::-1, ::-1]
        odds = self.odds(edges) + self.odds(mirrored)[::-1]
        return _likeliest(odds / 2)

    def odds(self, edges: Floats) -> Floats:
        """(scales, 2, CELLS, CELLS, BINS) -> (angles,): log-odds of each of ``ANGLES``."""
        cells = edges.reshape(-1, CELLS**2, BINS).transpose(1, 0, 2)
        x = np.concatenate([4 * cells, np.sqrt(cells + 1e-6)], 1)
        for layer in ("cell.0", "cell.1"):
            x = np.maximum(self._convolved(x, layer), 0)
        seen = np.concatenate([x.mean(2), x.max(2), PLACES], 1)
        looked = np.maximum(self._linear(seen, "looks.0"), 0)
        weight = np.logaddexp(0, self._linear(looked, "looks.1"))  # (cells, heads)
        y = weight.T @ x.reshape(len(x), -1)
        y /= y.mean(1, keepdims=True) + 0.05
        y = np.maximum(self._convolved(y.reshape(1, -1, BINS), "angles.0"), 0)
        for layer in ("angles.1", "angles.2"):
            y = y + np.maximum(self._convolved(y, layer), 0)
        out: Floats = self._convolved(y, "out")[0, 0, INNER]
        return out

    def _linear(self, x: Floats, layer: str) -> Floats:
        out: Floats = x @ self._weights[f"{layer}.weight"].T + self._weights[f"{layer}.bias"]
        return out

    def _convolved(self, x: Floats, layer: str) -> Floats:
        """(N, C, BINS) -> (N, D, BINS), padded with zeros."""
        kernel, bias = self._weights[f"{layer}.weight"], self._weights[f"{layer}.bias"]
        margin = kernel.shape[2] // 2
        padded = np.pad(x, ((0, 0), (0, 0), (margin, margin)))
        out: Floats = kernel[:, :, 0] @ padded[:, :, :BINS] + bias[:, None]
        for tap in range(1, kernel.shape[2]):
            out += kernel[:, :, tap] @ padded[:, :, tap : tap + BINS]
        return out


def _likeliest(odds: NDArray[np.floating]) -> Tilt:
    """Log-odds of each of ``ANGLES`` -> the angle with the most probability around it."""
    chance = np.exp(odds - odds.max())
    chance /= chance.sum()
    near = np.convolve(chance, np.ones(5), mode="same")  # a degree either way, and a bin
    peak = int(near.argmax())
    part = slice(max(peak - 2, 0), peak + 3)
    return Tilt(float(chance[part] @ ANGLES[part] / near[peak]), float(near[peak]))


@lru_cache(1)
def _shared() -> TiltFinder:
    return TiltFinder()


def find_tilt(view: View) -> Tilt:
    """By the package's network, loaded once."""
    return _shared().find(view)


def edge_directions(view: View) -> Floats:
    """(scales, 2, CELLS, CELLS, BINS): strength of edges by direction, upright ones and level ones.

    The direction of an edge at a pixel is that of the structure tensor (Foerstner and Guelch 1987)
    around it: degrees clockwise from upright or level, bin ``i`` from ``i / 2 - 22.5`` on. Strength
    counts as far as the edges around agree. Means over the pixels of a cell.
    """
    grey = grey_levels(view)
    across, down = _gradient(_smooth(grey, 2))
    tensor = np.stack([across * across, down * down, across * down])
    rows, columns = (np.arange(side) * CELLS // side for side in grey.shape)
    cells = (rows[:, None] * CELLS + columns).ravel()
    found = []
    for passes in SMOOTHINGS:
        tensor = _smooth(tensor, passes)
        found.append(_directions(tensor.reshape(3, -1), cells))
    return np.array(found, np.float32) / (grey.size / CELLS**2)


def _directions(tensor: Floats, cells: NDArray[np.intp]) -> NDArray[np.float64]:
    """(3, N) and the cell of each pixel (N,) -> (2, CELLS, CELLS, BINS)."""
    xx, yy, xy = tensor
    across, along = xx - yy, 2 * xy
    squared = across * across + along * along
    near = np.abs(along) < np.abs(across)  # EDGE_RANGE, half of 45 degrees
    seen = np.flatnonzero(near & (squared > LEAST_EDGE**4))
    across = across[seen]
    place = np.degrees(np.arctan(along[seen] / across)) + (2 * EDGE_RANGE - 0.5)
    agreed = np.sqrt(squared[seen])  # difference of the eigenvalues
    strength = np.sqrt(agreed) * agreed / (xx[seen] + yy[seen] + 1e-6)
    first = np.floor(place).astype(np.intp)
    start = ((across < 0) * CELLS**2 + cells[seen]) * BINS  # a level edge's normal points down
    total = np.zeros(2 * CELLS**2 * BINS)
    for step in (0, 1):  # every edge is shared between the two nearest bins
        share = strength * (1 - np.abs(place - first - step))
        total += np.bincount(start + np.clip(first + step, 0, BINS - 1), share, len(total))
    return total.reshape(2, CELLS, CELLS, BINS)


def grey_levels(view: View, long_side: int = LONG_SIDE) -> Floats:
    """(H, W) of a view, made as small as is looked at."""
    height, width = view.pixels.shape[:2]
    scale = long_side / max(width, height)
    pixels = view.pixels
    if scale < 1:
        pixels = view.resized(max(round(width * scale), 1), max(round(height * scale), 1))
    grey: Floats = pixels.astype(np.float32) @ np.array(LUMA, np.float32)
    return grey


def _smooth(x: Floats, passes: int) -> Floats:
    """(..., H, W): the binomial filter (1, 2, 1) / 4 along both axes; edges continue."""
    rows = np.s_[..., 1:, :], np.s_[..., :-1, :], np.s_[..., :1, :], np.s_[..., -1:, :]
    columns = np.s_[..., 1:], np.s_[..., :-1], np.s_[..., :1], np.s_[..., -1:]
    for later, sooner, first, last in (columns, rows) * passes:
        out = x + x
        out[later] += x[sooner]
        out[sooner] += x[later]
        out[first] += x[first]
        out[last] += x[last]
        x = out
    return x * np.float32(0.0625**passes)


def _gradient(x: Floats) -> tuple[Floats, Floats]:
    """(H, W) -> its slopes to the right and down by Scharr's filter; 0 at the border."""
    across, down = np.zeros_like(x), np.zeros_like(x)
    wide, high = x[:, 2:] - x[:, :-2], x[2:] - x[:-2]
    across[1:-1, 1:-1] = (3 * (wide[:-2] + wide[2:]) + 10 * wide[1:-1]) / 32
    down[1:-1, 1:-1] = (3 * (high[:, :-2] + high[:, 2:]) + 10 * high[:, 1:-1]) / 32
    return across, down

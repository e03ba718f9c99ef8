"""Which side of a photo is up: a small network on features of cropnet's trunk.

A photo and its three quarter turns pass the trunk. The network says of each how upright it looks,
from the trunk's features in the cells of a grid, and the four are compared. It has learned that
from photos as people publish them and their quarter turns (``cropper train orientation``).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from cropper.errors import MissingModelError
from cropper.image import View
from cropper.scorers import WEIGHTS
from cropper.scorers.cropnet.config import TAPS, CropNetConfig, input_size
from cropper.scorers.cropnet.cpu import open_trunk
from cropper.turn import Orientation

__all__ = ["CHANNELS", "GRID", "OrientationFinder", "features_of_turns", "find_orientation"]

Floats = NDArray[np.float32]

GRID = 6  # cells a side
CHANNELS = TAPS[13] + TAPS[17]  # of the trunk, at strides 16 and 32


class OrientationFinder:
    """The network without torch. Threads may share it."""

    def __init__(self, weights: Path = WEIGHTS / "orientation.safetensors") -> None:
        """Raises MissingModelError for a file that holds no such network."""
        try:
            stored = load_file(weights)
            self._weights = {name: value.astype(np.float32) for name, value in stored.items()}
            self.uprightness(np.zeros((1, CHANNELS, GRID, GRID), np.float32))
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            raise MissingModelError(f"{weights} holds no orientation network: {error}") from error

    def find(self, view: View) -> Orientation:
        """How a photo is to be turned, so that it is upright."""
        odds = self.uprightness(features_of_turns(view))
        chance = np.exp(odds - odds.max())
        quarters = int(chance.argmax())
        return Orientation(quarters, float(chance[quarters] / chance.sum()))

    def uprightness(self, features: Floats) -> Floats:
        """(N, CHANNELS, GRID, GRID) -> (N,): log-odds, up to a constant, that it is upright."""
        w = self._weights
        x = features.reshape(len(features), CHANNELS, -1)
        x = (x - w["mean"][:, None]) / w["spread"][:, None]
        x = np.maximum(w["cell.weight"] @ x + w["cell.bias"][:, None], 0)
        x = np.maximum(x.reshape(len(x), -1) @ w["hidden.weight"].T + w["hidden.bias"], 0)
        out: Floats = x @ w["out.weight"][0] + w["out.bias"]
        return out


def features_of_turns(view: View) -> Floats:
    """(4, CHANNELS, GRID, GRID): of a view turned clockwise by 0, 1, 2 and 3 quarters.

    Means over the cells of the trunk's maps at strides 16 and 32.
    """
    pixels = view.resized(*input_size(view.size, CropNetConfig().pixels))
    found = np.empty((4, CHANNELS, GRID, GRID), np.float32)
    for start in (0, 1):  # turns of one shape pass the trunk together
        turns = np.stack([np.rot90(pixels, -start), np.rot90(pixels, -start - 2)])
        taps = _trunk().run(["tap.1", "tap.2"], {"pixels": turns})
        found[start::2] = np.concatenate([_in_cells(tap) for tap in taps], 1)
    return found


def _in_cells(maps: Floats) -> Floats:
    """(N, C, h, w) -> (N, C, GRID, GRID): means, as torch's adaptive_avg_pool2d."""
    rows, columns = (_cells(length) for length in maps.shape[2:])
    return np.asarray(rows @ maps @ columns.T, np.float32)


@lru_cache(64)
def _cells(length: int) -> Floats:
    """(GRID, length): the weight of each row of a map in the mean of each cell."""
    weights = np.zeros((GRID, length), np.float32)
    for cell in range(GRID):
        part = slice(cell * length // GRID, -(-(cell + 1) * length // GRID))
        weights[cell, part] = 1 / (part.stop - part.start)
    return weights


@lru_cache(1)
def _trunk() -> Any:
    return open_trunk(WEIGHTS / "cropnet.safetensors")


@lru_cache(1)
def _shared() -> OrientationFinder:
    return OrientationFinder()


def find_orientation(view: View) -> Orientation:
    """By the package's network, loaded once."""
    return _shared().find(view)

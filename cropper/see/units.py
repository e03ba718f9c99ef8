"""The patches of many photos that excite each unit of a layer most, at its receptive field.

As in Zeiler and Fergus (2014). A unit is a channel; of a photo its strongest place alone counts, so
that nine patches are of nine photos.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cropper.boxes import Box
from cropper.errors import ConfigError
from cropper.image import SourceImage, View
from cropper.scorers import Scorer
from cropper.scorers.trunk import input_size, normalise_pixels, trunk_of

__all__ = ["Geometry", "Patch", "TopPatches", "Tower", "trunk_tower"]

_AREA = 300 * 300  # px of a photo that is looked at: what the scorers' trunk is trained on


@dataclass(frozen=True)
class Geometry:
    """Where a layer's cells look, in pixels of the network's input.

    The cell of index ``i`` is centred on pixel ``stride * i``.
    """

    stride: int
    field: int  # side of the receptive field

    def then(self, kernel: int, stride: int) -> Geometry:
        """Of a convolution on top, padded alike on both sides."""
        return Geometry(self.stride * stride, self.field + (kernel - 1) * self.stride)


@dataclass(frozen=True)
class Tower:
    """A network up to one layer."""

    features: Callable[[Tensor], Tensor]  # (1, H, W, 3) uint8 -> (1, C, h, w)
    geometry: Geometry

    def view(self, image: SourceImage) -> View:
        """The photo at the size that the network reads."""
        width, height = input_size(image.size, _AREA)
        return View(image.view(max(width, height), 2.0).resized(width, height), image.size)


@dataclass(frozen=True)
class Patch:
    """What excites a unit."""

    value: float  # of the unit
    path: Path
    box: Box  # px of the photo
    pixels: NDArray[np.uint8]  # (h, w, 3), at the size that the network saw


def trunk_tower(scorer: Scorer, layer: str) -> Tower:
    """The trunk of a scorer up to ``block0`` to ``block17``.

    Raises ConfigError for a scorer without that trunk, and for other layers.
    """
    trunk = trunk_of(scorer)
    if layer not in trunk.layers:
        raise ConfigError(f"there is no layer {layer!r}: the trunk has {', '.join(trunk.layers)}")
    blocks = trunk.features[: trunk.layers.index(layer) + 1]

    def features(pixels: Tensor) -> Tensor:
        x = normalise_pixels(pixels).to(trunk.dtype)
        for block in blocks:
            x = block(x)
        return x.float()

    return Tower(features, _geometry_of(blocks))


def _geometry_of(network: nn.Module) -> Geometry:
    """By its convolutions, which follow one another."""
    found = Geometry(1, 1)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            found = found.then(layer.kernel_size[0], layer.stride[0])
    return found


class TopPatches:
    """The best patches of each unit so far, in memory that does not grow with the photos."""

    def __init__(self, tower: Tower, top: int = 9) -> None:
        self.tower, self.top = tower, top
        self._best: list[list[Patch]] = []  # of each unit, best first
        self._sum = np.zeros(0)
        self._count = 0

    def add(self, path: Path, view: View) -> None:
        """One photo."""
        with torch.no_grad():
            found = self.tower.features(torch.from_numpy(view.pixels)[None])[0]
        values, places = found.flatten(1).max(1)
        if not self._best:
            self._best, self._sum = [[] for _ in values], np.zeros(len(values))
        self._sum += values.numpy()
        self._count += 1
        columns = found.shape[2]
        for best, value, place in zip(self._best, values.tolist(), places.tolist(), strict=True):
            if len(best) < self.top or value > best[-1].value:
                best.append(self._patch(path, view, value, divmod(place, columns)))
                best.sort(key=lambda patch: -patch.value)
                del best[self.top :]

    def choose(self, units: int) -> list[tuple[int, list[Patch]]]:
        """The units that stand out most: their best photos against all photos."""
        if not self._count:
            return []
        usual = self._sum / self._count
        best = np.array([np.mean([patch.value for patch in patches]) for patches in self._best])
        order = np.argsort(-(best - usual) / (np.abs(usual) + 1e-6), kind="stable")
        return [(int(unit), self._best[unit]) for unit in order[:units]]

    def _patch(self, path: Path, view: View, value: float, place: tuple[int, int]) -> Patch:
        geometry = self.tower.geometry
        height, width = view.pixels.shape[:2]
        y, x = (index * geometry.stride for index in place)
        half = geometry.field // 2
        x0, x1 = max(x - half, 0), min(x + half + 1, width)
        y0, y1 = max(y - half, 0), min(y + half + 1, height)
        across, down = view.size[0] / width, view.size[1] / height
        box = (x0 * across, y0 * down, x1 * across, y1 * down)
        return Patch(value, path, box, view.pixels[y0:y1, x0:x1].copy())

"""The patches of many photos that excite each unit of a layer most, at its receptive field.

As in Zeiler and Fergus (2014). A unit is a channel; of a photo its strongest place alone counts, so
that nine patches are of nine photos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from cropper.scorers.affine import on_torch
from cropper.scorers.cropnet.config import STRIDE, TAPS
from cropper.scorers.cropnet.network import CropNetScorer
from cropper.scorers.trunk import input_size, normalise_pixels, trunk_of

__all__ = ["Geometry", "Patch", "TopPatches", "Tower", "tower_of"]


@dataclass(frozen=True)
class Geometry:
    """Where a layer's cells look, in pixels of the network's input.

    The cell of index ``i`` is centred on pixel ``stride * i``.
    """

    stride: int
    field: int  # side of the receptive field

    def then(self, network: nn.Module) -> Geometry:
        """Of its convolutions on top, which follow one another, padded alike on both sides."""
        stride, field = self.stride, self.field
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                field += (layer.kernel_size[0] - 1) * stride
                stride *= layer.stride[0]
        return Geometry(stride, field)


@dataclass(frozen=True)
class Tower:
    """The layers of a network that have a place in the photo, from the pixels on."""

    layers: Mapping[str, Geometry]
    # (1, H, W, 3) uint8 -> (1, C, h, w) of each layer, computed when it is asked for
    features: Callable[[Tensor], Iterable[Tensor]]
    area: int  # px of a photo that is looked at

    def view(self, image: SourceImage) -> View:
        """The photo at the size that the network reads."""
        width, height = input_size(image.size, self.area)
        return View(image.view(max(width, height), 2.0).resized(width, height), image.size)

    def look(self, view: View, layers: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
        """(C, h, w) of each of ``layers``; what lies beyond the last is not computed."""
        left = set(layers)
        with torch.no_grad():
            features = self.features(torch.from_numpy(view.pixels)[None])
            for name, found in zip(self.layers, features, strict=False):
                if name in left:
                    left.remove(name)
                    yield name, found[0]
                if not left:
                    return


@dataclass(frozen=True)
class Patch:
    """What excites a unit."""

    value: float  # of the unit
    path: Path
    box: Box  # px of the photo
    part: tuple[slice, slice]  # rows and columns of the tower's view

    def of(self, view: View) -> View:
        """It alone, at the size that the network saw."""
        pixels = np.ascontiguousarray(view.pixels[self.part])
        return View(pixels, (pixels.shape[1], pixels.shape[0]))


def tower_of(scorer: Scorer) -> Tower:
    """The blocks of a scorer's trunk and, of a cropnet, ``fused``: the map that its head reads.

    Raises ConfigError for a scorer without that trunk.
    """
    trunk, area = trunk_of(scorer)
    scorer = on_torch(scorer)
    layers: dict[str, Geometry] = {}
    found = Geometry(1, 1)
    for name, block in zip(trunk.layers, trunk.features, strict=True):
        layers[name] = found = found.then(block)
    head = scorer.net.head if isinstance(scorer, CropNetScorer) else None
    if head:  # between two cells of the trunk's last block, both are read
        layers["fused"] = Geometry(STRIDE, found.field + 2 * STRIDE)

    def features(pixels: Tensor) -> Iterator[Tensor]:
        x, taps = normalise_pixels(pixels).to(trunk.dtype), []
        for place, block in enumerate(trunk.features):
            x = block(x)
            taps += [x] * (place in TAPS)
            yield x.float()
        if head:
            yield head.fuse((taps[0], taps[1], taps[2]))

    return Tower(layers, features, area)


class TopPatches:
    """The best patches of each unit so far, in memory that does not grow with the photos."""

    def __init__(self, tower: Tower, layers: Sequence[str] = (), top: int = 9) -> None:
        """Of ``layers``, all where none is named. Raises ConfigError for others."""
        self.tower, self.top = tower, top
        for layer in layers:
            if layer not in tower.layers:
                known = ", ".join(tower.layers)
                raise ConfigError(f"there is no layer {layer!r}: the scorer has {known}")
        self.layers = {layer: _Units(top) for layer in layers or tower.layers}

    def add(self, path: Path, view: View) -> None:
        """One photo."""
        for layer, found in self.tower.look(view, [*self.layers]):
            values, places = found.flatten(1).max(1)
            columns, geometry = found.shape[2], self.tower.layers[layer]
            units = self.layers[layer]
            for unit in units.bettered_by(values.numpy().astype(np.float64)):
                place = divmod(int(places[unit]), columns)
                units.put(unit, _patch(float(values[unit]), path, view, geometry, place))

    def choose(self, units: int) -> dict[str, list[tuple[int, list[Patch]]]]:
        """Of each layer the units that stand out most, with their patches, best first.

        A unit stands out by its best photos against all photos. Nothing of no photos.
        """
        return {layer: found.choose(units) for layer, found in self.layers.items()}


class _Units:
    """The best patches of one layer's units."""

    def __init__(self, top: int) -> None:
        self.top = top
        self.best: list[list[Patch]] = []
        self._least = self._sum = np.zeros(0)  # of each unit: what a patch has to better
        self._count = 0

    def bettered_by(self, values: NDArray[np.float64]) -> list[int]:
        """Units that one more photo, of (C,) values, has a patch for."""
        if not self.best:
            self.best = [[] for _ in values]
            self._least, self._sum = np.full(len(values), -np.inf), np.zeros(len(values))
        self._sum += values
        self._count += 1
        found: list[int] = np.flatnonzero(values > self._least).tolist()
        return found

    def put(self, unit: int, patch: Patch) -> None:
        best = self.best[unit]
        best.append(patch)
        best.sort(key=lambda each: -each.value)
        del best[self.top :]
        if len(best) == self.top:
            self._least[unit] = best[-1].value

    def choose(self, units: int) -> list[tuple[int, list[Patch]]]:
        if not self._count:
            return []
        usual = self._sum / self._count
        best = np.array([np.mean([patch.value for patch in patches]) for patches in self.best])
        order = np.argsort(-(best - usual) / (np.abs(usual) + 1e-6), kind="stable")
        return [(int(unit), self.best[unit]) for unit in order[:units]]


def _patch(
    value: float, path: Path, view: View, geometry: Geometry, place: tuple[int, int]
) -> Patch:
    height, width = view.pixels.shape[:2]
    y, x = (index * geometry.stride for index in place)
    half = geometry.field // 2
    x0, x1 = max(x - half, 0), min(x + half + 1, width)
    y0, y1 = max(y - half, 0), min(y + half + 1, height)
    across, down = view.size[0] / width, view.size[1] / height
    box = (x0 * across, y0 * down, x1 * across, y1 * down)
    return Patch(value, path, box, (slice(y0, y1), slice(x0, x1)))

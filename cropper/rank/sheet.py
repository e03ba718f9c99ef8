"""Contact sheets: which pictures, in which order, and the sheet as an array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cropper.image import View

__all__ = ["SheetOptions", "TileSheet", "columns_for", "fitted", "pick_continuum", "squared"]

_PAPER = 208  # level of the ground; white borders of photos show on it
_GAP = 2  # px between tiles


@dataclass(frozen=True, kw_only=True)
class SheetOptions:
    """How pictures of a command are written, and what it prints."""

    quality: int = 90  # of a JPEG or WebP
    as_json: bool = False
    overwrite: bool = False


class TileSheet:
    """A sheet of square tiles, filled one by one."""

    def __init__(self, rows: int, columns: int, tile: int) -> None:
        self.tile = tile
        step = tile + _GAP
        shape = (rows * step + _GAP, columns * step + _GAP, 3)
        self.pixels: NDArray[np.uint8] = np.full(shape, _PAPER, np.uint8)

    def put(self, row: int, column: int, picture: NDArray[np.uint8]) -> None:
        """``picture`` (h, w, 3), at most a tile's side, in the middle of its tile."""
        height, width = picture.shape[:2]
        top = _GAP + row * (self.tile + _GAP) + (self.tile - height) // 2
        left = _GAP + column * (self.tile + _GAP) + (self.tile - width) // 2
        self.pixels[top : top + height, left : left + width] = picture


def fitted(view: View, tile: int) -> NDArray[np.uint8]:
    """The whole picture, its long side at ``tile`` px: what was scored is what is seen."""
    height, width = view.pixels.shape[:2]
    scale = tile / max(height, width)
    return view.resized(max(round(width * scale), 1), max(round(height * scale), 1))


def squared(view: View, tile: int) -> NDArray[np.uint8]:
    """The middle square at ``tile`` px, for a mosaic without gaps."""
    height, width = view.pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = np.ascontiguousarray(view.pixels[top : top + side, left : left + side])
    return View(middle, (side, side)).resized(tile, tile)


def columns_for(count: int) -> int:
    """Of a sheet a little wider than high."""
    return max(math.ceil(math.sqrt(1.3 * count)), 1)


def pick_continuum(count: int, rows: int, columns: int) -> list[Sequence[int]]:
    """Places in a ranking of ``count``: ``rows`` from best to worst, ``columns`` of each.

    The first row starts with the best and the last one ends with the worst; each row's places are
    spread evenly over its part of the ranking. Fewer pictures than tiles give shorter rows.
    """
    parts = np.array_split(np.arange(count), rows)
    picked: list[Sequence[int]] = []
    for part in parts:
        if len(part):
            places = np.linspace(0, len(part) - 1, min(columns, len(part))).round().astype(int)
            picked.append(part[places].tolist())
    return picked

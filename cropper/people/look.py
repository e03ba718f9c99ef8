"""Pictures one after another with their faces, and the tiles of a sheet of faces."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropper.identity import SeenFace, look
from cropper.image import SourceImage, View
from cropper.rank.sheet import TileSheet, columns_for
from cropper.rank.stream import Pictures

__all__ = ["TILE", "PhotoFaces", "Tile", "face_sheet", "look_at", "record"]

TILE = 128  # px
_AROUND = 0.35  # heights of a face that a tile shows on each side of it
_VIEW = 1280  # px that tiles are cut from

Tile = NDArray[np.uint8]


@dataclass(frozen=True)
class PhotoFaces:
    """A photo's faces, the largest first."""

    path: Path
    size: tuple[int, int]  # (width, height), px
    seen: tuple[SeenFace, ...]
    tiles: tuple[Tile, ...]  # a face each, where asked for
    extra: Any = None  # what ``also`` made of the photo


def look_at(
    pictures: Pictures,
    *,
    tiles: bool = False,
    also: Callable[[SourceImage], Any] | None = None,
) -> Iterator[PhotoFaces]:
    """Every photo that can be read, in order."""

    def see(image: SourceImage) -> PhotoFaces:
        seen = look(image)
        cut = _tiles(image.view(_VIEW), seen) if tiles and seen else ()
        return PhotoFaces(Path(), image.size, seen, cut, also(image) if also else None)

    for path, found in pictures.seen(see):
        yield replace(found, path=path)


def record(seen: SeenFace) -> dict[str, Any]:
    """The JSON fields of a face. Nothing in it tells whose it is."""
    box = seen.face.box
    return {
        "box": [round(edge, 1) for edge in box],
        "points": [[round(x, 1), round(y, 1)] for x, y in seen.face.points],
        "score": round(seen.face.score, 3),
        "height": round(seen.face.height, 1),
        "sharpness": round(seen.sharpness, 1),
        "unreadable": seen.unreadable or None,
    }


def face_sheet(tiles: Sequence[Tile]) -> NDArray[np.uint8]:
    """A contact sheet, row by row: (H, W, 3)."""
    columns = columns_for(len(tiles))
    canvas = TileSheet(max(math.ceil(len(tiles) / columns), 1), columns, TILE)
    for index, tile in enumerate(tiles):
        canvas.put(*divmod(index, columns), tile)
    return canvas.pixels


def _tiles(view: View, seen: Sequence[SeenFace]) -> tuple[Tile, ...]:
    """Squares around the faces; the photo's edge pixels go on outside of it."""
    found = []
    for each in seen:
        x0, y0, x1, y1 = each.face.box
        half = (0.5 + _AROUND) * each.face.height
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        square = np.array([(-half, -half), (half, -half), (half, half), (-half, half)])
        found.append(view.read(square + np.array([x, y]), (TILE, TILE)))
    return tuple(found)

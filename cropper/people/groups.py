"""People without names: faces that are alike, grouped by average linkage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropper.console import print_json, print_line, say
from cropper.errors import ConfigError, NoInputError
from cropper.identity import RATE, farthest
from cropper.identity.descriptor import Encodings
from cropper.people.look import Tile, face_sheet, look_at
from cropper.rank.layout import need
from cropper.rank.sheet import SheetOptions
from cropper.rank.stream import Pictures, Progress
from cropper.render import check_free, write_picture

__all__ = ["GroupOptions", "group_encodings", "group_faces"]

_APART = 2.0  # distance of two faces of one photo, whatever it is
_MOST = 10_000  # faces: their pairs take 1.2 GB


@dataclass(frozen=True)
class GroupOptions(SheetOptions):
    sheets: Path | None = None  # a folder for a sheet a group
    least: int = 2  # faces of a group that is told of
    false_accepts: float = RATE


@dataclass(frozen=True)
class _Found:
    path: Path
    number: int  # of the face in its photo, from 1
    tile: Tile | None


def group_encodings(
    encodings: Encodings, photos: NDArray[np.intp], rate: float = RATE
) -> NDArray[np.intp]:
    """(N, 128), and in which photo each face is (N,) -> (N,): a group's number, the largest is 0.

    Groups are joined while their faces are, on average, nearer than strangers are at ``rate``.
    Nobody is in a photo twice: of two faces the one nearer to the group's mean stays in it. Raises
    MissingExtraError without SciPy.
    """
    hierarchy = need("scipy.cluster.hierarchy")
    if len(encodings) < 2:
        return np.zeros(len(encodings), dtype=np.intp)
    wide = encodings.astype(np.float64)
    gaps = need("scipy.spatial.distance").pdist(wide)
    first, second = np.triu_indices(len(wide), 1)
    gaps[photos[first] == photos[second]] = _APART
    groups = hierarchy.fcluster(hierarchy.linkage(gaps, "average"), farthest(rate), "distance") - 1
    for group in range(groups.max() + 1):
        rows = np.flatnonzero(groups == group)
        order = rows[np.argsort(np.linalg.norm(wide[rows] - wide[rows].mean(0), axis=1))]
        _, best = np.unique(photos[order], return_index=True)
        others = np.setdiff1d(rows, order[best])
        groups[others] = groups.max() + 1 + np.arange(len(others))
    order = np.argsort(-np.bincount(groups), kind="stable")
    return np.asarray(np.argsort(order)[groups], dtype=np.intp)


def group_faces(
    inputs: Sequence[str], options: GroupOptions, progress: Progress | None = None
) -> int:
    """A line for each group of faces that seem to be one person's, and a sheet for each."""
    need("scipy.cluster.hierarchy")  # rather now than after the work, as what follows
    if options.sheets and not options.overwrite:
        for sheet in sorted(options.sheets.glob("person-*.jpg")):
            check_free(sheet, overwrite=False)
    pictures = Pictures(inputs, options.as_json, progress, "input")
    found, encodings, faces = [], [], 0
    for photo in look_at(pictures, tiles=options.sheets is not None):
        faces += len(photo.seen)
        for index, seen in enumerate(photo.seen):
            if seen.encoding:
                tile = photo.tiles[index] if photo.tiles else None
                found.append(_Found(photo.path, index + 1, tile))
                encodings.append(seen.encoding)
    if not found:
        raise NoInputError(f"none of {len(pictures.paths)} pictures shows a face that can be read")
    groups = _grouped(found, np.array(encodings, np.float32), options.false_accepts)
    told = [group for group in groups if len(group) >= options.least]
    _write_sheets(told, options)
    for number, group in enumerate(told, 1):
        _tell(number, group, options.as_json)
    count = sum(map(len, told))
    say(f"people with {options.least} faces or more: {len(told)}, {count} of {faces} faces")
    return pictures.end()


def _grouped(found: Sequence[_Found], encodings: Encodings, rate: float) -> list[list[_Found]]:
    """The largest group first. Raises ConfigError for more faces than memory holds pairs of."""
    if len(found) > _MOST:
        raise ConfigError(f"at most {_MOST} faces are grouped, got {len(found)}: name fewer photos")
    _, photos = np.unique([str(each.path) for each in found], return_inverse=True)
    numbers = group_encodings(encodings, photos, rate)
    return [
        [each for each, own in zip(found, numbers, strict=True) if own == number]
        for number in range(numbers.max() + 1)
    ]


def _write_sheets(groups: Sequence[Sequence[_Found]], options: GroupOptions) -> None:
    if options.sheets is None:
        return
    targets = [options.sheets / f"person-{number}.jpg" for number in range(1, len(groups) + 1)]
    for target in targets:
        check_free(target, overwrite=options.overwrite)
    for target, group in zip(targets, groups, strict=True):
        tiles = [each.tile for each in group if each.tile is not None]
        write_picture(face_sheet(tiles), target, options.quality, overwrite=options.overwrite)


def _tell(number: int, group: Sequence[_Found], as_json: bool) -> None:
    if as_json:
        faces = [{"input": str(each.path), "face": each.number} for each in group]
        print_json({"person": number, "faces": faces})
        return
    for each in group:
        print_line(f"person {number}\t{each.path}\t{each.number}")

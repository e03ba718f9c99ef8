"""How much of what people look at a crop keeps, at equal area: the largest box of each shape.

A photo's figure is the share of its viewers' fixations that lie in the crop, each viewer's first
left out. The ceiling is what viewers themselves can say: the best place of the box for one half of
them, judged by the other half, both ways round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropper.annotations import ANNOTATIONS, fixations_of, read_annotations, share_kept
from cropper.boxes import Boxes
from cropper.errors import CropperError, DataError
from cropper.image import load_image
from cropper.space import CropSpace, parse_aspect
from cropper.statistics import Interval, bootstrap, paired_bootstrap
from eval.methods import Method
from eval.photos import Progress, counted

__all__ = ["SHAPES", "Kept", "ceiling", "measure_attention", "render_attention"]

SHAPES = ("16:9", "1:1", "4:5", "9:16")
_PLACES = 101  # along the axis on which the box can slide
_REMEDY = "name a folder whose annotations.json has {image, split, fixations}"

Points = NDArray[np.float64]  # (F, 3): viewer, x, y, normalised


@dataclass(frozen=True)
class Kept:
    """Shares of fixations, by shape, with 95 % intervals over photos."""

    method: str
    shares: tuple[Interval, ...]  # as SHAPES
    above_first: tuple[Interval, ...]  # paired, over the first method


def measure_attention(
    root: Path,
    split: str,
    methods: Sequence[Method],
    limit: int | None = None,
    progress: Progress | None = None,
) -> tuple[int, list[Kept]]:
    """The photos of ``split`` ('all': every one) that count, and what each method keeps of them.

    The first method is what the others are compared to; the ceiling comes last. Raises DataError
    for broken annotations, and where no photo counts.
    """
    entries = read_annotations(root / ANNOTATIONS, ("image", "split", "fixations"), _REMEDY)
    entries = [each for each in entries if split in ("all", each["split"])][:limit]
    names = [*(method.name for method in methods), "one half of the viewers for the other"]
    rows: list[NDArray[np.float64]] = []
    for entry in counted(entries, progress):
        path = root / str(entry["image"])
        try:
            image, points = load_image(path), fixations_of(entry)
        except (CropperError, ValueError, TypeError) as error:
            raise DataError(f"{path}: {error}") from error
        if len(np.unique(points[:, 0])) < 2:
            continue
        row = np.empty((len(names), len(SHAPES)))
        for column, shape in enumerate(SHAPES):
            space = CropSpace(image.size, parse_aspect(shape))
            for index, method in enumerate(methods):
                box = method.crop(image, parse_aspect(shape)).box
                boxes = np.array([box]) / (image.size * 2)
                row[index, column] = share_kept(points[:, 1:], boxes)[0]
            row[-1, column] = ceiling(points, slid(space))
        rows.append(row)
    if not rows:
        raise DataError(f"{root}: no photo of split {split!r} has two viewers: {_REMEDY}")
    kept = np.stack(rows)
    return len(rows), [
        Kept(
            name,
            tuple(bootstrap(kept[:, index, column]) for column in range(len(SHAPES))),
            tuple(
                paired_bootstrap(kept[:, index, column], kept[:, 0, column])
                for column in range(len(SHAPES))
            ),
        )
        for index, name in enumerate(names)
    ]


def slid(space: CropSpace) -> Boxes:
    """(101, 4) normalised: the largest box at places from one end to the other."""
    steps = np.linspace(0, 1, _PLACES)
    boxes = space.boxes(np.stack([np.ones(_PLACES), steps, steps], 1))
    return np.asarray(boxes / (space.size * 2))


def ceiling(points: Points, boxes: Boxes) -> float:
    """The best of ``boxes`` for every second viewer, judged by the others, and back; the mean.

    Of boxes that are equally good, the middle one.
    """
    viewers = np.unique(points[:, 0])
    first = np.isin(points[:, 0], viewers[::2])
    found = []
    for own, others in ((points[first], points[~first]), (points[~first], points[first])):
        shares = share_kept(own[:, 1:], boxes)
        best = np.flatnonzero(shares >= shares.max() - 1e-9)
        found.append(share_kept(others[:, 1:], boxes[[best[len(best) // 2]]])[0])
    return float(np.mean(found))


def render_attention(photos: int, found: Sequence[Kept]) -> str:
    """Plain text: shares kept, and differences to the first method."""
    lines = [f"share of fixations that the largest box keeps, {photos} photos", _SHAPES_LINE]
    lines += [_row(each.method, each.shares, ".3f") for each in found]
    lines += ["", f"difference to {found[0].method}, paired", _SHAPES_LINE]
    lines += [_row(each.method, each.above_first, "+.3f") for each in found[1:]]
    return "\n".join(lines)


_SHAPES_LINE = f"{'':40}" + "".join(f"{shape:>24}" for shape in SHAPES)


def _row(name: str, shares: Sequence[Interval], form: str) -> str:
    return f"{name:40}" + "".join(f"{f'{x:{form}}':>24}" for x in shares)

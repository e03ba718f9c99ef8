"""Photos with human crops as one record type, whatever format they came in.

Pixel boxes are normalised by the size of the upright photo on disk, so it has to be the file that
was annotated, not a smaller copy. ``formats`` names the formats and parses them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Boxes, as_boxes, clip, normalise
from cropper.errors import BoxError, DataError, ImageReadError
from cropper.image import load_image
from eval.formats import ALL, FORMATS, LabelledPhoto, Pairs, Rated

__all__ = ["ALL", "Dataset", "Example", "Pairs", "Rated", "Skip", "load_dataset"]

# Annotators' tools round and overshoot by a pixel or two; beyond this share of the photo's side
# the boxes belong to a picture of another size.
_OVERSHOOT = 0.02


@dataclass(frozen=True)
class Skip:
    """A photo that is annotated but not measured."""

    photo: str
    reason: str


@dataclass(frozen=True)
class Example:
    """One photo and what people said about its crops; xyxy boxes in [0, 1] of the upright photo."""

    path: Path
    size: tuple[int, int] | None = None  # (width, height) px that was annotated, where known
    boxes: Boxes = field(default_factory=lambda: np.empty((0, 4)))  # (K, 4), one a person
    pairs: Pairs | None = None
    rated: Rated | None = None


@dataclass(frozen=True)
class Dataset:
    name: str
    split: str
    examples: tuple[Example, ...]
    skipped: tuple[Skip, ...] = ()  # no photo on disk, a photo that is no picture, no valid crop

    def __len__(self) -> int:
        return len(self.examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self.examples)


def load_dataset(root: Path, split: str | None = None) -> Dataset:
    """Read the annotations under ``root``; photos are opened at most for their size.

    ``split`` is a name that the data has, or None or 'all' for every photo. Raises DataError for a
    folder of no known format, a split that it does not have, annotations that break a rule, and
    where nothing is left to measure on.
    """
    root, split = Path(root), split or ALL
    if not root.is_dir():
        raise DataError(f"a dataset is a folder, got {str(root)!r}: give the folder that holds it")
    name = next((name for name, known in FORMATS.items() if known.recognise(root)), None)
    if name is None:
        listing = "\n".join(f"  {name}: {known.shape}" for name, known in FORMATS.items())
        raise DataError(f"{root} holds annotations of no known format; known are\n{listing}")
    examples: list[Example] = []
    skipped: list[Skip] = []
    outside: list[str] = []
    for entry in FORMATS[name].read(root, split):
        example = _example(entry, outside)
        if isinstance(example, Skip):
            skipped.append(example)
        else:
            examples.append(example)
    if len(outside) > max(1, len(examples) // 10):
        raise DataError(
            f"{root}: boxes lie inside their photos, but those of {len(outside)} of "
            f"{len(examples)} photos ({outside[0]}, ...) do not: pixel boxes need the photos in "
            "the size that was annotated"
        )
    if not examples:
        raise DataError(_nothing(root, split, skipped))
    title = root.resolve().name if name == "folder" else name
    return Dataset(title, split, tuple(examples), tuple(skipped))


def _example(entry: LabelledPhoto, outside: list[str]) -> Example | Skip:
    """An entry checked and normalised; its name joins ``outside`` where a box overshoots."""
    if entry.photo is None:
        return Skip(entry.name, "no such photo on disk")
    size = entry.size
    if entry.pixels:
        try:
            size = load_image(entry.photo).size
        except ImageReadError as error:
            return Skip(entry.name, str(error))
    unit = size if entry.pixels and size else (1, 1)
    drawn = _fractions(entry.boxes, unit, entry.where)
    parts, pairs, rated = [drawn], None, None
    if entry.pairs:
        a, b = (_fractions(side, unit, entry.where) for side in (entry.pairs.a, entry.pairs.b))
        parts += [a, b]
        kept = a.kept & b.kept
        votes = (entry.pairs.votes_a[kept], entry.pairs.votes_b[kept])
        pairs = Pairs(a.boxes[kept], b.boxes[kept], *votes)
    if entry.rated:
        known = _fractions(entry.rated.boxes, unit, entry.where)
        parts += [known]
        rated = Rated(known.boxes[known.kept], entry.rated.mos[known.kept])
    if any(part.far for part in parts):
        if not entry.pixels:
            raise DataError(f"{entry.where}: boxes are in [0, 1] of the photo: normalise them")
        outside.append(entry.name)
    boxes = drawn.boxes[drawn.kept]
    if not (len(boxes) or pairs or rated):
        return Skip(entry.name, "no valid crop")
    return Example(entry.photo, size, boxes, pairs, rated)


@dataclass(frozen=True)
class _Inside:
    boxes: Boxes  # (N, 4) in [0, 1]
    kept: NDArray[np.bool_]  # (N,) those with an area left
    far: bool  # one was well outside of the photo


def _fractions(boxes: Boxes, unit: tuple[int, int], where: str) -> _Inside:
    """Boxes in units of ``unit`` = (width, height), checked and cut to the photo."""
    try:
        boxes = normalise(as_boxes(boxes), unit)
    except BoxError as error:
        raise DataError(f"{where}: {error}: correct the entry") from error
    far = bool(((boxes < -_OVERSHOOT) | (boxes > 1 + _OVERSHOOT)).any())
    boxes = clip(boxes, (1, 1))
    return _Inside(boxes, np.asarray((boxes[:, 2:] > boxes[:, :2]).all(axis=1)), far)


def _nothing(root: Path, split: str, skipped: list[Skip]) -> str:
    if not skipped:
        return f"{root}, split {split!r}: the annotations list no photo: add some"
    reasons = "; ".join(sorted({skip.reason for skip in skipped})[:3])
    return (
        f"{root}, split {split!r}: none of the {len(skipped)} annotated photos can be used "
        f"({reasons}): put the photos where the annotations expect them"
    )

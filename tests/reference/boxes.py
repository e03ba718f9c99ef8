"""Box arithmetic one box and one pixel at a time, to check the arrays of ``cropper.boxes`` by."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

Box = Sequence[float]


def pixels_of(box: Box) -> set[tuple[int, int]]:
    """The pixels of a whole-pixel box."""
    x0, y0, x1, y1 = (int(edge) for edge in box)
    return set(itertools.product(range(x0, x1), range(y0, y1)))


def iou_by_counting(a: Box, b: Box) -> float:
    """Of whole-pixel boxes: pixels in both over pixels in either."""
    return len(pixels_of(a) & pixels_of(b)) / len(pixels_of(a) | pixels_of(b))


def area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def iou(a: Box, b: Box) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = area(a) + area(b) - width * height
    return width * height / union if union > 0 else 0.0


def nms(ranked: Sequence[Box], threshold: float, limit: int) -> list[int]:
    """Each box in turn is kept where it overlaps no kept one by more than ``threshold``."""
    kept: list[int] = []
    for index, box in enumerate(ranked):
        if len(kept) < limit and all(iou(box, ranked[other]) <= threshold for other in kept):
            kept.append(index)
    return kept


def clip(box: Box, size: tuple[int, int]) -> list[float]:
    return [min(max(edge, 0.0), float(limit)) for edge, limit in zip(box, size * 2, strict=True)]


def normalise(box: Box, size: tuple[int, int]) -> list[float]:
    return [edge / limit for edge, limit in zip(box, size * 2, strict=True)]

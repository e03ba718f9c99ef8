"""Box arithmetic on (N, 4) arrays.

A box is ``x0, y0, x1, y1`` in pixels of the upright picture: float64, x to the right, y down,
half-open pixel edges. ``(0, 0, width, height)`` is the whole picture, a pixel's centre lies at
``index + 0.5``, and the area is ``(x1 - x0) * (y1 - y0)`` without a plus one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cropper.canvas import Canvas, Place, Size
from cropper.errors import BoxError
from cropper.tone import Filter, framed

__all__ = [
    "SLACK",
    "Box",
    "Boxes",
    "Corners",
    "Crop",
    "area",
    "as_boxes",
    "clip",
    "distinct",
    "iou",
    "nms",
    "normalise",
    "overhang",
    "snap",
]

Boxes = NDArray[np.float64]  # (N, 4)
Box = tuple[float, float, float, float]
Corners = tuple[tuple[float, float], ...]  # four (x, y), px: top left, then clockwise

SLACK = 1.0  # px by which a crop may miss what it was found for: it is moved to whole pixels


@dataclass(frozen=True)
class Crop:
    """A scored crop: a box, or a parallelogram with the box of whole pixels around it."""

    x0: float
    y0: float
    x1: float
    y1: float
    score: float
    corners: Corners | None = None  # of a turned or sheared crop; None: the crop is the box
    canvas: Canvas | None = None  # what it is laid on, where it is not of the shape asked for
    filter: Filter | None = None  # what its tones are changed by, where that was asked for

    @classmethod
    def of(cls, box: NDArray[np.float64], score: float, corners: Corners | None = None) -> Crop:
        """From a (4,) row."""
        x0, y0, x1, y1 = box.tolist()
        return cls(x0, y0, x1, y1, float(score), corners)

    @classmethod
    def within(cls, corners: Corners, score: float, size: tuple[int, int]) -> Crop:
        """A parallelogram in a picture of ``size`` = (width, height), in whole pixels around it."""
        points = np.array(corners).round(6)
        edges = np.concatenate([np.floor(points.min(0)), np.ceil(points.max(0))])
        return cls.of(np.clip(edges, 0, [*size, *size]), score, corners)

    @property
    def box(self) -> tuple[float, float, float, float]:
        return (self.x0, self.y0, self.x1, self.y1)

    @property
    def width(self) -> float:
        """Of the box, px."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def quad(self) -> Corners:
        """The corners of any crop."""
        x0, y0, x1, y1 = self.box
        return self.corners or ((x0, y0), (x1, y0), (x1, y1), (x0, y1))

    @property
    def output_size(self) -> tuple[int, int]:
        """(width, height) in whole pixels that keeps the source's resolution."""
        if self.corners is None:
            return round(self.width), round(self.height)
        (ax, ay), (bx, by), _, (dx, dy) = self.corners
        width = max(math.hypot(bx - ax, by - ay), 1e-9)
        covered = abs((bx - ax) * (dy - ay) - (by - ay) * (dx - ax))
        return max(round(width), 1), max(round(covered / width), 1)

    def layout(self, size: Size | None = None) -> tuple[Size, Place]:
        """The size of the picture that is made of it, and its own place (xyxy) in that.

        ``size`` = (width, height) px is asked for; None keeps the source's resolution.
        """
        whole, (left, top, right, bottom) = self.framed(size)
        _, (x0, y0, x1, y1) = self.unframed((right - left, bottom - top) if size else None)
        return whole, (x0 + left, y0 + top, x1 + left, y1 + top)

    def framed(self, size: Size | None = None) -> tuple[Size, Place]:
        """The size of the picture with a filter's border, and the place (xyxy) of all else."""
        border = self.filter.tone.border if self.filter else 0.0
        return framed(border, size or self.unframed()[0], size)

    def unframed(self, size: Size | None = None) -> tuple[Size, Place]:
        """As ``layout``, without a filter's border; ``size`` is what that leaves."""
        if self.canvas:
            return self.canvas.layout(self.output_size, size)
        size = size or self.output_size
        return size, (0, 0, *size)

    def is_enlarged(self, size: Size | None) -> bool:
        """Whether it has more pixels in a picture of ``size`` than in the source."""
        _, (x0, y0, x1, y1) = self.layout(size)
        width, height = self.output_size
        return x1 - x0 > width or y1 - y0 > height

    def theta(self, size: tuple[int, int]) -> tuple[tuple[float, float, float], ...]:
        """As ``affine_grid`` takes it, 2 rows of 3, for a picture of ``size`` = (width, height)."""
        a, b, _, d = self.quad
        return tuple(
            ((b[axis] - a[axis]) / side, (d[axis] - a[axis]) / side, (b[axis] + d[axis]) / side - 1)
            for axis, side in enumerate(size)
        )

    def normalised(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """The box in units of ``size`` = (width, height) of the picture."""
        width, height = size
        return (self.x0 / width, self.y0 / height, self.x1 / width, self.y1 / height)

    def focus(self, size: tuple[int, int]) -> tuple[float, float]:
        """The point that has the same relative place in the picture and in the box, in [0, 1].

        As CSS ``object-position`` it makes ``object-fit: cover`` show this box, where the box is
        the largest of its shape. The middle, along a side that is not cut.
        """
        rooms = (size[0] - self.width, size[1] - self.height)
        low = (self.x0, self.y0)
        x, y = (
            min(max(at / room, 0.0), 1.0) if room > 0 else 0.5
            for at, room in zip(low, rooms, strict=True)
        )
        return x, y

    def to_dict(self, size: tuple[int, int], *, affine: bool = False) -> dict[str, Any]:
        """The stable JSON fields in a picture of ``size``; ``affine`` adds theta and corners."""
        record = {
            "box": [int(edge) for edge in self.box],
            "box_norm": [round(edge, 6) for edge in self.normalised(size)],
            "score": self.score,
        }
        if affine:
            record["theta"] = [[round(x, 6) + 0.0 for x in row] for row in self.theta(size)]
            record["corners"] = [[round(x, 2) + 0.0 for x in point] for point in self.quad]
        if self.filter:
            record["filter"] = self.filter.to_dict()
        return record


def as_boxes(values: ArrayLike) -> Boxes:
    """A float64 copy of shape (N, 4); one box of shape (4,) becomes (1, 4).

    Raises BoxError for another shape, a value that is not finite, or an empty box.
    """
    boxes = np.array(values, dtype=np.float64)
    if boxes.shape == (4,):
        boxes = boxes[None]
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise BoxError(f"boxes have shape (N, 4), got {boxes.shape}")
    if not np.isfinite(boxes).all():
        raise BoxError(f"box coordinates are finite, got {boxes[~np.isfinite(boxes).all(1)][0]}")
    empty = (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])
    if empty.any():
        raise BoxError(f"boxes are x0 < x1 and y0 < y1, got {boxes[empty][0]}")
    return boxes


def area(boxes: Boxes) -> NDArray[np.float64]:
    """(N, 4) -> (N,), square pixels."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def clip(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """Boxes cut to a picture of ``size`` = (width, height); one wholly outside gets area 0."""
    width, height = size
    edges: Boxes = np.clip(boxes, 0.0, np.array([width, height, width, height], dtype=np.float64))
    return edges


def normalise(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """Pixels -> [0, 1] of ``size`` = (width, height)."""
    width, height = size
    edges: Boxes = boxes / np.array([width, height, width, height], dtype=np.float64)
    return edges


def iou(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """Intersection over union of each pair: (N, 4), (M, 4) -> (N, M) in [0, 1]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(high - low, 0.0)
    shared = sides[..., 0] * sides[..., 1]
    union = area(a)[:, None] + area(b)[None, :] - shared
    ratio: NDArray[np.float64] = np.zeros_like(shared)
    np.divide(shared, union, out=ratio, where=union > 0)
    return ratio


def nms(ranked: Boxes, threshold: float, limit: int) -> NDArray[np.intp]:
    """Greedy non-maximum suppression over boxes that are already sorted, best first.

    Returns the indices of at most ``limit`` boxes, none overlapping an earlier one by more than
    ``threshold`` IoU. Costs one (1, N) IoU for each kept box.
    """
    left = np.arange(len(ranked))
    kept: list[int] = []
    while len(kept) < limit and len(left):
        best, others = left[:1], left[1:]
        kept.append(int(best[0]))
        if len(kept) < limit:
            left = others[iou(ranked[best], ranked[others])[0] <= threshold]
    return np.array(kept, dtype=np.intp)


def distinct(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, D) -> its distinct rows, sorted."""
    # asked for no index, np.unique imports numpy.ma: 30 ms
    return np.unique(rows, axis=0, return_index=True)[0]


def overhang(parts: Boxes, boxes: Boxes) -> NDArray[np.float64]:
    """(M, 4), (N, 4) -> (M, N): how far each part reaches out of each box, px; 0 inside of it."""
    (px0, py0, px1, py1), (x0, y0, x1, y1) = parts.T[:, :, None], boxes.T
    across, down = np.maximum(x0 - px0, px1 - x1), np.maximum(y0 - py0, py1 - y1)
    return np.asarray(np.maximum(np.maximum(across, down), 0.0))


def snap(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """The nearest whole-pixel boxes of at least 1 x 1 px inside ``size`` = (width, height).

    Sides are rounded before positions, so that boxes of one size keep one size wherever they lie
    and a square stays a square.
    """
    limits = np.array(size, dtype=np.float64)
    sides = np.clip(np.floor((boxes[:, 2:] - boxes[:, :2]).round(6) + 0.5), 1.0, limits)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    low = np.clip(np.floor(centres - sides / 2 + 0.5), 0.0, limits - sides)
    return np.concatenate([low, low + sides], axis=1)

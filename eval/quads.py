"""How a crop that may be turned compares with the boxes that people drew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Boxes, area

__all__ = ["polygon_area", "quad_iou"]

Points = NDArray[np.float64]  # (K, 2), a convex polygon's corners in order


def quad_iou(quad: Points, boxes: Boxes) -> NDArray[np.float64]:
    """A convex quadrilateral (4, 2) against (N, 4) boxes, in one unit -> (N,) IoU."""
    own = polygon_area(quad)
    shared = np.array([polygon_area(_clipped(quad, box)) for box in boxes])
    return np.asarray(shared / (own + area(boxes) - shared))


def polygon_area(points: Points) -> float:
    if len(points) < 3:
        return 0.0
    x, y = points.T
    return abs(float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())) / 2


def _clipped(points: Points, box: NDArray[np.float64]) -> Points:
    """The part of a convex polygon in a box (Sutherland and Hodgman 1974)."""
    for axis in (0, 1):
        for bound, sign in ((box[axis], 1.0), (box[axis + 2], -1.0)):
            inside = sign * (points[:, axis] - bound)  # signed depth, >= 0: kept
            kept = []
            for index in range(len(points)):
                here, there = points[index], points[(index + 1) % len(points)]
                depth, next_depth = inside[index], inside[(index + 1) % len(points)]
                if depth >= 0:
                    kept.append(here)
                if (depth < 0) != (next_depth < 0):
                    kept.append(here + (there - here) * depth / (depth - next_depth))
            points = np.array(kept).reshape(-1, 2)
            if not len(points):
                return points
    return points

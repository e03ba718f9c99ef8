"""A photo turned level: boxes of the turned photo, and where their corners lie in the photo itself.

A photo whose horizon falls to the right is tilted clockwise, by a positive angle. Turned back by
that angle about its centre it is level, and what is an upright box there is a crop of the photo
that is turned clockwise. The turned photo has the photo's own width and height; its corners are
empty, and ``fit`` keeps boxes away from there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Box, Boxes, Corners, Crop, clip, snap
from cropper.image import View

__all__ = ["Orientation", "Tilt", "Turn"]

_SURE = 0.5  # probability of a tilt, from which on a photo is turned
_SURELY_UP = 0.9  # probability of an orientation, from which on a photo is turned
_SEEN = 2.0  # degrees; photos that people publish are level to about that


@dataclass(frozen=True)
class Tilt:
    """What the lines of a photo say of its tilt."""

    angle: float  # degrees clockwise, the likeliest
    probability: float  # that the photo is tilted by that, give or take a degree

    @property
    def turned(self) -> float:
        """The angle by which to turn the photo: 0 where it is level, or nobody could be sure."""
        return 0.0 if self.is_level or self.probability < _SURE else self.angle

    @property
    def is_level(self) -> bool:
        """Whether the likeliest angle is one that is left as it is."""
        return abs(self.angle) < _SEEN

    def to_dict(self) -> dict[str, float]:
        """The stable JSON fields."""
        return {
            "angle": round(self.turned, 2),
            "tilt": round(self.angle, 2),
            "tilt_probability": round(self.probability, 4),
        }


@dataclass(frozen=True)
class Orientation:
    """Which side of a photo is up."""

    quarters: int  # by which it is to be turned clockwise, the likeliest of 0 to 3
    probability: float  # that it is upright then

    @property
    def turned(self) -> int:
        """The quarters by which to turn the photo: 0 where nobody could be sure."""
        return self.quarters if self.probability >= _SURELY_UP else 0

    def to_dict(self) -> dict[str, float]:
        """The stable JSON fields."""
        return {
            "turned": 90 * self.turned,
            "orientation": 90 * self.quarters,
            "orientation_probability": round(self.probability, 4),
        }


@dataclass(frozen=True)
class Turn:
    """By ``angle`` degrees clockwise, for a photo of ``size`` = (width, height) px."""

    size: tuple[int, int]
    angle: float

    @cached_property
    def _matrix(self) -> NDArray[np.float64]:
        """(2, 2): from a direction in the turned photo to the same one in the photo."""
        cos, sin = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        return np.array([[cos, -sin], [sin, cos]])

    def view(self, view: View) -> View:
        """What a scorer sees of the turned photo; edge pixels continue into its empty corners."""
        return view.warp(self._corners(np.array([0.0, 0.0, *self.size])))

    def fit(self, boxes: Boxes) -> Boxes:
        """(N, 4) -> (N, 4): as large as they can be, and as near, with all corners in the photo."""
        if not self.angle:
            return boxes
        size = np.array(self.size, dtype=np.float64)
        sides = boxes[:, 2:] - boxes[:, :2]
        reach = sides @ np.abs(self._matrix).T  # sides of the upright box around each crop
        scale = np.minimum(1.0, (size / reach).min(1))[:, None]
        half = reach * scale / 2
        centres = self.in_photo((boxes[:, :2] + boxes[:, 2:]) / 2)
        centres = np.maximum(np.minimum(centres, size - half), half)
        middle, sides = self.in_turned(centres), sides * scale
        return np.concatenate([middle - sides / 2, middle + sides / 2], 1)

    def place(self, boxes: Boxes) -> Boxes:
        """(N, 4) -> (N, 4): as they are cut, on whole pixels where nothing is turned."""
        return self.fit(boxes) if self.angle else snap(boxes, self.size)

    def crop(self, box: NDArray[np.float64], score: float) -> Crop:
        """A placed box (4,) as a crop of the photo."""
        return (
            Crop.within(self.corners(box), score, self.size) if self.angle else Crop.of(box, score)
        )

    def corners(self, box: NDArray[np.float64]) -> Corners:
        """(4,) -> where its top left, top right, bottom right and bottom left are in the photo."""
        inside = np.clip(self._corners(box), 0, self.size)  # but for rounding they are
        return tuple((x, y) for x, y in inside.tolist())

    def _corners(self, box: NDArray[np.float64]) -> NDArray[np.float64]:
        """(4,) -> (4, 2): in the photo or beyond it."""
        x0, y0, x1, y1 = box
        return self.in_photo(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))

    def around(self, boxes: Boxes) -> Boxes:
        """Boxes (N, 4) of the photo -> the upright boxes around them in the turned photo."""
        x0, y0, x1, y1 = boxes.T
        corners = np.stack([x0, y0, x1, y0, x1, y1, x0, y1], 1).reshape(-1, 2)
        placed = self.in_turned(corners).reshape(-1, 4, 2)
        return np.concatenate([placed.min(1), placed.max(1)], 1)

    def home(self, boxes: Iterable[Box]) -> tuple[Box, ...]:
        """Boxes of the turned photo -> the upright boxes around them in the photo."""
        boxes = tuple(boxes)
        if not self.angle or not boxes:
            return boxes
        back = clip(Turn(self.size, -self.angle).around(np.array(boxes)), self.size)
        return tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in back.tolist())

    def in_photo(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) px of the turned photo -> px of the photo."""
        middle = np.array(self.size) / 2
        placed: NDArray[np.float64] = (points - middle) @ self._matrix.T + middle
        return placed

    def in_turned(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse."""
        middle = np.array(self.size) / 2
        placed: NDArray[np.float64] = (points - middle) @ self._matrix + middle
        return placed

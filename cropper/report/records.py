"""What the reports need of a photo and its crops."""

from __future__ import annotations

from dataclasses import dataclass

from cropper.boxes import Crop
from cropper.image import View

__all__ = ["Pictured", "ShownCrop"]


@dataclass(frozen=True)
class ShownCrop:
    label: str  # its aspect or size
    crop: Crop
    corners: tuple[tuple[float, float], ...] = ()  # px, of a turned crop; ``crop`` is around it

    @property
    def quad(self) -> tuple[tuple[float, float], ...]:
        """Its corners, px: top left, then clockwise."""
        x0, y0, x1, y1 = self.crop.box
        return self.corners or ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


@dataclass(frozen=True)
class Pictured:
    """A photo as a report shows it."""

    name: str
    view: View | None  # None: it can no longer be read
    size: tuple[int, int]  # (width, height), upright
    crops: tuple[ShownCrop, ...]  # the one that ``preferred`` is about first
    full_frame_score: float
    preferred: float | None  # probability that people prefer the crop to the whole, if known
    left_alone: bool  # no crop was written
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def gain(self) -> float:
        return self.crops[0].crop.score - self.full_frame_score

"""What the reports need of a photo and its crops."""

from __future__ import annotations

from dataclasses import dataclass

from cropper.boxes import Crop
from cropper.image import View

__all__ = ["LabelledCrop", "ReportedPhoto"]


@dataclass(frozen=True)
class LabelledCrop:
    label: str  # its aspect or size
    crop: Crop
    link: str = ""  # to its file, from the report; none was written where it is empty

    @property
    def is_part(self) -> bool:
        """Whether it is written as the photo has it, upright and with nothing around it."""
        crop = self.crop
        return not (crop.corners or crop.canvas or (crop.filter and crop.filter.tone.changes))


@dataclass(frozen=True)
class ReportedPhoto:
    """A photo as a report shows it."""

    name: str
    view: View | None  # None: it can no longer be read
    size: tuple[int, int]  # (width, height), upright
    crops: tuple[LabelledCrop, ...]  # the one that ``preferred`` is about first
    full_frame_score: float
    preferred: float | None  # probability that people prefer the crop to the whole, if known
    skipped: bool  # no crop was written
    seconds: float
    notes: tuple[str, ...] = ()
    link: str = ""  # to its file, from the report

    @property
    def gain(self) -> float:
        return self.crops[0].crop.score - self.full_frame_score

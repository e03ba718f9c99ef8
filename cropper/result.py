"""What was found in a photo: the answer of every method, a frozen record."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cropper.boxes import Box, Crop
from cropper.image import SourceImage
from cropper.turn import Orientation, Tilt

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "AFFINE_METHODS",
    "METHODS",
    "SEARCH",
    "CropResult",
    "FoundPerson",
    "SearchResult",
    "StopReason",
    "preference",
]

SEARCH = "search"
AFFINE_METHODS = ("stn", "localizer", "search+stn")  # whose crops may be turned
METHODS = (SEARCH, *AFFINE_METHODS)
_SURE = 1e-3  # of strangers; a likeness that more of them have is told


class StopReason(enum.StrEnum):
    """Why a search ended."""

    EXHAUSTED = "exhausted"  # every candidate of the lattice was scored
    BUDGET = "budget"  # the evaluations ran out
    CONVERGED = "converged"  # the lattice is finer than the resolution asked for


@dataclass(frozen=True)
class SearchResult:
    """The best crops of one search, best first, and what they cost."""

    crops: tuple[Crop, ...]  # diverse by NMS, at least one
    strategy: str  # of a search; else the method
    evaluations: int  # boxes that the objective was asked about
    rounds: int  # calls of the objective
    stop: StopReason

    @property
    def best(self) -> Crop:
        return self.crops[0]


@dataclass(frozen=True)
class FoundPerson:
    """Somebody who was to be kept, and is in the photo."""

    name: str
    box: Box  # of the face, px
    stranger_rate: float  # the share of strangers who are as alike
    kept: bool = True  # whether the face lies in the best crop

    @property
    def unsure(self) -> bool:
        """Whether so many strangers are as alike that it is told."""
        return self.stranger_rate > _SURE


@dataclass(frozen=True)
class CropResult:
    """The best crops of one photo, with what a caller needs to use them."""

    source_size: tuple[int, int]  # (width, height) of the upright photo, px
    search: SearchResult  # whole-pixel crops, scored as they are cut
    full_frame_score: float  # of the uncropped photo, by the same scorer
    centre_score: float  # of the largest centred crop of the shape, or of one of the best's size
    calibrated: bool  # differences of these scores are log-odds of preference
    scorer: str
    seconds: float  # decode for scoring, scoring and search, wall time
    size: tuple[int, int] | None = None  # exact (width, height) asked of the output, px
    notes: tuple[str, ...] = ()  # what could not be kept, for people to read
    faces: tuple[Box, ...] | None = None  # px, the largest first; None: nobody looked
    people: tuple[FoundPerson, ...] | None = None  # who was to be kept; None: nobody asked
    absent: tuple[str, ...] = ()  # who of them is not found
    copied: bool = False  # the whole photo, since they are absent
    tilt: Tilt | None = None  # None: nobody looked
    orientation: Orientation | None = None  # None: nobody looked
    has_shape: bool = False  # one was asked for, so that the whole photo is no answer
    source: SourceImage | None = field(default=None, repr=False, compare=False)

    @property
    def crops(self) -> tuple[Crop, ...]:
        return self.search.crops

    @property
    def best(self) -> Crop:
        return self.search.best

    @property
    def preferred_to_full_frame(self) -> float | None:
        """Probability that people prefer the best crop; None where the scorer cannot say."""
        return self.preferred(self.best)

    @property
    def preferred_to_centre(self) -> float | None:
        """The same against a centred crop: the largest of the shape that was asked for, and of the
        best crop's size where it was the photo's own or any."""
        return preference(self.best.score - self.centre_score) if self.calibrated else None

    def preferred(self, crop: Crop) -> float | None:
        """Probability that people prefer ``crop`` to the uncropped photo; None as above."""
        return preference(crop.score - self.full_frame_score) if self.calibrated else None

    @property
    def shows_nobody(self) -> bool:
        """Whether people were to be kept, and none of them is found."""
        return self.people == ()

    @property
    def people_notes(self) -> tuple[str, ...]:
        """Who is absent, and who may be a stranger, for people to read."""
        absent = [f"{name} is not found in it" for name in self.absent]
        unsure = [
            f"the face that is kept as {each.name} may be a stranger's: "
            f"1 of {1 / each.stranger_rate:,.0f} is as alike"
            for each in self.people or ()
            if each.unsure
        ]
        cut = [
            f"{each.name} is not whole in the crop" for each in self.people or () if not each.kept
        ]
        return (*absent, *cut, *unsure)

    def enlarged(self, crop: Crop) -> bool:
        """Whether the size that was asked for is larger than the crop is in the source."""
        return crop.is_enlarged(self.size)

    def crop(self, rank: int = 1, *, linear: bool = False) -> Image.Image:
        """The crop of a rank, from 1, as a Pillow image; ``linear`` light is what is resized.

        Raises IndexError for a rank that was not found and what ``SourceImage.cut`` raises.
        """
        from cropper.render import cut  # noqa: PLC0415 - the search needs no pixels

        assert self.source is not None, "only a result of ``find`` knows its photo"
        if not 1 <= rank <= len(self.crops):
            raise IndexError(f"ranks are 1 to {len(self.crops)}, got {rank}")
        return cut(self.source, self.crops[rank - 1], self.size, linear=linear)

    def _repr_html_(self) -> str:
        """The photo with its crops framed beside the best crop, in a notebook."""
        from cropper.render import as_html  # noqa: PLC0415

        return as_html(self.source, self.crops, self.size) if self.source else repr(self)

    def _people_record(self) -> dict[str, Any]:
        """Where people were asked for."""
        if self.people is None:
            return {}
        boxes = _rounded_boxes([each.box for each in self.people]) or []
        found = [
            {"name": each.name, "box": box, "kept": each.kept, "stranger_rate": each.stranger_rate}
            for each, box in zip(self.people, boxes, strict=True)
        ]
        return {"people": found, "absent": list(self.absent)}

    def _padding(self) -> dict[str, Any]:
        """Of the best crop's picture, where the crop does not fill it."""
        if not self.best.canvas:
            return {}
        size, place = self.best.layout(self.size)
        return {"padding": {"fit": self.best.canvas.fill, "size": list(size), "place": list(place)}}

    def crop_record(self, crop: Crop) -> dict[str, Any]:
        """The stable JSON fields of one crop."""
        may_turn = self.search.strategy in AFFINE_METHODS or self.tilt is not None
        may_turn = may_turn or crop.corners is not None
        return crop.to_dict(self.source_size, affine=may_turn)

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON fields; the command adds ``input`` and ``output``."""
        record = self.crop_record(self.best)
        focus_x, focus_y = self.best.focus(self.source_size)
        affine = {key: record.pop(key) for key in [*record] if key in ("theta", "corners")}
        return {
            "source_size": list(self.source_size),
            **record,
            **self._padding(),
            "focus_x": round(focus_x, 4),
            "focus_y": round(focus_y, 4),
            "faces": _rounded_boxes(self.faces),
            **self._people_record(),
            "full_frame_score": self.full_frame_score,
            "centre_score": self.centre_score,
            "preferred_to_full_frame": _rounded(self.preferred_to_full_frame),
            "preferred_to_centre": _rounded(self.preferred_to_centre),
            "scorer": self.scorer,
            "candidates": self.search.evaluations,
            "seconds": round(self.seconds, 4),
            **({} if self.tilt is None else self.tilt.to_dict()),
            **({} if self.orientation is None else self.orientation.to_dict()),
            **affine,
        }


def preference(gain: float) -> float:
    """Log-odds -> the probability that people prefer one of two crops (Bradley-Terry)."""
    return 1 / (1 + math.exp(-gain)) if gain > -700 else 0.0


def _rounded_boxes(boxes: Sequence[Box] | None) -> list[list[float]] | None:
    return None if boxes is None else [[round(edge, 1) for edge in box] for box in boxes]


def _rounded(probability: float | None) -> float | None:
    return None if probability is None else round(probability, 4)

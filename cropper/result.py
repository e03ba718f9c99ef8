"""What a search found: frozen records, nothing that computes."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from cropper.boxes import Crop

__all__ = ["CropResult", "SearchResult", "StopReason"]


class StopReason(enum.StrEnum):
    """Why a search ended."""

    EXHAUSTED = "exhausted"  # every candidate of the lattice was scored
    BUDGET = "budget"  # the evaluations ran out
    CONVERGED = "converged"  # the lattice is finer than the resolution asked for


@dataclass(frozen=True)
class SearchResult:
    """The best crops of one search, best first, and what they cost."""

    crops: tuple[Crop, ...]  # diverse by NMS, at least one
    strategy: str
    evaluations: int  # boxes that the objective was asked about
    rounds: int  # calls of the objective
    stop: StopReason

    @property
    def best(self) -> Crop:
        return self.crops[0]


@dataclass(frozen=True)
class CropResult:
    """The best crops of one picture, with what a caller needs to use them."""

    source_size: tuple[int, int]  # (width, height) of the upright picture, px
    search: SearchResult  # whole-pixel boxes, scored as they are cut
    full_frame_score: float  # of the uncropped picture, by the same scorer
    scorer: str
    seconds: float  # decode for scoring, scoring and search, wall time

    @property
    def best(self) -> Crop:
        return self.search.best

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON fields; the command adds ``input`` and ``output``."""
        return {
            "source_size": list(self.source_size),
            **self.best.to_dict(self.source_size),
            "full_frame_score": self.full_frame_score,
            "scorer": self.scorer,
            "candidates": self.search.evaluations,
            "seconds": round(self.seconds, 4),
        }

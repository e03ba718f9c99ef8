"""What a search found: frozen records, nothing that computes."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Any

from cropper.boxes import Crop

__all__ = ["SEARCH", "TRANSFORMS", "CropResult", "SearchResult", "StopReason"]

SEARCH = "search"
TRANSFORMS = ("stn", "localizer", "search+stn")  # other methods, whose crops may be turned


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
class CropResult:
    """The best crops of one picture, with what a caller needs to use them."""

    source_size: tuple[int, int]  # (width, height) of the upright picture, px
    search: SearchResult  # whole-pixel boxes, scored as they are cut
    full_frame_score: float  # of the uncropped picture, by the same scorer
    centre_score: float  # of a centred crop of the best one's size
    calibrated: bool  # differences of these scores are log-odds of preference
    scorer: str
    seconds: float  # decode for scoring, scoring and search, wall time

    @property
    def best(self) -> Crop:
        return self.search.best

    @property
    def preferred_to_full_frame(self) -> float | None:
        """Probability that people prefer the best crop; None where the scorer cannot say."""
        return self._preferred_to(self.full_frame_score)

    @property
    def preferred_to_centre(self) -> float | None:
        """The same against a centred crop of its size."""
        return self._preferred_to(self.centre_score)

    def _preferred_to(self, score: float) -> float | None:
        return preference(self.best.score - score) if self.calibrated else None

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON fields; the command adds ``input`` and ``output``."""
        return {
            "source_size": list(self.source_size),
            **self.best.to_dict(self.source_size),
            "full_frame_score": self.full_frame_score,
            "centre_score": self.centre_score,
            "preferred_to_full_frame": _rounded(self.preferred_to_full_frame),
            "preferred_to_centre": _rounded(self.preferred_to_centre),
            "scorer": self.scorer,
            "candidates": self.search.evaluations,
            "seconds": round(self.seconds, 4),
        }


def preference(gain: float) -> float:
    """Log-odds -> the probability that people prefer one of two crops (Bradley-Terry)."""
    return 1 / (1 + math.exp(-gain)) if gain > -700 else 0.0


def _rounded(probability: float | None) -> float | None:
    return None if probability is None else round(probability, 4)

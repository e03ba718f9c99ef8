"""What a search is about, and what becomes of the boxes that it finds: placed, allowed, ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cropper.boxes import Boxes, Crop, distinct, iou, snap
from cropper.image import View
from cropper.request import COSTLY_BUDGET, BoundConstraint, CropRequest
from cropper.scorers import ScorerSpec
from cropper.search import Objective, SearchConfig
from cropper.space import CropSpace
from cropper.subjects import around_kept
from cropper.turn import Tilt, Turn

__all__ = ["SearchTask", "TurnedPhoto", "search_config"]

_STRATEGY = "halving"
# For one aspect and for all: crops as good as a grid's of 10,000 (docs/benchmarks.md)
_BUDGET, _FREE_BUDGET = 300, 1000


def search_config(spec: ScorerSpec, request: CropRequest) -> SearchConfig:
    """The search that suits scorer and aspect, but for what the request says of it.

    A grid is exhaustive, and random draws are blind: both get the budget of ``SearchConfig``,
    unless each candidate costs a network pass.
    """
    budget = _FREE_BUDGET if request.searched_aspect == "free" else _BUDGET
    if request.strategy not in (None, _STRATEGY):
        budget = SearchConfig().budget
    return SearchConfig(
        strategy=request.strategy or _STRATEGY,
        budget=request.budget or (COSTLY_BUDGET if spec.costly else budget),
        seed=request.seed,
        top_k=request.top_k,
    )


@dataclass(frozen=True)
class TurnedPhoto:
    """A photo as it is once it is turned level."""

    turn: Turn
    view: View
    objective: Objective


@dataclass(frozen=True)
class SearchTask:
    """A search in one photo. The view, the objective and all boxes are of the turned photo."""

    view: View
    turn: Turn
    request: CropRequest
    objective: Objective
    tilt: Tilt | None  # None: nobody looked

    @cached_property
    def spaces(self) -> tuple[CropSpace, ...]:
        return self.request.spaces(self.view.size)

    @property
    def whole(self) -> Boxes:
        """(1, 4): the whole photo, as far as it is there once it is turned."""
        return self.turn.place(self.view.whole)

    def placed(
        self, boxes: Boxes, bound: Sequence[BoundConstraint]
    ) -> tuple[Boxes, tuple[str, ...]]:
        """What was found (N, 4), as it is cut, less what the constraints exclude; and notes.

        Where they exclude all of it, the best crop that they allow among those near it and those
        that just hold what is kept.
        """
        boxes = distinct(self.turn.place(boxes))  # in a tiny photo two crops may round to one
        allowed = _allowed(boxes, bound)
        if not len(allowed):
            near = [_nudged(boxes, self.view.size), around_kept(bound, self.spaces)]
            allowed = _allowed(self.turn.place(np.concatenate(near)), bound)
            allowed = _best(self.objective, allowed)
        notes = tuple(each.note for each in bound if each.note)
        if len(allowed):
            return allowed, notes
        asked = self.request.names_parts or self.request.constraints
        what = "keeps and avoids all that it should" if asked else "keeps heads whole"
        return boxes, notes or (f"no crop {what}: this one comes nearest",)

    def ranked(
        self, boxes: Boxes, bound: Sequence[BoundConstraint], overlap: float
    ) -> tuple[tuple[Crop, ...], float, float]:
        """The crops, best first, and the scores of the whole photo and of the centred crop.

        The whole photo is the best crop where it may be chosen and scores above all others; then
        crops that overlap it by more than ``overlap`` are left out.
        """
        request, whole = self.request, self.whole
        boxes = np.concatenate([boxes, whole])
        full = len(boxes) - 1  # row of the whole photo, which is its own centred crop too
        if request.has_shape:
            middle = self.turn.place(self.spaces[0].centred)
        else:
            middle = self.turn.fit(centred(boxes[:-1], self.view.size))
        scores = self.objective(np.concatenate([boxes, middle]))
        wanted = scores[: len(boxes)] - sum((each.penalty(boxes) for each in bound), 0.0)
        order = np.argsort(-wanted[:-1], kind="stable")
        if request.takes_whole and wanted[full] > wanted[:-1].max() and len(_allowed(whole, bound)):
            apart = iou(whole, boxes)[0] <= overlap
            order = np.array([full, *order[apart[order]]][: request.top_k])
        crops = tuple(self.turn.crop(boxes[i], scores[i]) for i in order)
        own = 0 if request.has_shape else order[0]
        centre = full if order[0] == full else len(boxes) + own
        return crops, float(scores[full]), float(scores[centre])


def _allowed(boxes: Boxes, constraints: Sequence[BoundConstraint]) -> Boxes:
    """(N, 4) -> those that no constraint excludes."""
    for each in constraints:
        boxes = boxes[each.mask(boxes)]
    return boxes


def _nudged(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """(N, 4) -> (9 N, 4): moved by a pixel at most, for what rounding took out of bounds."""
    steps = np.array([(x, y, x, y) for x in (0, -1, 1) for y in (0, -1, 1)], dtype=np.float64)
    return snap(np.concatenate([boxes + step for step in steps]), size)


def _best(objective: Objective, boxes: Boxes) -> Boxes:
    """(N, 4) -> (1, 4), or none of none."""
    return boxes[[int(np.argmax(objective(boxes)))]] if len(boxes) else boxes


def centred(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """(N, 4) -> (N, 4): boxes of the same sides, moved to the middle of a picture of ``size``."""
    sides = boxes[:, 2:] - boxes[:, :2]
    low = (np.array(size) - sides) / 2
    return np.concatenate([low, low + sides], axis=1)

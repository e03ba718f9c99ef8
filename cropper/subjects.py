"""What a crop has to keep whole or to leave out: heads, and boxes and points that callers name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import SLACK, Box, Boxes, Crop, as_boxes, clip
from cropper.faces import Face, find_faces
from cropper.heads import MISSED, NOTHING, KeepHeads, Kept, share_inside
from cropper.image import View
from cropper.person import Person
from cropper.request import BoundConstraint, Constraint, CropRequest, FaceAt, Point
from cropper.space import CropSpace
from cropper.turn import Turn

__all__ = [
    "AvoidBox",
    "FocusOn",
    "KeepBox",
    "around_kept",
    "aspect_for_all",
    "constraints_of",
    "find_subjects",
    "focus_note",
]

_SCALES, _PLACES = 9, 5  # a side, of crops that just hold what is kept


def constraints_of(
    request: CropRequest, turn: Turn, hair: bool = True, people: Sequence[Face] = ()
) -> tuple[Constraint, ...]:
    """Those that ``keep``, ``avoid`` and ``focus`` mean in the turned photo, and the request's own.

    Without ``hair`` a head is as small as its face. ``people`` are the faces of those to keep who
    are in the photo; where nobody is, all faces are kept.
    """
    named = _kept(request, bool(people))
    boxes = [_in_turned(what, turn) for what in named if not isinstance(what, str | FaceAt)]
    heads = KeepHeads(hair=hair, turn=turn, beside=tuple(boxes))
    kept: list[Constraint] = [KeepBox(box) for box in boxes]
    kept += [
        replace(heads, alone=what == "largest") for what in named if what in ("faces", "largest")
    ]
    single = [face.box for face in people]
    single += [what.box for what in named if isinstance(what, FaceAt)]
    if single:
        turned = (Face(_in_turned(box, turn), 1.0) for box in single)
        faces = sorted(turned, key=lambda face: face.height, reverse=True)
        kept.append(replace(heads, single=tuple(faces)))
    avoided = (AvoidBox(_in_turned(box, turn)) for box in request.avoid)
    focus = [_focus_on(request.focus, turn)] if request.focus else []
    return (*kept, *avoided, *focus, *request.constraints)


def _kept(request: CropRequest, has_people: bool) -> list[str | Box | FaceAt]:
    """What is kept beside people; without any that were asked for, as if nobody had been."""
    others = [what for what in request.keep if not isinstance(what, Person)]
    said = any(isinstance(what, str | FaceAt) for what in others)
    return others if has_people or said or not request.people else ["faces", *others]


def find_subjects(
    request: CropRequest, view: View, people: Sequence[Face] = ()
) -> tuple[Face, ...] | None:
    """The faces, the largest first; None where none are to be kept.

    The slow part of what ``constraints_of`` gives, in the caller's own thread.
    """
    if {"faces", "largest"} & {x for x in _kept(request, bool(people)) if isinstance(x, str)}:
        return find_faces(view)
    return None


@dataclass(frozen=True)
class KeepBox:
    """Keeps a box whole, px."""

    box: Box

    def bind(self, view: View, spaces: Sequence[CropSpace]) -> Kept:
        return Kept(as_boxes(self.box))


@dataclass(frozen=True)
class AvoidBox:
    """Leaves a box out, px."""

    box: Box

    def bind(self, view: View, spaces: Sequence[CropSpace]) -> _BoundAvoid:
        return _BoundAvoid(as_boxes(self.box))


@dataclass(frozen=True)
class FocusOn:
    """Keeps a point, px, in the middle half of the crop, or as near as the photo's edges allow."""

    point: Point
    turned: bool = False  # the photo: then its edges do not tell how near a crop may come

    def bind(self, view: View, spaces: Sequence[CropSpace]) -> _BoundFocus:
        return _BoundFocus(np.array(self.point), view.size, self.turned)


@dataclass(frozen=True)
class _BoundAvoid:
    box: Boxes  # (1, 4)
    note: str = ""

    def mask(self, boxes: Boxes) -> NDArray[np.bool_]:
        low = np.maximum(boxes[:, :2], self.box[0, :2])
        high = np.minimum(boxes[:, 2:], self.box[0, 2:])
        return np.asarray((high - low <= SLACK).any(1))

    def penalty(self, boxes: Boxes) -> NDArray[np.float64]:
        shared = share_inside(self.box, boxes)[0]
        return np.asarray(np.where(self.mask(boxes), 0.0, MISSED * (1 + shared)))


@dataclass(frozen=True)
class _BoundFocus:
    point: NDArray[np.float64]  # (2,) px
    size: tuple[int, int]
    turned: bool = False
    note: str = ""

    def _off(self, boxes: Boxes) -> NDArray[np.float64]:
        """(N,): px by which crops miss the point, as far as the photo lets them move."""
        low, high = boxes[:, :2], boxes[:, 2:]
        quarter = (high - low) / 4
        back = np.minimum(low + quarter - self.point, low)  # to the left or up
        forth = np.minimum(self.point - (high - quarter), np.array(self.size) - high)
        return np.asarray(np.maximum(back, forth).clip(0).max(1))

    def mask(self, boxes: Boxes) -> NDArray[np.bool_]:
        return np.asarray(self._off(boxes) <= SLACK) | self.turned

    def penalty(self, boxes: Boxes) -> NDArray[np.float64]:
        off = self._off(boxes)
        return np.where(off > SLACK, MISSED + off, 0.0)


def focus_note(point: Point, crop: Crop, size: tuple[int, int]) -> str:
    """Why a crop of a photo of ``size`` has its focus elsewhere than asked, if that may surprise.

    Nothing where it lies in the crop's middle half, or as near to it as the photo's edges allow.
    """
    place = _in_pixels(point, size)
    if (place > size).any():
        return "the point of `focus` lies outside of the photo of {}x{} px".format(*size)
    if crop.corners:  # a turned crop, with other edges
        return ""
    box = as_boxes(crop.box)
    low, high = box[0, :2], box[0, 2:]
    middle, sides = (low + high) / 2, high - low
    spans = sides >= np.array(size) - SLACK
    across, down = spans & (np.abs(place - middle) > sides / 4 + SLACK)
    if across or down:
        told = ": the crop is the whole photo"
        if not spans.all():
            told = " from side to side: the crop is as wide as the photo"
            told = told if across else " up and down: the crop is as high as the photo"
        return f"`focus` has no effect{told}; a smaller `max_scale` gives it room"
    if not _BoundFocus(place, size).mask(box)[0]:
        return "`focus` is not in the crop's middle half: what is kept or avoided comes first"
    return ""


def around_kept(bound: Sequence[BoundConstraint], spaces: Sequence[CropSpace]) -> Boxes:
    """(N, 4): whole-pixel crops of several scales that just hold all that is kept.

    For a search that met none: where a head is nearly as large as the shape, few places hold it.
    """
    kept = np.concatenate([NOTHING, *(each.kept for each in bound if isinstance(each, Kept))])
    if not len(kept):
        return NOTHING
    low, high = kept[:, :2].min(0), kept[:, 2:].max(0)
    found = []
    for space in spaces:
        limits = np.array(space.size, dtype=np.float64)
        for scale in np.linspace(space.max_scale, space.min_scale, _SCALES):
            sides = np.round(space.largest * scale * limits)
            for x in np.linspace(high[0] - sides[0], low[0], _PLACES):
                for y in np.linspace(high[1] - sides[1], low[1], _PLACES):
                    corner = np.clip(np.round([x, y]), 0, limits - sides)
                    found.append([*corner, *(corner + sides)])
    return np.array(found)


def aspect_for_all(bound: Sequence[BoundConstraint], spaces: Sequence[CropSpace]) -> float | None:
    """The aspect nearest to that of the spaces whose largest crop holds all that is to be kept.

    None where the spaces' own crops hold it.
    """
    parts = [
        each.kept if each.subject is None else each.subject
        for each in bound
        if isinstance(each, Kept)
    ]
    subject = clip(np.concatenate([NOTHING, *parts]), spaces[0].size)
    if not len(subject):
        return None
    rooms = np.array([space.largest * space.max_scale for space in spaces]) * spaces[0].size
    wide, tall = subject[:, 2:].max(0) - subject[:, :2].min(0)
    if (np.array([wide, tall]) <= rooms + SLACK).all(1).any():
        return None
    width, height = np.array(spaces[0].size) * spaces[0].max_scale
    return float(np.clip(spaces[0].aspect, wide / height, width / max(tall, 1.0)))


def _in_turned(box: Box, turn: Turn) -> Box:
    """The upright box, px, around a box of the photo once that is turned."""
    boxes = as_boxes(_in_pixels(box, turn.size))
    left, top, right, bottom = (turn.around(boxes) if turn.angle else boxes)[0].tolist()
    return (left, top, right, bottom)


def _focus_on(point: Point, turn: Turn) -> FocusOn:
    place = _in_pixels(point, turn.size)
    x, y = (turn.in_turned(place) if turn.angle else place).tolist()
    return FocusOn((x, y), turned=bool(turn.angle))


def _in_pixels(place: Point | Box, size: tuple[int, int]) -> NDArray[np.float64]:
    """A point (2,) or a box (4,): fractions of the photo where all numbers are at most 1."""
    numbers = np.array(place, dtype=np.float64)
    whole = np.resize(size, len(numbers)) if numbers.max() <= 1 else 1.0
    return np.asarray(numbers * whole)

"""What a crop has to keep whole or to leave out: people's heads, and boxes that the caller names.

By default no head is cut that the shape can hold, its hair included. Where a group does not fit, as
many of its heads as do are kept whole, the largest first, and the others are rather left out than
cut.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import SLACK, Box, Boxes, Crop, as_boxes, clip, overhang
from cropper.faces import Face, find_faces
from cropper.image import View
from cropper.person import Person
from cropper.request import BoundConstraint, Constraint, CropRequest, FaceAt, Point
from cropper.space import CropSpace, parse_aspect
from cropper.turn import Turn

__all__ = [
    "AvoidBox",
    "FocusOn",
    "KeepBox",
    "KeepHeads",
    "around_kept",
    "aspect_for_all",
    "constraints_of",
    "find_subjects",
    "focus_note",
]

_HEADROOMS = (0.2, 0.1, 0.05)  # heights of the face; the largest that the shape has room for
_IN_GROUP = 0.35  # of the largest face's height; smaller faces are not what the photo is of
_MISSED = 1e3  # off the score of a crop that misses what it must keep, more the more it misses
_SCALES, _PLACES = 9, 5  # a side, of crops that just hold what is kept
_NAMED = "1:3 1:2 9:16 2:3 3:4 4:5 1:1 5:4 4:3 3:2 16:9 2:1 21:9 3:1"
_SHAPES = [(name, parse_aspect(name)) for name in _NAMED.split()]
_CUT = 2.0  # log-odds off the score of a crop that cuts a head which it cannot keep


def constraints_of(
    request: CropRequest, turn: Turn, hair: bool = True, people: Sequence[Face] = ()
) -> tuple[Constraint, ...]:
    """Those that ``keep``, ``avoid`` and ``focus`` mean in the turned photo, and the request's own.

    Without ``hair`` a head is as small as its face. ``people`` are the faces of those to keep who
    are in the photo; where nobody is, all faces are kept.
    """
    kept: list[Constraint] = []
    single = [face.box for face in people]
    for what in _kept(request, bool(people)):
        if isinstance(what, FaceAt):
            single.append(what.box)
        elif not isinstance(what, str):
            kept.append(KeepBox(_in_turned(what, turn)))
        elif what != "none":
            kept.append(KeepHeads(alone=what == "largest", hair=hair))
    if single:
        turned = (Face(_in_turned(box, turn), 1.0) for box in single)
        faces = sorted(turned, key=lambda face: face.height, reverse=True)
        kept.append(KeepHeads(hair=hair, single=tuple(faces)))
    avoided = (AvoidBox(_in_turned(box, turn)) for box in request.avoid)
    focus = [FocusOn(_point_in_turned(request.focus, turn))] if request.focus else []
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
class KeepHeads:
    """Keeps heads whole as far as the shape can hold them."""

    alone: bool = False  # only the largest
    hair: bool = True  # whether a head has more than its face
    single: tuple[Face, ...] = ()  # theirs instead of those of a group, the largest first

    def bind(self, view: View, spaces: Sequence[CropSpace]) -> _Bound:
        faces = self.single or find_faces(view)
        if not faces:
            return _Bound(_NONE, _NONE)
        least = (1.0 if self.alone else _IN_GROUP) * faces[0].height
        group = [face for face in faces if self.single or face.height >= least]
        rooms = np.array([space.largest * space.max_scale for space in spaces]) * view.size
        heads = as_boxes([face.head(view.size) if self.hair else face.box for face in group])
        chosen = _that_fit(heads, rooms)
        if not chosen.any():  # then the face without its hair
            face = as_boxes(group[0].box)
            fits = _that_fit(face, rooms).any()
            what = "the whole head" if fits else "the whole face"
            told = _cannot(what, heads[:1], spaces) + (": its face is kept" if fits else "")
            return _Bound(face, _NONE, told, heads)
        told = "" if chosen.all() else _cannot("all heads", heads, spaces)
        held = [face for face, fits in zip(group, chosen, strict=True) if fits]
        for room in _HEADROOMS if self.hair else ():
            roomy = as_boxes([face.head(view.size, room) for face in held])
            if _that_fit(roomy, rooms).all():
                return _Bound(roomy, heads[~chosen], told, heads)
        return _Bound(heads[chosen], heads[~chosen], told, heads)


@dataclass(frozen=True)
class KeepBox:
    """Keeps a box whole; px, or fractions of the photo where all edges are at most 1."""

    box: Box

    def bind(self, view: View, spaces: Sequence[CropSpace]) -> _Bound:
        return _Bound(as_boxes(_in_pixels(self.box, view.size)), _NONE)


@dataclass(frozen=True)
class AvoidBox:
    """Leaves a box out; px or fractions as in KeepBox."""

    box: Box

    def bind(self, view: View, spaces: Sequence[CropSpace]) -> _BoundAvoid:
        return _BoundAvoid(as_boxes(_in_pixels(self.box, view.size)))


@dataclass(frozen=True)
class FocusOn:
    """Keeps a point in the middle half of the crop, or as near as the photo's edges allow.

    px, or fractions of the photo where both numbers are at most 1.
    """

    point: Point

    def bind(self, view: View, spaces: Sequence[CropSpace]) -> _BoundFocus:
        return _BoundFocus(_in_pixels(self.point, view.size), view.size)


_NONE: Boxes = np.empty((0, 4))


@dataclass(frozen=True)
class _Bound:
    kept: Boxes  # (M, 4) to lie inside
    whole: Boxes  # (K, 4) to lie inside or outside
    note: str = ""  # what cannot be had, whichever crop is chosen
    subject: Boxes | None = None  # (L, 4) what would be kept by a shape for all; None: ``kept``

    def mask(self, boxes: Boxes) -> NDArray[np.bool_]:
        return np.asarray((overhang(self.kept, boxes) <= SLACK).all(0))

    def penalty(self, boxes: Boxes) -> NDArray[np.float64]:
        missed = overhang(self.kept, boxes).max(0, initial=0.0)
        inside = _share_inside(self.whole, boxes)
        cut = np.minimum(inside, 1 - inside).sum(0) * 2
        return np.asarray(np.where(missed > SLACK, _MISSED + missed, 0.0) + _CUT * cut)


@dataclass(frozen=True)
class _BoundAvoid:
    box: Boxes  # (1, 4)
    note: str = ""

    def mask(self, boxes: Boxes) -> NDArray[np.bool_]:
        low = np.maximum(boxes[:, :2], self.box[0, :2])
        high = np.minimum(boxes[:, 2:], self.box[0, 2:])
        return np.asarray((high - low <= SLACK).any(1))

    def penalty(self, boxes: Boxes) -> NDArray[np.float64]:
        shared = _share_inside(self.box, boxes)[0]
        return np.asarray(np.where(self.mask(boxes), 0.0, _MISSED * (1 + shared)))


@dataclass(frozen=True)
class _BoundFocus:
    point: NDArray[np.float64]  # (2,) px
    size: tuple[int, int]
    note: str = ""

    def _off(self, boxes: Boxes) -> NDArray[np.float64]:
        """(N,): px by which crops miss the point, as far as the photo lets them move."""
        low, high = boxes[:, :2], boxes[:, 2:]
        quarter = (high - low) / 4
        back = np.minimum(low + quarter - self.point, low)  # to the left or up
        forth = np.minimum(self.point - (high - quarter), np.array(self.size) - high)
        return np.asarray(np.maximum(back, forth).clip(0).max(1))

    def mask(self, boxes: Boxes) -> NDArray[np.bool_]:
        return np.asarray(self._off(boxes) <= SLACK)

    def penalty(self, boxes: Boxes) -> NDArray[np.float64]:
        off = self._off(boxes)
        return np.where(off > SLACK, _MISSED + off, 0.0)


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
    kept = np.concatenate([_NONE, *(each.kept for each in bound if isinstance(each, _Bound))])
    if not len(kept):
        return _NONE
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
        if isinstance(each, _Bound)
    ]
    subject = clip(np.concatenate([_NONE, *parts]), spaces[0].size)
    if not len(subject):
        return None
    rooms = np.array([space.largest * space.max_scale for space in spaces]) * spaces[0].size
    wide, tall = subject[:, 2:].max(0) - subject[:, :2].min(0)
    if (np.array([wide, tall]) <= rooms + SLACK).all(1).any():
        return None
    width, height = np.array(spaces[0].size) * spaces[0].max_scale
    return float(np.clip(spaces[0].aspect, wide / height, width / max(tall, 1.0)))


def _share_inside(parts: Boxes, boxes: Boxes) -> NDArray[np.float64]:
    """(K, 4), (N, 4) -> (K, N): the share of each part's area that lies in each crop."""
    low = np.maximum(parts[:, None, :2], boxes[None, :, :2])
    high = np.minimum(parts[:, None, 2:], boxes[None, :, 2:])
    sides = parts[:, None, 2:] - parts[:, None, :2]
    return np.asarray(((high - low).clip(0) / sides).prod(2))


def _that_fit(heads: Boxes, rooms: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(M, 4) and crops' largest sides (S, 2) -> (M,): those that one crop can hold together.

    All of them, or the ones with the most height in all, of equal ones the first.
    """
    best, chosen = 0.0, np.zeros(len(heads), dtype=bool)
    height = heads[:, 3] - heads[:, 1]
    for width, tall in rooms + SLACK:
        for left in np.unique(heads[:, 0]):
            across = (heads[:, 0] >= left) & (heads[:, 2] <= left + width)
            for top in np.unique(heads[across, 1]):
                inside = across & (heads[:, 1] >= top) & (heads[:, 3] <= top + tall)
                if (weight := height[inside].sum()) > best:
                    best, chosen = weight, inside
    return chosen


def _cannot(what: str, held: Boxes, spaces: Sequence[CropSpace]) -> str:
    """Says so, and names the shape nearest to the one asked for that holds the boxes, if one does.

    The aspects whose largest crops hold the boxes form one interval.
    """
    space = spaces[0]
    width, height = np.array(space.size) * space.max_scale
    wide, tall = held[:, 2:].max(0) - held[:, :2].min(0)
    able = [
        (abs(math.log(ratio / space.aspect)), name)
        for name, ratio in [*_SHAPES, ("original", width / height)]
        if wide / height <= ratio <= width / tall
    ]
    return f"no crop of this shape holds {what}" + (f", {min(able)[1]} would" if able else "")


def _in_turned(box: Box, turn: Turn) -> Box:
    """The upright box around a box of the photo once that is turned."""
    if not turn.angle:
        return box
    left, top, right, bottom = turn.around(as_boxes(_in_pixels(box, turn.size)))[0].tolist()
    return (left, top, right, bottom)


def _point_in_turned(point: Point, turn: Turn) -> Point:
    """The same for a point."""
    if not turn.angle:
        return point
    x, y = turn.in_turned(_in_pixels(point, turn.size)).tolist()
    return (x, y)


def _in_pixels(place: Point | Box, size: tuple[int, int]) -> NDArray[np.float64]:
    """A point (2,) or a box (4,): fractions of the photo where all numbers are at most 1."""
    numbers = np.array(place, dtype=np.float64)
    whole = np.resize(size, len(numbers)) if numbers.max() <= 1 else 1.0
    return np.asarray(numbers * whole)

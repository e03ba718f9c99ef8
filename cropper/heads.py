"""Heads that a crop keeps whole, as far as its shape can hold them.

No head is cut that the shape can hold, its hair included. Of two that do not fit together the
larger is kept whole. Of three and more the scorer chooses who is, at least half as much as could
be. The others are rather left out than cut.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import SLACK, Box, Boxes, as_boxes, overhang
from cropper.faces import Face, find_faces
from cropper.image import View
from cropper.space import CropSpace, parse_aspect
from cropper.turn import Turn

__all__ = ["MISSED", "NOTHING", "KeepHeads", "Kept", "share_inside"]

MISSED = 1e3  # off the score of a crop that misses what it must keep, more the more it misses
_HEADROOMS = (0.2, 0.1, 0.05)  # heights of the face; the largest that the shape has room for
_IN_GROUP = 0.35  # of the largest face's height; smaller faces are not what the photo is of
_GROUP = 3  # heads; of fewer that do not fit together the largest is kept
_ENOUGH = 0.5  # of the squared heights of the heads that one crop can hold
_NAMED = "1:3 1:2 9:16 2:3 3:4 4:5 1:1 5:4 4:3 3:2 16:9 2:1 21:9 3:1"
_SHAPES = [(name, parse_aspect(name)) for name in _NAMED.split()]
_AT_EDGE = 0.1  # of its height, by which a head at the edge of a turned photo may be cut
_CUT = 2.0  # log-odds off the score of a crop that cuts a head which it cannot keep
NOTHING: Boxes = np.empty((0, 4))


@dataclass(frozen=True)
class KeepHeads:
    """Keeps heads whole as far as the shape can hold them."""

    alone: bool = False  # only the largest
    hair: bool = True  # whether a head has more than its face
    single: tuple[Face, ...] = ()  # theirs instead of those of a group, the largest first
    turn: Turn | None = None  # of the photo, if it is turned
    beside: tuple[Box, ...] = ()  # kept as well, px: room about heads is what these leave

    def bind(self, view: View, spaces: Sequence[CropSpace]) -> Kept:
        faces = self.single or find_faces(view)
        if not faces:
            return Kept(NOTHING)
        least = (1.0 if self.alone else _IN_GROUP) * faces[0].height
        group = [face for face in faces if self.single or face.height >= least]
        turn = self.turn or Turn(view.size, 0.0)
        rooms = _rooms(spaces, turn)
        heads = as_boxes([face.head(view.size) if self.hair else face.box for face in group])
        chosen = _that_fit(heads, rooms)
        if not chosen.any():  # then the face without its hair
            face = as_boxes(group[0].box)
            fits = _that_fit(face, rooms).any()
            what = "the whole head" if fits else "the whole face"
            told = _cannot(what, heads[:1], spaces[0], turn)
            told += ": its face is kept" if fits else ""
            return Kept(face, note=told, subject=heads)
        for room in _HEADROOMS if self.hair else ():
            roomy = as_boxes([face.head(view.size, room) for face in group])
            if _that_fit(np.concatenate([roomy[chosen], *map(as_boxes, self.beside)]), rooms).all():
                break
        else:
            roomy = heads.copy()
        if turn.angle:
            roomy[chosen] = _in_reach(roomy[chosen], spaces, turn)
        if chosen.all():
            return Kept(roomy, subject=heads)
        told = _cannot("all heads", heads, spaces[0], turn)
        if self.single or len(group) < _GROUP:
            return Kept(roomy[chosen], heads[~chosen], told, heads)
        return _KeptOfGroup(roomy[chosen], heads, told, heads, roomy)


@dataclass(frozen=True)
class Kept:
    """Boxes of one photo, px, that crops keep."""

    kept: Boxes  # (M, 4) to lie inside
    whole: Boxes = field(default_factory=lambda: NOTHING)  # (K, 4) to lie inside or outside
    note: str = ""  # what cannot be had, whichever crop is chosen
    subject: Boxes | None = None  # (L, 4) what would be kept by a shape for all; None: ``kept``

    def mask(self, boxes: Boxes) -> NDArray[np.bool_]:
        return self._missed(boxes) <= SLACK

    def _missed(self, boxes: Boxes) -> NDArray[np.float64]:
        """(N,): px by which what is kept reaches out of each crop."""
        return np.asarray(overhang(self.kept, boxes).max(0, initial=0.0))

    def penalty(self, boxes: Boxes) -> NDArray[np.float64]:
        missed = self._missed(boxes)
        inside = share_inside(self.whole, boxes)
        cut = np.minimum(inside, 1 - inside).sum(0) * 2
        return np.asarray(np.where(missed > SLACK, MISSED + missed, 0.0) + _CUT * cut)


@dataclass(frozen=True)
class _KeptOfGroup(Kept):
    """Heads that no crop holds together: enough of them inside; ``kept`` are the most that can."""

    group: Boxes = field(default_factory=lambda: NOTHING)  # (L, 4) all of them

    def _missed(self, boxes: Boxes) -> NDArray[np.float64]:
        weights = _weights(self.group)
        out = overhang(self.group, boxes)
        nearest = out.argsort(0, kind="stable")
        enough = weights[nearest].cumsum(0) >= _ENOUGH * _weights(self.kept).sum()
        last = np.take_along_axis(nearest, enough.argmax(0)[None], 0)
        return np.asarray(np.take_along_axis(out, last, 0)[0])


def share_inside(parts: Boxes, boxes: Boxes) -> NDArray[np.float64]:
    """(K, 4), (N, 4) -> (K, N): the share of each part's area that lies in each crop."""
    low = np.maximum(parts[:, None, :2], boxes[None, :, :2])
    high = np.minimum(parts[:, None, 2:], boxes[None, :, 2:])
    sides = parts[:, None, 2:] - parts[:, None, :2]
    return np.asarray(((high - low).clip(0) / sides).prod(2))


def _that_fit(heads: Boxes, rooms: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(M, 4) and crops' largest sides (S, 2) -> (M,): those that one crop can hold together.

    All of them, or the ones that weigh most, of equal ones the first.
    """
    best, chosen = 0.0, np.zeros(len(heads), dtype=bool)
    weights = _weights(heads)
    for width, tall in rooms + SLACK:
        for left in np.unique(heads[:, 0]):
            across = (heads[:, 0] >= left) & (heads[:, 2] <= left + width)
            for top in np.unique(heads[across, 1]):
                inside = across & (heads[:, 1] >= top) & (heads[:, 3] <= top + tall)
                if (weight := weights[inside].sum()) > best:
                    best, chosen = weight, inside
    return chosen


def _weights(heads: Boxes) -> NDArray[np.float64]:
    """(M, 4) -> (M,): how much of a group each is, as large heads are nearer to the camera."""
    return np.asarray((heads[:, 3] - heads[:, 1]) ** 2)


def _rooms(spaces: Sequence[CropSpace], turn: Turn) -> NDArray[np.float64]:
    """(S, 2): the sides of the largest crop of each space in the turned photo, px."""
    largest = turn.fit(np.concatenate([space.centred for space in spaces]))
    return largest[:, 2:] - largest[:, :2]


def _in_reach(heads: Boxes, spaces: Sequence[CropSpace], turn: Turn) -> Boxes:
    """(M, 4) -> (M, 4): of heads at the edge of a turned photo what crops can come near to.

    Where no crop holds all of them, what the smallest at that place does, less what the largest
    does not, a tenth of a head's height at most.
    """
    low, high = heads[:, :2].min(0), heads[:, 2:].max(0)
    found = []
    for space in spaces:
        sides = space.largest * space.size
        least = np.clip(((high - low) / sides).max(), space.min_scale, space.max_scale)
        half = np.outer([least, space.max_scale], sides) / 2
        middle = (low + high) / 2
        tight, wide = turn.fit(np.concatenate([middle - half, middle + half], 1))
        found.append((float(overhang(heads, tight[None]).max()), tight, wide))
    missed, tight, wide = min(found, key=lambda each: each[0])
    if missed <= SLACK:
        return heads
    less = _AT_EDGE * (heads[:, 3:] - heads[:, 1:2])
    low, high = np.maximum(heads[:, :2], tight[:2]), np.minimum(heads[:, 2:], tight[2:])
    low, high = low + (wide[:2] - low).clip(0, less), high - (high - wide[2:]).clip(0, less)
    return np.concatenate([low, high], 1)


def _cannot(what: str, held: Boxes, space: CropSpace, turn: Turn) -> str:
    """Says so, and names the shape nearest to that of the space which holds the boxes, if one does.

    The aspects whose largest crops hold the boxes form one interval. Of a turned photo none is
    named: there it is a matter of the place as well.
    """
    told = f"no crop of this shape holds {what}"
    width, height = np.array(space.size) * space.max_scale
    wide, tall = held[:, 2:].max(0) - held[:, :2].min(0)
    able = [
        (abs(math.log(ratio / space.aspect)), name)
        for name, ratio in [*_SHAPES, ("original", width / height)]
        if wide / height <= ratio <= width / tall and not turn.angle
    ]
    return f"{told}, {min(able)[1]} would" if able else told

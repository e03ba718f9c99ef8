"""The faces of a photo with their encodings, and which known person each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cropper.faces import Face, FaceFinder
from cropper.identity.config import NUMBERS
from cropper.identity.descriptor import Encodings, aligned, misfit, shared_descriptor
from cropper.identity.likeness import RATE, farthest, stranger_rate
from cropper.image import SourceImage
from cropper.image.per_view import PerView
from cropper.person import Person

__all__ = ["Gallery", "Match", "SeenFace", "Wanted", "as_array", "find_wanted", "look", "recognise"]

_LONG_SIDES = (448, 1280)  # px of a photo: one for faces that fill it, one for those of a crowd
_LEAST = 30  # px, of a face's height among 1280: smaller ones are all alike
_TURNED = 0.08  # of an aligned face's side, by which its points may be off
# Share of strangers that are taken for one of the people. Larger than where a name is the answer:
# to cut off somebody who is wanted is worse than to keep a stranger
_WANTED_RATE = 1e-2


@dataclass(frozen=True)
class SeenFace:
    """A face of a photo, as far as it can be read."""

    face: Face
    encoding: tuple[float, ...] | None  # 128 numbers; None: it cannot be told whose it is
    sharpness: float  # variance of the Laplacian of the aligned face, in squared levels
    unreadable: str = ""  # why there is no encoding, for people to read


@dataclass(frozen=True)
class Match:
    """A face taken for a known person."""

    person: Person
    distance: float  # to the nearest of the person's encodings
    stranger_rate: float  # the share of strangers that would be as near


def look(image: SourceImage) -> tuple[SeenFace, ...]:
    """The faces of a photo, the largest first; looked at once for an image."""
    return _seen.get(image, _look)


_seen: PerView[tuple[SeenFace, ...]] = PerView()


@lru_cache(1)
def _finder() -> FaceFinder:
    return FaceFinder(long_sides=_LONG_SIDES)


def _look(image: SourceImage) -> tuple[SeenFace, ...]:
    view = image.view(_LONG_SIDES[-1])
    faces = _finder().find(view)
    pixel = max(view.pixels.shape[:2]) / max(view.size)
    reasons = [_unreadable(face, pixel) for face in faces]
    chips = aligned(view, faces)
    readable = np.array([not reason for reason in reasons], dtype=bool)
    encoded = iter(shared_descriptor().encode(chips[readable]).tolist())
    return tuple(
        SeenFace(face, None if reason else tuple(next(encoded)), _sharpness(chip), reason)
        for face, chip, reason in zip(faces, chips, reasons, strict=True)
    )


def _unreadable(face: Face, pixel: float) -> str:
    """``pixel`` is what a px of the photo has in the view."""
    if face.height * pixel < _LEAST:
        return "too small to tell whose it is"
    if misfit(face) > _TURNED:
        return "turned too far away to tell whose it is"
    return ""


def _sharpness(chip: NDArray[np.uint8]) -> float:
    grey = chip.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.var(around - 4 * grey[1:-1, 1:-1]))


class Gallery:
    """People whom faces are compared with, their encodings in one table."""

    def __init__(self, people: Sequence[Person]) -> None:
        self.people = tuple(people)
        own = [person.array for person in self.people]
        self._rows = np.concatenate([np.empty((0, NUMBERS)), *own]).astype(np.float64)
        self._squares = (self._rows**2).sum(1)
        self._starts = np.cumsum([0, *map(len, own)])[:-1]

    def distances(self, faces: Encodings) -> NDArray[np.float64]:
        """(N, 128) -> (N, K): from each face to the nearest encoding of each person."""
        if not self.people:
            return np.empty((len(faces), 0))
        wide = faces.astype(np.float64)
        squares = (wide**2).sum(1)[:, None] + self._squares - 2 * wide @ self._rows.T
        nearest = np.minimum.reduceat(squares, self._starts, axis=1)
        return np.asarray(np.sqrt(nearest.clip(0)))


def as_array(seen: Sequence[SeenFace]) -> Encodings:
    """(N, 128): NaN for what cannot be read."""
    unknown = (np.nan,) * NUMBERS
    return np.array([each.encoding or unknown for each in seen], np.float32).reshape(-1, NUMBERS)


def recognise(seen: Sequence[SeenFace], gallery: Gallery, rate: float = RATE) -> list[Match | None]:
    """Who each face of one photo is, None for nobody known.

    The nearest pair counts first and nobody is in a photo twice. A stranger is taken for one of K
    people at about K times the ``rate``.
    """
    found: list[Match | None] = [None] * len(seen)
    gaps = np.nan_to_num(gallery.distances(as_array(seen)), nan=np.inf)
    limit = farthest(rate)
    while gaps.size and gaps.min() <= limit:
        row, column = divmod(int(gaps.argmin()), gaps.shape[1])
        gap = float(gaps[row, column])
        found[row] = Match(gallery.people[column], gap, stranger_rate(gap))
        gaps[row], gaps[:, column] = np.inf, np.inf
    return found


@dataclass(frozen=True)
class Wanted:
    """Of the people whom a crop is to keep, those that are found and those that are not."""

    found: tuple[tuple[Face, Match], ...]
    absent: tuple[str, ...]

    @property
    def faces(self) -> tuple[Face, ...]:
        return tuple(face for face, _ in self.found)


def find_wanted(people: Sequence[Person], image: SourceImage) -> Wanted:
    """Looks at the faces of a photo once, whoever asks."""
    seen = look(image)
    matches = recognise(seen, Gallery(people), _WANTED_RATE)
    pairs = zip(seen, matches, strict=True)
    found = tuple((each.face, match) for each, match in pairs if match)
    names = {match.person.name for _, match in found}
    return Wanted(found, tuple(each.name for each in people if each.name not in names))

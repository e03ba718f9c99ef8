"""What is asked of one photo: the question that the shell, Python, folders and the service share.

>>> request = CropRequest(aspect="4:5", top_k=3)
>>> request.searched_aspect, request.label
('4:5', '4x5')
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Box, Boxes, Crop, area, as_boxes, snap
from cropper.canvas import FILLS
from cropper.errors import ConfigError, CropTooSmallError
from cropper.image import View
from cropper.image.padding import check_colour
from cropper.image.source import MAX_PIXELS
from cropper.person import Person
from cropper.result import METHODS, SEARCH
from cropper.search import Objective, SearchConfig
from cropper.space import MIN_SCALE, CropSpace, agreed_aspect, crop_spaces
from cropper.tone import parse_filter

__all__ = [
    "COSTLY_BUDGET",
    "KEPT",
    "MAX_ANGLE",
    "STRAIGHTENED",
    "BoundConstraint",
    "Box",
    "Constraint",
    "CropFields",
    "CropRequest",
    "FaceAt",
    "Point",
    "constrained",
]

COSTLY_BUDGET = 500  # evaluations where each is a network pass, whose score is rugged
Point = tuple[float, float]
KEPT = ("faces", "largest", "none")  # heads that are kept whole
IF_ABSENT = ("crop", "skip", "copy")  # what is done with a photo of nobody who is to be kept
MAX_ANGLE = 45.0  # degrees, either way
STRAIGHTENED = ("crop", "only")  # the best crop of the level photo, or as much of it as there is
_ON_OVERLAY = 4  # crops
_ROUNDING = 1e-9  # of a scale
_FORBIDDEN = 1e6  # taken off the score of a crop that a constraint excludes


class BoundConstraint(Protocol):
    """A constraint on the crops of one photo; boxes are (N, 4), px of the upright source."""

    def mask(self, boxes: Boxes) -> NDArray[np.bool_]:
        """(N,): whether a box may be chosen at all."""
        ...

    def penalty(self, boxes: Boxes) -> NDArray[np.float64]:
        """(N,), at least 0: what is taken off a box's score in the search."""
        ...

    @property
    def note(self) -> str:
        """What cannot be had whichever crop is chosen, for people to read; mostly empty."""
        ...


class Constraint(Protocol):
    """What a crop must or should do, whatever its score. Compares equal to its like."""

    def bind(self, view: View, spaces: Sequence[CropSpace]) -> BoundConstraint:
        """Does the work that depends on the photo and the shape alone, once."""
        ...


class CropFields(TypedDict, total=False):
    """The fields of a CropRequest, for functions that take them by keyword."""

    aspect: str | float | None
    size: tuple[int, int] | None
    min_scale: float
    max_scale: float
    min_pixels: int | None
    no_enlarge: bool
    top_k: int
    method: str
    shear: bool
    localizer: Path | None
    strategy: str | None
    budget: int | None
    seed: int
    keep: tuple[str | Box | FaceAt | Person, ...]
    if_absent: str
    avoid: tuple[Box, ...]
    focus: Point | None
    fit: str
    background: str
    straighten: str | None
    angle: float
    orient: bool
    filter: str | None
    constraints: tuple[Constraint, ...]


@dataclass(frozen=True)
class FaceAt:
    """A face by its box, px of the photo, whose head is to be kept as far as the shape holds it."""

    box: Box


@dataclass(frozen=True, kw_only=True)
class CropRequest:
    """Which crops of a photo are wanted, and how they are found. It checks itself.

    Raises SpaceError, SearchError or ConfigError for a field that breaks its rule and for fields
    that do not go together.
    """

    aspect: str | float | None = None  # original, free, W:H or a number; None: of size, or original
    size: tuple[int, int] | None = None  # exact (width, height) of the output, px
    min_scale: float = MIN_SCALE  # of the largest box of the aspect
    max_scale: float = 1.0
    min_pixels: int | None = None  # of the source in a crop; a photo that has none so large fails
    no_enlarge: bool = False  # a photo that has no crop with the pixels of `size` fails
    top_k: int = 1  # crops, best first
    method: str = SEARCH  # one of METHODS
    shear: bool = False  # crops that may be turned may also be sheared
    localizer: Path | None = None  # weights of method 'localizer'; None: the package's
    strategy: str | None = None  # of the search; None: what suits the scorer
    budget: int | None = None  # crops scored at most; None: what suits scorer and strategy
    seed: int = 0  # of random draws
    # What no crop may cut: faces, largest, none, a FaceAt, a Person or a box; of a search alone
    keep: tuple[str | Box | FaceAt | Person, ...] = ("faces",)
    if_absent: str = "crop"  # where none of the people is found; or skip, or copy the whole photo
    avoid: tuple[Box, ...] = ()  # boxes to leave out; all in px, or fractions if no edge is above 1
    focus: Point | None = None  # to lie in the middle half of the crop, px or fractions
    fit: str = "crop"  # or pad, blur, extend: what is done where the shape would cut what is kept
    background: str = "white"  # colour of pad
    straighten: str | None = None  # crop, or only: a tilted photo is turned level, and cropped
    angle: float = 0.0  # degrees clockwise by which crops are turned in the photo
    orient: bool = False  # a photo that surely lies on a side, or on its head, is set upright first
    filter: str | None = None  # of the crops' tones: NAME[:STRENGTH] as parse_filter reads, or best
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        self._check_kinds()
        self.spaces((1000, 1000))
        budget = 1 if self.budget is None else self.budget
        SearchConfig(self.strategy or "grid", budget, self.seed, self.top_k)
        if self.size and self.size[0] * self.size[1] > MAX_PIXELS:
            raise ConfigError(f"`size` has at most {MAX_PIXELS} px, got {self.size}")
        if self.no_enlarge and not self.size:
            raise ConfigError("`no_enlarge` is about the pixels of `size`: add that")
        for what in (*self.keep, *self.avoid):
            if isinstance(what, str):
                if what not in KEPT:
                    told = ", ".join(KEPT)
                    raise ConfigError(
                        f"`keep` is a box, one of {told}, or a name with `people`, got {what!r}"
                    )
            elif not isinstance(what, Person):
                box = what.box if isinstance(what, FaceAt) else what
                if not _are_numbers(box, 4) or as_boxes(box).min() < 0:
                    raise ConfigError(f"a box to keep or avoid lies inside the photo, got {box!r}")
        self._check_people()
        if self.focus is not None and not (_are_numbers(self.focus, 2) and min(self.focus) >= 0):
            raise ConfigError(f"`focus` is a point x,y of the photo, got {self.focus!r}")
        if self.fit not in ("crop", *FILLS):
            raise ConfigError(f"`fit` is one of crop, {', '.join(FILLS)}, got {self.fit!r}")
        check_colour(self.background)
        if self.filter is not None:
            parse_filter(self.filter)
        self._check_method()

    def _check_kinds(self) -> None:
        for name in ("min_pixels", "top_k", "budget", "seed"):
            if not isinstance(value := getattr(self, name), Integral | None):
                raise ConfigError(f"`{name}` is a whole number, got {value!r}")
        if self.min_pixels is not None and self.min_pixels < 1:
            raise ConfigError(f"`min_pixels` is at least 1, got {self.min_pixels}")
        if self.size is not None and not (_are_numbers(self.size, 2) and min(self.size) >= 1):
            raise ConfigError(f"`size` is (width, height), each 1 px and more, got {self.size!r}")
        for name in ("min_scale", "max_scale", "angle"):
            if not isinstance(value := getattr(self, name), Real):
                raise ConfigError(f"`{name}` is a number, got {value!r}")
        for name in ("keep", "avoid"):
            if not isinstance(value := getattr(self, name), tuple | list):
                raise ConfigError(f"`{name}` is a tuple, of one too, got {value!r}")

    def _check_people(self) -> None:
        names = [person.name for person in self.people]
        if len({*names}) < len(names):
            raise ConfigError(f"`keep` names each person once, got {', '.join(names)}")
        if self.if_absent not in IF_ABSENT:
            told = ", ".join(IF_ABSENT)
            raise ConfigError(f"`if_absent` is one of {told}, got {self.if_absent!r}")
        if self.if_absent != "crop" and not names:
            raise ConfigError("`if_absent` is about people to keep: name some, or leave it out")

    def _check_method(self) -> None:
        method = self.method
        if method not in METHODS:
            raise ConfigError(f"method is one of {', '.join(METHODS)}, got {method!r}")
        if self.localizer and method != "localizer":
            raise ConfigError("`localizer` is for `method=localizer`: add that, or leave it out")
        if method == "localizer" and self.top_k > 1:
            raise ConfigError("`method=localizer` gives one crop of a picture: leave `top_k` out")
        if self.shear and method == SEARCH:
            raise ConfigError("`shear` is for crops that may be turned: add `method=search+stn`")
        if self.strategy and method in ("stn", "localizer"):
            raise ConfigError(f"`strategy` is of a search: {method} has none, leave it out")
        constrained = self.constraints or self.names_parts or self.people or self.fit != "crop"
        if constrained and method != SEARCH:
            raise ConfigError(f"constraints are on boxes: {method} gives others, leave it out")
        if self.straighten not in (None, *STRAIGHTENED):
            told = ", ".join(STRAIGHTENED)
            raise ConfigError(f"`straighten` is one of {told}, got {self.straighten!r}")
        if self.orient and self.names_parts:
            raise ConfigError(
                "boxes and points are of the photo as it is: leave them out, or `orient`"
            )
        if self.straighten and method != SEARCH:
            raise ConfigError(f"`straighten` turns a search: {method} turns by itself, use one")
        if not -MAX_ANGLE <= self.angle <= MAX_ANGLE:
            raise ConfigError(f"`angle` is {MAX_ANGLE:g} degrees at most, got {self.angle}")
        if self.angle and (self.straighten or method != SEARCH):
            raise ConfigError("`angle` turns a search: leave `straighten` and `method` out")

    @property
    def people(self) -> tuple[Person, ...]:
        """Who is to be kept, by name."""
        return tuple(what for what in self.keep if isinstance(what, Person))

    @property
    def names_parts(self) -> bool:
        """Whether boxes or points of the photo are to be kept or avoided."""
        boxes = [what for what in self.keep if not isinstance(what, str | Person)]
        return bool(boxes or self.avoid or self.focus)

    @property
    def searched_aspect(self) -> str | float:
        """``original``, ``free``, ``W:H`` or a number."""
        return agreed_aspect(self.aspect, self.size)

    @property
    def has_shape(self) -> bool:
        """Whether a shape is asked for that need not be the photo's."""
        return self.searched_aspect not in ("original", "free")

    @property
    def takes_whole(self) -> bool:
        """Whether the whole photo is an answer: its own or any aspect is asked for, at scale 1."""
        return not self.has_shape and self.max_scale == 1

    @property
    def label(self) -> str:
        """The aspect as a part of a file's name."""
        return str(self.searched_aspect).replace(":", "x")

    def with_runners_up(self) -> CropRequest:
        """The same for an overlay, which shows a few crops beside the best where there are more."""
        if self.method == "localizer":
            return self
        return replace(self, top_k=max(self.top_k, _ON_OVERLAY))

    def spaces(self, size: tuple[int, int]) -> tuple[CropSpace, ...]:
        """The crop spaces in a photo of ``size`` = (width, height).

        Their crops have the pixels of ``size`` and ``min_pixels`` where the photo has them.
        """
        smallest = self.max_scale if self.straighten == "only" else self.min_scale
        spaces = crop_spaces(size, self.searched_aspect, smallest, self.max_scale)
        least = [self._least_scale(space) for space in spaces]
        enough = [scale <= space.max_scale for space, scale in zip(spaces, least, strict=True)]
        if not any(enough):
            return spaces
        return tuple(
            replace(space, min_scale=max(space.min_scale, scale))
            for space, scale, has in zip(spaces, least, enough, strict=True)
            if has
        )

    def _least_scale(self, space: CropSpace) -> float:
        """Of crops that need no enlargement and have ``min_pixels``; above 1 where none has."""
        width, height = space.largest * space.size
        wide, high = self.size or (0, 0)
        scale: float = max(wide / width, high / height)
        if self.min_pixels:
            if area(snap(space.centred, space.size))[0] < self.min_pixels:
                return math.inf
            # (scale * width - 1/2) (scale * height - 1/2) = min_pixels: both sides rounded down
            half = (width + height) / 4
            root = math.sqrt(half**2 + width * height * (self.min_pixels - 0.25))
            scale = max(scale, min((half + root) / (width * height), space.max_scale))
        return scale if scale > space.max_scale + _ROUNDING else min(scale, space.max_scale)

    def check_pixels(self, crop: Crop) -> None:
        """Raises CropTooSmallError for a crop with fewer pixels than it has to have."""
        width, height = crop.output_size
        if width * height < (self.min_pixels or 0):
            raise CropTooSmallError(
                f"the crop has {width}x{height} px, fewer than {self.min_pixels}: "
                "take a larger photo, or a smaller `min_pixels`"
            )
        if self.size and self.no_enlarge and crop.is_enlarged(self.size):
            raise CropTooSmallError(
                "the crop has {}x{} px and would be enlarged to {}x{}: take a larger photo, or "
                "leave `no_enlarge` out".format(width, height, *self.size)
            )


def _are_numbers(value: object, count: int) -> bool:
    if not isinstance(value, tuple | list) or len(value) != count:
        return False
    return all(isinstance(each, Real) and math.isfinite(each) for each in value)


def constrained(objective: Objective, constraints: Sequence[BoundConstraint]) -> Objective:
    """The objective less the penalties; a box that a mask excludes is below all that are not."""

    def score(boxes: Boxes) -> NDArray[np.floating]:
        scores = np.array(objective(boxes), dtype=np.float64)
        for constraint in constraints:
            scores -= constraint.penalty(boxes) + _FORBIDDEN * ~constraint.mask(boxes)
        return scores

    return score if constraints else objective

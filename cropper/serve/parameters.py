"""What a request may ask for: every option once, for reading it and for the OpenAPI document."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cropper.boxes import Boxes, as_boxes
from cropper.errors import BoxError
from cropper.request import CropRequest
from cropper.serve.problems import ProblemError

__all__ = [
    "CROP",
    "CUT",
    "PARAMETERS",
    "SCORE",
    "CropAsked",
    "CutAsked",
    "ScoreAsked",
    "read_asked",
]

MAX_BOXES = 4096  # of one /v1/score
MAX_BUDGET = 20_000  # candidates of one search


@dataclass(frozen=True)
class CropAsked:
    """Options of /v1/crop, as ``cropper best`` has them."""

    aspect: str | None = None  # None: that of size, else original
    size: tuple[int, int] | None = None  # (width, height), px
    min_scale: float = 0.5
    max_scale: float = 1.0
    top_k: int = 1
    strategy: str | None = None  # None: what suits the scorer
    budget: int | None = None
    seed: int = 0
    quality: int = 92
    heat: bool = False  # also the score over position

    def request(self) -> CropRequest:
        """Raises what ``CropRequest`` raises."""
        names = CropRequest.__dataclass_fields__.keys() & self.__dataclass_fields__.keys()
        return CropRequest(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class ScoreAsked:
    boxes: Boxes  # (N, 4)


@dataclass(frozen=True)
class CutAsked:
    box: Boxes  # (1, 4)
    size: tuple[int, int] | None = None
    quality: int = 92


@dataclass(frozen=True)
class Parameter:
    """One option: how its text is read, and how the OpenAPI document tells of it."""

    read: Callable[[str], Any]  # raises ValueError with the rule, which ends "..., got TEXT"
    schema: Mapping[str, Any]
    about: str
    required: bool = False


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"is a whole number from {low} to {high}")
        return int(text)

    return read


def _real(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            raise ValueError(f"is a number from {low} to {high}")
        return number

    return read


def _one_of(*values: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in values:
            raise ValueError(f"is one of {', '.join(values)}")
        return text

    return read


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("is true or false")
    return text == "true"


_RATIO = r"[1-9][0-9]{0,4}(\.[0-9]{1,4})?:[1-9][0-9]{0,4}(\.[0-9]{1,4})?"
_SIZE = r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}"


def _aspect(text: str) -> str:
    if text not in ("original", "free") and not re.fullmatch(_RATIO, text):
        raise ValueError("is original, free or W:H with W and H from 1 to 99999, as in 4:5")
    return text


def _size(text: str) -> tuple[int, int]:
    if not re.fullmatch(_SIZE, text):
        raise ValueError("is WIDTHxHEIGHT in pixels, as in 1080x1350")
    width, height = text.split("x")
    return int(width), int(height)


def _boxes(text: str) -> Boxes:
    rule = f"is a JSON array of 1 to {MAX_BOXES} boxes [x0, y0, x1, y1] with x0 < x1 and y0 < y1"
    try:
        values = json.loads(text)
        if not isinstance(values, list) or not 1 <= len(values) <= MAX_BOXES:
            raise ValueError(rule)
        shaped = all(isinstance(box, list) and len(box) == 4 for box in values)
        if not shaped or not all(type(edge) in (int, float) for box in values for edge in box):
            raise ValueError(rule)
        return as_boxes(values)
    except (BoxError, OverflowError, RecursionError, ValueError) as error:
        raise ValueError(rule) from error


def _box(text: str) -> Boxes:
    try:
        return as_boxes(np.array([float(edge) for edge in text.split(",")]).reshape(1, 4))
    except (BoxError, ValueError) as error:
        raise ValueError("is x0,y0,x1,y1 in pixels with x0 < x1 and y0 < y1") from error


def _integer(low: int, high: int, **more: Any) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high, **more}


def _text(pattern: str, example: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{pattern}$", "examples": [example]}


_SCALE = {"type": "number", "minimum": 0.01, "maximum": 1}
PARAMETERS = {
    "aspect": Parameter(
        _aspect,
        _text(f"(original|free|{_RATIO})", "4:5"),
        "Width to height of the crop; free tries 1:2 to 2:1. Default: that of size, else original.",
    ),
    "size": Parameter(
        _size, _text(_SIZE, "1080x1350"), "Exact size of the cropped picture in pixels."
    ),
    "min_scale": Parameter(
        _real(0.01, 1),
        _SCALE | {"default": 0.5},
        "Smallest crop, as a fraction of the largest box of its aspect.",
    ),
    "max_scale": Parameter(_real(0.01, 1), _SCALE | {"default": 1}, "Largest crop."),
    "top_k": Parameter(_whole(1, 100), _integer(1, 100, default=1), "How many crops, best first."),
    "strategy": Parameter(
        _one_of("grid", "random", "halving"),
        {"type": "string", "enum": ["grid", "random", "halving"]},
        "How to search. Default: what suits the scorer.",
    ),
    "budget": Parameter(
        _whole(1, MAX_BUDGET),
        _integer(1, MAX_BUDGET),
        "Crops scored at most. Default: what suits the scorer and the strategy.",
    ),
    "seed": Parameter(_whole(0, 2**32 - 1), _integer(0, 2**32 - 1, default=0), "Of random draws."),
    "quality": Parameter(
        _whole(1, 100), _integer(1, 100, default=92), "Of a JPEG, WebP, AVIF or HEIC answer."
    ),
    "heat": Parameter(
        _truth,
        {"type": "boolean", "default": False},
        "Also the score of the best crop centred at each place of a grid over the picture.",
    ),
    "boxes": Parameter(
        _boxes,
        _text(r"\[.*\]", "[[0, 0, 640, 480], [10, 10, 330, 250]]"),
        f"JSON: 1 to {MAX_BOXES} boxes [x0, y0, x1, y1], px, inside the upright picture.",
        required=True,
    ),
    "box": Parameter(
        _box,
        _text(r"[0-9.]+,[0-9.]+,[0-9.]+,[0-9.]+", "10,10,330,250"),
        "x0,y0,x1,y1, px, inside the upright picture; whole pixels unless a size is given.",
        required=True,
    ),
}
_CANDIDATES = ("aspect", "size", "min_scale", "max_scale", "top_k", "strategy", "budget", "seed")
CROP = (*_CANDIDATES, "quality", "heat")
SCORE = ("boxes",)
CUT = ("box", "size", "quality")


def read_asked(fields: Iterable[tuple[str, str]], names: Sequence[str]) -> dict[str, Any]:
    """The options of a request by name.

    Raises ProblemError for one that there is not, that is given twice, that breaks its rule, or
    that is missing.
    """
    asked: dict[str, Any] = {}
    for name, text in fields:
        if name not in names:
            known = ", ".join(names)
            raise ProblemError(
                "bad-option", f"there is no option {name!r}: choose {known}", rule="name"
            )
        if name in asked:
            raise ProblemError("bad-option", f"{name} is given once", rule=name)
        try:
            asked[name] = PARAMETERS[name].read(text)
        except ValueError as error:
            shown = text if len(text) <= 80 else text[:77] + "..."
            raise ProblemError("bad-option", f"{name} {error}, got {shown!r}", rule=name) from error
    for name in names:
        if PARAMETERS[name].required and name not in asked:
            raise ProblemError(
                "bad-option", f"{name} is missing: {PARAMETERS[name].about}", rule=name
            )
    return asked

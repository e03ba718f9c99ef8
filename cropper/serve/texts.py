"""How a request writes sizes, boxes and whom to keep: types that pydantic reads and documents."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic import WithJsonSchema as Schema
from pydantic_core import PydanticCustomError

from cropper.boxes import Boxes, Corners, as_boxes
from cropper.errors import BoxError
from cropper.request import KEPT, MAX_ANGLE, Box, FaceAt
from cropper.tone import FILTERS

__all__ = [
    "Angle",
    "Aspects",
    "Avoided",
    "Colour",
    "Digits",
    "FilterText",
    "Kept",
    "ManyBoxes",
    "Named",
    "OneBox",
    "OneQuad",
    "Point",
]
__all__ += ["MAX_ASPECTS", "MAX_BOXES", "Quality", "Quarters", "Scale", "ScorerName", "Size"]
__all__ += ["Truth"]

MAX_BOXES = 4096  # of one /v1/score
MAX_ASPECTS = 16  # of one /v1/crop
_RATIO = r"[1-9][0-9]{0,4}(\.[0-9]{1,4})?:[1-9][0-9]{0,4}(\.[0-9]{1,4})?"
_SHAPE = f"(original|free|{_RATIO})"
_ASPECTS = f"^{_SHAPE}(;{_SHAPE}){{0,{MAX_ASPECTS - 1}}}$"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9+*._-]{0,99}$"
_SIZE = "^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$"
_NUMBER = r"[0-9]{0,6}\.?[0-9]{1,12}"
_POINT = f"^{_NUMBER},{_NUMBER}$"
_EDGES = rf"{_NUMBER}(, ?{_NUMBER}){{3}}"
_AVOID = f"^{_EDGES}(;{_EDGES})*$"
_PART = f"(faces|largest|none|(face:)?{_EDGES}|person:[^;]{{1,100}})"
_KEEP = f"^{_PART}(;{_PART})*$"
_MOST_KEPT = 64
_CORNER = rf"\[{_NUMBER}, ?{_NUMBER}\]"
_QUAD = rf"^\[{_CORNER}(, ?{_CORNER}){{3}}\]$"
_QUAD_RULE = "is [[x, y], ...] of a parallelogram's top left corner, then clockwise, px"
_SKEW = 0.1  # px; rounding puts corners off a parallelogram
_BOX = rf"^({_NUMBER}(, ?{_NUMBER}){{3}}|\[{_NUMBER}(, ?{_NUMBER}){{3}}\])$"


def _broken(rule: str) -> PydanticCustomError:
    return PydanticCustomError("rule", "{rule}", {"rule": rule})


def _matching(pattern: str, rule: str) -> BeforeValidator:
    def check(text: Any) -> Any:
        if not re.fullmatch(pattern, text):
            raise _broken(rule)
        return text

    return BeforeValidator(check)


def _aspects(text: str) -> tuple[str, ...]:
    if not re.fullmatch(_ASPECTS, text):
        raise _broken(
            "is original, free or W:H with W and H from 1 to 99999, as in 4:5, and several, "
            f"{MAX_ASPECTS} at most, between semicolons"
        )
    return tuple(text.split(";"))


def _size(text: str) -> tuple[int, int]:
    if not re.fullmatch(_SIZE, text):
        raise _broken("is WIDTHxHEIGHT in pixels, as in 1080x1350")
    width, height = text.split("x")
    return int(width), int(height)


def _point(text: str) -> tuple[float, float]:
    if not re.fullmatch(_POINT, text):
        raise _broken("is x,y in pixels or fractions of the photo, as in .5,.3")
    x, y = text.split(",")
    return float(x), float(y)


def _boxes(text: str) -> Boxes:
    rule = f"is a JSON array of 1 to {MAX_BOXES} boxes [x0, y0, x1, y1] with x0 < x1 and y0 < y1"
    try:
        values = json.loads(text)
        shaped = isinstance(values, list) and 1 <= len(values) <= MAX_BOXES
        shaped = shaped and all(isinstance(box, list) and len(box) == 4 for box in values)
        if not shaped or not all(type(edge) in (int, float) for box in values for edge in box):
            raise _broken(rule)
        return as_boxes(values)
    except (BoxError, OverflowError, RecursionError, ValueError) as error:
        raise _broken(rule) from error


def _box(text: str) -> Boxes:
    rule = "is x0,y0,x1,y1 in pixels with x0 < x1 and y0 < y1, in brackets or not"
    if not re.fullmatch(_BOX, text):
        raise _broken(rule)
    try:
        return as_boxes([float(edge) for edge in text.strip("[]").split(",")])
    except (BoxError, ValueError) as error:
        raise _broken(rule) from error


def _quad(text: str) -> Corners:
    """A parallelogram, as a crop's corners are."""
    if not re.fullmatch(_QUAD, text):
        raise _broken(_QUAD_RULE)
    numbers = [float(each) for each in re.findall(_NUMBER, text)]
    a, b, c, d = zip(numbers[::2], numbers[1::2], strict=True)
    off = max(abs(p + r - q - s) for p, q, r, s in zip(a, b, c, d, strict=True))
    turned = (b[0] - a[0]) * (d[1] - a[1]) - (b[1] - a[1]) * (d[0] - a[0])
    if off > _SKEW or turned < 1:
        raise _broken(_QUAD_RULE)
    return a, b, c, d


@dataclass(frozen=True)
class Named:
    """A person whom the service may know."""

    name: str


def _kept(text: str) -> tuple[str | Box | FaceAt | Named, ...]:
    parts = text.split(";")
    if len(parts) > _MOST_KEPT or not re.fullmatch(_KEEP, text):
        words = ", ".join(KEPT)
        raise _broken(
            f"is {_MOST_KEPT} at most of {words}, boxes x0,y0,x1,y1, face:x0,y0,x1,y1 and "
            "person:NAME, between semicolons"
        )
    found: list[str | Box | FaceAt | Named] = []
    for part in parts:
        if part in KEPT:
            found.append(part)
        elif part.startswith("person:"):
            found.append(Named(part.removeprefix("person:")))
        else:
            box = _edges(part.removeprefix("face:"))
            found.append(FaceAt(box) if part.startswith("face:") else box)
    return tuple(found)


def _avoided(text: str) -> tuple[Box, ...]:
    if text.count(";") >= _MOST_KEPT or not re.fullmatch(_AVOID, text):
        raise _broken(f"is {_MOST_KEPT} boxes x0,y0,x1,y1 at most, between semicolons")
    return tuple(_edges(part) for part in text.split(";"))


def _edges(text: str) -> Box:
    try:
        x0, y0, x1, y1 = as_boxes([float(edge) for edge in text.split(",")])[0].tolist()
    except BoxError as error:
        raise _broken("has a box whose x0 is not below x1 or y0 not below y1") from error
    return (x0, y0, x1, y1)


Digits = _matching("-?[0-9]{1,12}", "is a whole number")
Truth = _matching("true|false", "is true or false")


def _text(pattern: str, example: str) -> Schema:
    return Schema({"type": "string", "pattern": pattern, "examples": [example]})


Aspects = Annotated[tuple[str, ...], BeforeValidator(_aspects), _text(_ASPECTS, "1:1;4:5")]
ScorerName = Annotated[
    str, _matching(_NAME, "is a name that /v1/limits lists"), _text(_NAME, "cropnet")
]
Size = Annotated[tuple[int, int], BeforeValidator(_size), _text(_SIZE, "1080x1350")]
Point = Annotated[tuple[float, float], BeforeValidator(_point), _text(_POINT, ".5,.3")]
_COLOUR = "^(#[0-9a-fA-F]{6}|[a-zA-Z]{3,24})$"
Colour = Annotated[
    str, _matching(_COLOUR, "is a colour, as white or #20242a"), _text(_COLOUR, "#20242a")
]
_FILTER = rf"^({'|'.join(FILTERS)})(:(1|0?\.[0-9]{{1,4}}))?$"
FilterText = Annotated[
    str,
    _matching(
        _FILTER, f"is one of {', '.join(FILTERS)}, with a strength from 0 to 1 as in fade:.5"
    ),
    _text(_FILTER, "fade:.5"),
]
Scale = Annotated[float, Field(ge=0.01, le=1, allow_inf_nan=False)]
# bounds come before the check of the text: after it pydantic names them ge and le in the schema
Quality = Annotated[int, Field(ge=1, le=100), Digits]
Angle = Annotated[float, Field(ge=-MAX_ANGLE, le=MAX_ANGLE, allow_inf_nan=False)]
Quarters = Annotated[
    int,
    _matching("0|90|180|270", "is 0, 90, 180 or 270"),
    Schema({"type": "integer", "enum": [0, 90, 180, 270]}),
]
Kept = Annotated[tuple[Any, ...], BeforeValidator(_kept), _text(_KEEP, "face:10,10,90,110")]
Avoided = Annotated[tuple[Any, ...], BeforeValidator(_avoided), _text(_AVOID, ".8,.9,1,1")]
ManyBoxes = Annotated[
    Boxes, BeforeValidator(_boxes), _text(r"^\[.*\]$", "[[0, 0, 640, 480], [10, 10, 330, 250]]")
]
OneBox = Annotated[Boxes, BeforeValidator(_box), _text(_BOX, "10,10,330,250")]
OneQuad = Annotated[
    Corners, BeforeValidator(_quad), _text(_QUAD, "[[20, 10], [310, 20], [305, 220], [15, 210]]")
]

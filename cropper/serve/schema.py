"""What a request may ask for and what an answer holds, as pydantic models.

They read the texts of a query or a form, and the OpenAPI document is made of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic import WithJsonSchema as Schema
from pydantic_core import PydanticCustomError

from cropper.boxes import Boxes, as_boxes
from cropper.errors import BoxError
from cropper.image import FORMATS
from cropper.request import KEPT, Box, CropRequest, FaceAt
from cropper.serve.problems import KINDS, ProblemError
from cropper.space import MIN_SCALE

__all__ = ["CropOptions", "CutOptions", "Limits", "Problem", "ScoreOptions", "read_options"]
__all__ += ["CropsAnswer", "ScoresAnswer", "Status"]

MAX_BOXES = 4096  # of one /v1/score
MAX_BUDGET = 20_000  # candidates of one search
_RATIO = r"[1-9][0-9]{0,4}(\.[0-9]{1,4})?:[1-9][0-9]{0,4}(\.[0-9]{1,4})?"
_ASPECT = f"^(original|free|{_RATIO})$"
_SIZE = "^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$"
_NUMBER = r"[0-9]{0,6}\.?[0-9]{1,12}"
_POINT = f"^{_NUMBER},{_NUMBER}$"
_EDGES = rf"{_NUMBER}(, ?{_NUMBER}){{3}}"
_AVOID = f"^{_EDGES}(;{_EDGES})*$"
_PART = f"(faces|largest|none|(face:)?{_EDGES})"
_KEEP = f"^{_PART}(;{_PART})*$"
_MOST_KEPT = 64
_BOX = rf"^({_NUMBER}(, ?{_NUMBER}){{3}}|\[{_NUMBER}(, ?{_NUMBER}){{3}}\])$"
_LONGEST_SHOWN = 80  # characters of a text that breaks its rule


def _broken(rule: str) -> PydanticCustomError:
    return PydanticCustomError("rule", "{rule}", {"rule": rule})


def _matching(pattern: str, rule: str) -> BeforeValidator:
    def check(text: Any) -> Any:
        if not re.fullmatch(pattern, text):
            raise _broken(rule)
        return text

    return BeforeValidator(check)


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


def _kept(text: str) -> tuple[str | Box | FaceAt, ...]:
    parts = text.split(";")
    if len(parts) > _MOST_KEPT or not re.fullmatch(_KEEP, text):
        words = ", ".join(KEPT)
        raise _broken(
            f"is {_MOST_KEPT} at most of {words}, boxes x0,y0,x1,y1 and face:x0,y0,x1,y1, between "
            "semicolons"
        )
    found: list[str | Box | FaceAt] = []
    for part in parts:
        if part in KEPT:
            found.append(part)
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


_DIGITS = _matching("-?[0-9]{1,12}", "is a whole number")
_TRUTH = _matching("true|false", "is true or false")


def _text(pattern: str, example: str) -> Schema:
    return Schema({"type": "string", "pattern": pattern, "examples": [example]})


Aspect = Annotated[
    str,
    _matching(_ASPECT, "is original, free or W:H with W and H from 1 to 99999, as in 4:5"),
    _text(_ASPECT, "4:5"),
]
Size = Annotated[tuple[int, int], BeforeValidator(_size), _text(_SIZE, "1080x1350")]
Point = Annotated[tuple[float, float], BeforeValidator(_point), _text(_POINT, ".5,.3")]
_COLOUR = "^(#[0-9a-fA-F]{6}|[a-zA-Z]{3,24})$"
Colour = Annotated[
    str, _matching(_COLOUR, "is a colour, as white or #20242a"), _text(_COLOUR, "#20242a")
]
Scale = Annotated[float, Field(ge=0.01, le=1, allow_inf_nan=False)]
# bounds come before the check of the text: after it pydantic names them ge and le in the schema
Quality = Annotated[int, Field(ge=1, le=100), _DIGITS]


class _Options(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)


class CropOptions(_Options):
    """Of /v1/crop, as ``cropper best`` has them."""

    aspect: Aspect | None = Field(
        None,
        description="Width to height of the crop; free tries 1:2 to 2:1. Default: that of size, "
        "else original.",
    )
    size: Size | None = Field(None, description="Exact size of the cropped photo in pixels.")
    min_scale: Scale = Field(
        MIN_SCALE, description="Smallest crop, as a fraction of the largest box of its aspect."
    )
    max_scale: Scale = Field(1, description="Largest crop.")
    top_k: Annotated[int, _DIGITS] = Field(
        1, ge=1, le=100, description="How many crops, best first."
    )
    strategy: Literal["grid", "random", "halving"] | None = Field(
        None, description="How to search. Default: what suits the scorer."
    )
    budget: Annotated[int, Field(ge=1, le=MAX_BUDGET), _DIGITS] | None = Field(
        None,
        description="Crops scored at most. Default: what suits the scorer and the strategy.",
    )
    seed: Annotated[int, _DIGITS] = Field(0, ge=0, le=2**32 - 1, description="Of random draws.")
    keep: Annotated[tuple[Any, ...], BeforeValidator(_kept), _text(_KEEP, "face:10,10,90,110")] = (
        Field(
            ("faces",),
            description="What no crop may cut where the shape holds it: faces, all heads of a "
            "group with their hair; largest, that one alone; none; the heads of single faces, "
            "face:x0,y0,x1,y1 in pixels; and boxes x0,y0,x1,y1 in pixels or fractions; several "
            "between semicolons.",
            json_schema_extra={"default": "faces"},
        )
    )
    avoid: (
        Annotated[tuple[Any, ...], BeforeValidator(_avoided), _text(_AVOID, ".8,.9,1,1")] | None
    ) = Field(None, description="Boxes to leave out, written as in keep.")
    focus: Point | None = Field(
        None, description="A point, in pixels or fractions, for the middle half of the crop."
    )
    fit: Literal["crop", "pad", "blur", "extend"] = Field(
        "crop",
        description="What is done where the shape would cut what is kept: fill the shape around "
        "it with a colour, with the crop itself, blurred, or with its edge pixels.",
    )
    background: Colour = Field("white", description="Of fit=pad: a name, or #rrggbb.")
    min_pixels: Annotated[int, Field(ge=1, le=10**9), _DIGITS] | None = Field(
        None, description="Refuse a photo whose crops of this shape all have fewer pixels."
    )
    no_enlarge: Annotated[bool, _TRUTH] = Field(
        False, description="Refuse a photo whose crops of this shape are all smaller than size."
    )
    straighten: Literal["crop", "only"] | None = Field(
        None,
        description="Turn a photo level where it is surely tilted, and crop it; only keeps as much "
        "of it as there is.",
    )
    quality: Quality = Field(92, description="Of a JPEG, WebP, AVIF or HEIC answer.")
    heat: Annotated[bool, _TRUTH] = Field(
        False,
        description="Also the score of the best crop centred at each place of a grid over the "
        "photo.",
    )

    def request(self) -> CropRequest:
        """Raises what ``CropRequest`` raises."""
        fields = self.model_dump(exclude={"quality", "heat", "keep", "avoid"})
        return CropRequest(keep=self.keep, avoid=self.avoid or (), **fields)


class ScoreOptions(_Options):
    """Of /v1/score."""

    boxes: Annotated[
        Boxes,
        BeforeValidator(_boxes),
        _text(r"^\[.*\]$", "[[0, 0, 640, 480], [10, 10, 330, 250]]"),
    ] = Field(
        description=f"JSON: 1 to {MAX_BOXES} boxes [x0, y0, x1, y1], px, inside the upright photo."
    )


class CutOptions(_Options):
    """Of /v1/cut."""

    box: Annotated[
        Boxes,
        BeforeValidator(_box),
        _text(_BOX, "10,10,330,250"),
    ] = Field(
        description="x0,y0,x1,y1, px, inside the upright photo, also as /v1/crop answers it, "
        "[x0, y0, x1, y1]; whole pixels unless a size is given."
    )
    size: Size | None = Field(None, description="Exact size of the cropped photo in pixels.")
    quality: Quality = Field(92, description="Of a JPEG, WebP, AVIF or HEIC answer.")


Model = TypeVar("Model", bound=_Options)


def read_options(fields: Iterable[tuple[str, str]], model: type[Model]) -> Model:
    """The options of a request, each a name and a text.

    Raises ProblemError for one that there is not, that is given twice, that breaks its rule, or
    that is missing.
    """
    texts: dict[str, str] = {}
    for name, text in fields:
        if name not in model.model_fields:
            known = ", ".join(model.model_fields)
            raise ProblemError(
                "bad-option", f"there is no option {name!r}: choose {known}", rule="name"
            )
        if name in texts:
            raise ProblemError("bad-option", f"{name} is given once", rule=name)
        texts[name] = text
    try:
        return model.model_validate(texts)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        if first["type"] == "missing":
            about = model.model_fields[name].description
            raise ProblemError("bad-option", f"{name} is missing: {about}", rule=name) from error
        text, rule = texts[name], first["msg"]
        shown = text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."
        rule = rule if first["type"] == "rule" else f"{rule[0].lower()}{rule[1:]}"
        rule = rule.replace("input should be", "is").replace("a valid integer", "a whole number")
        raise ProblemError("bad-option", f"{name} {rule}, got {shown!r}", rule=name) from error


BoxAnswer = Annotated[
    list[float],
    Field(
        min_length=4,
        max_length=4,
        description="x0, y0, x1, y1 in pixels of the upright photo, half-open.",
    ),
]
Share = Annotated[float, Field(ge=0, le=1)]
BoxShares = Annotated[
    list[Share], Field(min_length=4, max_length=4, description="The box in [0, 1].")
]
Pixel = Annotated[list[float], Field(min_length=2, max_length=2)]
Pixels = Annotated[list[int], Field(min_length=2, max_length=2)]
ToFullFrame = Annotated[
    Share | None,
    Field(
        description="The probability that people prefer this crop to the whole photo; null where "
        "the scorer cannot say."
    ),
]


class CropAnswer(BaseModel):
    """One crop."""

    box: BoxAnswer
    box_norm: BoxShares
    score: float
    preferred_to_full_frame: ToFullFrame
    corners: list[Pixel] | None = Field(
        None,
        description="With straighten: top left, then clockwise, px of the upright photo; the box "
        "is then the whole pixels around them.",
    )
    theta: list[list[float]] | None = Field(
        None, description="With straighten: 2 rows of 3, as affine_grid takes them."
    )


class HeatAnswer(BaseModel):
    """The score of the best crop centred at each place of a grid."""

    aspect: float
    rows: int
    columns: int
    scores: list[list[float | None]] = Field(
        description="Row by row over the whole photo; null where no crop can be centred."
    )


class PaddingAnswer(BaseModel):
    """How the best crop lies in a picture that it does not fill."""

    fit: Literal["pad", "blur", "extend"]
    size: Pixels
    place: Annotated[list[int], Field(min_length=4, max_length=4)]


class CropsAnswer(CropAnswer):
    """Of /v1/crop."""

    padding: PaddingAnswer | None = None

    source_size: Pixels
    focus_x: Share = Field(description="The best crop's place, as CSS object-position has it.")
    focus_y: Share
    faces: list[BoxAnswer] | None = Field(
        description="The faces, the largest first; null where none are to be kept."
    )
    angle: float | None = Field(
        None, description="With straighten: degrees clockwise by which the crops are turned."
    )
    tilt: float | None = Field(
        None, description="With straighten: degrees clockwise by which the photo is likely tilted."
    )
    tilt_probability: Share | None = Field(
        None, description="With straighten: that it is, give or take a degree."
    )
    full_frame_score: float
    scorer: str
    centre_score: float = Field(
        description="Of the largest centred crop of the shape asked for, or of the best one's size."
    )
    preferred_to_centre: Share | None
    candidates: int
    seconds: float
    crops: list[CropAnswer] = Field(min_length=1)
    format: Annotated[str, Field(json_schema_extra={"enum": list(FORMATS)})]
    notes: list[str]
    heat: HeatAnswer | None = None


class ScoredBox(BaseModel):
    """One box of the caller's."""

    box: BoxAnswer
    score: float
    preferred_to_full_frame: ToFullFrame


class ScoresAnswer(BaseModel):
    """Of /v1/score."""

    source_size: Pixels
    full_frame_score: float
    scorer: str
    boxes: list[ScoredBox]


class Limits(BaseModel):
    """What the service takes."""

    max_upload_mb: float
    max_mpixels: float
    scorer: str


class Status(BaseModel):
    """Of the process."""

    status: str


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field(description=f"/docs# and one of {', '.join(KINDS)}.")
    title: str
    status: int
    detail: str
    rule: str | None = Field(None, description="What was broken: an option, a header or a limit.")
    limit: float | None = None

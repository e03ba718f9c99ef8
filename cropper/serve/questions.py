"""What a request may ask for, as pydantic models.

They read the texts of a query or a form, and the OpenAPI document is made of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cropper.identity import KnownPeople
from cropper.request import CropRequest
from cropper.serve.problems import ProblemError
from cropper.serve.texts import (
    MAX_BOXES,
    Angle,
    Aspects,
    Avoided,
    Colour,
    Digits,
    FilterText,
    Kept,
    ManyBoxes,
    Named,
    OneBox,
    OneQuad,
    Point,
    Quality,
    Quarters,
    Scale,
    ScorerName,
    Size,
    Truth,
)
from cropper.space import MIN_SCALE

__all__ = ["CropQuestion", "CutQuestion", "ScoreQuestion", "read_question"]

MAX_BUDGET = 20_000  # candidates of one search
_FILTERED = "Tones of the cropped photo by a name of /v1/limits, or NAME:STRENGTH as in fade:.5."
_ELSEWHERE = {"style": "a style takes minutes a crop: use `cropper best` or `cropper bulk`"}
_LONGEST_SHOWN = 80  # characters of a text that breaks its rule


class _Question(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)


class _Scored(_Question):
    scorer: ScorerName | None = Field(
        None, description="One of those that /v1/limits lists. Default: the first of these."
    )
    turned: Quarters = Field(
        0,
        description="Degrees clockwise by which the photo is turned before anything else, as "
        "/v1/crop answers them where it is to orient.",
    )


class CropQuestion(_Scored):
    """Of /v1/crop, as ``cropper best`` has them."""

    aspect: Aspects | None = Field(
        None,
        description="Width to height of the crop; free tries 1:2 to 2:1; several between "
        "semicolons get a list of answers. Default: that of size, else original.",
    )
    size: Size | None = Field(None, description="Exact size of the cropped photo in pixels.")
    min_scale: Scale = Field(
        MIN_SCALE, description="Smallest crop, as a fraction of the largest box of its aspect."
    )
    max_scale: Scale = Field(1, description="Largest crop.")
    top_k: Annotated[int, Digits] = Field(
        1, ge=1, le=100, description="How many crops, best first."
    )
    strategy: Literal["grid", "random", "halving"] | None = Field(
        None, description="How to search. Default: what suits the scorer."
    )
    budget: Annotated[int, Field(ge=1, le=MAX_BUDGET), Digits] | None = Field(
        None,
        description="Crops scored at most. Default: what suits the scorer and the strategy.",
    )
    seed: Annotated[int, Digits] = Field(0, ge=0, le=2**32 - 1, description="Of random draws.")
    keep: Kept = Field(
        ("faces",),
        description="What no crop may cut where the shape holds it: faces, all heads of a group "
        "with their hair; largest, that one alone; none; the heads of single faces, "
        "face:x0,y0,x1,y1 in pixels, and of people whom the service knows, person:NAME; boxes "
        "x0,y0,x1,y1 in pixels or fractions; several between semicolons.",
        json_schema_extra={"default": "faces"},
    )
    avoid: Avoided | None = Field(None, description="Boxes to leave out, written as in keep.")
    focus: Point | None = Field(
        None, description="A point, in pixels or fractions, for the middle half of the crop."
    )
    fit: Literal["crop", "pad", "blur", "extend"] = Field(
        "crop",
        description="What is done where the shape would cut what is kept: fill the shape around "
        "it with a colour, with the crop itself, blurred, or with its edge pixels.",
    )
    background: Colour = Field("white", description="Of fit=pad: a name, or #rrggbb.")
    min_pixels: Annotated[int, Field(ge=1, le=10**9), Digits] | None = Field(
        None, description="Refuse a photo whose crops of this shape all have fewer pixels."
    )
    no_enlarge: Annotated[bool, Truth] = Field(
        False, description="Refuse a photo whose crops of this shape are all smaller than size."
    )
    straighten: Literal["crop", "only"] | None = Field(
        None,
        description="Turn a photo level where it is surely tilted, and crop it; only keeps as much "
        "of it as there is.",
    )
    angle: Angle = Field(0, description="Degrees clockwise by which crops are turned.")
    orient: Annotated[bool, Truth] = Field(
        False,
        description="Set a photo upright first that surely lies on a side or on its head. Boxes "
        "are then of the upright photo, and turned says how /v1/score and /v1/cut get at it.",
    )
    filter: FilterText | None = Field(None, description=_FILTERED)
    quality: Quality = Field(92, description="Of a JPEG, WebP, AVIF or HEIC answer.")
    heat: Annotated[bool, Truth] = Field(
        False,
        description="Also the score of the best crop centred at each place of a grid over the "
        "photo.",
    )

    def requests(self, people: KnownPeople) -> tuple[CropRequest, ...]:
        """One for each aspect.

        Raises what ``CropRequest`` raises, and ProblemError for a name that is not known and for
        a photo that is turned and is to be.
        """
        if self.orient and self.turned:
            raise ProblemError("bad-option", "orient, or turned, is given", rule="orient")
        known = {person.name: person for person in people}
        for each in self.keep:
            if isinstance(each, Named) and each.name not in known:
                raise ProblemError("bad-option", f"keep: {each.name} is not known", rule="keep")
        keep = tuple(known[x.name] if isinstance(x, Named) else x for x in self.keep)
        other = {"quality", "heat", "keep", "avoid", "scorer", "aspect", "turned"}
        fields = self.model_dump(exclude=other)
        return tuple(
            CropRequest(aspect=aspect, keep=keep, avoid=self.avoid or (), **fields)
            for aspect in self.aspect or (None,)
        )


class ScoreQuestion(_Scored):
    """Of /v1/score."""

    boxes: ManyBoxes = Field(
        description=f"JSON: 1 to {MAX_BOXES} boxes [x0, y0, x1, y1], px, inside the upright photo."
    )
    angle: Angle = Field(
        0,
        description="Degrees clockwise by which crops are turned: the boxes are of the photo "
        "turned back by that about its centre, and are made smaller where a corner would lie "
        "outside of it.",
    )


class CutQuestion(_Scored):
    """Of /v1/cut; the scorer is the one that found the box."""

    box: OneBox | None = Field(
        None,
        description="x0,y0,x1,y1, px, inside the upright photo, also as /v1/crop answers it, "
        "[x0, y0, x1, y1]; whole pixels unless a size is given.",
    )
    corners: OneQuad | None = Field(
        None,
        description="In place of a box, of a turned crop: JSON, [[x, y], ...] of its top left, "
        "then clockwise, px of the upright photo, as /v1/crop answers them.",
    )
    size: Size | None = Field(None, description="Exact size of the cropped photo in pixels.")
    filter: FilterText | None = Field(None, description=_FILTERED)
    quality: Quality = Field(92, description="Of a JPEG, WebP, AVIF or HEIC answer.")


Model = TypeVar("Model", bound=_Question)


def read_question(fields: Iterable[tuple[str, str]], model: type[Model]) -> Model:
    """The options of a request, each a name and a text.

    Raises ProblemError for one that there is not, that is given twice, that breaks its rule, or
    that is missing.
    """
    texts: dict[str, str] = {}
    for name, text in fields:
        if name not in model.model_fields:
            known = ", ".join(model.model_fields)
            told = _ELSEWHERE.get(name) or f"there is no option {name!r}: choose {known}"
            raise ProblemError("bad-option", told, rule="name")
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

"""What an answer holds, as pydantic models, of which the OpenAPI document is made."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from cropper.image import FORMATS
from cropper.serve.problems import PROBLEM_TYPES
from cropper.serve.texts import MAX_ASPECTS

__all__ = ["CropsAnswer", "Limits", "Problem", "ScoresAnswer", "SeveralAnswer", "Status"]

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


class FilterAnswer(BaseModel):
    """What a crop's tones are changed by."""

    name: str
    tone: dict[str, float] = Field(description="What it changes, and to what.")
    gain: float | None = Field(description="By the judge; null where no judge was asked.")


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
    filter: FilterAnswer | None = Field(None, description="Where one was asked for.")


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


class PersonAnswer(BaseModel):
    """Somebody who was to be kept."""

    name: str
    box: BoxAnswer
    kept: bool = Field(description="Whether the face lies in the best crop.")
    stranger_rate: Share = Field(description="Of strangers, those who are as alike.")


class CropsAnswer(CropAnswer):
    """Of /v1/crop."""

    aspect: str | None = Field(
        None, description="The one that this answers, where several are asked for."
    )
    padding: PaddingAnswer | None = None
    source_size: Pixels
    focus_x: Share = Field(description="The best crop's place, as CSS object-position has it.")
    focus_y: Share
    faces: list[BoxAnswer] | None = Field(
        description="The faces, the largest first; null where none are to be kept."
    )
    people: list[PersonAnswer] | None = Field(
        None, description="With people to keep: who is found in the photo."
    )
    absent: list[str] | None = Field(
        None, description="With people to keep: the names of those who are not found."
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
    turned: int | None = Field(
        None,
        description="With orient: degrees clockwise by which the photo was turned, of which all "
        "else is.",
        json_schema_extra={"enum": [0, 90, 180, 270]},
    )
    orientation: int | None = Field(
        None, description="With orient: by which it is likely to be turned, however unsure."
    )
    orientation_probability: Share | None = Field(
        None, description="With orient: that it is upright then."
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


class SeveralAnswer(BaseModel):
    """Of /v1/crop with several aspects."""

    answers: list[CropsAnswer] = Field(
        min_length=2, max_length=MAX_ASPECTS, description="In the order of the aspects."
    )


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


class PresetAnswer(BaseModel):
    """A size by its name, as ``cropper presets`` lists it."""

    name: str
    title: str
    group: str
    size: Pixels
    keep: str | None = Field(description="For the option of that name; null for its default.")
    circle: bool = Field(description="Whether it is shown in a circle.")
    rule: str = Field(description="What is asked beyond the size and not held.")


class Limits(BaseModel):
    """What the service takes."""

    max_upload_mb: float
    max_mpixels: float
    scorer: str
    scorers: list[str] = Field(description="What scorer may name, the default first.")
    people: list[str] = Field(description="Whom keep may name.")
    filters: list[str] = Field(description="What filter may name.")
    site: bool = Field(description="Whether /site/ has the page with its engine in the browser.")
    presets: list[PresetAnswer]


class Status(BaseModel):
    """Of the process."""

    status: str


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field(description=f"/docs# and one of {', '.join(PROBLEM_TYPES)}.")
    title: str
    status: int
    detail: str
    rule: str | None = Field(None, description="What was broken: an option, a header or a limit.")
    limit: float | None = None

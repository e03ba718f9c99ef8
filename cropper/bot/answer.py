"""A stranger's file in, what a person is told out: a crop as a picture, its score and why.

The file is decoded, cut and encoded in a process of its own, as in the service.
"""

from __future__ import annotations

from dataclasses import dataclass

from cropper.bot.messenger import MessageLimits
from cropper.bot.picture import as_jpeg
from cropper.console import verdicts
from cropper.decoders import Decoders
from cropper.errors import (
    CropperError,
    CropTooSmallError,
    ImageReadError,
    ImageTooLargeError,
    ScorerOutputError,
)
from cropper.finder import CropFinder
from cropper.image import FORMATS, View
from cropper.request import CropRequest
from cropper.result import CropResult

__all__ = ["Answer", "Answerer", "excuse"]

_NAME = "the photo"  # in messages; the name that a file had is not used for anything
_HELPS = 3  # changes that are told of


@dataclass(frozen=True)
class Answer:
    text: str
    picture: bytes | None  # JPEG; None: no picture of the messenger holds the crop
    result: CropResult


class Answerer:
    """One finder for all photos."""

    def __init__(
        self, finder: CropFinder, decoders: Decoders, request: CropRequest, seconds: float
    ) -> None:
        """``seconds`` are those that a photo may be decoded and encoded for."""
        self.finder, self.decoders = finder, decoders
        self.request, self.seconds = request, seconds

    def answer(self, data: bytes, limits: MessageLimits) -> Answer:
        """Raises what ``load_image`` and ``CropFinder.find`` raise."""
        with self.decoders.open(data, _NAME, self.seconds) as source:
            view = self.finder.scorer.spec.view(source)
            result = self.finder.find(source, self.request, view=view)
            (width, height), _ = result.best.layout()
            scale = min(1.0, limits.long_side / max(width, height))
            size = max(round(width * scale), 1), max(round(height * scale), 1)
            picture = None
            if max(width, height) <= limits.ratio * min(width, height):
                picture = source.apply(as_jpeg, result.best, size if scale < 1 else None)
        lines = [*words(result), *self._helpful(view, result)]
        if picture is None:
            lines.append(
                f"The crop, {width}x{height} px, is too narrow to be sent: it begins "
                f"{result.best.x0:.0f} px from the left and {result.best.y0:.0f} px from the top."
            )
        return Answer(_short(lines, limits.text), picture, result)

    def _helpful(self, view: View, result: CropResult) -> list[str]:
        """What ``cropper selfie`` tells, where its scorer judges."""
        if self.finder.scorer.spec.name != "selfie":
            return []
        from cropper.rank.advice import gains_of, helpful  # noqa: PLC0415 - torch

        found = helpful(gains_of(self.finder, view, result.full_frame_score))[:_HELPS]
        told = ", ".join(f"{change} ({gain:+.2f})" for change, gain in found)
        return [f"What would make the photo better: {told}."] if told else []


def words(result: CropResult) -> list[str]:
    """What the judge thinks, in lines for a person."""
    lines = [
        f"Score {result.best.score:.2f}; the whole photo has {result.full_frame_score:.2f} "
        f"({result.scorer})."
    ]
    lines += [f"{told[0].upper()}{told[1:]}." for told in verdicts(result)]
    if result.faces:
        lines.append(f"{len(result.faces)} face{'s' if len(result.faces) > 1 else ''} found.")
    return lines + [f"Note: {note.replace('`', '')}." for note in result.notes]


def excuse(error: CropperError | MemoryError, max_mpixels: float) -> str:
    """Why there is no crop, in a sentence for a person."""
    if isinstance(error, ImageTooLargeError):
        return f"This photo is too large: at most {max_mpixels:g} megapixels are taken."
    if isinstance(error, ImageReadError) and error.reason == "too slow":
        return "This photo takes too long to decode: please send a smaller one."
    if isinstance(error, ImageReadError):
        return f"This file cannot be read as a picture: {', '.join(FORMATS)} are."
    if isinstance(error, CropTooSmallError):
        return "This photo is too small: please send a larger one."
    if isinstance(error, ScorerOutputError):
        return "The judge failed on this photo: please try another one."
    return "No crop could be made of this photo: please try another one."


def _short(lines: list[str], most: int) -> str:
    """As many whole lines as have room, the first ones."""
    text = lines[0][:most]
    for line in lines[1:]:
        if len(text) + 1 + len(line) <= most:
            text += "\n" + line
    return text

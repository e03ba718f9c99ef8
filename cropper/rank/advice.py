"""``cropper selfie``: what would make a selfie better by its scorer, measured on the photo itself.

Every change is made to the photo and scored, and the place of the face is held against that in the
best crop and in the best selfies. Nothing is said that was not tried.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cropper.boxes import Crop
from cropper.console import print_line
from cropper.errors import CropperError
from cropper.faces import Face, find_faces
from cropper.filter_search import WORTH_IT
from cropper.finder import CropFinder
from cropper.image import View, load_image
from cropper.rank.commands import ScoreOptions
from cropper.rank.stream import Pictures, Progress, whole_score
from cropper.request import CropRequest
from cropper.scorers import Scorer
from cropper.scorers.probe import CHANGES
from cropper.scorers.selfie import SelfieScorer, place_of

__all__ = ["Advice", "AdviceOptions", "advise", "advise_on", "gains_of", "helpful"]

_CONTROLS = ("upside down", "half the resolution")  # nobody's wish


@dataclass(frozen=True)
class AdviceOptions(ScoreOptions):
    aspect: str = "1:1"  # of the crop


@dataclass(frozen=True)
class Place:
    """Where the largest face of a picture is."""

    across: float  # its centre, in shares of the picture's width
    down: float  # and height
    size: float  # the root of its share of the area


@dataclass(frozen=True)
class Advice:
    """What the scorer makes of one photo as a whole, of changes to it and of a crop."""

    path: Path
    scorer: str
    score: float
    gains: dict[str, float]  # of each change to the whole picture
    crop: Crop
    gain: float  # of the crop; not in the unit of the changes, since its place counts
    faces: int
    face: Place | None  # in the whole picture
    in_crop: Place | None
    notes: tuple[str, ...]  # on what the crop cannot keep
    best: Place | None  # the mean of the best selfies, where the scorer knows it
    by_likes: bool  # these are what a training on likes was shown, and the score is log-odds

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        places = {"face": self.face, "face_in_crop": self.in_crop, "face_in_best": self.best}
        return {
            "path": str(self.path),
            "scorer": self.scorer,
            "score": self.score,
            "changes": self.gains,
            "crop": [self.crop.x0, self.crop.y0, self.crop.x1, self.crop.y1],
            "crop_gain": self.gain,
            "notes": list(self.notes),
            "faces": self.faces,
        } | {name: vars(place) if place else None for name, place in places.items()}

    def lines(self) -> Iterator[str]:
        """In words, what helps most first."""
        best = "pictures that were liked" if self.by_likes else "best selfies of 2015"
        range_of = f"; the {best} had 1, the worst -1" if self.best and not self.by_likes else ""
        yield f"{self.path}: {self.score:.2f} by {self.scorer}{range_of}"
        yield from (f"  {gain:+.2f}  {change}" for change, gain in helpful(self.gains))
        x0, y0 = round(self.crop.x0), round(self.crop.y0)
        yield f"  best crop: {self.crop.width:.0f}x{self.crop.height:.0f} at ({x0}, {y0})"
        yield from (f"  note: {note}" for note in self.notes)
        if self.face is None:
            yield "  no face was found: of selfies it knows those with one"
        elif self.in_crop and self.best:
            faces = "face" if self.faces == 1 else f"largest of {self.faces} faces"
            yield f"  {faces:24}{'photo':>7}{'crop':>7}{'best':>7}  (the {best})"
            for name, what in (
                ("size", "share of the side"),
                ("across", "centre, from the left"),
                ("down", "centre, from the top"),
            ):
                three = (getattr(each, name) for each in (self.face, self.in_crop, self.best))
                yield f"    {what:22}" + "".join(f"{value:7.2f}" for value in three)


def advise(inputs: Sequence[str], options: AdviceOptions, progress: Progress | None = None) -> int:
    """Print the advice for each picture, and return the exit code."""
    request = CropRequest(aspect=options.aspect)
    pictures = Pictures(inputs, options.as_json, progress)
    finder = CropFinder(options.scorer, options.device)
    for path in pictures.counted(pictures.paths):
        try:
            found = advise_on(path, finder, request)
        except (CropperError, MemoryError) as error:
            pictures.fail(path, str(error) or f"{path}: not enough memory")
        else:
            told = [json.dumps(found.to_dict())] if options.as_json else [*found.lines()]
            if not all(map(print_line, told)):
                break  # nobody reads the rest
    return pictures.end()


def advise_on(path: Path, finder: CropFinder, request: CropRequest) -> Advice:
    """The advice for one photo. Raises what ``load_image`` and ``find`` raise."""
    image = load_image(path)
    view = finder.scorer.spec.view(image)
    score = whole_score(finder, view)
    gains = gains_of(finder, view, score)
    result = finder.find(image, request, view=view)
    faces = find_faces(view)
    return Advice(
        path=path,
        scorer=finder.scorer.spec.name,
        score=score,
        gains=gains,
        crop=result.best,
        gain=result.best.score - score,
        faces=len(faces),
        face=_place(faces, (0.0, 0.0, *map(float, image.size))),
        in_crop=_place(faces, result.best.box),
        notes=result.notes,
        best=_best_place(finder.scorer),
        by_likes=isinstance(finder.scorer, SelfieScorer) and finder.scorer.by_likes,
    )


def gains_of(finder: CropFinder, view: View, score: float) -> dict[str, float]:
    """What each change would add to the score of a whole picture."""
    gains = {}
    for name, change in CHANGES.items():
        pixels = change(view.pixels)
        height, width = pixels.shape[:2]
        gains[name] = whole_score(finder, View(pixels, (width, height))) - score
    return gains


def helpful(gains: Mapping[str, float]) -> list[tuple[str, float]]:
    """The changes that are worth it, what helps most first."""
    wishes = [(change, gain) for change, gain in gains.items() if change not in _CONTROLS]
    return sorted((each for each in wishes if each[1] >= WORTH_IT), key=lambda each: -each[1])


def _place(faces: Sequence[Face], box: Sequence[float]) -> Place | None:
    """Of the largest face, in a crop."""
    if not faces:
        return None
    across, down, size = place_of(torch.tensor(faces[0].box), torch.tensor([list(box)]))[0].tolist()
    return Place(across, down, math.exp(size))


def _best_place(scorer: Scorer) -> Place | None:
    """The mean of the best selfies."""
    if not isinstance(scorer, SelfieScorer):
        return None
    across, down, size = scorer.geometry.liked.mean
    return Place(across, down, math.exp(size))

"""The scorer's contract: what every judge of crops promises, and the checks that hold it to it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Boxes, as_boxes
from cropper.errors import CropperError, ScorerOutputError
from cropper.image import SourceImage, View

__all__ = [
    "LEAST_SIDE",
    "BatchScorer",
    "BoundScorer",
    "Describes",
    "HasTorchTwin",
    "Scorer",
    "ScorerSpec",
    "isolated",
    "seen",
]

LEAST_SIDE = 448  # px of the long side: faces, the tilt and which way is up are read from it too
_SPARE = 1.5  # times the long side: what is that little too large is quicker scored than shrunk


@contextlib.contextmanager
def isolated(what: str) -> Iterator[None]:
    """Around a scorer's own code, which may be anybody's: what it raises is a ScorerOutputError."""
    try:
        yield
    except (CropperError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise ScorerOutputError(f"{what} failed: {type(error).__name__}: {error}") from error


def seen(image: SourceImage, long_side: int) -> View:
    """The view for a scorer that reads ``long_side`` px, and for what looks for faces beside it.

    It is larger where that is less work than to shrink it.
    """
    return image.view(max(long_side, LEAST_SIDE), _SPARE)


@dataclass(frozen=True)
class ScorerSpec:
    """What a caller has to know of a scorer before it gives it a picture."""

    name: str
    long_side: int  # px of the view that it reads; more is wasted decode
    batch_size: int  # boxes at once; bounds memory, never changes a score
    costly: bool  # True: a network pass for each crop, so search by halving, on a small budget
    summary: str  # one line for `cropper scorers`
    licence: str  # of the weights
    calibrated: bool = False  # differences of scores are log-odds that people prefer a crop
    frames_faces: bool = False  # it knows how much of a head belongs in a crop, hair included
    device: str = "cpu"  # where it computes; anything else has one thread to itself

    def view(self, image: SourceImage) -> View:
        """What the scorer sees of a picture."""
        return seen(image, self.long_side)


@runtime_checkable
class Scorer(Protocol):
    """A judge of crops. Higher scores are better; scores compare crops of one picture."""

    @property
    def spec(self) -> ScorerSpec: ...

    def bind(self, view: View) -> BoundScorer:
        """Do the work that depends on the picture alone, once."""
        ...


@runtime_checkable
class BatchScorer(Scorer, Protocol):
    """A scorer that binds several pictures faster together than one by one, on a GPU say."""

    def bind_all(self, views: Sequence[View]) -> list[BoundScorer]:
        """``bind`` of each view, to the last digits that batched arithmetic changes."""
        ...


@runtime_checkable
class HasTorchTwin(Scorer, Protocol):
    """A scorer on a backend without gradients that has the same weights on torch."""

    @property
    def twin(self) -> Scorer:
        """Loaded when it is first asked for."""
        ...


@runtime_checkable
class Describes(Protocol):
    """A scorer that can also say what it sees: pictures alike have features near each other."""

    def describe(self, view: View) -> NDArray[np.float32]:
        """(D,): the input of the network's last layer, for the whole picture."""
        ...


@dataclass(frozen=True)
class BoundScorer:
    """The objective of one picture: boxes (N, 4), px of the upright source, to scores (N,)."""

    score_chunk: Callable[[Boxes], NDArray[np.floating]]  # at most batch_size boxes at once
    size: tuple[int, int]  # (width, height) of the source
    batch_size: int

    def __call__(self, boxes: Boxes) -> NDArray[np.float64]:
        """Raises BoxError for bad boxes, ScorerOutputError for a wrong shape or a NaN."""
        boxes = as_boxes(boxes) if len(boxes) else np.empty((0, 4))
        scores = np.empty(len(boxes))
        for start in range(0, len(boxes), self.batch_size):
            chunk = boxes[start : start + self.batch_size]
            with isolated("the scorer"):
                answer = np.asarray(self.score_chunk(chunk), dtype=np.float64)
            if answer.shape != (len(chunk),):
                raise ScorerOutputError(
                    f"a scorer gives one score a box: {len(chunk)} boxes, got {answer.shape}"
                )
            if not np.isfinite(answer).all():
                worst = chunk[int(np.argmin(np.isfinite(answer)))]
                raise ScorerOutputError(f"scores are finite, got a NaN or infinity for {worst}")
            scores[start : start + len(chunk)] = answer
        return scores

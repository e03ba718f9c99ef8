"""Crops that are turned or sheared, and gradients: what a scorer may offer beside boxes.

Gradients are in where a crop is (``bind_affine``), and in a photo's pixels (``bind_pixels``).

A spatial transformer asks for scores of theta (N, 2, 3), as in ``cropper.sampling``, and for their
slopes. A scorer that has ``bind_affine`` is an AffineScorer. Of an upright theta the judged score
is the score of its box.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cropper.errors import ConfigError
from cropper.image import View
from cropper.scorers.base import HasTorchTwin, Scorer

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "JUDGED",
    "AffineScorer",
    "BoundAffine",
    "BoundPixels",
    "PixelScorer",
    "Reading",
    "as_affine",
    "as_pixels",
    "on_torch",
]


@dataclass(frozen=True)
class Reading:
    """How crops are read. The default is how the scorer judges; the others are for ascents."""

    features: bool = False  # from the feature map of the whole picture, not from the crop's pixels
    antialias: bool = True  # False: bilinear from the finest level, as in Jaderberg et al. 2015
    coarse: int = 0  # finest mip levels left out: a smoother surface with the same large shape


JUDGED = Reading()


class BoundAffine(Protocol):
    """The objective of one picture."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the source, px."""
        ...

    @property
    def reads_pixels(self) -> bool:
        """Whether ``Reading.features`` False means the pixels of the crop alone."""
        ...

    @property
    def mirror_invariant(self) -> bool:
        """Whether a mirrored reading says nothing new."""
        ...

    def __call__(self, theta: Tensor, reading: Reading = JUDGED) -> Tensor:
        """(N, 2, 3) -> (N,) scores, differentiable in theta; higher is better."""
        ...


@runtime_checkable
class AffineScorer(Scorer, Protocol):
    """A scorer that judges affine crops too."""

    def bind_affine(self, view: View) -> BoundAffine: ...


@dataclass(frozen=True)
class BoundPixels:
    """The scores of one photo as a function of its pixels."""

    pixels: NDArray[np.uint8]  # (H, W, 3): what the network reads of the photo
    # such pixels as floats, 0 to 255, and theta (N, 2, 3) -> (N,) scores, differentiable in both
    score: Callable[[Tensor, Tensor], Tensor]


@runtime_checkable
class PixelScorer(Scorer, Protocol):
    """A scorer whose scores have slopes in the pixels."""

    def bind_pixels(self, view: View) -> BoundPixels: ...


def on_torch(scorer: Scorer) -> Scorer:
    """The same scorer where gradients can be had: its twin, if it runs on another backend."""
    return scorer.twin if isinstance(scorer, HasTorchTwin) else scorer


def as_affine(scorer: Scorer) -> AffineScorer:
    """The scorer, on torch; raises ConfigError for one that knows boxes alone."""
    scorer = on_torch(scorer)
    if isinstance(scorer, AffineScorer):
        return scorer
    raise ConfigError(
        f"the scorer {scorer.spec.name} judges boxes alone: a spatial transformer takes cropnet, "
        "convnet or a scorer with bind_affine"
    )


def as_pixels(scorer: Scorer) -> PixelScorer:
    """The scorer, on torch; raises ConfigError for one without slopes in pixels."""
    scorer = on_torch(scorer)
    if isinstance(scorer, PixelScorer):
        return scorer
    raise ConfigError(
        f"the scorer {scorer.spec.name} has no slopes in pixels: choose cropnet, convnet, selfie "
        "or a scorer with bind_pixels, or leave `by=gradients` out"
    )

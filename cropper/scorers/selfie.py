"""Selfies as likes wanted them: a ConvNet's taste, and where in the crop the face is.

A head that was trained on whole selfies is asked by a search about crops that nobody would have
posted, and there it is wrong. Where the face belongs is known better: the density of its place and
size among the best selfies, over that among any crops of selfies, is highest at one place and falls
on all sides. A crop's score is the ConvNet's, the logarithm of that ratio as far as the crop
changes it, and a price of cutting. A face that is smaller than selfies have it says nothing.

A whole picture's score is the ConvNet's alone, which has seen its face, unless that was trained on
what the face's place leaves unexplained: then the place's own log-odds are a part of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cropper.boxes import Boxes, normalise
from cropper.faces import find_faces
from cropper.image import View
from cropper.sampling import equal_area_boxes
from cropper.scorers import convnet
from cropper.scorers.affine import JUDGED, BoundAffine, BoundPixels, Reading
from cropper.scorers.base import BoundScorer, ScorerSpec
from cropper.scorers.convnet import ConvNetScorer

__all__ = [
    "FaceGeometry",
    "Gaussian",
    "PlaceOdds",
    "SelfieScorer",
    "largest_face",
    "load",
    "place_of",
]

_AREA = 1.0  # of a crop's log area: what is cut away has to be worth it
_FLOOR = -1.0  # log ratio below which places are about equally bad
_FAR = 3.0  # deviations from the mean; beyond them a place is worth what it is there
_WHOLE = (0.0, 0.0, 1.0, 1.0)

_Place = Callable[[Tensor], Tensor]  # boxes (N, 4), normalised -> what a face's place adds (N,)


def place_of(face: Tensor, boxes: Tensor) -> Tensor:
    """(4,) and (N, 4), xyxy in one unit -> (N, 3): where in each crop the face is.

    Its centre's x and y in shares of the crop's sides, and half the log of its share of the area.
    """
    low, sides = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    centre = ((face[:2] + face[2:]) / 2 - low) / sides
    size = torch.log((face[2:] - face[:2]).prod() / sides.prod(1)) / 2
    return torch.cat([centre, size[:, None]], 1)


@dataclass(frozen=True)
class Gaussian:
    """A normal density of ``place_of``."""

    mean: tuple[float, ...]  # (3,)
    covariance: tuple[tuple[float, ...], ...]  # (3, 3)

    @classmethod
    def of(cls, places: NDArray[np.float64]) -> Gaussian:
        """The one of greatest likelihood for (N, 3) places, no narrower than a hundredth."""
        covariance = np.cov(places, rowvar=False, bias=True) + 1e-4 * np.eye(3)
        return cls(tuple(places.mean(0).tolist()), tuple(map(tuple, covariance.tolist())))

    def log_density(self, places: Tensor) -> Tensor:
        """(N, 3) -> (N,), up to a constant of all Gaussians."""
        covariance = places.new_tensor(self.covariance)
        off = places - places.new_tensor(self.mean)
        far = (torch.linalg.solve(covariance, off.T).T * off).sum(1)
        density: Tensor = -(far + torch.logdet(covariance)) / 2
        return density


@dataclass(frozen=True)
class PlaceOdds:
    """Log-odds that a picture is liked by its face's place: a quadratic within bounds."""

    mean: tuple[float, ...]  # (3,), of ``place_of``
    deviation: tuple[float, ...]  # (3,)
    weights: tuple[float, ...]  # (10,), of ``terms``
    faceless: float  # log-odds of a picture without a face

    def terms(self, places: Tensor) -> Tensor:
        """(N, 3) -> (N, 10): 1, the standardised place, and its products."""
        off = (places - places.new_tensor(self.mean)) / places.new_tensor(self.deviation)
        off = off.clamp(-_FAR, _FAR)
        first, second = torch.triu_indices(3, 3)
        return torch.cat([torch.ones_like(off[:, :1]), off, off[:, first] * off[:, second]], 1)

    def __call__(self, places: Tensor) -> Tensor:
        """(N, 3) -> (N,); that of NaN is ``faceless``."""
        odds = self.terms(places) @ places.new_tensor(self.weights)
        return odds.nan_to_num(self.faceless)


@dataclass(frozen=True)
class FaceGeometry:
    """Where the largest face of a picture is, in liked ones and in any."""

    liked: Gaussian
    usual: Gaussian  # of any crops of selfies
    least: float  # log size, as place_of has it, below which a face is no selfie's
    odds: PlaceOdds | None = None  # of whole pictures, where the ConvNet leaves them out

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> FaceGeometry:
        """Raises TypeError for what ``to_dict`` did not give."""
        liked, usual = Gaussian(**stored["liked"]), Gaussian(**stored["usual"])
        odds = stored.get("odds")
        return cls(liked, usual, stored["least"], PlaceOdds(**odds) if odds else None)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def log_ratio(self, places: Tensor) -> Tensor:
        """(N, 3) -> (N,): how much likelier places are among the liked."""
        return self.liked.log_density(places) - self.usual.log_density(places)

    def whole(self, face: Tensor | None) -> float:
        """(4,), normalised, or None: what the place adds to the score of a whole picture."""
        if self.odds is None:
            return 0.0
        if face is None:
            return self.odds.faceless
        return self.odds(place_of(face, face.new_tensor([_WHOLE]))).item()

    def gain(self, face: Tensor | None, boxes: Tensor) -> Tensor:
        """(4,) or None and (N, 4), normalised -> (N,): what crops gain over the whole picture."""
        cut = _AREA * torch.log((boxes[:, 2:] - boxes[:, :2]).prod(1))
        if face is None:
            return cut
        places = place_of(face.to(boxes), torch.cat([boxes, boxes.new_tensor([_WHOLE])]))
        fit = torch.logaddexp(self.log_ratio(places), boxes.new_tensor(_FLOOR))
        weight = ((places[-1, 2] - self.least) / math.log(2)).clamp(0, 1)  # all at twice the least
        return weight * (fit[:-1] - fit[-1]) + cut


def load(
    header: dict[str, Any], path: Path, spec: ScorerSpec, device: torch.device
) -> SelfieScorer:
    """The scorer in a checkpoint, on ``device``."""
    taste = convnet.load(header, path, spec, device)
    return SelfieScorer(taste, FaceGeometry.from_dict(header["geometry"]))


class SelfieScorer:
    """A ConvNet on each crop, and the geometry of the largest face."""

    def __init__(self, taste: ConvNetScorer, geometry: FaceGeometry) -> None:
        self.taste, self.geometry = taste, geometry
        self.spec = replace(taste.spec, frames_faces=True)
        self.trunk, self.trunk_pixels = taste.trunk, taste.trunk_pixels

    @property
    def by_likes(self) -> bool:
        """Learned from likes, so that scores of whole pictures are log-odds."""
        return self.geometry.odds is not None

    def bind(self, view: View) -> BoundScorer:
        taste, place = self.taste.bind(view), self._place_in(view)

        def score(boxes: Boxes) -> NDArray[np.floating]:
            where = torch.from_numpy(normalise(boxes, view.size))
            return np.asarray(taste.score_chunk(boxes) + place(where).numpy())

        return BoundScorer(score, view.size, self.spec.batch_size)

    def bind_affine(self, view: View) -> BoundAffine:
        return _AffineSelfies(self.taste.bind_affine(view), self._place_in(view))

    def bind_pixels(self, view: View) -> BoundPixels:
        """The face stays where it is in ``view``, whatever the pixels become."""
        taste, place = self.taste.bind_pixels(view), self._place_in(view)

        def score(pixels: Tensor, theta: Tensor) -> Tensor:
            scores = taste.score(pixels, theta)
            return scores + place(_boxes_of(theta, view.size)).to(scores)

        return BoundPixels(taste.pixels, score)

    def _place_in(self, view: View) -> _Place:
        face = largest_face(view)
        whole = self.geometry.whole(face)
        return lambda boxes: self.geometry.gain(face, boxes) + whole

    def describe(self, view: View) -> NDArray[np.float32]:
        """(D,): as ConvNetScorer does."""
        return self.taste.describe(view)


def largest_face(view: View) -> Tensor | None:
    """(4,) xyxy, normalised to the picture; None where there is none."""
    faces = find_faces(view)
    if not faces:
        return None
    return torch.from_numpy(normalise(np.array([faces[0].box]), view.size)[0])


@dataclass(frozen=True)
class _AffineSelfies:
    """The objective over theta; a face's place is that in the upright box of the crop's area."""

    taste: BoundAffine
    place: _Place

    @property
    def size(self) -> tuple[int, int]:
        return self.taste.size

    @property
    def reads_pixels(self) -> bool:
        return self.taste.reads_pixels

    @property
    def mirror_invariant(self) -> bool:
        return self.taste.mirror_invariant

    def __call__(self, theta: Tensor, reading: Reading = JUDGED) -> Tensor:
        scores = self.taste(theta, reading)
        return scores + self.place(_boxes_of(theta, self.size)).to(scores)


def _boxes_of(theta: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, 2, 3) -> (N, 4), normalised: the upright boxes of the crops' areas."""
    return equal_area_boxes(theta, (float(size[0]), float(size[1])))

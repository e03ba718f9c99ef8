"""What the place of the face says of likes, learned from labelled pictures of any audience.

A logistic regression on the place gives a whole picture's log-odds. The network is trained on top
of them, so that it learns what the place leaves unexplained, and the two parts can be told apart.
For crops there are the densities of ``geometry``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from cropper.scorers.selfie import FaceGeometry, PlaceOdds, place_of
from cropper.train.selfies.geometry import ENOUGH, geometry_of, places_in_crops

__all__ = ["Placing", "learn_placing", "place_odds"]

Floats = NDArray[np.float64]
_RIDGE = 1.0
_STEPS = 25  # of Newton's method, which needs fewer
_STAYS = 0.5  # deviations of whole pictures' places: a face that moved no further has not moved
_WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=torch.float64)


@dataclass(frozen=True)
class Placing:
    """The geometry of labelled pictures, and what it makes of each of them."""

    geometry: FaceGeometry
    odds: Floats  # (N,) log-odds, of all pictures
    face: Floats  # (N, 4), NaN without one

    def stays(self, row: int, box: list[float], mirror: bool) -> bool:
        """Whether a crop, mirrored or not, has the face where the whole picture has it."""
        assert self.geometry.odds is not None
        boxes = torch.cat([_WHOLE, torch.tensor([box], dtype=torch.float64)])
        whole, crop = place_of(torch.from_numpy(self.face[row]), boxes)
        if mirror:
            crop[0] = 1 - crop[0]
        return bool(((crop - whole).abs() <= _STAYS * crop.new_tensor(self._deviation)).all())

    @property
    def _deviation(self) -> tuple[float, ...]:
        assert self.geometry.odds is not None
        return self.geometry.odds.deviation


def learn_placing(
    face: Floats, label: NDArray[np.int8], used: NDArray[np.intp], seed: int
) -> Placing | None:
    """(N, 4) and (N,), learned from the rows ``used``; None where too few of either label have
    a face."""
    face = np.where(np.isfinite(face), face, np.nan)
    rows = used[np.isfinite(face[used, 0])]
    liked = label[rows] == 1
    if min(liked.sum(), (~liked).sum()) < ENOUGH:
        return None
    places = places_in_crops(face[rows], seed)
    without = label[used[np.isnan(face[used, 0])]] == 1
    faceless = math.log((without.sum() + 1) / ((~without).sum() + 1))
    odds = place_odds(places[:, 0], liked, faceless)
    geometry = replace(geometry_of(places, liked), odds=odds)
    wholes = torch.cat([place_of(each, _WHOLE) for each in torch.from_numpy(face)])
    return Placing(geometry, odds(wholes).numpy(), face)


def place_odds(places: Floats, liked: NDArray[np.bool_], faceless: float = 0.0) -> PlaceOdds:
    """Logistic regression of (N,) on (N, 3) places, their squares and products, with a ridge."""
    deviation = places.std(0) + 1e-2
    start = PlaceOdds(tuple(places.mean(0).tolist()), tuple(deviation.tolist()), (), faceless)
    terms = start.terms(torch.from_numpy(places)).numpy()
    ridge = np.diag([0.0] + [_RIDGE] * (terms.shape[1] - 1))
    weights = np.zeros(terms.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-terms @ weights))
        slope = terms.T @ (liked - chance) - ridge @ weights
        curvature = (terms * (chance * (1 - chance))[:, None]).T @ terms + ridge
        weights = weights + np.linalg.solve(curvature, slope)
    return replace(start, weights=tuple(weights.tolist()))

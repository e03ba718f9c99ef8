"""How well distances tell one person from two: the field's measures, over people who are held out.

Verification is about pairs, recognition about K known people with one photo each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cropper.errors import DataError

__all__ = ["FacePairs", "all_pairs", "one_shot"]

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class FacePairs:
    """Pairs of faces: how far apart, and whose."""

    distances: Floats  # (M,)
    first: Numbers  # (M,) the person of each face, by number
    second: Numbers

    @property
    def same(self) -> NDArray[np.bool_]:
        return np.asarray(self.first == self.second)

    def auc(self, weights: Floats | None = None) -> float:
        """The share of one person's pairs that are nearer than a pair of two; ties count half."""
        far, tar = self.roc(weights)
        return float(np.trapezoid(np.append(0, tar), np.append(0, far)))

    def tar_at(self, far: float, weights: Floats | None = None) -> float:
        """The share of one person's pairs that are accepted where ``far`` of the others are."""
        fars, tars = self.roc(weights)
        return float(tars[fars <= far].max(initial=0.0))

    def accuracy(self, limit: float, weights: Floats | None = None) -> float:
        """The mean of the shares of each kind that a distance of at most ``limit`` gets right."""
        mass = np.ones(len(self.distances)) if weights is None else weights
        near, same = self.distances <= limit, self.same
        shares = [mass[kind & (near == same)].sum() / mass[kind].sum() for kind in (same, ~same)]
        return float(np.mean(shares))

    def roc(self, weights: Floats | None = None) -> tuple[Floats, Floats]:
        """The shares of false and of true pairs that are accepted, up to each distance there is."""
        mass = np.ones(len(self.distances)) if weights is None else weights
        order = np.argsort(self.distances, kind="stable")
        gaps, same, mass = self.distances[order], self.same[order], mass[order]
        last = np.flatnonzero(np.append(np.diff(gaps) > 0, True))
        far, tar = np.cumsum(mass * ~same)[last], np.cumsum(mass * same)[last]
        return far / far[-1], tar / tar[-1]

    def interval(self, measure: str, *arguments: float, draws: int = 500, seed: int = 0) -> Floats:
        """(2,): the 95 % bootstrap interval of a measure by name. People are drawn, not pairs."""
        rng = np.random.default_rng(seed)
        count = int(max(self.first.max(), self.second.max())) + 1
        values = []
        for _ in range(draws):
            times = np.bincount(rng.integers(count, size=count), minlength=count)
            own = times[self.first].astype(np.float64)
            weights = np.where(self.same, own, own * times[self.second])
            if weights[self.same].any() and weights[~self.same].any():
                values.append(getattr(self, measure)(*arguments, weights))
        return np.asarray(np.quantile(values, (0.025, 0.975)) if values else (np.nan, np.nan))


def all_pairs(encodings: NDArray[np.float32], people: Numbers) -> FacePairs:
    """Every pair of faces (N, 128) of people (N,). Raises DataError without pairs of both kinds."""
    first, second = np.triu_indices(len(encodings), 1)
    gaps = _gaps(encodings, encodings)[first, second]
    pairs = FacePairs(gaps, people[first], people[second])
    if not pairs.same.any() or pairs.same.all():
        raise DataError("it takes two people, and two photos of one of them, to compare faces")
    return pairs


def one_shot(
    encodings: NDArray[np.float32],
    people: Numbers,
    among: Sequence[int] = (2, 5, 10, 20, 50, 100),
    *,
    draws: int = 200,
    seed: int = 0,
) -> dict[int, float]:
    """K -> the share of faces given the right one of K people, who are known by a photo each.

    K people with two photos or more are drawn, and of each a known photo and another one; K above
    their number is left out.
    """
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(people == person) for person in np.unique(people)]
    rows = [own for own in rows if len(own) > 1]
    found: dict[int, float] = {}
    for count in (each for each in among if each <= len(rows)):
        right = []
        for _ in range(draws):
            chosen = [
                rng.permutation(rows[person])[:2]
                for person in rng.choice(len(rows), count, replace=False)
            ]
            known, asked = np.array(chosen).T
            nearest = _gaps(encodings[asked], encodings[known]).argmin(1)
            right.append(np.mean(nearest == np.arange(count)))
        found[count] = float(np.mean(right))
    return found


def _gaps(a: NDArray[np.float32], b: NDArray[np.float32]) -> Floats:
    """(N, D), (M, D) -> (N, M)."""
    wide, other = a.astype(np.float64), b.astype(np.float64)
    squares = (wide**2).sum(1)[:, None] + (other**2).sum(1) - 2 * wide @ other.T
    return np.asarray(np.sqrt(squares.clip(0)))

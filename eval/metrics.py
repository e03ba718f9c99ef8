"""What the benchmarks of cropping measure, in NumPy.

Boxes are (N, 4) xyxy in [0, 1] of the photo, so that distances are already fractions of its sides.
Scores are (N,), higher is better. Where people drew several crops of one photo, a candidate is
held against the one it overlaps best (Fang et al., 2014), and against all of them on average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cropper.boxes import Boxes, area, iou

__all__ = [
    "EQUAL_AREA",
    "Agreement",
    "PairCount",
    "accuracy_at",
    "against_humans",
    "boundary_error",
    "count_pairs",
    "equal_area",
]

Floats = NDArray[np.float64]

# FCDB drew the two crops of a pair from a few sizes: areas of one size differ by rounding (below
# 0.01 %), areas of two sizes by 26 % and more. Any tolerance between gives the same pairs; 1 %
# leaves room for photos that were annotated in whole pixels.
EQUAL_AREA = 0.01


@dataclass(frozen=True)
class Agreement:
    """One crop against K human crops of its photo."""

    iou: float  # with the human crop that it overlaps best, in [0, 1]
    bde: float  # boundary displacement error to that one, in [0, 1]
    mean_iou: float  # over all K
    mean_bde: float


@dataclass(frozen=True)
class PairCount:
    """How often scores agree with the majority of the votes; an equal score is half a hit."""

    right: float
    total: int  # pairs with a majority


def boundary_error(box: Boxes, humans: Boxes) -> Floats:
    """(1, 4), (K, 4) -> (K,): the mean distance of the four edges, as fractions of the photo.

    (|dx0| + |dx1|) / 4W + (|dy0| + |dy1|) / 4H in pixels (Wang et al., 2018).
    """
    return np.asarray(np.abs(box - humans).mean(axis=1))


def against_humans(box: ArrayLike, humans: Boxes) -> Agreement:
    """One box (4,) against (K, 4), K at least 1; the first of equally good human crops counts."""
    one = np.asarray(box, dtype=np.float64).reshape(1, 4)
    overlaps, errors = iou(one, humans)[0], boundary_error(one, humans)
    best = int(np.argmax(overlaps))
    return Agreement(
        float(overlaps[best]), float(errors[best]), float(overlaps.mean()), float(errors.mean())
    )


def equal_area(a: Boxes, b: Boxes, tolerance: float = EQUAL_AREA) -> NDArray[np.bool_]:
    """(P,): pairs that size cannot decide; areas differ by ``tolerance`` of the larger at most.

    On FCDB 'the larger wins' is right for 80 % of the others, so ranking is tested on these.
    """
    first, second = area(a), area(b)
    return np.asarray(np.abs(first - second) <= tolerance * np.maximum(first, second))


def count_pairs(
    scores_a: ArrayLike, scores_b: ArrayLike, votes_a: ArrayLike, votes_b: ArrayLike
) -> PairCount:
    """(P,) each. Pairs whose votes are tied have no right answer and are left out."""
    preferred = np.sign(np.asarray(votes_a, float) - np.asarray(votes_b, float))
    scored = np.sign(np.asarray(scores_a, float) - np.asarray(scores_b, float))
    decided = preferred != 0
    hits = (1 + preferred * scored)[decided] / 2
    return PairCount(float(hits.sum()), int(decided.sum()))


def accuracy_at(scores: ArrayLike, mos: ArrayLike, k: int, n: int) -> float:
    """AccK/N: the share of the k best-scored crops that people rank among the n best.

    Among the n best is whatever reaches the n-th largest opinion score (Zeng et al., 2019). Where
    equal scores straddle the k-th place, each of them counts by its chance to be taken. k and n
    are cut to the number of crops.
    """
    given, opinions = np.asarray(scores, float), np.asarray(mos, float)
    k, n = min(k, len(given)), min(n, len(given))
    good = opinions >= np.sort(opinions)[-n]
    edge = np.sort(given)[-k]
    surely, perhaps = given > edge, given == edge
    taken = good[surely].sum() + (k - surely.sum()) * good[perhaps].mean()
    return float(taken / k)

"""Correlation, and how far a figure may be trusted: the bootstrap. NumPy alone.

Values are (N,), one a photo or one a crop. Intervals are 95 % percentile intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cropper.errors import ConfigError

__all__ = [
    "Interval",
    "bootstrap",
    "cluster_bootstrap",
    "midranks",
    "paired_bootstrap",
    "pearson",
    "spearman",
]

Floats = NDArray[np.float64]

_TAILS = (0.025, 0.975)
_CHUNK = 2**21  # resampled values held at once
_ROUNDS = 1000  # of a statistic that is computed anew each time; fewer of many values
_DRAWS = 20_000_000


@dataclass(frozen=True)
class Interval:
    """A figure and the range that resampled values give it."""

    mean: float
    low: float
    high: float

    def __format__(self, form: str) -> str:
        """Each number in a form: ``f"{interval:.0%}"`` is ``86% [80%, 91%]``."""
        if not form:
            return str(self)
        return f"{self.mean:{form}} [{self.low:{form}}, {self.high:{form}}]"


def midranks(values: Floats) -> Floats:
    """(N,) -> (N,): ranks from 1, equal values sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = (last - (counts - 1) / 2)[inverse]
    return ranks


def pearson(a: ArrayLike, b: ArrayLike) -> float:
    """Linear correlation in [-1, 1]; 0 where one side is constant and so says nothing."""
    x, y = (np.asarray(v, dtype=np.float64) for v in (a, b))
    x, y = x - x.mean(), y - y.mean()
    x, y = (v / np.abs(v).max(initial=0) if v.any() else v for v in (x, y))  # squares in range
    norm = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float(np.clip((x * y).sum() / norm, -1, 1)) if norm > 0 else 0.0


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Rank correlation, equal values sharing their mean rank."""
    return pearson(midranks(np.asarray(a, float)), midranks(np.asarray(b, float)))


def bootstrap(
    values: ArrayLike, weights: ArrayLike | None = None, *, rounds: int = 10_000, seed: int = 0
) -> Interval:
    """The mean of (N,) values, one a photo, and its 95 % percentile interval over photos.

    ``weights`` (N,) makes it sum(w v) / sum(w): shares of pairs weighed by the photo's pairs are
    then pooled over pairs but resampled by photo. Raises ConfigError for no photo or no weight.
    """
    data = np.asarray(values, dtype=np.float64)
    mass = np.ones_like(data) if weights is None else np.asarray(weights, dtype=np.float64)
    if data.ndim != 1 or data.shape != mass.shape or not mass.sum() > 0:
        raise ConfigError(
            "a bootstrap takes (N,) values and weights of one length and a sum above 0, got "
            f"shapes {data.shape} and {mass.shape}: measure at least one photo"
        )
    rng = np.random.default_rng(seed)
    weighted = data * mass
    parts = []
    step = max(_CHUNK // len(data), 1)
    for start in range(0, rounds, step):
        drawn = rng.integers(len(data), size=(min(step, rounds - start), len(data)))
        sums, totals = weighted[drawn].sum(axis=1), mass[drawn].sum(axis=1)
        parts.append(sums[totals > 0] / totals[totals > 0])  # a draw without weight has no mean
    low, high = np.quantile(np.concatenate(parts), _TAILS)
    return Interval(float(weighted.sum() / mass.sum()), float(low), float(high))


def paired_bootstrap(
    a: ArrayLike,
    b: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    rounds: int = 10_000,
    seed: int = 0,
) -> Interval:
    """The mean of ``a - b`` where both are (N,) over the same photos, with its 95 % interval.

    The photos' own difficulty cancels; an interval above 0 means that ``a`` is larger.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ConfigError(f"pairs need one length, got {first.shape} and {second.shape}")
    return bootstrap(first - second, weights, rounds=rounds, seed=seed)


def cluster_bootstrap(
    statistic: Callable[[NDArray[np.intp]], float], cluster: NDArray[np.int64], seed: int = 0
) -> tuple[float, float]:
    """95 % bootstrap interval; (N,) clusters are drawn whole, as one user's pictures go together.

    ``statistic`` takes row numbers, some of them more than once.
    """
    order = np.argsort(cluster, kind="stable")
    _, sizes = np.unique(cluster, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(min(_ROUNDS, max(_DRAWS // len(cluster), 100))):
        drawn = rng.integers(len(sizes), size=len(sizes))
        counts = sizes[drawn]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        values.append(statistic(order[np.repeat(starts[drawn], counts) + within]))
    kept = [value for value in values if not math.isnan(value)]
    if not kept:
        return math.nan, math.nan
    low, high = np.quantile(kept, _TAILS)
    return float(low), float(high)

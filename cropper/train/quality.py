"""How good a classifier or a ranking is, in NumPy. Scores are (N,), higher is better."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bin", "Quality", "auc", "interval", "measure", "midranks", "rank_correlation"]

Floats = NDArray[np.float64]

_BINS = 10
_ROUNDS = 1000  # of the bootstrap, fewer where there are many pictures
_DRAWS = 20_000_000


@dataclass(frozen=True)
class Bin:
    """Pictures whose predicted probability is near another, and how many were liked."""

    count: int
    predicted: float  # mean probability
    observed: float  # share of positives


@dataclass(frozen=True)
class Quality:
    """Of logits against labels."""

    count: int
    accuracy: float  # at a logit of 0
    auc: float  # chance is 0.5
    auc_low: float  # 95 % bootstrap interval over users
    auc_high: float
    loss: float  # cross entropy; a coin's is 0.693
    brier: float  # mean squared error of the probability; a coin's is 0.25
    calibration_error: float  # mean distance of predicted and observed, weighed by count
    bins: tuple[Bin, ...]  # tenths of the pictures by prediction

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Quality:
        return cls(**values | {"bins": tuple(Bin(**each) for each in values["bins"])})


def measure(logits: Floats, label: NDArray[np.int8], user: NDArray[np.int64]) -> Quality:
    """(N,) each. An AUC is NaN where there is one class alone."""
    logits = logits.astype(np.float64)
    probability = 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    loss = np.logaddexp(0, np.where(label == 1, -logits, logits)).mean()
    bins = _reliability(probability, label)
    error = sum(each.count * abs(each.predicted - each.observed) for each in bins) / len(logits)
    low, high = interval(lambda rows: auc(logits[rows], label[rows]), user)
    return Quality(
        count=len(logits),
        accuracy=float(((logits > 0) == (label == 1)).mean()),
        auc=auc(logits, label),
        auc_low=low,
        auc_high=high,
        loss=float(loss),
        brier=float(((probability - (label == 1)) ** 2).mean()),
        calibration_error=float(error),
        bins=bins,
    )


def _reliability(probability: Floats, label: NDArray[np.int8]) -> tuple[Bin, ...]:
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, _BINS) if len(part)]
    return tuple(
        Bin(len(part), float(probability[part].mean()), float((label[part] == 1).mean()))
        for part in parts
    )


def auc(scores: Floats, label: NDArray[np.int8]) -> float:
    """The share of pairs of a positive and a negative that are ranked right; ties count half."""
    positive = label == 1
    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return math.nan
    ranks = midranks(scores)[positive].sum()
    return float((ranks - count * (count + 1) / 2) / (count * others))


def midranks(values: Floats) -> Floats:
    """(N,) -> (N,): ranks from 1, equal values sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = (last - (counts - 1) / 2)[inverse]
    return ranks


def rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's; NaN where one of them is constant."""
    first, second = midranks(a), midranks(b)
    first, second = first - first.mean(), second - second.mean()
    norm = math.sqrt(float((first**2).sum() * (second**2).sum()))
    return float((first * second).sum() / norm) if norm else math.nan


def interval(
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
    low, high = np.quantile(kept, [0.025, 0.975])
    return float(low), float(high)

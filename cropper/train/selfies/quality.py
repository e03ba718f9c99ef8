"""How good a classifier or a ranking is, in NumPy. Scores are (N,), higher is better."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropper.statistics import Interval, cluster_bootstrap, midranks

__all__ = ["Bin", "Part", "Quality", "auc", "measure", "measure_parts"]

Floats = NDArray[np.float64]

_BINS = 10


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
    low, high = cluster_bootstrap(lambda rows: auc(logits[rows], label[rows]), user)
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


@dataclass(frozen=True)
class Part:
    """One summand of a score."""

    alone: Quality
    adds: Interval  # AUC that the sum loses without it, 95 % over users

    def __str__(self) -> str:
        alone, adds = self.alone, self.adds
        return (
            f"accuracy {alone.accuracy:.3f}, AUC {alone.auc:.3f} [{alone.auc_low:.3f}, "
            f"{alone.auc_high:.3f}]; adds {adds:+.3f}"
        )

    def to_dict(self) -> dict[str, Any]:
        return {"alone": self.alone.to_dict(), "adds_auc": asdict(self.adds)}


def measure_parts(
    parts: dict[str, Floats], label: NDArray[np.int8], user: NDArray[np.int64]
) -> dict[str, Part]:
    """Log-odds (N,) that add up to a score -> each alone, and what it adds to the others."""
    total = np.sum([*parts.values()], axis=0)

    def measured(own: Floats) -> Part:
        rest = total - own

        def gain(rows: NDArray[np.intp]) -> float:
            return auc(total[rows], label[rows]) - auc(rest[rows], label[rows])

        interval = Interval(gain(np.arange(len(total))), *cluster_bootstrap(gain, user))
        return Part(measure(own, label, user), interval)

    return {name: measured(own) for name, own in parts.items()}


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

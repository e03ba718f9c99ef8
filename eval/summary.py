"""Scores by photo -> means, intervals and differences to the centre baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cropper.statistics import Interval, bootstrap, paired_bootstrap
from eval.crop_quality import Benchmark, Cropping, MethodScores, PhotoScore, Ranking
from eval.metrics import PairCount

__all__ = ["METRICS", "REFERENCE", "Group", "Metric", "Statistic", "by_group", "summarise"]

REFERENCE = "centre"  # every method has to beat it, so every difference is to it

Sample = tuple[float, float]  # value, weight


@dataclass(frozen=True)
class Metric:
    key: str
    title: str
    higher: bool  # is better
    sample: Callable[[PhotoScore], Sample | None]

    @property
    def header(self) -> str:
        return f"{self.title} {'↑' if self.higher else '↓'}"


@dataclass(frozen=True)
class Statistic:
    method: str
    metric: str  # Metric.key
    value: Interval
    difference: Interval | None  # to REFERENCE, paired; None: for itself, or where it has no value
    count: int  # photos, or pairs for the shares of pairs


@dataclass(frozen=True)
class Group:
    """Photos of one kind."""

    name: str
    photos: int
    statistics: tuple[Statistic, ...]


def _crop(of: Callable[[Cropping], float]) -> Callable[[PhotoScore], Sample | None]:
    return lambda photo: (of(photo.cropping), 1.0) if photo.cropping else None


def _share(of: Callable[[PhotoScore], PairCount | None]) -> Callable[[PhotoScore], Sample | None]:
    """Weighed by the photo's pairs, so that the mean is over pairs."""

    def sample(photo: PhotoScore) -> Sample | None:
        count = of(photo)
        return (count.right / count.total, count.total) if count and count.total else None

    return sample


def _rank(of: Callable[[Ranking], float]) -> Callable[[PhotoScore], Sample | None]:
    return lambda photo: (of(photo.ranking), 1.0) if photo.ranking else None


METRICS = (
    Metric("iou", "IoU", True, _crop(lambda c: c.iou)),
    Metric("bde", "BDE", False, _crop(lambda c: c.bde)),
    Metric("mean_iou", "IoU to all", True, _crop(lambda c: c.mean_iou)),
    Metric("mean_bde", "BDE to all", False, _crop(lambda c: c.mean_bde)),
    Metric("equal_pairs", "equal-area pairs", True, _share(lambda p: p.equal_pairs)),
    Metric("all_pairs", "all pairs", True, _share(lambda p: p.all_pairs)),
    Metric("srcc", "SRCC", True, _rank(lambda r: r.srcc)),
    Metric("pcc", "PCC", True, _rank(lambda r: r.pcc)),
    Metric("acc_1_5", "Acc1/5", True, _rank(lambda r: r.acc_5[0])),
    Metric("acc_4_5", "Acc4/5", True, _rank(lambda r: r.acc_5[3])),
    Metric("acc_5", "Acc5", True, _rank(lambda r: float(np.mean(r.acc_5)))),
    Metric("acc_1_10", "Acc1/10", True, _rank(lambda r: r.acc_10[0])),
    Metric("acc_4_10", "Acc4/10", True, _rank(lambda r: r.acc_10[3])),
    Metric("acc_10", "Acc10", True, _rank(lambda r: float(np.mean(r.acc_10)))),
)


def by_group(benchmark: Benchmark, seed: int = 0) -> tuple[Group, ...]:
    """The crops of each group of photos, the largest of a grouping first, but for all photos."""
    return tuple(
        Group(name, count, summarise(benchmark.of(name), METRICS[:2], seed=seed))
        for groups in zip(*benchmark.groupings, strict=True)
        for name, count in Counter(groups).most_common()
        if count < len(benchmark.photos)
    )


def summarise(
    benchmark: Benchmark,
    metrics: Sequence[Metric] = METRICS,
    *,
    rounds: int = 10_000,
    seed: int = 0,
) -> tuple[Statistic, ...]:
    """Every metric of every method that has it, by metric and then by method."""
    reference = next((m for m in benchmark.methods if m.name == REFERENCE), None)
    found = []
    for metric in metrics:
        base = _samples(reference, metric) if reference else None
        for method in benchmark.methods:
            samples = _samples(method, metric)
            if samples is None:
                continue
            values, weights = samples
            difference = None
            if base is not None and method is not reference:
                difference = paired_bootstrap(values, base[0], weights, rounds=rounds, seed=seed)
            value = bootstrap(values, weights, rounds=rounds, seed=seed)
            count = round(float(weights.sum()))
            found.append(Statistic(method.name, metric.key, value, difference, count))
    return tuple(found)


def _samples(method: MethodScores, metric: Metric) -> tuple[np.ndarray, np.ndarray] | None:
    """(values, weights), (N,) each, over the photos that have this metric."""
    samples = [sample for photo in method.photos if (sample := metric.sample(photo))]
    if not samples:
        return None
    values, weights = np.array(samples, dtype=np.float64).T
    return values, weights

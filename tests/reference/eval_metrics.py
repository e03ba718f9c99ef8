"""Slow, obvious versions of eval.metrics: plain loops over plain numbers."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

Box = Sequence[float]
Numbers = Sequence[float]


def iou(a: Box, b: Box, cells: int = 400) -> float:
    """Counts the cells of a fine lattice over [0, 1]^2; exact for corners on the lattice."""
    shared = either = 0
    for i in range(cells):
        for j in range(cells):
            x, y = (i + 0.5) / cells, (j + 0.5) / cells
            in_a = a[0] < x < a[2] and a[1] < y < a[3]
            in_b = b[0] < x < b[2] and b[1] < y < b[3]
            shared += in_a and in_b
            either += in_a or in_b
    return shared / either


def boundary_error(a: Box, b: Box) -> float:
    across = abs(a[0] - b[0]) + abs(a[2] - b[2])
    down = abs(a[1] - b[1]) + abs(a[3] - b[3])
    return across / 4 + down / 4


def pair_hits(
    scores_a: Numbers, scores_b: Numbers, votes_a: Numbers, votes_b: Numbers
) -> tuple[float, int]:
    right, total = 0.0, 0
    for sa, sb, va, vb in zip(scores_a, scores_b, votes_a, votes_b, strict=True):
        if va == vb:
            continue
        total += 1
        if sa == sb:
            right += 0.5
        elif (sa > sb) == (va > vb):
            right += 1
    return right, total


def ranks(values: Numbers) -> list[float]:
    """1 + how many are smaller + half of the others that are equal."""
    return [
        1 + sum(v < value for v in values) + (sum(v == value for v in values) - 1) / 2
        for value in values
    ]


def pearson(a: Numbers, b: Numbers) -> float:
    mean_a, mean_b = math.fsum(a) / len(a), math.fsum(b) / len(b)
    joint = math.fsum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    spread_a = math.fsum((x - mean_a) ** 2 for x in a)
    spread_b = math.fsum((y - mean_b) ** 2 for y in b)
    return joint / math.sqrt(spread_a * spread_b) if spread_a * spread_b > 0 else 0.0


def spearman(a: Numbers, b: Numbers) -> float:
    return pearson(ranks(a), ranks(b))


def accuracy_at(scores: Numbers, mos: Numbers, k: int, n: int) -> float:
    """The published rule, averaged over every order in which equal scores may be listed."""
    k, n = min(k, len(scores)), min(n, len(mos))
    threshold = sorted(mos, reverse=True)[n - 1]
    shares = []
    for order in itertools.permutations(range(len(scores))):
        listed = sorted(order, key=lambda i: scores[i], reverse=True)  # stable
        shares.append(sum(mos[i] >= threshold for i in listed[:k]) / k)
    return sum(shares) / len(shares)


def bootstrap(
    values: Numbers, weights: Numbers, rounds: int, seed: int
) -> tuple[float, float, float]:
    """Mean and the 2.5th and 97.5th of 100 resampled means, with chance of its own."""
    chance = random.Random(seed)
    means = []
    for _ in range(rounds):
        drawn = chance.choices(range(len(values)), k=len(values))
        mass = sum(weights[i] for i in drawn)
        means.append(sum(values[i] * weights[i] for i in drawn) / mass)
    means.sort()
    mean = sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)
    return mean, means[round(0.025 * (rounds - 1))], means[round(0.975 * (rounds - 1))]

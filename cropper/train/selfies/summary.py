"""What labels were made of, in writing: counts at each step, the groups, likes by audience."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cropper.train.selfies.likes import OUT, Labels, Posts

__all__ = ["likes_by_audience", "summarise_labels"]

_LIKES = (0, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)  # lower edges of the histogram's columns
_AUDIENCES = (0, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)


def likes_by_audience(likes: NDArray[np.int64], audience: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) and (N,) -> (audiences, likes) counts; rows and columns start at the edges above."""
    row = np.searchsorted(_AUDIENCES, audience, "right") - 1
    column = np.searchsorted(_LIKES, likes, "right") - 1
    shape = (len(_AUDIENCES), len(_LIKES))
    flat = np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1])
    return flat.reshape(shape)


def summarise_labels(posts: Posts, labels: Labels, group: int) -> str:
    """Plain text; ``group`` is the size of a whole group."""
    lines = [f"{len(posts):10,} posts"]
    lines += [f"{-step.out:10,} {step.rule}" for step in labels.steps]
    positive, negative = (int((labels.label == value).sum()) for value in (1, 0))
    lines.append(
        f"{positive + negative:10,} labelled: {positive:,} positive, {negative:,} negative"
    )
    lines += ["", *_groups(posts, labels, group), "", *_histogram(posts, labels)]
    return "\n".join(lines)


def _groups(posts: Posts, labels: Labels, group: int) -> list[str]:
    ranked = labels.group != OUT
    sizes = np.bincount(labels.group[ranked], minlength=labels.groups)
    lines = [f"{labels.groups:,} groups of {group} by audience, the largest first"]
    if labels.remainder:
        joined = sizes[-1] != labels.remainder
        place = f"joined the last group, of {sizes[-1]}" if joined else "are a group of their own"
        lines.append(f"the {labels.remainder} posts after the last whole group {place}")
    order = np.lexsort((posts.likes[ranked], labels.group[ranked]))
    likes = posts.likes[ranked][order]
    starts = np.cumsum(sizes) - sizes
    middle = (likes[starts + (sizes - 1) // 2] + likes[starts + sizes // 2]) / 2
    spread = likes[starts + (3 * sizes) // 4] - likes[starts + sizes // 4]
    for name, values in (("median likes", middle), ("likes between quartiles", spread)):
        low, centre, high = np.quantile(values, [0.05, 0.5, 0.95])
        lines.append(
            f"{name} of a group: {centre:,.0f} in the middle, 90 % from {low:,.0f} to {high:,.0f}"
        )
    return lines


def _histogram(posts: Posts, labels: Labels) -> list[str]:
    """Of the posts that were ranked; empty rows are left out."""
    ranked = labels.group != OUT
    counts = likes_by_audience(posts.likes[ranked], labels.audience[ranked])
    head = "".join(f"{edge:>9,}" for edge in _LIKES)
    lines = ["posts by audience (rows, from) and likes (columns, from)", f"{'':>10}{head}"]
    for edge, row in zip(_AUDIENCES, counts, strict=True):
        if row.any():
            lines.append(f"{edge:>10,}" + "".join(f"{n or '.':>9}" for n in row))
    return lines

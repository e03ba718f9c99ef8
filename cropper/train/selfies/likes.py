"""Labels from likes, as in 2015: a post is good where it got more likes than posts like it.

Likes grow with the audience, so a post is held against posts of about the same audience: posts are
ordered by audience, marched down in groups of 100 and ranked by likes within their group; the
upper half is positive, the lower half negative (Karpathy, "What a Deep Neural Network thinks about
your #selfie"). Pure functions on arrays, a row a post.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropper.errors import ConfigError, DataError

__all__ = ["OUT", "LabelRules", "Labels", "Posts", "Step", "halves", "label_posts"]

OUT = -1  # neither positive nor negative

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Posts:
    """A table of posts, (N,) each."""

    likes: Ints
    followers: Ints  # of the user who posted it
    tags: Ints
    posted: NDArray[np.datetime64]  # at day resolution

    def __post_init__(self) -> None:
        columns = (self.likes, self.followers, self.tags)
        if any(len(column) != len(self.posted) for column in columns):
            raise DataError("the columns of a table of posts are of one length")
        for name, column in zip(("likes", "followers", "tags"), columns, strict=True):
            if len(column) and column.min() < 0:
                raise DataError(f"{name} are counts from 0 up, got {column.min()}")

    def __len__(self) -> int:
        return len(self.posted)


@dataclass(frozen=True)
class LabelRules:
    """Which posts are compared, and with which."""

    as_of: np.datetime64 | None = None  # the day that ages count from; None: of the latest post
    min_age: int = 30  # days; a younger post has not got all of its likes yet
    min_followers: int = 100  # below, likes are those of friends and family
    max_followers: int = 100_000  # above, they are those of fans
    max_tags: int = 15  # more is fishing for likes
    tag_bonus: float = 10.0  # followers that each tag after the first is worth: more eyes see it
    group: int = 100  # posts ranked together
    drop_middle: float = 0.0  # share of each group left out around its middle: less noise
    seed: int = 0  # of the order of posts with equal audiences

    def __post_init__(self) -> None:
        if self.group < 2:
            raise ConfigError(f"a group has at least 2 posts, got {self.group}")
        if not 0 <= self.drop_middle < 1:
            raise ConfigError(f"drop-middle is a share from 0 up to 1, got {self.drop_middle}")
        if not 0 <= self.min_followers <= self.max_followers:
            raise ConfigError(
                f"min-followers is at most max-followers, got {self.min_followers} and "
                f"{self.max_followers}"
            )
        if self.min_age < 0 or self.tag_bonus < 0:
            raise ConfigError(
                f"min-age and tag-bonus are not below 0, got {self.min_age} and {self.tag_bonus}"
            )


@dataclass(frozen=True)
class Step:
    """One rule, and how many posts it left out."""

    rule: str
    out: int


@dataclass(frozen=True)
class Labels:
    """What became of each post."""

    label: NDArray[np.int8]  # (N,): 1 positive, 0 negative, OUT
    group: Ints  # (N,): from 0, the largest audience, down; OUT
    audience: NDArray[np.float64]  # (N,)
    steps: tuple[Step, ...]  # in the order in which they were applied
    remainder: int  # posts left over after the last whole group; they are in it or make their own

    @property
    def groups(self) -> int:
        return int(self.group.max(initial=OUT)) + 1

    def to_dict(self) -> dict[str, Any]:
        """Counts alone, for a checkpoint's header."""
        return {
            "posts": len(self.label),
            "steps": [asdict(step) for step in self.steps],
            "groups": self.groups,
            "remainder": self.remainder,
            "positive": int((self.label == 1).sum()),
            "negative": int((self.label == 0).sum()),
        }


def label_posts(posts: Posts, rules: LabelRules | None = None) -> Labels:
    """Leave out, group by audience, rank by likes. Raises DataError where no post is left."""
    rules = rules or LabelRules()
    audience = posts.followers + rules.tag_bonus * np.maximum(posts.tags - 1, 0)
    kept, steps = _select(posts, rules)
    if not kept.any():
        counts = "; ".join(f"{step.rule}: {step.out}" for step in steps)
        raise DataError(f"none of {len(posts)} posts is left ({counts}): loosen the rules")
    group = np.full(len(posts), OUT, dtype=np.int64)
    rows = np.flatnonzero(kept)
    group[rows] = _march(audience[rows], rules)
    label = np.full(len(posts), OUT, dtype=np.int8)
    label[rows] = halves(posts.likes[rows], group[rows], rules.drop_middle)
    undecided = int((label[rows] == OUT).sum())
    middle = f"in the middle {rules.drop_middle:.0%} of their group, or " * bool(rules.drop_middle)
    steps.append(Step(f"{middle}tied across the line between the halves", undecided))
    return Labels(label, group, audience, tuple(steps), len(rows) % rules.group)


def _select(posts: Posts, rules: LabelRules) -> tuple[NDArray[np.bool_], list[Step]]:
    day = rules.as_of
    if day is None:
        day = posts.posted.max() if len(posts) else np.datetime64("1970-01-01")
    age = (day - posts.posted) / np.timedelta64(1, "D")
    tests = [
        (f"younger than {rules.min_age} days at {day}", age < rules.min_age),
        (f"by users with under {rules.min_followers} followers",
         posts.followers < rules.min_followers),
        (f"by users with over {rules.max_followers} followers",
         posts.followers > rules.max_followers),
        (f"with more than {rules.max_tags} tags", posts.tags > rules.max_tags),
    ]  # fmt: skip
    kept = np.ones(len(posts), dtype=bool)
    steps = []
    for rule, fails in tests:
        steps.append(Step(rule, int((kept & fails).sum())))
        kept &= ~fails
    return kept, steps


def _march(audience: NDArray[np.float64], rules: LabelRules) -> Ints:
    """(N,) -> (N,): the group of each post, 0 for the largest audiences.

    What is left after the last whole group joins it where that is less than half a group, and is a
    group of its own where it is more.
    """
    count = len(audience)
    chance = np.random.default_rng(rules.seed).random(count)  # equal audiences, in any file order
    order = np.lexsort((chance, -audience))
    whole, rest = divmod(count, rules.group)
    last = max(whole + (2 * rest >= rules.group) - 1, 0)
    group = np.empty(count, dtype=np.int64)
    group[order] = np.minimum(np.arange(count) // rules.group, last)
    return group


def halves(values: NDArray[Any], group: Ints, drop_middle: float = 0.0) -> NDArray[np.int8]:
    """(N,) values and groups -> (N,): 1 in the upper half of its group, 0 in the lower, else OUT.

    Equal values get equal labels: those that lie on both sides of the line get OUT, as does the
    middle one of an odd group, and what ``drop_middle`` leaves out of both halves.
    """
    order = np.lexsort((values, group))
    sorted_group, sorted_values = group[order], values[order]
    place = np.arange(len(order))
    new_group = np.ones(len(order), dtype=bool)
    new_group[1:] = sorted_group[1:] != sorted_group[:-1]
    new_value = new_group.copy()
    new_value[1:] |= sorted_values[1:] != sorted_values[:-1]
    start, size = _runs(new_group, place)
    first, equals = _runs(new_value, place)
    lower = (first - start) / size  # share of the group below this value
    upto = (first - start + equals) / size  # and below or equal
    label = np.full(len(order), OUT, dtype=np.int8)
    slack = 1e-9
    label[order[lower >= 0.5 + drop_middle / 2 - slack]] = 1
    label[order[upto <= 0.5 - drop_middle / 2 + slack]] = 0
    return label


def _runs(starts: NDArray[np.bool_], place: Ints) -> tuple[Ints, Ints]:
    """(N,) flags of where runs start -> (N,) start and (N,) length of the run of each place."""
    at = np.flatnonzero(starts)
    run = np.cumsum(starts) - 1
    lengths = np.diff(np.append(at, len(place)))
    return at[run], lengths[run]

"""The ways to the angle of a tilted photo, on one budget: a pass, two, a search, ascents.

An evaluation is one look at the photo, turned by one angle. A slope by backprop comes with its look
and counts as one, though it takes longer: the time, which is the processor's, says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cropper.errors import ConfigError
from cropper.image import View, load_image
from cropper.statistics import bootstrap, paired_bootstrap
from eval.levelness import SOURCE_SIDE, Levelness
from eval.photos import Progress, of_split
from eval.report import aligned
from eval.tilt import FOUND, look_again, surest_guess, turned_views

__all__ = ["ANGLE_ARMS", "OFFSETS", "Looks", "Trial", "against", "measure_angles", "render_angles"]

Floats = NDArray[np.float64]

_MOST = 15.0  # degrees that are searched, either way
_STARTS = 12  # angles of the even grid
_NEAR = 3.0  # degrees around the one pass's angle that are searched
_REACH = 1.0  # degrees either way, of a slope by differences
_LEAST = 2 * _STARTS  # evaluations of a budget
OFFSETS = (1, 2, 4, 8, 12)  # degrees from home, either way, at which slopes are asked for


@dataclass
class Looks:
    """One photo's levelness and what an arm has seen of it."""

    view: View
    budget: int
    spent: int = 0  # evaluations
    angles: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    @cached_property
    def _levelness(self) -> Levelness:
        return Levelness(self.view)

    @property
    def left(self) -> int:
        return self.budget - self.spent

    @property
    def best(self) -> float:
        return self.angles[int(np.argmax(self.scores))]

    def look(self, angles: Floats) -> Floats:
        """(N,) degrees -> (N,) log-probabilities, one evaluation each."""
        with torch.no_grad():
            found = [self._levelness(torch.tensor([each])).item() for each in angles.tolist()]
        return self._seen(angles.tolist(), found)

    def slope(self, angle: float) -> float:
        """By backprop, a degree; one evaluation."""
        at = torch.tensor([angle], requires_grad=True)
        score = self._levelness(at)
        (slope,) = torch.autograd.grad(score.sum(), at)
        self._seen([angle], [score.item()])
        return slope.item()

    def difference(self, angle: float) -> float:
        """The slope over a degree either way; two evaluations."""
        behind, ahead = self.look(np.array([angle - _REACH, angle + _REACH]))
        return float(ahead - behind) / (2 * _REACH)

    def _seen(self, angles: list[float], scores: list[float]) -> Floats:
        self.spent += len(angles)
        self.angles += angles
        self.scores += scores
        return np.array(scores)


def _grid(centre: float, reach: float, count: int) -> Floats:
    """(count,) even angles within a reach: the middles of as many parts of it."""
    return np.clip(centre + reach * ((2 * np.arange(count) + 1) / count - 1), -_MOST, _MOST)


def _search(looks: Looks, centre: float, reach: float) -> float:
    """Coarse to fine: half of what is left on a grid, then twice a quarter around the best."""
    coarse, fine = looks.left // 2, looks.left // 4
    for count in (coarse, fine, looks.left - coarse - fine):
        looks.look(_grid(centre, reach, count))
        centre, reach = looks.best, 2 * reach / count
    return looks.best


def _ascend(
    looks: Looks,
    start: float,
    step: float,
    slope: Callable[[Looks, float], float] = Looks.slope,
    cost: int = 1,
) -> float:
    """Adam as ``spatial_transformer.optimize`` has it, its step falling to a tenth."""
    count = looks.left // cost
    angle, mean, square = start, 0.0, 0.0
    for number in range(1, count + 1):
        found = slope(looks, angle)
        mean, square = 0.8 * mean + 0.2 * found, 0.95 * square + 0.05 * found**2
        scaled = (mean / (1 - 0.8**number)) / ((square / (1 - 0.95**number)) ** 0.5 + 1e-12)
        angle = float(np.clip(angle + step * 0.1 ** ((number - 1) / count) * scaled, -_MOST, _MOST))
    return looks.best


def _one_pass(looks: Looks) -> float:
    looks.spent += 1
    return surest_guess(looks.view)


def _look_again(looks: Looks) -> float:
    looks.spent += 2
    return look_again(looks.view)


def _dozen(looks: Looks) -> float:
    looks.look(_grid(0.0, _MOST, _STARTS))
    return looks.best


ANGLE_ARMS: dict[str, Callable[[Looks], float]] = {
    "one pass": _one_pass,
    "look again": _look_again,
    "search": lambda looks: _search(looks, 0.0, _MOST),
    "search around the one pass": lambda looks: _search(looks, _one_pass(looks), _NEAR),
    "ascent from 0": lambda looks: _ascend(looks, 0.0, 2.0),
    "ascent from the one pass": lambda looks: _ascend(looks, _one_pass(looks), 0.5),
    "ascent from the best of a dozen": lambda looks: _ascend(looks, _dozen(looks), 1.0),
    "the same, slopes over 2 degrees": lambda looks: _ascend(
        looks, _dozen(looks), 1.0, Looks.difference, 2
    ),
}
SEARCH, PASS = "search", "one pass"


@dataclass(frozen=True)
class Trial:
    """One photo, by T turns, A arms and the offsets D, either way."""

    truth: Floats  # (T,) degrees
    found: Floats  # (T, A) degrees
    score: Floats  # (T, A): log-probability of what was found
    evaluations: NDArray[np.int64]  # (T, A)
    seconds: Floats  # (T, A), of the processor
    toward: Floats
    """(T, 2, 2, 2 D): slopes by backprop and by differences, positive towards home, at each offset
    from the known angle and from the highest that any arm found."""


def measure_angles(
    root: Path,
    split: str,
    *,
    budget: int = _LEAST,
    turns: int = 2,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Trial]:
    """All arms on the photos of a split that can be read, each turned ``turns`` times.

    Raises DataError where there is none, and ConfigError for too small a budget.
    """
    if budget < _LEAST:
        raise ConfigError(f"`budget` is at least {_LEAST} evaluations, got {budget}: raise it")

    def tried(index: int, path: Path) -> Trial:
        return _tried(path, budget, turns, np.random.default_rng([seed, index]))

    return of_split(root, split, tried, limit=limit, progress=progress)


def _tried(path: Path, budget: int, turns: int, rng: np.random.Generator) -> Trial:
    truth, views = zip(*turned_views(load_image(path), turns, rng, SOURCE_SIDE), strict=True)
    rows = [[_by(arm, view, budget) for arm in ANGLE_ARMS.values()] for view in views]
    found, score, evaluations, seconds = np.moveaxis(np.array(rows), 2, 0)
    highest = found[np.arange(turns), score.argmax(1)]
    toward = [
        [_toward(view, home) for home in homes]
        for view, *homes in zip(views, truth, highest, strict=True)
    ]
    return Trial(np.array(truth), found, score, evaluations.astype(int), seconds, np.array(toward))


def _by(
    arm: Callable[[Looks], float], view: View, budget: int
) -> tuple[float, float, float, float]:
    start = time.process_time()
    looks = Looks(view, budget)
    found = arm(looks)
    seconds, spent = time.process_time() - start, looks.spent
    return found, float(looks.look(np.array([found]))[0]), spent, seconds


def _toward(view: View, home: float) -> Floats:
    """(2, 2 D): slopes by backprop and by differences, at each offset below home, then above."""
    looks = Looks(view, 0)
    away = np.array([*(-each for each in OFFSETS), *OFFSETS])
    slopes = [[kind(home + each) for each in away] for kind in (looks.slope, looks.difference)]
    toward: Floats = np.array(slopes) * -np.sign(away)
    return toward


def render_angles(trials: Sequence[Trial]) -> str:
    """Plain text: the arms, then where slopes point."""
    turns = len(trials[0].truth)
    return "\n".join(
        [
            f"{len(trials)} photos, each turned {turns} times by up to {FOUND:.0f} degrees",
            aligned(_arms(trials)),
            "",
            "slopes that point home, and those by backprop that point as those over 2 degrees do",
            aligned(_homes(trials)),
        ]
    )


def _arms(trials: Sequence[Trial]) -> list[list[str]]:
    names = list(ANGLE_ARMS)
    truth = np.stack([each.truth for each in trials])[..., None]  # (P, T, 1)
    found = np.stack([each.found for each in trials])  # (P, T, A)
    wrong = np.abs(found - truth)
    error = wrong.mean(1)  # (P, A)
    own = (found - truth).mean(1, keepdims=True)  # what a photo's turns have in common
    apart = np.abs(found - truth - own).mean(1)
    score = np.stack([each.score for each in trials]).mean(1)
    spent = np.stack([each.evaluations for each in trials]).mean((0, 1))
    seconds = np.median(np.stack([each.seconds for each in trials]), (0, 1))
    search, one = names.index(SEARCH), names.index(PASS)
    rows = [
        ["arm", "evaluations", "ms", "log-probability", "less search's",
         "mean error", "median", "within a degree", "of a photo's turns",
         "error less search's", "less one pass's", "nearer than search"]
    ]  # fmt: skip
    for index, name in enumerate(names):
        rows.append(
            [
                name,
                f"{spent[index]:.0f}",
                f"{1000 * seconds[index]:.0f}",
                f"{score[:, index].mean():.2f}",
                against(score, index, search),
                f"{bootstrap(error[:, index]):.2f}",
                f"{np.median(wrong[..., index]):.2f}",
                f"{bootstrap((wrong[..., index] <= 1).mean(1)):.0%}",
                f"{apart[:, index].mean():.2f}",
                against(error, index, search),
                against(error, index, one),
                _nearer(wrong, index, search),
            ]
        )
    return rows


def against(values: Floats, index: int, other: int, form: str = "+.2f") -> str:
    """(P, A): the paired difference of two arms with its interval over photos, as text."""
    if index == other:
        return ""
    return format(paired_bootstrap(values[:, index], values[:, other]), form)


def _nearer(wrong: Floats, index: int, other: int) -> str:
    """The share of turns with the smaller error, equal ones as halves."""
    if index == other:
        return ""
    less = np.sign(wrong[..., other] - wrong[..., index])
    return f"{bootstrap((less.mean(1) + 1) / 2):.0%}"


def _homes(trials: Sequence[Trial]) -> list[list[str]]:
    toward = np.stack([each.toward for each in trials]) > 0  # (P, T, home, kind, 2 D)
    toward = toward.reshape(*toward.shape[:4], 2, -1)
    rows = [["degrees from home", *map(str, OFFSETS)]]
    for index, home in enumerate(("the known angle", "the highest angle found")):
        backprop, wide = np.moveaxis(toward[:, :, index], 2, 0)
        for name, values in (
            (f"{home}: backprop", backprop),
            (f"{home}: over 2 degrees", wide),
            (f"{home}: both alike", backprop == wide),
        ):
            shares = values.mean((1, 2)).T
            rows.append([name, *(f"{bootstrap(each):.0%}" for each in shares)])
    return rows

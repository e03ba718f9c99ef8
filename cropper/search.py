"""Search over a function: objective and space in, result out.

An objective maps boxes (N, 4), px, to scores (N,), higher is better. This module knows no pixels
and no network, so an analytic function serves as well as a ConvNet, and tests use one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Boxes, Crop, area, nms
from cropper.errors import ScorerOutputError, SearchError
from cropper.result import SearchResult, StopReason
from cropper.space import CropSpace, Params

__all__ = ["STRATEGIES", "Objective", "SearchConfig", "search"]

Objective = Callable[[Boxes], NDArray[np.floating]]
_COARSEST = 0.9  # stride
Progress = Callable[[int, int], None]  # evaluations so far, budget


@dataclass(frozen=True)
class SearchConfig:
    """How to search; every field has a default that suits a cheap objective."""

    strategy: str = "grid"  # exhaustive; 'random' as in 2015; 'halving' for costly objectives
    budget: int = 10_000  # evaluations at most; the grid is as fine as the budget allows
    seed: int = 0  # of draws: 'random', and 'halving' where no grid is affordable
    top_k: int = 1  # crops returned, best first
    nms_iou: float = 0.7  # two returned crops overlap at most this much
    stride: float | None = None  # grid step as a fraction of the crop's side; None: from the budget
    resolution: float = 0.02  # 'halving' is done below this step, a fraction of the crop's side

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise SearchError(f"strategy is one of {', '.join(STRATEGIES)}, got {self.strategy!r}")
        for name, least in (("budget", 1), ("top_k", 1), ("seed", 0)):
            if (value := getattr(self, name)) < least:
                raise SearchError(f"{name} is at least {least}, got {value}")
        if self.stride is not None and not 0 < self.stride < 1:
            raise SearchError(f"stride is between 0 and 1, got {self.stride}")


def search(
    objective: Objective,
    space: CropSpace | Sequence[CropSpace],
    config: SearchConfig | None = None,
    progress: Progress | None = None,
) -> SearchResult:
    """Maximise ``objective`` over a space, or over several spaces together.

    The answer depends on the objective, the spaces and the config alone. Equal scores go to the
    larger, then the more central box. Raises SearchError where the budget is too small for the
    strategy and ScorerOutputError where the objective breaks its contract.
    """
    config = config or SearchConfig()
    spaces = (space,) if isinstance(space, CropSpace) else tuple(space)
    if not spaces:
        raise SearchError("search needs at least one crop space, got none")
    run = _Run(objective, spaces, config.budget, progress)
    stop = STRATEGIES[config.strategy](run, config)
    order = run.ranking()[: max(10_000, config.top_k)]
    kept = order[nms(run.boxes[order], config.nms_iou, config.top_k)]
    return SearchResult(
        crops=tuple(Crop.of(run.boxes[i], run.scores[i]) for i in kept),
        strategy=config.strategy,
        evaluations=len(run.scores),
        rounds=run.rounds,
        stop=stop,
    )


@dataclass
class _Run:
    """Everything scored so far, as arrays of struct."""

    objective: Objective
    spaces: tuple[CropSpace, ...]
    budget: int
    progress: Progress | None
    boxes: Boxes = field(default_factory=lambda: np.empty((0, 4)))
    params: Params = field(default_factory=lambda: np.empty((0, 3)))
    owner: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))  # index of space
    scores: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    known: set[tuple[float, ...]] = field(default_factory=set)  # what ``score_new`` has scored
    rounds: int = 0

    @property
    def left(self) -> int:
        return self.budget - len(self.scores)

    def score(self, candidates: Sequence[tuple[int, Params]]) -> None:
        """Score (space index, params) groups in one call of the objective."""
        params = np.concatenate([params for _, params in candidates])
        owner = np.concatenate([np.full(len(each), index) for index, each in candidates])
        boxes = np.empty((len(params), 4))
        for index in {index for index, _ in candidates}:
            own = owner == index
            boxes[own] = self.spaces[index].boxes(params[own])
        scores = np.asarray(self.objective(boxes), dtype=np.float64)
        if scores.shape != (len(boxes),):
            raise ScorerOutputError(
                f"an objective gives one score a box: {len(boxes)} boxes, got shape {scores.shape}"
            )
        if not np.isfinite(scores).all():
            worst = int(np.argmin(np.isfinite(scores)))
            raise ScorerOutputError(f"scores are finite, got {scores[worst]} for {boxes[worst]}")
        self.boxes = np.concatenate([self.boxes, boxes])
        self.params = np.concatenate([self.params, params])
        self.owner = np.concatenate([self.owner, owner])
        self.scores = np.concatenate([self.scores, scores])
        self.rounds += 1
        if self.progress:
            self.progress(len(self.scores), self.budget)

    def score_new(self, candidates: Sequence[tuple[int, Params]]) -> None:
        """``score``, and remember what ``unseen`` is to leave out from now on."""
        self.score(candidates)
        for owner, params in candidates:
            self.known.update(_keys(owner, params))

    def ranking(self) -> NDArray[np.intp]:
        """Indices, best first; ties to the larger, then the more central, then the earlier box."""
        size = np.array(self.spaces[0].size, dtype=np.float64)
        centres = (self.boxes[:, :2] + self.boxes[:, 2:]) / 2
        off_centre = np.abs(centres / size - 0.5).sum(axis=1)
        order: NDArray[np.intp] = np.lexsort(
            (off_centre.round(9), -area(self.boxes).round(3), -self.scores)
        )
        return order

    def unseen(self, owner: int, params: Params) -> Params:
        """The params that this space has not scored yet, each once (to 9 digits)."""
        rows = {key: row for row, key in enumerate(_keys(owner, params)) if key not in self.known}
        kept: Params = params[list(rows.values())]
        return kept


def _keys(owner: int, params: Params) -> list[tuple[float, ...]]:
    return [(owner, *row) for row in params.round(9).tolist()]


def _grid(run: _Run, config: SearchConfig) -> StopReason:
    stride = config.stride or _finest_stride(run.spaces, run.budget)
    count = sum(space.grid_size(stride) for space in run.spaces)
    if count > run.budget:
        raise SearchError(
            f"a grid of stride {stride} has {count} crops, over the budget of {run.budget}: "
            "raise the budget or the stride"
        )
    run.score([(index, space.grid(stride)) for index, space in enumerate(run.spaces)])
    return StopReason.EXHAUSTED


def _random(run: _Run, config: SearchConfig) -> StopReason:
    run.score(_drawn(run, run.budget, config.seed))
    return StopReason.BUDGET


def _drawn(run: _Run, number: int, seed: int) -> list[tuple[int, Params]]:
    rng = np.random.default_rng(seed)
    owners = rng.integers(len(run.spaces), size=number)
    counts = np.bincount(owners, minlength=len(run.spaces))
    return [
        (index, space.sample(int(count), rng))
        for index, (space, count) in enumerate(zip(run.spaces, counts, strict=True))
    ]


def _halving(run: _Run, config: SearchConfig) -> StopReason:
    """A coarse grid on half the budget, then ever finer lattices around ever fewer survivors.

    After successive halving (Jamieson and Talwalkar 2016): each round halves both the stride and
    the number of survivors, which NMS keeps apart while there are several. Where even the coarsest
    grid is over the budget, as for crops that are mere strips, random draws stand in for it.
    """
    survivors = 16
    stride, first = _coarse_grids(run.spaces, run.budget)
    run.score_new(first or _drawn(run, max(run.budget // 2, 1), config.seed))
    while stride > config.resolution:
        stride /= 2
        order = run.ranking()[:2000]
        best = order[nms(run.boxes[order], config.nms_iou, survivors)]
        groups: list[tuple[int, Params]] = []
        spent = 0
        rounds = math.ceil(math.log2(stride / config.resolution)) + 1  # this one included
        share = min(run.left, max(run.left // max(rounds, 1), 27))  # 27: one neighbourhood
        for index in best:  # best survivor first, as many as the budget pays for
            owner = int(run.owner[index])
            around = run.spaces[owner].neighbourhood(run.params[index : index + 1], stride, 1)
            around = run.unseen(owner, around)
            if spent + len(around) > share:
                break
            groups.append((owner, around))
            spent += len(around)
        if not groups:
            return StopReason.BUDGET
        if spent:
            run.score_new(groups)
        survivors = max(survivors // 2, 1)
    return StopReason.CONVERGED


@lru_cache(32)  # the photos of a folder share their shapes
def _coarse_grids(
    spaces: tuple[CropSpace, ...], budget: int
) -> tuple[float, list[tuple[int, Params]]]:
    """A stride and the grids that take half of the budget, or more where that is the coarsest.

    No grids where even these are over the budget.
    """
    coarsest = sum(space.grid_size(_COARSEST) for space in spaces)
    if coarsest > budget:
        return _COARSEST, []
    stride = _finest_stride(spaces, max(budget // 2, coarsest))
    return stride, [(index, space.grid(stride)) for index, space in enumerate(spaces)]


@lru_cache(256)
def _finest_stride(spaces: tuple[CropSpace, ...], budget: int) -> float:
    """The smallest stride whose joint grid stays within the budget, to 1 part in 1000."""

    def count(stride: float) -> int:
        return sum(space.grid_size(stride) for space in spaces)

    coarse, fine = _COARSEST, 1e-3
    if count(coarse) > budget:
        raise SearchError(
            f"the coarsest grid of this space has {count(coarse)} crops, over the budget of "
            f"{budget}: raise the budget or use strategy 'halving'"
        )
    if count(fine) <= budget:
        return fine
    while coarse / fine > 1.001:
        middle = (coarse * fine) ** 0.5
        if count(middle) > budget:
            fine = middle
        else:
            coarse = middle
    return coarse


STRATEGIES: dict[str, Callable[[_Run, SearchConfig], StopReason]] = {
    "grid": _grid,
    "random": _random,
    "halving": _halving,
}

"""Recipes: where an ascent in affine parameters starts, how it climbs, and what pays for both.

    "stn"         the whole frame and random crops  -> ascent -> acceptance
    "search+stn"  the winners of a search           -> ascent -> acceptance
    "localizer"   one pass of a learned transformer

These three are ``--method`` of the product; evaluation compares them with variants of themselves.
This package never searches, so a recipe that starts from winners is given the search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from cropper.boxes import Boxes
from cropper.errors import ConfigError
from cropper.result import SearchResult, StopReason
from cropper.scorers.affine import BoundAffine
from spatial_transformer.affine import AffineCrop, Warp
from spatial_transformer.localizer import Localizer
from spatial_transformer.objective import RobustConfig, RobustObjective
from spatial_transformer.optimize import OptimizeConfig, Trajectory, climb, suited_optimizer

__all__ = ["RECIPES", "AscentTask", "Recipe", "Winners", "follow"]

Winners = Callable[[int, int], tuple[Boxes, int, int]]
"""(how many, budget) -> a search's diverse winners (N, 4) px, its evaluations and rounds."""


@dataclass(frozen=True)
class Recipe:
    """One way to a crop in up to six parameters."""

    start: str  # "random", "winners" or "localizer"
    optimizer: str | None = None  # None: what suits the scorer; of "localizer": no ascent at all
    starts: int = 4  # random ones beside the whole frame, or winners
    searched: float = 0.5  # share of the budget for the search of the winners
    parameters: int = 6  # as in OptimizeConfig
    climbs: bool = True
    shear: bool = False


RECIPES = {
    "stn": Recipe("random"),
    "search+stn": Recipe("winners"),
    "localizer": Recipe("localizer", climbs=False),
}


@dataclass(frozen=True)
class AscentTask:
    """What a recipe is followed with on one photo."""

    bound: BoundAffine
    space: AffineCrop
    budget: int  # evaluations, the search's included
    robust: RobustConfig
    seed: int = 0
    top_k: int = 1
    winners: Winners | None = None
    localizer: Localizer | None = None

    @property
    def objective(self) -> RobustObjective:
        return RobustObjective([self.bound], self.space, self.robust, self.seed)


def follow(
    recipe: Recipe, work: AscentTask
) -> tuple[tuple[Warp, ...], SearchResult, Trajectory | None]:
    """The crops, best first, what they cost, and how they were climbed to.

    The result's boxes are those around the crops, its scores robust. Raises ConfigError for a
    budget that is too small and for a recipe without the search or localizer that it needs.
    """
    if not recipe.shear:
        work = replace(work, space=replace(work.space, shear=0.0))
    starts, spent, rounds = _starts(recipe, work)
    if not recipe.climbs:
        with torch.no_grad():
            warps = tuple(Warp.of(each, work.space.size) for each in work.space.theta(starts))
        return warps, SearchResult((), recipe.start, 1, 1, StopReason.CONVERGED), None
    config = OptimizeConfig(
        recipe.optimizer or suited_optimizer(work.bound),
        budget=work.budget - spent,
        seed=work.seed,
        top_k=max(work.top_k, 1),
        parameters=recipe.parameters,
    )
    found, trajectory = climb(work.objective, starts, config)
    ends = {path.end.box.tobytes(): path.end for path in reversed(trajectory.paths)}
    warps = tuple(ends[np.array(crop.box).tobytes()] for crop in found.crops)
    total = replace(found, evaluations=found.evaluations + spent, rounds=found.rounds + rounds)
    return warps, total, trajectory


def _starts(recipe: Recipe, work: AscentTask) -> tuple[Tensor, int, int]:
    """(S, 6), and the evaluations and rounds that they took."""
    if recipe.start == "random":
        drawn = work.space.sample(recipe.starts, np.random.default_rng(work.seed))
        return torch.cat([work.space.identity, drawn]), 0, 0
    if recipe.start == "localizer" and work.localizer is not None:
        with torch.no_grad():
            params = work.localizer.params(work.bound, work.space)
        return (torch.cat([params, work.space.identity]) if recipe.climbs else params), 0, 0
    if recipe.start == "winners" and work.winners is not None:
        count = max(recipe.starts, work.top_k)
        boxes, evaluations, rounds = work.winners(count, int(work.budget * recipe.searched))
        return work.space.from_boxes(boxes), evaluations, rounds
    raise ConfigError(f"a recipe that starts from {recipe.start} needs the {recipe.start}")

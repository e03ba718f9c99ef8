"""The ways to a crop that ``compare`` holds against each other, on one budget of evaluations.

Each arm gets the same bound scorer, budget and seed. The searches know boxes, of the picture's own
aspect (three parameters) or of any (four); the transformers know theta (six) unless their name ends
in a smaller number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cropper.boxes import Boxes, normalise
from cropper.errors import ConfigError
from cropper.image import SourceImage
from cropper.sampling import theta_from_boxes
from cropper.scorers.affine import BoundAffine
from cropper.search import SearchConfig, search
from cropper.space import crop_spaces
from spatial_transformer.affine import AffineCrop, Warp
from spatial_transformer.localizer import Localizer
from spatial_transformer.objective import RobustConfig, RobustObjective
from spatial_transformer.optimize import METHODS, OptimizeConfig, Trajectory, climb, suited_method

__all__ = ["REFERENCE", "Arm", "Context", "Found", "available_arms"]

REFERENCE = "search"
_FINALISTS = 8  # crops of a search that the robust score chooses from
_WINNERS = 3  # of a search, from which a transformer starts
_RANDOM = 4  # starts of the transformers alone


@dataclass(frozen=True)
class Context:
    """One photo and what every arm may use."""

    image: SourceImage
    bound: BoundAffine
    budget: int
    seed: int
    min_scale: float
    robust: RobustConfig
    localizer: Localizer | None

    def space(self, aspect: str) -> AffineCrop:
        return AffineCrop.of(self.image.size, aspect, self.min_scale)

    def objective(self, space: AffineCrop) -> RobustObjective:
        return RobustObjective([self.bound], space, self.robust, self.seed)

    def by_boxes(self, boxes: Boxes) -> NDArray[np.float64]:
        with torch.no_grad():
            return self.bound(self.theta(boxes)).double().cpu().numpy()

    def theta(self, boxes: Boxes) -> Tensor:
        return theta_from_boxes(torch.from_numpy(normalise(boxes, self.image.size)))


@dataclass(frozen=True)
class Found:
    warp: Warp
    evaluations: int
    trajectory: Trajectory | None = None


@dataclass(frozen=True)
class Arm:
    name: str
    about: str  # a line for people
    parameters: int  # that it may choose
    run: Callable[[Context], Found]


def _search(context: Context, aspect: str) -> Found:
    boxes, spent = _winners(context, aspect, context.budget, 1)
    return Found(Warp.of(context.theta(boxes)[0], context.image.size), spent)


def _search_robust(context: Context, aspect: str) -> Found:
    """The search's diverse winners, the robust score choosing: acceptance without a transformer."""
    space = context.space(aspect)
    objective = context.objective(space)
    left = context.budget - _FINALISTS * objective.looks
    boxes, spent = _winners(context, aspect, left, _FINALISTS, 0.9)
    params = space.from_boxes(boxes)
    with torch.no_grad():
        best = int(objective.accept(params, params).argmax())
    warp = Warp.of(space.theta(params)[best], context.image.size)
    return Found(warp, spent + objective.evaluations)


def _winners(
    context: Context, aspect: str, budget: int, count: int, overlap: float = 0.7
) -> tuple[Boxes, int]:
    spaces = crop_spaces(context.image.size, aspect, context.min_scale)
    config = SearchConfig("halving", budget, context.seed, count, overlap)
    found = search(context.by_boxes, spaces, config)
    return np.array([crop.box for crop in found.crops]), found.evaluations


def _random_starts(context: Context, method: str) -> Found:
    space = context.space("free")
    starts = space.sample(_RANDOM, np.random.default_rng(context.seed))
    return _climbed(context, space, starts, OptimizeConfig(method, context.budget, context.seed))


def _search_then(context: Context, parameters: int, method: str) -> Found:
    """Half of the budget for the search, the rest for the transformer from its winners."""
    aspect = "original" if parameters == 3 else "free"
    boxes, spent = _winners(context, aspect, context.budget // 2, _WINNERS)
    space = context.space(aspect)
    left = context.budget - spent
    config = OptimizeConfig(method, left, context.seed, parameters=parameters)
    found = _climbed(context, space, space.from_boxes(boxes), config)
    return Found(found.warp, found.evaluations + spent, found.trajectory)


def _climbed(context: Context, space: AffineCrop, starts: Tensor, config: OptimizeConfig) -> Found:
    result, trajectory = climb(context.objective(space), starts, config)
    return Found(trajectory.best.end, result.evaluations, trajectory)


def _localizer(context: Context) -> Found:
    space = context.space("free")
    params = _localized(context, space)
    return Found(Warp.of(space.theta(params)[0], context.image.size), 0)


def _localizer_then(context: Context) -> Found:
    space = context.space("free")
    starts = torch.cat([_localized(context, space), space.identity])
    config = OptimizeConfig(suited_method(context.bound), context.budget, context.seed)
    return _climbed(context, space, starts, config)


def _localized(context: Context, space: AffineCrop) -> Tensor:
    if context.localizer is None:
        raise ConfigError("this arm takes a localizer: train one with `cropper train localizer`")
    return context.localizer.params(context.bound, space)


_ABOUT = {
    "pixel": "the spatial transformer of 2015: backprop into theta's six numbers, plain bilinear "
    "sampling, free to leave the photo",
    "pixel3": "the same with scale and place alone",
    "pyramid": "antialiased sampling, coarse to fine, corners kept inside",
    "jitter": "slopes averaged over small warps",
    "feature": "slopes through the feature map of the whole photo",
    "es": "evolution strategies: no slope at all",
}


def available_arms(bound: BoundAffine, localizer: Localizer | None) -> tuple[Arm, ...]:
    """All arms that this scorer can take, the searches first."""
    arms = [
        Arm(
            REFERENCE,
            "boxes of the photo's aspect, by halving",
            3,
            lambda c: _search(c, "original"),
        ),
        Arm("search free", "boxes of any aspect", 4, lambda c: _search(c, "free")),
        Arm(
            "search robust",
            "search, whose best crops the robust score chooses from",
            3,
            lambda c: _search_robust(c, "original"),
        ),
        Arm(
            "search free robust",
            "the same with any aspect",
            4,
            lambda c: _search_robust(c, "free"),
        ),
    ]
    for method in METHODS:
        if method.startswith("pixel") and not bound.reads_pixels:
            continue
        about = f"{_ABOUT[method]}; from {_RANDOM} random crops"

        def run(context: Context, method: str = method) -> Found:
            return _random_starts(context, method)

        arms.append(Arm(f"stn {method}", about, 3 if method == "pixel3" else 6, run))
    usual = suited_method(bound)
    other = "feature" if usual == "es" else "es"
    for count, method in ((3, usual), (4, usual), (6, usual), (6, other)):
        name = "search+stn" + (f" {count}" if count < 6 else "")
        name += f" {method}" if method != usual else ""
        about = f"half of the budget for the search, half for {method} on {count} parameters"

        def then(context: Context, count: int = count, method: str = method) -> Found:
            return _search_then(context, count, method)

        arms.append(Arm(name, about, count, then))
    if localizer is not None:
        arms.append(Arm("localizer", "one pass of the learned transformer", 6, _localizer))
        about = f"{usual} from the localizer's crop and the whole photo"
        arms.append(Arm("localizer+stn", about, 6, _localizer_then))
    return tuple(arms)

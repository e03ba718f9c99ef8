"""The ways to a crop that ``compare`` holds against each other, on one budget of evaluations.

Each arm gets the same bound scorer, budget and seed. The searches know boxes, of the photo's own
aspect (three parameters) or of any (four). The transformers are recipes, as the product's are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from cropper.boxes import Boxes, normalise
from cropper.image import SourceImage
from cropper.sampling import theta_from_boxes
from cropper.scorers.affine import BoundAffine
from cropper.space import crop_spaces
from cropper.transform import winners_of
from spatial_transformer.affine import AffineCrop, Warp
from spatial_transformer.localizer import Localizer
from spatial_transformer.objective import RobustConfig, RobustObjective
from spatial_transformer.optimize import OPTIMIZERS, Trajectory, suited_optimizer
from spatial_transformer.recipe import RECIPES, AscentTask, Recipe, follow

__all__ = ["REFERENCE", "Arm", "ArmCrop", "Context", "available_arms"]

REFERENCE = "search"
_FINALISTS = 8  # crops of a search that the robust score chooses from


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

    def theta(self, boxes: Boxes) -> Tensor:
        return theta_from_boxes(torch.from_numpy(normalise(boxes, self.image.size)))


@dataclass(frozen=True)
class ArmCrop:
    """What an arm came to."""

    warp: Warp
    evaluations: int
    trajectory: Trajectory | None = None


@dataclass(frozen=True)
class Arm:
    name: str
    about: str  # a line for people
    parameters: int  # that it may choose
    run: Callable[[Context], ArmCrop]


def _search(context: Context, aspect: str) -> ArmCrop:
    boxes, spent = _winners(context, aspect, context.budget, 1)
    return ArmCrop(Warp.of(context.theta(boxes)[0], context.image.size), spent)


def _search_robust(context: Context, aspect: str) -> ArmCrop:
    """The search's diverse winners, the robust score choosing: acceptance without a transformer."""
    space = context.space(aspect)
    objective = context.objective(space)
    left = context.budget - _FINALISTS * objective.looks
    boxes, spent = _winners(context, aspect, left, _FINALISTS, 0.9)
    params = space.from_boxes(boxes)
    with torch.no_grad():
        best = int(objective.accept(params, params).argmax())
    warp = Warp.of(space.theta(params)[best], context.image.size)
    return ArmCrop(warp, spent + objective.evaluations)


def _winners(
    context: Context, aspect: str, budget: int, count: int, overlap: float = 0.7
) -> tuple[Boxes, int]:
    spaces = crop_spaces(context.image.size, aspect, context.min_scale)
    winners = winners_of(context.bound, spaces, seed=context.seed)
    boxes, evaluations, _ = winners(count, budget, overlap)
    return boxes, evaluations


def _follow(context: Context, recipe: Recipe, aspect: str) -> ArmCrop:
    """As ``cropper.transform.TransformFinder`` follows its own."""
    spaces = crop_spaces(context.image.size, aspect, context.min_scale)
    work = AscentTask(
        context.bound,
        context.space(aspect),
        context.budget,
        context.robust,
        context.seed,
        winners=winners_of(context.bound, spaces, seed=context.seed),
        localizer=context.localizer,
    )
    warps, found, trajectory = follow(recipe, work)
    return ArmCrop(warps[0], found.evaluations, trajectory)


_ABOUT = {
    "pixel": "the spatial transformer of 2015: backprop into theta's six numbers, plain bilinear "
    "sampling, free to leave the photo",
    "pixel3": "the same with scale and place alone",
    "pyramid": "antialiased sampling, coarse to fine, corners kept inside",
    "jitter": "slopes averaged over small warps",
    "feature": "slopes through the feature map of the whole photo",
    "es": "evolution strategies: no slope at all",
}


_SEARCHES = tuple(
    Arm(name, about, parameters, partial(run, aspect=aspect))
    for name, about, parameters, run, aspect in (
        (REFERENCE, "boxes of the photo's aspect, by halving", 3, _search, "original"),
        ("search free", "boxes of any aspect", 4, _search, "free"),
        (
            "search robust",
            "search, whose best crops the robust score chooses from",
            3,
            _search_robust,
            "original",
        ),
        ("search free robust", "the same with any aspect", 4, _search_robust, "free"),
    )
)


def available_arms(bound: BoundAffine, localizer: Localizer | None) -> tuple[Arm, ...]:
    """All arms that this scorer can take, the searches first.

    ``stn``, ``search+stn`` and ``localizer`` are the product's own recipes; the others differ from
    them in what their names say.
    """
    arms = [*_SEARCHES]

    def add(name: str, about: str, recipe: Recipe, count: int = 5, aspect: str = "free") -> None:
        arms.append(Arm(name, about, count, lambda c: _follow(c, recipe, aspect)))

    stn, after = RECIPES["stn"], RECIPES["search+stn"]
    usual = suited_optimizer(bound)
    add("stn", f"as shipped: {_ABOUT[usual]}; from the whole frame and {stn.starts} crops", stn)
    for each in OPTIMIZERS:
        if each == usual or (each.startswith("pixel") and not bound.reads_pixels):
            continue
        count = {"pixel": 6, "pixel3": 3}.get(each, 5)
        add(f"stn {each}", f"the same by {_ABOUT[each]}", replace(stn, optimizer=each), count)
    about = f"as shipped: a search on half of the budget, {usual} from its {after.starts} winners"
    add("search+stn", about, after)
    other = "feature" if usual == "es" else "es"
    add(f"search+stn {other}", f"the same by {other}", replace(after, optimizer=other))
    for count, aspect in ((3, "original"), (4, "free")):
        recipe = replace(after, parameters=count)
        add(f"search+stn {count}", f"the same in {count} parameters", recipe, count, aspect)
    add("search+stn shear", "the same, which may shear too", replace(after, shear=True), 6)
    if localizer is not None:
        learned = RECIPES["localizer"]
        add("localizer", "as shipped: one pass of the learned transformer", learned)
        about = f"{usual} from the localizer's crop and the whole photo"
        add("localizer+stn", about, replace(learned, climbs=True))
    return tuple(arms)

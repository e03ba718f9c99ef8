"""Recipes on photos, and that evaluation measures the very ones that ship."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from cropper import Scorer, from_array, load_scorer
from cropper.boxes import Boxes, as_boxes, iou
from cropper.errors import ConfigError
from cropper.request import CropRequest
from cropper.scorers.affine import as_affine
from cropper.transform import TransformFinder
from eval.arms import Context, available_arms
from spatial_transformer.affine import AffineCrop
from spatial_transformer.localizer import localizer_for
from spatial_transformer.objective import RobustConfig
from spatial_transformer.optimize import OPTIMIZERS
from spatial_transformer.recipe import RECIPES, AscentTask, Recipe, follow
from tests.image.pictures import photo
from tests.spot import SpotScorer

IMAGE = from_array(photo(300, 200))


@pytest.fixture(scope="module")
def cropnet() -> Scorer:
    return load_scorer("cropnet", "cpu")


def given(*boxes: tuple[int, ...]) -> object:
    def winners(count: int, budget: int) -> tuple[Boxes, int, int]:
        return as_boxes(boxes), budget, 1

    return winners


def work(scorer: Scorer, budget: int, aspect: str = "original", **more: object) -> AscentTask:
    affine = as_affine(scorer)
    with torch.no_grad():
        bound = affine.bind_affine(scorer.spec.view(IMAGE))
    robust = RobustConfig.suited(scorer.spec.costly)
    return replace(AscentTask(bound, AffineCrop.of(IMAGE.size, aspect), budget, robust), **more)  # type: ignore[arg-type]


def test_a_crop_is_no_worse_than_its_starts(cropnet: Scorer) -> None:
    boxes = ((30, 20, 270, 180), (0, 0, 200, 150))
    todo = work(cropnet, 900, "free", winners=given(*boxes))
    _, found, path = follow(Recipe("winners", "es"), todo)
    assert path is not None
    starts = np.stack([each.start.box for each in path.paths])
    assert len(starts) == 2
    assert iou(starts, as_boxes(boxes)).max(1).min() > 0.999
    assert all(each.end_score >= each.start_score for each in path.paths)
    assert found.strategy == "es"
    assert 450 < found.evaluations <= 900  # half of them the search's


def test_random_starts_have_the_whole_frame_among_them(cropnet: Scorer) -> None:
    _, _, path = follow(Recipe("random", starts=2), work(cropnet, 400))
    assert path is not None
    boxes = np.stack([each.start.box for each in path.paths])
    assert len(boxes) == 3
    assert np.abs(boxes - [0, 0, 300, 200]).max(1).min() < 1e-9


@pytest.mark.parametrize("shear", [False, True])
def test_a_crop_is_sheared_only_where_the_recipe_allows_it(cropnet: Scorer, shear: bool) -> None:
    warps, _, _ = follow(Recipe("random", "es", shear=shear), work(cropnet, 600, "free"))
    theta = torch.tensor(warps[0].theta, dtype=torch.float64)[None]
    sheared = AffineCrop.of(IMAGE.size, "free").params(theta)[0, 5].abs().item()
    assert (sheared > 1e-6) is shear


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_every_optimizer_runs_over_convnet(optimizer: str) -> None:
    todo = work(load_scorer("convnet", "cpu"), 160, robust=RobustConfig(jitter=0))
    todo = replace(todo, winners=given((30, 20, 270, 180)))
    recipe = Recipe("winners", optimizer, searched=0.1)
    _, found, _ = follow(recipe, todo)
    assert found.evaluations <= 160
    assert math.isfinite(found.best.score)


def test_what_a_recipe_needs_is_said(cropnet: Scorer) -> None:
    for name in ("search+stn", "localizer"):
        with pytest.raises(ConfigError, match="needs the"):
            follow(RECIPES[name], work(cropnet, 400))
    with pytest.raises(ConfigError, match="convnet"):
        follow(Recipe("random", "pixel"), work(cropnet, 400))
    with pytest.raises(ConfigError, match="boxes alone"):
        as_affine(SpotScorer())


@pytest.mark.parametrize("method", sorted(RECIPES))
def test_the_arm_of_a_method_is_the_method(cropnet: Scorer, method: str) -> None:
    request = CropRequest(aspect="free", method=method, budget=1000, min_scale=0.6)
    shipped = TransformFinder(cropnet, method).find(IMAGE, request).best
    affine = as_affine(cropnet)
    bound = affine.bind_affine(cropnet.spec.view(IMAGE))
    localizer = localizer_for(affine)
    (arm,) = (each for each in available_arms(bound, localizer) if each.name == method)
    robust = RobustConfig.suited(False)
    measured = arm.run(Context(IMAGE, bound, 1000, 0, 0.6, robust, localizer)).warp
    # an upright crop is moved to whole pixels when it ships
    assert np.abs(np.array(shipped.quad) - measured.corners).max() <= (
        1e-9 if shipped.corners else 1.0
    )

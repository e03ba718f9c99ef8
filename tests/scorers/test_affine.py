"""Scores of theta: those of boxes where upright, with gradients, and what other readings are."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data
from torch import Tensor

from cropper import Scorer, from_array, load_scorer
from cropper.boxes import as_boxes, normalise
from cropper.errors import ConfigError
from cropper.image import View
from cropper.sampling import theta_from_boxes
from cropper.scorers.affine import AffineScorer, BoundAffine, Reading, as_affine
from cropper.scorers.convnet import ConvNetScorer
from tests.image.pictures import photo
from tests.spot import SpotScorer

torch.set_num_threads(1)

BOXES = as_boxes([[0, 0, 300, 200], [20, 30, 220, 150], [100, 0, 300, 200], [60, 40, 200, 190]])


@pytest.fixture(scope="module")
def view() -> View:
    return from_array(photo(300, 200)).view(300)


@pytest.fixture(scope="module", params=["cropnet", "convnet", "selfie"])
def scorer(request: pytest.FixtureRequest) -> Scorer:
    return load_scorer(request.param, "cpu")


def thetas(boxes: NDArray[np.float64], size: tuple[int, int]) -> Tensor:
    return theta_from_boxes(torch.from_numpy(normalise(boxes, size)))


def bound(scorer: Scorer, view: View) -> BoundAffine:
    return as_affine(scorer).bind_affine(view)


def turned(theta: Tensor, angle: float, size: tuple[int, int]) -> Tensor:
    """About its own centre, in pixels."""
    extent = theta.new_tensor(size)
    cos, sin = math.cos(angle), math.sin(angle)
    turn = theta.new_tensor([[cos, -sin], [sin, cos]])
    linear = turn @ (theta[:, :, :2] * extent[:, None]) / extent[:, None]
    return torch.cat([linear, theta[:, :, 2:]], 2)


def test_upright_crops_score_as_their_boxes(scorer: Scorer, view: View) -> None:
    expected = scorer.bind(view)(BOXES)
    found = bound(scorer, view)(thetas(BOXES, view.size))
    np.testing.assert_allclose(found.detach(), expected, atol=2e-4)


def test_the_gradient_is_that_of_finite_differences(scorer: Scorer, view: View) -> None:
    """Along random directions: single precision, and kinks where a sample crosses a pixel."""
    score = bound(scorer, view)
    theta = turned(thetas(BOXES[1:3] * 0.9 + 3, view.size), 0.06, view.size).float()
    tracked = theta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(score(tracked, Reading(coarse=1)).sum(), tracked)
    assert torch.isfinite(gradient).all()
    direction = gradient / gradient.norm()
    step = 2e-4  # convnet is rough: over ten times as much it is down to half of its slope
    with torch.no_grad():
        ahead = score(theta + step * direction, Reading(coarse=1)).sum()
        behind = score(theta - step * direction, Reading(coarse=1)).sum()
    slope = ((ahead - behind) / (2 * step)).item()
    assert slope == pytest.approx(gradient.norm().item(), rel=0.3)


def test_a_turn_changes_the_score_and_turning_back_restores_it(scorer: Scorer, view: View) -> None:
    score = bound(scorer, view)
    theta = thetas(BOXES[1:2], view.size)
    once = turned(theta, 0.2, view.size)
    back = turned(once, -0.2, view.size)
    before, after, again = (score(each).item() for each in (theta, once, back))
    assert abs(after - before) > 1e-3
    assert again == pytest.approx(before, abs=2e-4)


def test_readings_without_antialiasing_or_fine_levels_see_something_else(view: View) -> None:
    large = np.array(photo(1200, 800))
    scorer = load_scorer("convnet", "cpu")
    score = bound(scorer, from_array(large).view(1200))
    theta = torch.eye(2, 3)[None]
    with torch.no_grad():
        judged, bilinear, coarse = (
            score(theta, reading).item()
            for reading in (Reading(), Reading(antialias=False), Reading(coarse=4))
        )
    assert abs(judged - bilinear) > 1e-3
    assert abs(judged - coarse) > 1e-3


def test_convnet_by_the_pictures_features_ranks_crops_like_convnet_by_pixels() -> None:
    view = from_array(data.coffee()).view(512)
    score = bound(load_scorer("convnet", "cpu"), view)
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 0.5, (40, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.35, 0.5, (40, 2))], 1) * (view.size * 2)
    theta = thetas(boxes, view.size)
    with torch.no_grad():
        pixels, features = score(theta).numpy(), score(theta, Reading(features=True)).numpy()
    assert np.corrcoef(pixels, features)[0, 1] > 0.4


def test_other_backbones_have_no_feature_reading(view: View) -> None:
    scorer = load_scorer("convnet", "cpu")
    assert isinstance(scorer, ConvNetScorer)
    other = ConvNetScorer(torch.nn.Flatten(), scorer.preprocessing, scorer.spec)
    with pytest.raises(ConfigError, match="backbone 'trunk'"):
        bound(other, view)(torch.eye(2, 3)[None], Reading(features=True))


def test_a_scorer_of_boxes_alone_is_refused() -> None:
    assert not isinstance(SpotScorer(), AffineScorer)
    with pytest.raises(ConfigError, match="judges boxes alone"):
        as_affine(SpotScorer())

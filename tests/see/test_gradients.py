"""Integrated gradients: of networks whose answer is known, and of the shipped scorers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor, nn

from cropper.boxes import normalise
from cropper.errors import ConfigError
from cropper.image import View, from_array
from cropper.sampling import theta_from_boxes
from cropper.scorers import BoundScorer, Scorer, ScorerSpec, load_scorer
from cropper.scorers.affine import BoundPixels, as_pixels
from cropper.scorers.convnet import ConvNetScorer, Preprocessing
from cropper.see import attribute_score
from cropper.see.why import _blurred

SPEC = ScorerSpec("known", 240, 100, costly=False, summary="for tests", licence="none")
SHIPPED = ("cropnet", "convnet", "selfie")
WHOLE = (0.0, 0.0, 480.0, 240.0)


class Known:
    """Scores any crop by a function of the photo's pixels in [0, 1]."""

    spec = SPEC

    def __init__(self, of: Callable[[Tensor], Tensor]) -> None:
        self.of = of

    def bind(self, view: View) -> BoundScorer:
        raise NotImplementedError

    def bind_pixels(self, view: View) -> BoundPixels:
        return BoundPixels(
            view.pixels, lambda pixels, theta: self.of(pixels / 255).expand(len(theta))
        )


def noisy(seed: int = 0) -> View:
    pixels = np.random.default_rng(seed).integers(0, 256, (120, 240, 3), dtype=np.uint8)
    return View(pixels, (480, 240))


def weights() -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(120, 240, 3))).float()


def parts_of(values: np.ndarray) -> np.ndarray:
    """(120, 240, 3) -> (6, 12), by hand: parts are 20 px a side."""
    return values.reshape(6, 20, 12, 20, 3).sum((1, 3, 4))


def test_a_linear_score_is_shared_out_exactly_in_one_step() -> None:
    view, linear = noisy(), weights()
    found = attribute_score(Known(lambda x: (linear * x).sum()), view, WHOLE, steps=1)
    change = view.pixels.astype(float) - _blurred(view)
    assert np.allclose(found.parts, parts_of(linear.numpy() * change / 255), atol=1e-3)
    assert abs(found.missing) < 1e-3


def test_a_linear_network_on_crops_gives_each_part_what_blurring_it_takes() -> None:
    """Of the scorer's own way from pixels to a crop, which is linear too."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 24 * 24, 1))
    half = (0.5, 0.5, 0.5)
    scorer = ConvNetScorer(module, Preprocessing(24, half, half), SPEC)
    view, box = noisy(), (120.0, 40.0, 360.0, 200.0)
    found = attribute_score(scorer, view, box, steps=1)
    bound = scorer.bind_pixels(view)
    theta = theta_from_boxes(torch.from_numpy(normalise(np.array([box]), view.size)).float())
    pixels, blurred = torch.from_numpy(view.pixels).float(), torch.from_numpy(_blurred(view))
    whole = bound.score(pixels, theta)
    for row, column in np.ndindex(6, 12):
        hidden = pixels.clone()
        part = np.s_[20 * row : 20 * row + 20, 20 * column : 20 * column + 20]
        hidden[part] = blurred[part].float()
        lost = float((whole - bound.score(hidden, theta)).detach())
        assert found.parts[row, column] == pytest.approx(lost, abs=1e-5)
    assert not found.parts[:, :2].any()  # beyond the crop, and beyond what it reads around it
    assert abs(found.missing) < 1e-5


def test_a_cube_is_shared_out_by_the_midpoint_rule() -> None:
    """Each pixel has x^3 less what it is blurred; the error falls by four with twice the steps."""
    view, linear = noisy(), weights().double()
    known = Known(lambda x: (linear * x.double() ** 3).sum())
    cubes = [np.asarray(each, float) ** 3 / 255**3 for each in (view.pixels, _blurred(view))]
    exact = parts_of(linear.numpy() * (cubes[0] - cubes[1]))
    errors = [
        np.abs(attribute_score(known, view, WHOLE, steps=steps).parts - exact).max()
        for steps in (2, 4, 8)
    ]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.02)
    assert errors[2] < 0.01 * np.abs(exact).max()


def test_parts_that_are_not_looked_at_are_given_nothing() -> None:
    seen = np.s_[40:60, 100:120]
    found = attribute_score(Known(lambda x: x[seen].std()), noisy(), WHOLE)
    assert np.argwhere(found.parts).tolist() == [[2, 5]]
    assert found.parts[2, 5] == pytest.approx(found.score - found.blurred, abs=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (97, 41)])
def test_any_size_is_shared_out(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    found = attribute_score(
        Known(lambda x: x.sum()), View(pixels, size), (0, 0, *map(float, size)), steps=1
    )
    assert abs(found.missing) < 1e-2
    assert max(found.parts.shape) == min(12, max(size))


def shipped(name: str) -> tuple[Scorer, View, tuple[float, float, float, float]]:
    scorer = load_scorer(name, "cpu")
    view = scorer.spec.view(from_array(data.astronaut()[:400]))
    return scorer, view, (40.0, 10.0, 420.0, 390.0)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shared_out_is_the_judged_score(name: str, mirrored: bool) -> None:
    scorer, view, box = shipped(name)
    if mirrored:
        view = View(np.ascontiguousarray(view.pixels[:, ::-1]), view.size)
    found = attribute_score(scorer, view, box, steps=1)
    assert found.score == pytest.approx(float(scorer.bind(view)(np.array([box]))[0]), abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_the_parts_sum_to_the_difference_of_the_scores(name: str) -> None:
    scorer, view, box = shipped(name)
    few, many = (attribute_score(scorer, view, box, steps=steps) for steps in (12, 48))
    spread = np.abs(many.parts).sum()
    assert abs(few.missing) < 0.1 * spread
    assert abs(many.missing) < 0.02 * spread
    assert np.abs(few.parts - many.parts).sum() < 0.3 * spread


@pytest.mark.parametrize("name", SHIPPED)
def test_slopes_in_pixels_are_those_of_finite_differences(name: str) -> None:
    scorer, view, box = shipped(name)
    scorer = as_pixels(scorer)
    taste = getattr(scorer, "taste", scorer)
    network = taste.net if name == "cropnet" else taste.module
    network.double()
    taste.dtype = torch.float64
    bound = scorer.bind_pixels(view)
    theta = theta_from_boxes(torch.from_numpy(normalise(np.array([box]), view.size)))
    pixels = torch.from_numpy(bound.pixels).double() + 0.25 * torch.rand(
        bound.pixels.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    assert torch.autograd.gradcheck(
        lambda x: bound.score(x, theta), pixels.requires_grad_(), eps=1e-5, fast_mode=True
    )


def test_a_scorer_without_slopes_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cropnet\+selfie has no slopes in pixels"):
        as_pixels(load_scorer("cropnet+selfie", "cpu"))


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    attribute_score(
        Known(lambda x: x.sum()), noisy(), WHOLE, steps=3, progress=lambda *a: told.append(a)
    )
    assert told == [(1, 3), (2, 3), (3, 3)]

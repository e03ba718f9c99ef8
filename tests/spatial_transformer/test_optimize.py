"""Ascents over objectives whose optimum is known, and over one that would lead them astray."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from cropper.errors import ConfigError, ScorerOutputError
from cropper.sampling import Pyramid, decompose, pyramid, sample_affine
from cropper.scorers.affine import JUDGED, Reading
from spatial_transformer.affine import AffineCrop, corners_of
from spatial_transformer.objective import Prior, RobustConfig, RobustObjective
from spatial_transformer.optimize import OPTIMIZERS, OptimizeConfig, climb

torch.set_num_threads(1)

SIZE = (300, 200)
PLAIN = RobustConfig(jitter=0, flip=False)


@dataclass(frozen=True)
class Analytic:
    """A function of theta as a bound scorer."""

    function: Callable[[Tensor, Reading], Tensor]
    size: tuple[int, int] = SIZE
    reads_pixels: bool = True
    mirror_invariant: bool = False

    def __call__(self, theta: Tensor, reading: Reading = JUDGED) -> Tensor:
        return self.function(theta, reading)


def space(**bounds: object) -> AffineCrop:
    given = {"size": SIZE, "aspect": 1.5, "min_scale": 0.3, "log_aspect": (-0.5, 0.5)}
    return AffineCrop(**(given | bounds))  # type: ignore[arg-type]


TARGET = torch.tensor([[math.log(0.5), 0.55, 0.45, 0.2, 0.1, -0.05]], dtype=torch.float64)


def bump(theta: Tensor, reading: Reading = JUDGED) -> Tensor:
    """A Gaussian in parameter space, centred on TARGET, as wide as its neighbourhood."""
    widths = torch.tensor([0.5, 0.25, 0.25, 0.5, 0.3, 0.3], dtype=torch.float64)
    off = (space().params(theta.double()) - TARGET) / widths
    return torch.exp(-off.square().sum(1))


def objective(function: Callable[..., Tensor], config: RobustConfig = PLAIN) -> RobustObjective:
    return RobustObjective([Analytic(function)], space(), config)


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_a_gaussian_bump_is_climbed_by_every_method(optimizer: str) -> None:
    """Smooth and exact slopes: here even the origin's arm arrives. It fails for its sampling."""
    start = torch.tensor([[math.log(0.7), 0.5, 0.5, 0.0, 0.0, 0.0]], dtype=torch.float64)
    goal = objective(bump)
    result, path = climb(goal, start, OptimizeConfig(optimizer, 1500, jitter=2, spread=0.01))
    # three raw parameters reach neither aspect nor turn
    enough = bump(space().theta(start)).item() if optimizer == "pixel3" else 0.98
    assert result.best.score >= enough
    assert result.evaluations <= 1500
    assert result.evaluations == goal.evaluations
    assert path.best.end_score == result.best.score
    np.testing.assert_allclose(path.best.end.box, result.best.box)


@pytest.mark.parametrize("parameters", [3, 4])
def test_fewer_parameters_leave_the_others_as_they_are(parameters: int) -> None:
    start = torch.tensor([[math.log(0.7), 0.5, 0.5, -0.1, 0.03, 0.02]], dtype=torch.float64)
    for optimizer in ("es", "feature", "jitter"):
        config = OptimizeConfig(optimizer, 400, parameters=parameters)
        _, path = climb(objective(bump), start, config)
        theta = torch.tensor(path.best.end.theta, dtype=torch.float64)[None]
        params = space().params(theta)
        torch.testing.assert_close(params[:, parameters:], start[:, parameters:])
        assert path.best.end != path.best.start


ANGLE = math.radians(7)


def patch(angle: float) -> Tensor:
    """A light rectangle of 150 x 100 px, turned about the middle of a dark picture, soft-edged."""
    ys, xs = torch.meshgrid(torch.arange(200) - 99.5, torch.arange(300) - 149.5, indexing="ij")
    across = xs * math.cos(angle) + ys * math.sin(angle)
    down = ys * math.cos(angle) - xs * math.sin(angle)
    edge = torch.minimum(75 - across.abs(), 50 - down.abs())
    return torch.sigmoid(edge / 4)[None]


def looks_like_the_patch(levels: Pyramid) -> Callable[[Tensor, Reading], Tensor]:
    """How like an upright 150 x 100 px rectangle with a margin of a quarter a crop is."""
    wanted = sample_affine(pyramid(patch(0)), torch.eye(2, 3)[None] * 0.75, (32, 48))

    def score(theta: Tensor, reading: Reading) -> Tensor:
        crops = sample_affine(levels, theta, (32, 48))
        return -(crops - wanted).square().mean((1, 2, 3))

    return score


@pytest.mark.parametrize("optimizer", ["es", "feature", "pyramid", "jitter"])
@pytest.mark.parametrize("angle", [ANGLE, -ANGLE / 2])
def test_a_turned_patch_is_found_with_its_angle(optimizer: str, angle: float) -> None:
    goal = objective(looks_like_the_patch(pyramid(patch(angle))))
    start = torch.tensor([[math.log(0.6), 0.45, 0.55, 0.0, 0.0, 0.0]], dtype=torch.float64)
    config = OptimizeConfig(optimizer, 1200, jitter=2, spread=0.01)
    result, path = climb(goal, start, config)
    theta = torch.tensor(path.best.end.theta, dtype=torch.float64)[None]
    sides, turned, shear = decompose(theta, SIZE)
    assert math.degrees(turned.item()) == pytest.approx(math.degrees(angle), abs=1)
    assert shear.item() == pytest.approx(0, abs=0.03)
    np.testing.assert_allclose(sides[0], [225, 150], rtol=0.03)
    assert result.best.score > path.best.start_score


def likes_the_outside(theta: Tensor, reading: Reading) -> Tensor:
    """More for every px that a corner lies outside, and noise that changes within a px."""
    corners = corners_of(theta, SIZE)
    outside = (-corners).clamp_min(0) + (corners - corners.new_tensor(SIZE)).clamp_min(0)
    noise = torch.sin(40 * corners).sum((1, 2))
    return outside.sum((1, 2)) + 3 * noise


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_an_objective_that_likes_padding_and_noise_does_not_get_its_way(optimizer: str) -> None:
    robust = RobustConfig(jitter=8, flip=False)
    goal = objective(likes_the_outside, robust)
    starts = torch.cat([space().identity, space().sample(3, np.random.default_rng(1))])
    result, path = climb(goal, starts, OptimizeConfig(optimizer, 1500, top_k=4))
    check = objective(likes_the_outside, robust)
    for each in path.paths:
        corners = np.array(each.end.corners) / SIZE
        assert corners.min() >= -1e-9
        assert corners.max() <= 1 + 1e-9
        assert each.end_score >= each.start_score
        # the score is that of the crop returned, by the same robust measure
        params = space().params(torch.tensor(each.end.theta, dtype=torch.float64)[None])
        assert check.accept(params, params).item() == pytest.approx(each.end_score, abs=1e-2)
    assert [crop.score for crop in result.crops] == sorted(
        (crop.score for crop in result.crops), reverse=True
    )
    if optimizer == "pixel":  # the control arm does leave, so that the test would see it
        ends = np.array([each.last.corners for each in path.paths]) / SIZE
        assert ends.min() < -0.01 or ends.max() > 1.01


def test_slopes_are_there_though_the_caller_switched_gradients_off() -> None:
    with torch.no_grad():
        result, path = climb(objective(bump), space().identity, OptimizeConfig("feature", 400))
    assert result.best.score > path.best.start_score + 0.3


def test_the_same_seed_gives_the_same_answer() -> None:
    starts = space().sample(2, np.random.default_rng(3))
    one, other = (
        climb(objective(bump), starts, OptimizeConfig("es", 600, seed=5))[1] for _ in range(2)
    )
    assert one == other


def test_a_scorer_that_breaks_its_contract_is_named() -> None:
    nothing = objective(lambda theta, _: theta[:, 0, 0] * math.nan)
    with pytest.raises(ScorerOutputError, match="NaN"):
        climb(nothing, space().identity, OptimizeConfig())
    wrong = objective(lambda theta, _: theta[:, 0])
    with pytest.raises(ScorerOutputError, match="one score a crop"):
        climb(wrong, space().identity, OptimizeConfig())


def test_a_budget_that_is_too_small_names_what_it_takes() -> None:
    with pytest.raises(ConfigError, match=r"takes at least (\d+) evaluations") as error:
        climb(objective(bump), space().identity, OptimizeConfig("es", 10))
    needed = int(str(error.value).split("at least ")[1].split()[0])
    climb(objective(bump), space().identity, OptimizeConfig("es", needed))
    with pytest.raises(ConfigError):
        climb(objective(bump), space().identity, OptimizeConfig("es", needed - 1))


@pytest.mark.parametrize("wrong", [{"optimizer": "sgd"}, {"parameters": 5}, {"budget": 0}])
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        OptimizeConfig(**wrong)  # type: ignore[arg-type]


# The objective


def test_acceptance_is_the_mean_over_small_warps_and_mirror_images() -> None:
    goal = objective(bump, RobustConfig(jitter=4))
    params = TARGET + 0.02
    assert goal.looks == 10
    by_hand = []
    for warp in [torch.zeros(1, 6, dtype=torch.float64), *goal.warps[:, None]]:
        theta = space().theta(space().move(params, warp))
        by_hand += [bump(theta.float()), bump((theta * torch.tensor([-1, 1, 1])).float())]
    found = goal.accept(params, params)
    assert found.item() == pytest.approx(torch.cat(by_hand).mean().item(), rel=1e-6)
    assert goal.evaluations == 10


def test_of_two_scorers_doubt_counts_against_a_crop() -> None:
    both = [Analytic(bump), Analytic(lambda theta, _: 10 * bump(theta) + 3)]
    agreed = RobustObjective(both, space(), PLAIN)
    theta = space().theta(torch.cat([TARGET, space().identity]))
    good, bad = agreed.look(theta).tolist()
    assert good > bad
    disputed = [Analytic(bump), Analytic(lambda theta, _: -bump(theta))]
    doubtful = RobustObjective(disputed, space(), PLAIN).look(theta)
    assert doubtful[0] < -0.4  # half a spread off a mean of nothing


def test_the_proximal_term_and_the_priors_cost_what_they_say() -> None:
    start, other = space().identity, TARGET
    near = objective(bump, RobustConfig(jitter=0, flip=False, proximal=2.0))
    plain = objective(bump)
    gap = (corners_of(space().theta(start), (1, 1)) - corners_of(space().theta(other), (1, 1)))[0]
    lost = plain.accept(other, start) - near.accept(other, start)
    assert lost.item() == pytest.approx(2 * gap.square().sum(1).mean().item(), rel=1e-6)
    prior = RobustConfig(jitter=0, flip=False, log_area=Prior(0.0, 0.5, 0.3))
    held = objective(bump, prior)
    area = abs(torch.linalg.det(space().theta(other)[0, :, :2]).item())
    lost = plain.accept(other, start) - held.accept(other, start)
    assert lost.item() == pytest.approx(0.3 * (math.log(area) / 0.5) ** 2, rel=0.05)

"""AffineCrop: inside by construction, the 3-parameter crop as its restriction, there and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cropper.boxes import as_boxes, normalise
from cropper.errors import SpaceError
from cropper.sampling import decompose, equal_area_boxes, theta_from_boxes
from cropper.space import CropSpace
from spatial_transformer.affine import AffineCrop, Warp, corners_of

torch.set_num_threads(1)

patient = settings(deadline=None, max_examples=50)  # the first example pays for torch

SIZES = st.tuples(st.integers(1, 4000), st.integers(1, 4000))
WILD = st.lists(st.floats(-5, 5), min_size=6, max_size=6)
SEEDS = st.integers(0, 2**32 - 1)


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


@st.composite
def crops(draw: st.DrawFn) -> AffineCrop:
    size = draw(SIZES)
    return AffineCrop(
        size,
        draw(st.floats(0.2, 5)),
        draw(st.floats(0.05, 0.9)),
        1.0,
        (draw(st.floats(-1, 0)), draw(st.floats(0, 1))),
        draw(st.floats(0, math.pi / 4)),
        draw(st.floats(0, 0.5)),
    )


@patient
@given(crops(), WILD)
def test_the_corners_lie_inside_whatever_the_parameters(
    crop: AffineCrop, values: list[float]
) -> None:
    corners = corners_of(crop.theta(row(*values)), crop.size)[0].numpy() / crop.size
    assert corners.min() >= -1e-9
    assert corners.max() <= 1 + 1e-9


@patient
@given(crops(), WILD)
def test_corners_are_those_of_centre_sides_rotation_and_shear(
    crop: AffineCrop, values: list[float]
) -> None:
    """Against the textbook's chain of matrices, in plain NumPy."""
    params = crop.project(row(*values))
    scale, x, y, log_aspect, rotation, shear = params[0].tolist()
    space = CropSpace(crop.size, crop.aspect * math.exp(log_aspect), 0.01)
    sides = math.exp(scale) * space.largest * crop.size
    turn = np.array(
        [[math.cos(rotation), -math.sin(rotation)], [math.sin(rotation), math.cos(rotation)]]
    )
    ends = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2 * sides
    expected = ends @ (turn @ np.array([[1, shear], [0, 1]])).T + np.array([x, y]) * crop.size
    found = corners_of(crop.theta(params), crop.size)[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-9 * max(crop.size))


@patient
@given(SIZES, st.floats(0.2, 5), st.floats(0.05, 1), SEEDS)
def test_without_rotation_shear_and_aspect_it_is_the_crop_space(
    size: tuple[int, int], aspect: float, min_scale: float, seed: int
) -> None:
    space = CropSpace(size, aspect, min_scale)
    crop = AffineCrop(size, aspect, min_scale)
    rng = np.random.default_rng(seed)
    wanted = np.concatenate([rng.uniform(-0.5, 1.5, (8, 3)), space.sample(8, rng)])
    wanted[:, 0] = np.maximum(wanted[:, 0], 0.01)
    params = torch.zeros(16, 6, dtype=torch.float64)
    params[:, 0] = torch.from_numpy(np.log(wanted[:, 0]))
    params[:, 1:3] = torch.from_numpy(wanted[:, 1:])
    boxes = torch.from_numpy(normalise(space.boxes(wanted), size))
    torch.testing.assert_close(crop.theta(params), theta_from_boxes(boxes), rtol=0, atol=1e-12)


@patient
@given(crops(), WILD)
def test_params_of_theta_are_the_params(crop: AffineCrop, values: list[float]) -> None:
    params = crop.project(row(*values))
    again = crop.params(crop.theta(params))
    torch.testing.assert_close(again, params, rtol=0, atol=1e-7)


@patient
@given(crops(), WILD)
def test_projecting_twice_is_projecting_once(crop: AffineCrop, values: list[float]) -> None:
    once = crop.project(row(*values))
    torch.testing.assert_close(crop.project(once), once, rtol=0, atol=1e-12)


def test_the_identity_is_the_whole_picture() -> None:
    crop = AffineCrop.of((640, 427))
    theta = crop.theta(crop.identity)
    torch.testing.assert_close(theta[0], torch.eye(2, 3, dtype=torch.float64), rtol=0, atol=1e-15)
    assert Warp.of(theta[0], crop.size).corners == ((0, 0), (640, 0), (640, 427), (0, 427))


def test_boxes_come_back_as_they_were() -> None:
    boxes = as_boxes([[10, 20, 330, 260], [0, 0, 640, 480], [300, 100, 640, 355]])
    crop = AffineCrop.of((640, 480), "free")
    theta = crop.theta(crop.from_boxes(boxes))
    for index, box in enumerate(boxes):
        warp = Warp.of(theta[index], crop.size)
        np.testing.assert_allclose(warp.box, box, atol=1e-9)
        assert warp.upright


@patient
@given(SEEDS)
def test_the_gradient_of_theta_is_that_of_finite_differences(seed: int) -> None:
    crop = AffineCrop((640, 400), 1.2, 0.3, log_aspect=(-0.5, 0.5))
    rng = np.random.default_rng(seed)
    # well inside, away from the kinks at the bounds and at the corners of max and abs
    low = [math.log(0.35), 0.45, 0.45, 0.12, 0.05, 0.02]
    high = [math.log(0.5), 0.55, 0.55, 0.3, 0.12, 0.05]
    params = torch.from_numpy(rng.uniform(low, high, (2, 6))).requires_grad_()
    assert torch.autograd.gradcheck(crop.theta, (params,))


def test_the_gradient_where_the_scale_is_cut_is_that_of_finite_differences() -> None:
    crop = AffineCrop((640, 400), 1.2, 0.3, log_aspect=(-0.5, 0.5))
    params = row(-0.01, 0.5, 0.9, 0.2, 0.1, 0.05).requires_grad_()
    assert torch.autograd.gradcheck(crop.theta, (params,))
    assert crop.project(params)[0, 0] < -0.05  # so it was cut


def test_the_whole_picture_has_a_slope_towards_smaller() -> None:
    """Where a sigmoid would have none."""
    crop = AffineCrop.of((640, 400))
    params = crop.identity.requires_grad_()
    crop.theta(params)[0, 0, 0].backward()
    assert params.grad is not None
    assert params.grad[0, 0] > 0.2


def test_slopes_are_the_derivative_by_moves() -> None:
    crop = AffineCrop((640, 400), 1.2, 0.2, log_aspect=(-0.5, 0.5))
    params = row(-0.9, 0.45, 0.55, 0.1, 0.05, 0.03)
    weights = torch.linspace(-1, 2, 6, dtype=torch.float64).reshape(2, 3)
    tracked = params.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((crop.theta(tracked) * weights).sum(), tracked)
    found = crop.slopes(params, gradient)[0]
    for index in range(6):
        step = torch.zeros(1, 6, dtype=torch.float64)
        step[0, index] = 1e-6
        ahead, behind = crop.theta(crop.move(params, step)), crop.theta(crop.move(params, -step))
        slope = ((ahead - behind) * weights).sum() / 2e-6
        assert found[index].item() == pytest.approx(slope.item(), rel=1e-5)


@patient
@given(crops(), SEEDS)
def test_random_starts_are_upright_and_within_bounds(crop: AffineCrop, seed: int) -> None:
    params = crop.sample(5, np.random.default_rng(seed))
    assert (params[:, 4:] == 0).all()
    torch.testing.assert_close(crop.project(params), params, rtol=0, atol=1e-12)


def test_random_starts_reach_every_part_of_the_room() -> None:
    crop = AffineCrop.of((300, 200), "free")
    params = crop.sample(500, np.random.default_rng(0))
    assert params[:, 0].exp().min() < 0.55
    assert params[:, 0].exp().max() > 0.95
    assert params[:, 3].min() < math.log(0.55 / 1.5)
    assert params[:, 3].max() > math.log(1.9 / 1.5)


def test_free_aspects_are_those_of_the_search_and_the_own_one() -> None:
    assert AffineCrop.of((300, 100), "free").log_aspect == pytest.approx((math.log(1 / 6), 0))
    assert AffineCrop.of((300, 100), "1:1").log_aspect == (0, 0)


@pytest.mark.parametrize(
    "bounds",
    [
        {"rotation": 1.0},
        {"rotation": -0.1},
        {"shear": 0.6},
        {"log_aspect": (0.1, 0.2)},
        {"min_scale": 0.0},
        {"aspect": math.nan},
    ],
)
def test_bounds_that_hold_no_crop_are_refused(bounds: dict[str, object]) -> None:
    with pytest.raises(SpaceError):
        AffineCrop(**({"size": (10, 10), "aspect": 1.0} | bounds))  # type: ignore[arg-type]


@patient
@given(SIZES, st.floats(-0.7, 0.7), st.floats(-0.4, 0.4), st.floats(0.1, 1), st.floats(0.1, 1))
def test_decompose_undoes_the_chain_of_matrices(
    size: tuple[int, int], rotation: float, shear: float, width: float, height: float
) -> None:
    cos, sin = math.cos(rotation), math.sin(rotation)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, shear], [0, 1]])
    linear = linear @ np.diag([width, height]) / np.array(size)[:, None]
    theta = torch.from_numpy(np.concatenate([linear, [[0.1], [-0.2]]], 1))[None]
    sides, turned, sheared = decompose(theta, size)
    np.testing.assert_allclose(sides[0], [width, height], rtol=1e-9)
    assert turned.item() == pytest.approx(rotation, abs=1e-9)
    assert sheared.item() == pytest.approx(shear, abs=1e-9)
    box = equal_area_boxes(theta, size)[0].numpy()
    np.testing.assert_allclose(box[2:] - box[:2], np.array([width, height]) / size, rtol=1e-9)
    np.testing.assert_allclose((box[2:] + box[:2]) / 2, [0.55, 0.4], rtol=1e-9)

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cropper.boxes import Boxes, area
from cropper.errors import SpaceError
from cropper.space import FREE_ASPECTS, CropSpace, agreed_aspect, crop_spaces, parse_aspect

SIDES = st.integers(1, 6000) | st.sampled_from([1, 2, 3, 5999])
ASPECTS = st.floats(0.1, 10) | st.sampled_from([0.5, 0.8, 1.0, 1.5, 16 / 9])
STRIDES = st.floats(0.05, 0.95)


@st.composite
def spaces(draw: Any) -> CropSpace:
    size = (draw(SIDES), draw(SIDES))
    aspect = draw(ASPECTS | st.just(size[0] / size[1]))
    high = draw(st.floats(0.05, 1) | st.just(1.0))
    return CropSpace(size, aspect, high * draw(st.floats(0.2, 1)), high)


@st.composite
def grids(draw: Any) -> tuple[CropSpace, float]:
    """A space and a stride whose grid is not too large for a test."""
    space, stride = draw(spaces()), draw(STRIDES)
    assume(space.grid_size(stride) < 20_000)
    return space, stride


def lies_inside(boxes: Boxes, size: tuple[int, int]) -> bool:
    """To the last bit."""
    ordered = (boxes[:, :2] < boxes[:, 2:]).all()
    return bool(ordered and (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= size).all())


@given(grids())
def test_every_box_of_a_grid_lies_inside(case: tuple[CropSpace, float]) -> None:
    space, stride = case
    assert lies_inside(space.boxes(space.grid(stride)), space.size)


@given(spaces(), st.integers(0, 2**32 - 1))
def test_every_sampled_box_lies_inside(space: CropSpace, seed: int) -> None:
    params = space.sample(200, np.random.default_rng(seed))
    assert lies_inside(space.boxes(params), space.size)


@given(spaces(), STRIDES, st.integers(0, 2), st.integers(0, 2**32 - 1))
def test_every_box_of_a_neighbourhood_lies_inside(
    space: CropSpace, stride: float, steps: int, seed: int
) -> None:
    params = space.sample(4, np.random.default_rng(seed))
    assert lies_inside(space.boxes(space.neighbourhood(params, stride, steps)), space.size)


@given(spaces(), st.tuples(*[st.floats(-3, 3)] * 3))
def test_params_out_of_bounds_are_clipped_to_a_box_inside(
    space: CropSpace, params: tuple[float, float, float]
) -> None:
    assert lies_inside(space.boxes(params), space.size)


@given(spaces(), st.integers(0, 2**32 - 1))
def test_sampled_params_lie_within_the_bounds(space: CropSpace, seed: int) -> None:
    params = space.sample(100, np.random.default_rng(seed))
    half = params[:, :1] * space.largest / 2
    assert (params[:, 0] >= space.min_scale * (1 - 1e-12)).all()
    assert (params[:, 0] <= space.max_scale * (1 + 1e-12)).all()
    assert (params[:, 1:] >= half - 1e-12).all()
    assert (params[:, 1:] <= 1 - half + 1e-12).all()


@given(spaces(), st.integers(0, 2**32 - 1))
def test_params_to_boxes_and_back(space: CropSpace, seed: int) -> None:
    params = space.sample(50, np.random.default_rng(seed))
    boxes = space.boxes(params)
    back = space.params(boxes)
    assert np.allclose(back[:, 1:], params[:, 1:], rtol=0, atol=1e-9)
    # a sliver's side is a small difference of large edges
    assert np.allclose(back[:, 0], params[:, 0], rtol=1e-14 / space.largest.min() + 1e-12)
    assert np.allclose(space.boxes(back), boxes, rtol=0, atol=1e-8 * max(space.size))


@given(spaces(), st.integers(0, 2**32 - 1))
def test_every_box_has_the_aspect(space: CropSpace, seed: int) -> None:
    boxes = space.boxes(space.sample(50, np.random.default_rng(seed)))
    sides = boxes[:, 2:] - boxes[:, :2]
    slack = 1e-13 / (space.min_scale * space.largest.min()) + 1e-12
    assert np.allclose(sides[:, 0] / sides[:, 1], space.aspect, rtol=slack)


@given(grids())
def test_grid_size_is_the_length_of_the_grid(case: tuple[CropSpace, float]) -> None:
    space, stride = case
    assert space.grid_size(stride) == len(space.grid(stride))


@given(grids())
def test_scales_of_the_grid_lie_at_most_a_stride_apart(case: tuple[CropSpace, float]) -> None:
    space, stride = case
    scales = np.unique(space.grid(stride)[:, 0])[::-1]
    assert math.isclose(scales[0], space.max_scale)
    assert math.isclose(scales[-1], space.min_scale)
    assert (scales[1:] / scales[:-1] >= (1 - stride) * (1 - 1e-9)).all()
    needed = math.log(space.min_scale / space.max_scale) / math.log(1 - stride)
    assert len(scales) <= 2 + needed


@given(grids())
def test_centres_of_the_grid_lie_at_most_a_stride_of_the_side_apart(
    case: tuple[CropSpace, float],
) -> None:
    space, stride = case
    grid = space.grid(stride)
    for scale in np.unique(grid[:, 0]):
        rung = grid[grid[:, 0] == scale]
        for axis in (1, 2):
            side = scale * space.largest[axis - 1]
            centres = np.unique(rung[:, axis])
            assert (np.diff(centres) <= stride * side + 1e-9).all()
            assert math.isclose(centres[0], side / 2 if len(centres) > 1 else 0.5, abs_tol=1e-9)
            assert len(centres) <= 2 + (1 - side) / (stride * side)
        assert len(rung) == len(np.unique(rung[:, 1])) * len(np.unique(rung[:, 2]))


@given(grids())
def test_grid_of_a_mirrored_picture_is_the_mirrored_grid(case: tuple[CropSpace, float]) -> None:
    space, stride = case
    grid = space.grid(stride)
    for axis in (1, 2):
        mirrored = grid.copy()
        mirrored[:, axis] = 1 - mirrored[:, axis]
        order, other = np.lexsort(grid.round(9).T), np.lexsort(mirrored.round(9).T)
        assert np.allclose(grid[order], mirrored[other], rtol=0, atol=3e-9)


@given(grids())
def test_centres_of_the_grid_are_symmetric_to_the_last_bit(case: tuple[CropSpace, float]) -> None:
    space, stride = case
    grid = space.grid(stride)
    for scale in np.unique(grid[:, 0]):
        for axis in (1, 2):
            centres = np.unique(grid[grid[:, 0] == scale, axis])
            assert (centres + centres[::-1] == 1).all()


@given(grids())
def test_grid_starts_with_the_largest_scale(case: tuple[CropSpace, float]) -> None:
    space, stride = case
    assert (np.diff(space.grid(stride)[:, 0]) <= 0).all()


@given(SIDES, SIDES, ASPECTS)
def test_scale_one_touches_two_opposite_bounds(width: int, height: int, aspect: float) -> None:
    space = CropSpace((width, height), aspect)
    x0, y0, x1, y1 = space.boxes([1.0, 0.5, 0.5])[0]
    assert (x0 == 0 and x1 == width) or (y0 == 0 and y1 == height)


@given(SIDES, SIDES)
def test_original_aspect_at_scale_one_is_the_picture(width: int, height: int) -> None:
    (space,) = crop_spaces((width, height))
    assert np.allclose(space.boxes([1.0, 0.5, 0.5]), [[0, 0, width, height]], rtol=1e-12)
    assert space.grid_size(0.2) == len(space.grid(0.2))


@given(spaces(), st.integers(0, 2**32 - 1), STRIDES)
def test_a_neighbourhood_holds_its_centre(space: CropSpace, seed: int, stride: float) -> None:
    params = space.sample(3, np.random.default_rng(seed))
    around = space.neighbourhood(params, stride, 1)
    assert len(around) == 3 * 27
    for row in params:
        assert np.abs(around - row).max(axis=1).min() < 1e-11


def test_neighbourhood_of_an_inner_crop_is_the_whole_lattice() -> None:
    space = CropSpace((400, 300), 1.0)
    around = space.neighbourhood(np.array([[0.7, 0.5, 0.5]]), 0.1, 1)
    assert len(around) == 27
    steps = {(round(s, 6), round((x - 0.5) / (s * 0.75), 6)) for s, x, _ in around}
    scales = (0.7 * 0.9, 0.7, 0.7 / 0.9)
    assert steps == {(round(s, 6), move) for s in scales for move in (-0.1, 0.0, 0.1)}


def test_sampled_scales_are_log_uniform_and_reach_both_bounds() -> None:
    space = CropSpace((640, 480), 1.0, 0.25)
    logs = np.log(space.sample(20_000, np.random.default_rng(1))[:, 0])
    shares, _ = np.histogram(logs, 8, (math.log(0.25), 0))
    assert shares.sum() == 20_000
    assert np.abs(shares / 2500 - 1).max() < 0.1


def test_the_same_seed_samples_the_same_params() -> None:
    space = CropSpace((640, 480), 1.0)
    first, again = (space.sample(9, np.random.default_rng(seed)) for seed in (3, 3))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, space.sample(9, np.random.default_rng(4)))


@pytest.mark.parametrize(
    ("text", "aspect"),
    [("4:5", 0.8), ("16:9", 16 / 9), ("1.91:1", 1.91), (" 1:1 ", 1.0), ("0.5:2", 0.25)],
)
def test_parse_aspect_divides(text: str, aspect: float) -> None:
    assert parse_aspect(text) == aspect


@pytest.mark.parametrize("text", ["", "4", "4:", ":5", "4:5:6", "4 : 5"])
def test_parse_aspect_refuses_other_notations(text: str) -> None:
    with pytest.raises(SpaceError):
        parse_aspect(text)


NOT_NUMBERS = ["0:1", "1:0", "0.0:1", "-4:5", "+4:5", "1e3:1", "nan:1", "inf:1", "1,91:1", ".5:1"]


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_parse_aspect_refuses_and_quotes_other_text(text: str) -> None:
    with pytest.raises(SpaceError) as caught:
        parse_aspect(text)
    assert repr(text) in str(caught.value)
    with pytest.raises(SpaceError):
        crop_spaces((640, 480), text)


@pytest.mark.parametrize(
    ("size", "aspect", "scales"),
    [
        ((0, 5), 1.0, (0.5, 1.0)),
        ((5, -1), 1.0, (0.5, 1.0)),
        ((5, 5), 0.0, (0.5, 1.0)),
        ((5, 5), -1.0, (0.5, 1.0)),
        ((5, 5), math.nan, (0.5, 1.0)),
        ((5, 5), math.inf, (0.5, 1.0)),
        ((5, 5), 1.0, (0.0, 1.0)),
        ((5, 5), 1.0, (0.9, 0.8)),
        ((5, 5), 1.0, (0.5, 1.1)),
        ((5, 5), 1.0, (math.nan, 1.0)),
        ((5, 5), 1.0, (0.5, math.nan)),
    ],
)
def test_a_space_without_crops_is_refused(
    size: tuple[int, int], aspect: float, scales: tuple[float, float]
) -> None:
    with pytest.raises(SpaceError):
        CropSpace(size, aspect, *scales)


@pytest.mark.parametrize(
    "aspect", ["9" * 400 + ":1", "1:" + "9" * 400, "9" * 400 + ":" + "9" * 400]
)
def test_an_aspect_beyond_every_float_is_refused(aspect: str) -> None:
    with pytest.raises(SpaceError):
        crop_spaces((640, 480), aspect)


@pytest.mark.parametrize("stride", [0.0, -0.1, 1.0, 2.0, math.nan])
def test_a_stride_outside_zero_to_one_is_refused(stride: float) -> None:
    with pytest.raises(SpaceError):
        CropSpace((640, 480), 1.0).grid(stride)
    with pytest.raises(SpaceError):
        CropSpace((640, 480), 1.0).grid_size(stride)


def test_crop_spaces_takes_original_a_ratio_and_a_number() -> None:
    for aspect, expected in (("original", 1.5), ("4:5", 0.8), (0.8, 0.8), (2, 2.0)):
        (space,) = crop_spaces((600, 400), aspect, 0.4, 0.9)
        assert space == CropSpace((600, 400), expected, 0.4, 0.9)


def test_free_aspects_are_even_steps_from_one_to_two_and_symmetric() -> None:
    logs = np.log2(FREE_ASPECTS)
    assert np.allclose(logs, np.linspace(-1, 1, 9))
    assert np.allclose(logs, -logs[::-1])
    assert [space.aspect for space in crop_spaces((600, 400), "free")] == list(FREE_ASPECTS)


def test_free_spaces_of_a_turned_picture_are_the_turned_spaces() -> None:
    wide, tall = crop_spaces((600, 400), "free"), crop_spaces((400, 600), "free")
    largest = [area(s.boxes([1.0, 0.5, 0.5]))[0] for s in wide]
    turned = [area(s.boxes([1.0, 0.5, 0.5]))[0] for s in reversed(tall)]
    assert np.allclose(largest, turned)


@pytest.mark.parametrize(
    ("text", "ratio"),
    [("4x5", 0.8), ("4/5", 0.8), ("16X9", 16 / 9), ("Square", 1.0), ("portrait", 0.8),
     ("landscape", 1.25)],
)  # fmt: skip
def test_an_aspect_may_be_typed_in_other_ways(text: str, ratio: float) -> None:
    assert parse_aspect(text) == pytest.approx(ratio)
    assert "/" not in str(agreed_aspect(text))
    assert crop_spaces((30, 20), text)[0].aspect == pytest.approx(ratio)

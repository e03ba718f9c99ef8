import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cropper.boxes import Boxes, Crop, area, as_boxes, clip, iou, nms, normalise, overhang, snap
from cropper.errors import BoxError
from cropper.space import CropSpace
from tests.reference import boxes as reference

SIZES = st.tuples(st.integers(1, 5000), st.integers(1, 5000))
EDGES = st.floats(-50, 150, allow_subnormal=False)
SIDES = st.floats(0.01, 120)


@st.composite
def many(draw: Any, low: int = 1, high: int = 12) -> Boxes:
    rows = draw(st.lists(st.tuples(EDGES, EDGES, SIDES, SIDES), min_size=low, max_size=high))
    return np.array([[x, y, x + w, y + h] for x, y, w, h in rows])


@st.composite
def whole(draw: Any) -> Boxes:
    place, side = st.integers(0, 8), st.integers(1, 6)
    rows = draw(st.lists(st.tuples(place, place, side, side), min_size=1, max_size=5))
    return np.array([[x, y, x + w, y + h] for x, y, w, h in rows], dtype=np.float64)


@st.composite
def inside(draw: Any, sizes: Any = SIZES) -> tuple[Boxes, tuple[int, int]]:
    """Boxes of one aspect and one scale, as a search makes them, and their picture's size."""
    size = draw(sizes)
    space = CropSpace(size, draw(st.sampled_from([0.5, 0.8, 1.0, 1.5, 16 / 9, size[0] / size[1]])))
    scale = draw(st.floats(0.5, 1) | st.sampled_from([0.5, 0.75, 1.0]))
    centres = draw(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8))
    return space.boxes([(scale, x, y) for x, y in centres]), size


@given(whole(), whole())
def test_iou_is_pixels_in_both_over_pixels_in_either(a: Boxes, b: Boxes) -> None:
    slow = [[reference.iou_by_counting(p, q) for q in b] for p in a]
    assert np.allclose(iou(a, b), slow, rtol=0, atol=1e-12)


@given(many(), many())
def test_iou_equals_the_loop_over_pairs(a: Boxes, b: Boxes) -> None:
    slow = [[reference.iou(p, q) for q in b] for p in a]
    assert np.allclose(iou(a, b), slow, rtol=0, atol=1e-12)


@given(many())
def test_iou_is_symmetric_and_one_with_itself(boxes: Boxes) -> None:
    ratio = iou(boxes, boxes)
    assert np.array_equal(ratio, ratio.T)
    assert np.allclose(np.diag(ratio), 1)
    assert ratio.min() >= 0
    assert ratio.max() <= 1 + 1e-12


def test_iou_of_empty_boxes_is_zero_and_not_nan() -> None:
    dot = np.array([[3.0, 3.0, 3.0, 3.0]])
    assert iou(dot, dot).tolist() == [[0.0]]
    assert iou(dot, np.empty((0, 4))).shape == (1, 0)


@given(many())
def test_area_equals_the_loop(boxes: Boxes) -> None:
    assert np.array_equal(area(boxes), [reference.area(box) for box in boxes])


@given(many(), st.floats(0, 1), st.integers(1, 12))
def test_nms_equals_the_loop(boxes: Boxes, threshold: float, limit: int) -> None:
    assert nms(boxes, threshold, limit).tolist() == reference.nms(boxes, threshold, limit)


@given(many(), st.integers(1, 12))
def test_nms_at_one_keeps_everything_up_to_the_limit(boxes: Boxes, limit: int) -> None:
    assert nms(boxes, 1.0, limit).tolist() == list(range(min(limit, len(boxes))))


def test_nms_drops_a_repeated_box() -> None:
    boxes = np.array([[0.0, 0, 4, 4], [0, 0, 4, 4], [4, 0, 8, 4]])
    assert nms(boxes, 0.99, 3).tolist() == [0, 2]
    assert nms(np.empty((0, 4)), 0.5, 3).tolist() == []


@given(many(), SIZES)
def test_clip_equals_the_loop(boxes: Boxes, size: tuple[int, int]) -> None:
    assert np.array_equal(clip(boxes, size), [reference.clip(box, size) for box in boxes])


def test_clip_leaves_nothing_of_a_box_outside() -> None:
    outside = np.array([[-9.0, 1, -2, 5], [12, 1, 15, 5], [1, 8, 3, 9]])
    assert area(clip(outside, (10, 7))).tolist() == [0, 0, 0]


@given(many(), SIZES)
def test_normalise_equals_the_loop(boxes: Boxes, size: tuple[int, int]) -> None:
    assert np.array_equal(normalise(boxes, size), [reference.normalise(box, size) for box in boxes])


@given(inside())
def test_snap_gives_whole_pixels_inside(case: tuple[Boxes, tuple[int, int]]) -> None:
    boxes, size = case
    snapped = snap(boxes, size)
    assert np.array_equal(snapped, snapped.round())
    assert (snapped[:, :2] >= 0).all()
    assert (snapped[:, 2:] <= size).all()
    assert (snapped[:, 2:] - snapped[:, :2] >= 1).all()


@given(inside())
def test_snap_moves_no_edge_by_more_than_a_pixel(case: tuple[Boxes, tuple[int, int]]) -> None:
    boxes, size = case
    assert np.abs(snap(boxes, size) - boxes).max() <= 1 + 1e-6


@given(inside())
def test_snap_gives_one_size_wherever_a_box_lies(case: tuple[Boxes, tuple[int, int]]) -> None:
    boxes, size = case
    snapped = snap(boxes, size)
    sides = snapped[:, 2:] - snapped[:, :2]
    assert (sides == sides[0]).all()


@pytest.mark.parametrize("size", [(101, 99), (90, 117), (400, 301), (1023, 767)])
def test_snap_gives_one_size_where_a_side_ends_in_a_half(size: tuple[int, int]) -> None:
    space = CropSpace(size, 1.0)
    boxes = space.boxes([(0.5, x, y) for x in np.linspace(0, 1, 50) for y in (0.2, 0.5, 0.9)])
    sides = np.unique(snap(boxes, size)[:, 2:] - snap(boxes, size)[:, :2], axis=0)
    assert len(sides) == 1
    assert sides[0, 0] == sides[0, 1]


@given(SIZES, st.sampled_from([0.25, 0.5]) | st.floats(0.05, 1), st.floats(0, 1), st.floats(0, 1))
def test_snap_keeps_a_square_a_square(
    size: tuple[int, int], scale: float, x: float, y: float
) -> None:
    square = CropSpace(size, 1.0, min_scale=0.05).boxes([scale, x, y])
    x0, y0, x1, y1 = snap(square, size)[0]
    assert x1 - x0 == y1 - y0


@given(inside())
def test_snap_leaves_snapped_boxes_alone(case: tuple[Boxes, tuple[int, int]]) -> None:
    boxes, size = case
    once = snap(boxes, size)
    assert np.array_equal(snap(once, size), once)


@given(whole())
def test_snap_leaves_whole_boxes_alone(boxes: Boxes) -> None:
    assert np.array_equal(snap(boxes, (14, 14)), boxes)


def test_snap_gives_a_sliver_a_pixel() -> None:
    assert snap(np.array([[4.2, 0.0, 4.3, 9.0]]), (9, 9)).tolist() == [[4, 0, 5, 9]]
    assert snap(np.array([[8.9, 8.9, 9.0, 9.0]]), (9, 9)).tolist() == [[8, 8, 9, 9]]


def test_snap_moves_a_box_that_sticks_out_inside() -> None:
    boxes = np.array([[-3.0, 2, 5, 8], [5, 5, 12, 12], [-9, 20, -4, 25], [-5, -5, 50, 50]])
    inside_boxes = [[0, 2, 8, 8], [2, 2, 9, 9], [0, 4, 5, 9], [0, 0, 9, 9]]
    assert snap(boxes, (9, 9)).tolist() == inside_boxes


def test_as_boxes_makes_one_box_a_row_and_copies() -> None:
    given_boxes = np.array([[0.0, 1.0, 2.0, 3.0]])
    taken = as_boxes(given_boxes)
    taken[0, 0] = -1
    assert given_boxes[0, 0] == 0
    assert as_boxes((0, 1, 2, 3)).tolist() == [[0, 1, 2, 3]]
    assert as_boxes((0, 1, 2, 3)).dtype == np.float64


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0, 0, 1]], "shape"),
        (5.0, "shape"),
        ([[[0, 0, 1, 1]]], "shape"),
        ([[0, 0, float("nan"), 1]], "finite"),
        ([[0, 0, float("inf"), 1]], "finite"),
        ([[3, 0, 3, 1]], "x0 < x1"),
        ([[0, 2, 3, 1]], "y0 < y1"),
        ([[0, 0, 1, 1], [7, 0, 2, 1]], r"7\. +0\. +2\. +1\."),
    ],
)
def test_as_boxes_names_the_rule_that_is_broken(values: Any, message: str) -> None:
    with pytest.raises(BoxError, match=message):
        as_boxes(values)


def test_crop_record_gives_the_stable_fields() -> None:
    crop = Crop.of(np.array([10.0, 20.0, 50.0, 100.0]), np.float32(1.5))
    assert (crop.width, crop.height) == (40, 80)
    assert crop.normalised((100, 200)) == (0.1, 0.1, 0.5, 0.5)
    assert crop.to_dict((100, 200)) == {
        "box": [10, 20, 50, 100],
        "box_norm": [0.1, 0.1, 0.5, 0.5],
        "score": 1.5,
    }


# A crop and its corners


@given(st.floats(-0.4, 0.4), st.floats(20, 80), st.floats(20, 80), st.floats(-0.3, 0.3))
def test_a_turned_crop_has_its_own_size_and_theta(
    angle: float, width: float, height: float, shear: float
) -> None:
    axes = np.array(
        [
            [math.cos(angle), shear * math.cos(angle) - math.sin(angle)],
            [math.sin(angle), shear * math.sin(angle) + math.cos(angle)],
        ]
    )
    ends = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    points = (ends * [width / 2, height / 2]) @ axes.T + [120, 90]
    box = np.concatenate([points.min(0), points.max(0)])
    a, b, c, d = (tuple(point) for point in points.tolist())
    crop = Crop.of(box, 0.0, (a, b, c, d))
    assert crop.quad == (a, b, c, d)
    assert np.abs(np.array(crop.output_size) - [width, height]).max() <= 0.5 + 1e-6
    theta = np.array(crop.theta((240, 180)))
    placed = (ends @ theta[:, :2].T + theta[:, 2] + 1) / 2 * [240, 180]
    assert np.allclose(placed, points)


def test_an_upright_crop_is_its_box() -> None:
    crop = Crop(10, 20, 50, 80, 1.5)
    assert crop.quad == ((10, 20), (50, 20), (50, 80), (10, 80))
    assert crop.output_size == (40, 60)
    assert crop.theta((100, 100)) == ((0.4, 0, -0.4), (0, 0.6, 0))
    assert crop.to_dict((100, 100)).keys() == {"box", "box_norm", "score"}
    assert crop.to_dict((100, 100), affine=True)["corners"][2] == [50, 80]


@given(SIZES, SIZES, st.floats(0, 1), st.floats(0, 1))
def test_the_focus_is_where_css_puts_the_crop(
    sides: tuple[int, int], more: tuple[int, int], x: float, y: float
) -> None:
    size = (sides[0] + more[0] - 1, sides[1] + more[1] - 1)
    low = (round(x * (more[0] - 1)), round(y * (more[1] - 1)))
    focus = Crop(*low, low[0] + sides[0], low[1] + sides[1], 0.0).focus(size)
    for axis, place in enumerate(focus):
        if more[axis] == 1:
            assert place == 0.5
        else:  # the point at this share of the picture lies at this share of the box
            assert place * size[axis] == pytest.approx(low[axis] + place * sides[axis])


@given(many(), many())
def test_overhang_is_that_of_loops(parts: Boxes, boxes: Boxes) -> None:
    expected = [
        [max(0, b[0] - a[0], b[1] - a[1], a[2] - b[2], a[3] - b[3]) for b in boxes] for a in parts
    ]
    np.testing.assert_allclose(overhang(parts, boxes), expected)
    assert overhang(parts[:0], boxes).shape == (0, len(boxes))

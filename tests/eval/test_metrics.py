from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.metrics import (
    PairCount,
    accuracy_at,
    against_humans,
    boundary_error,
    count_pairs,
    equal_area,
)
from tests.reference import eval_metrics as slow

CELLS = 20  # a coarse lattice keeps the counting oracle exact and quick


@st.composite
def lattice_boxes(draw: st.DrawFn, count: int = 1) -> np.ndarray:
    boxes = []
    for _ in range(count):
        x = sorted(draw(st.lists(st.integers(0, CELLS), min_size=2, max_size=2, unique=True)))
        y = sorted(draw(st.lists(st.integers(0, CELLS), min_size=2, max_size=2, unique=True)))
        boxes.append([x[0], y[0], x[1], y[1]])
    return np.array(boxes, dtype=np.float64) / CELLS


several = st.integers(1, 4).flatmap(lattice_boxes)
few = st.integers(-3, 3).map(float)  # so that ties are frequent
numbers = st.floats(-1e6, 1e6, allow_nan=False)


def columns(width: int, values: st.SearchStrategy[float], most: int = 12) -> st.SearchStrategy:
    """``width`` lists of one common length."""
    return st.integers(1, most).flatmap(
        lambda n: st.tuples(*[st.lists(values, min_size=n, max_size=n)] * width)
    )


def mirrored(boxes: np.ndarray) -> np.ndarray:
    return np.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], axis=1)


class TestAgreement:
    @settings(max_examples=40, deadline=None)
    @given(lattice_boxes(), several)
    def test_is_what_counting_cells_says(self, box: np.ndarray, humans: np.ndarray) -> None:
        found = against_humans(box[0], humans)
        overlaps = [slow.iou(box[0], human, CELLS) for human in humans]
        errors = [slow.boundary_error(box[0], human) for human in humans]
        assert found.iou == pytest.approx(max(overlaps))
        assert found.mean_iou == pytest.approx(np.mean(overlaps))
        assert found.mean_bde == pytest.approx(np.mean(errors))
        best = {round(e, 9) for o, e in zip(overlaps, errors, strict=True) if o > found.iou - 1e-9}
        assert round(found.bde, 9) in best

    @given(lattice_boxes(), several)
    def test_ranges_and_mirror(self, box: np.ndarray, humans: np.ndarray) -> None:
        found = against_humans(box[0], humans)
        assert 0 <= found.mean_iou <= found.iou <= 1
        assert 0 <= found.bde <= 1
        assert 0 <= found.mean_bde <= 1
        other = against_humans(mirrored(box)[0], mirrored(humans))
        assert other.iou == pytest.approx(found.iou)
        assert other.mean_bde == pytest.approx(found.mean_bde)

    @given(several)
    def test_the_human_crop_itself_is_perfect(self, humans: np.ndarray) -> None:
        found = against_humans(humans[-1], humans)
        assert found.iou == pytest.approx(1)
        assert found.bde == pytest.approx(0)

    def test_boundary_error_is_the_published_formula_in_pixels(self) -> None:
        width, height = 400, 200
        a, b = [40, 20, 360, 180], [0, 30, 300, 200]
        pixels = (40 + 60) / (4 * width) + (10 + 20) / (4 * height)
        size = np.array([width, height] * 2)
        assert boundary_error(np.array([a]) / size, np.array([b]) / size)[0] == pytest.approx(
            pixels
        )


class TestPairs:
    @given(columns(4, few))
    def test_counts_as_the_oracle(self, rows: tuple[list[float], ...]) -> None:
        found = count_pairs(*rows)
        assert (found.right, found.total) == pytest.approx(slow.pair_hits(*rows))
        assert 0 <= found.right <= found.total

    @given(columns(4, few))
    def test_swapping_the_crops_changes_nothing(self, rows: tuple[list[float], ...]) -> None:
        scores_a, scores_b, votes_a, votes_b = rows
        assert count_pairs(scores_b, scores_a, votes_b, votes_a) == count_pairs(*rows)

    @given(columns(4, few))
    def test_the_opposite_opinion_gets_the_rest(self, rows: tuple[list[float], ...]) -> None:
        scores_a, scores_b, votes_a, votes_b = rows
        found, opposite = count_pairs(*rows), count_pairs(scores_b, scores_a, votes_a, votes_b)
        assert found.right + opposite.right == pytest.approx(found.total)

    def test_votes_that_are_tied_ask_nothing(self) -> None:
        assert count_pairs([1, 1], [0, 1], [2, 5], [2, 0]) == PairCount(right=0.5, total=1)

    def test_equal_area_is_a_matter_of_size_not_of_shape(self) -> None:
        a = np.array([[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5]])
        b = np.array([[0.5, 0.5, 1, 1], [0, 0, 1, 0.25], [0, 0, 0.5, 0.5049], [0, 0, 0.5, 0.51]])
        assert equal_area(a, b).tolist() == [True, True, True, False]

    @given(lattice_boxes(3), lattice_boxes(3))
    def test_equal_area_is_symmetric(self, a: np.ndarray, b: np.ndarray) -> None:
        assert equal_area(a, b).tolist() == equal_area(b, a).tolist()
        assert equal_area(a, mirrored(a)).all()


class TestAccuracy:
    @settings(max_examples=60, deadline=None)
    @given(columns(2, few, most=5), st.integers(1, 6), st.integers(1, 6))
    def test_is_the_oracle(self, rows: tuple[list[float], list[float]], k: int, n: int) -> None:
        assert accuracy_at(*rows, k, n) == pytest.approx(slow.accuracy_at(*rows, k, n))

    @given(columns(2, few), st.integers(1, 5), st.integers(1, 9))
    def test_range_and_growth(self, rows: tuple[list[float], list[float]], k: int, n: int) -> None:
        found = accuracy_at(*rows, k, n)
        assert 0 <= found <= 1
        assert found <= accuracy_at(*rows, k, n + 1) + 1e-12  # more crops count as good

    @given(columns(1, numbers), st.integers(1, 5))
    def test_people_agree_with_themselves(self, rows: tuple[list[float]], k: int) -> None:
        assert accuracy_at(rows[0], rows[0], k, k) == 1

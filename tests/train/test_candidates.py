"""Candidates of a photo that a person cropped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cropper.boxes import Boxes, iou
from cropper.train.data import Judged, candidates, overlap
from tests.train.support import SEEDS, WHOLE, judged


def aspects(boxes: Boxes, size: tuple[int, int]) -> NDArray[np.float64]:
    sides = (boxes[:, 2:] - boxes[:, :2]) * size
    return np.asarray(sides[:, 0] / sides[:, 1])


@given(judged(), st.integers(1, 80), st.booleans(), SEEDS)
def test_candidates_lie_inside_and_are_as_many_as_asked(
    item: Judged, count: int, with_aspect: bool, seed: int
) -> None:
    boxes = candidates(item, count, with_aspect, np.random.default_rng(seed))
    assert boxes.shape == (count, 4)
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    assert (boxes[:, 2:] > boxes[:, :2]).all()


@given(judged(), st.integers(1, 80), SEEDS)
def test_candidates_of_a_given_aspect_have_the_expert_s(
    item: Judged, count: int, seed: int
) -> None:
    boxes = candidates(item, count, True, np.random.default_rng(seed))
    assert np.allclose(aspects(boxes, item.size), aspects(item.expert, item.size), rtol=1e-6)


@given(judged(), st.integers(1, 80), SEEDS)
def test_the_last_free_candidate_is_the_whole_picture(item: Judged, count: int, seed: int) -> None:
    boxes = candidates(item, count, False, np.random.default_rng(seed))
    assert np.array_equal(boxes[-1], WHOLE)


def test_candidates_have_easy_and_hard_neighbours() -> None:
    expert = np.array([[0.2, 0.3, 0.7, 0.9]])
    item = Judged(
        Path("x"), (300, 200), np.zeros((97, 97, 3), np.uint8), expert, expert[:0], expert[:0]
    )
    for with_aspect in (False, True):
        boxes = candidates(item, 400, with_aspect, np.random.default_rng(0))
        overlaps = overlap(item, boxes, given=False)
        assert np.array_equal(overlaps, iou(boxes, expert)[:, 0])
        assert (overlaps > 0.6).mean() > 0.1
        assert (overlaps < 0.4).mean() > 0.1

"""The contract of a bound scorer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cropper import BoundScorer
from cropper.boxes import Boxes
from cropper.errors import BoxError, ScorerOutputError
from tests.scorers.support import bound_coffee, boxes_of


def judge(boxes: Boxes) -> NDArray[np.float64]:
    return np.asarray(np.sin(boxes).sum(1))


@pytest.mark.parametrize("batch_size", [1, 2, 7, 100, 10_000])
def test_chunks_bound_the_batch_and_never_change_a_score(batch_size: int) -> None:
    lengths = []

    def chunk(boxes: Boxes) -> NDArray[np.float64]:
        lengths.append(len(boxes))
        return judge(boxes)

    boxes = boxes_of((400, 300))
    assert np.array_equal(BoundScorer(chunk, (400, 300), batch_size)(boxes), judge(boxes))
    assert max(lengths) <= batch_size
    assert sum(lengths) == len(boxes)


@pytest.mark.parametrize(
    "answer",
    [
        lambda boxes: np.zeros((len(boxes), 1)),
        lambda boxes: np.zeros(len(boxes) + 1),
        lambda boxes: np.float32(0),
        lambda boxes: np.where(np.arange(len(boxes)) == 1, np.nan, 0),
        lambda boxes: np.where(np.arange(len(boxes)) == 1, -np.inf, 0),
    ],
)
def test_a_wrong_shape_or_a_score_that_is_not_finite_is_refused(answer: Any) -> None:
    with pytest.raises(ScorerOutputError):
        BoundScorer(answer, (400, 300), 4)(boxes_of((400, 300)))


def test_the_box_of_a_nan_is_named() -> None:
    def broken(boxes: Boxes) -> NDArray[np.float64]:
        return np.where(boxes[:, 0] == 7, np.nan, 0.0)

    boxes = np.array([[0.0, 0, 9, 9], [7, 0, 9, 8], [0, 1, 9, 9]])
    with pytest.raises(ScorerOutputError, match=r"\[7\. 0\. 9\. 8\.\]"):
        BoundScorer(broken, (9, 9), 2)(boxes)


def test_no_boxes_give_no_scores() -> None:
    assert BoundScorer(judge, (9, 9), 4)(np.empty((0, 4))).shape == (0,)
    assert bound_coffee()(np.empty((0, 4))).shape == (0,)


def test_bad_boxes_are_refused_before_they_are_scored() -> None:
    with pytest.raises(BoxError):
        BoundScorer(judge, (9, 9), 4)(np.array([[3.0, 0, 3, 9]]))
    with pytest.raises(BoxError):
        bound_coffee()(np.array([[0.0, 0, np.nan, 9]]))

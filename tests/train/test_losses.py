"""Losses of lists and pairs."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cropper.train.losses import list_loss, pair_loss


def test_list_loss_is_zero_where_scores_are_overlaps_over_temperature() -> None:
    overlaps = torch.tensor([0.1, 0.9, 0.4])
    assert list_loss(overlaps / 0.1 + 7, overlaps, 0.1).item() == pytest.approx(0, abs=1e-6)


def test_list_loss_equals_the_value_by_hand() -> None:
    # targets e^0 and e^ln 3, over their sum: 1/4 and 3/4; scores say 1/2 and 1/2
    loss = list_loss(torch.zeros(2), torch.tensor([0.0, math.log(3)]), 1.0)
    by_hand = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert loss.item() == pytest.approx(by_hand, rel=1e-5)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 1)), min_size=2, max_size=9))
def test_list_loss_is_positive_unless_the_distributions_agree(
    rows: list[tuple[float, float]],
) -> None:
    scores, overlaps = torch.tensor(rows, dtype=torch.float64).unbind(1)
    gap = torch.softmax(scores, 0) - torch.softmax(overlaps / 0.1, 0)
    loss = list_loss(scores, overlaps, 0.1).item()
    assert loss >= 0.5 * gap.abs().sum().item() ** 2 - 1e-9  # Pinsker


def test_pair_loss_equals_the_value_by_hand() -> None:
    scores = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    votes = torch.tensor([[3.0, 2.0], [4.0, 1.0]])
    sure = 1 / (1 + math.exp(-1))
    by_hand = (-0.6 * math.log(sure) - 0.4 * math.log(1 - sure) + math.log(2)) / 2
    assert pair_loss(scores, votes).item() == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("votes", [(3, 2), (4, 1), (5, 5)])
def test_pair_loss_is_least_at_the_log_odds_of_the_votes(votes: tuple[int, int]) -> None:
    odds = math.log(votes[0] / votes[1])
    given_votes = torch.tensor([votes]).double()

    def loss(difference: float) -> float:
        return pair_loss(torch.tensor([[difference, 0.0]]).double(), given_votes).item()

    assert all(loss(odds) < loss(odds + off) for off in (-2, -0.1, 0.1, 2))

"""What a ranker of crops is trained on: lists by overlap, pairs by votes, and where people look."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

__all__ = ["density_loss", "list_loss", "pair_loss"]


def list_loss(scores: Tensor, overlaps: Tensor, temperature: float) -> Tensor:
    """ListNet (Cao et al. 2007): cross entropy from softmax(IoU / temperature) to the scores'.

    (N,) scores and (N,) overlaps of one list -> a scalar, 0 at best: the entropy of the target
    is taken off, so that the value says how far there is to go.
    """
    target = F.softmax(overlaps / temperature, 0)
    return (target * (F.log_softmax(overlaps / temperature, 0) - F.log_softmax(scores, 0))).sum()


def pair_loss(scores: Tensor, votes: Tensor) -> Tensor:
    """Bradley-Terry with soft targets: (P, 2) scores and (P, 2) votes -> the mean cross entropy.

    A pair of 3 to 2 votes asks for odds of about 3 to 2 and not for a certainty, so scores become
    log-odds of preference.
    """
    wins = votes[:, 0] / votes.sum(1)
    return F.binary_cross_entropy_with_logits(scores[:, 0] - scores[:, 1], wins)


def density_loss(log_density: Tensor, target: Tensor) -> Tensor:
    """Kullback-Leibler divergence, in nats, of two densities over the same cells -> a scalar."""
    return F.kl_div(log_density, target, reduction="sum")

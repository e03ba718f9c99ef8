"""Scores whose differences are log-odds: one slope, fitted on votes that training did not see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cropper.scorers.cropnet.network import CropNet
from cropper.train.data import Judged

__all__ = ["calibrate", "fit_slope", "pair_gains"]

Floats = NDArray[np.float64]


def calibrate(net: CropNet, items: Sequence[Judged]) -> float:
    """Scale the scores so that score differences are log-odds; returns the factor, 1 if unfit.

    Scores that rank pairs no better than chance have no such factor and stay as they are.
    """
    gains, wins, votes = pair_gains(net, items)
    slope = fit_slope(gains, wins, votes)
    if slope <= 0:
        return 1.0
    last = net.head.out[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.mul_(slope)
        last.bias.mul_(slope)
        if net.config.gaze:
            net.head.gaze_weights.mul_(slope)
    return slope


@torch.no_grad()
def pair_gains(net: CropNet, items: Sequence[Judged]) -> tuple[Floats, Floats, Floats]:
    """(P,) each: score of a pair's first crop less its second's, share of votes, votes."""
    device = next(net.parameters()).device
    gains, votes = [np.empty(0)], [np.empty((0, 2))]
    for item in items:
        if len(item.pairs):
            boxes = torch.from_numpy(item.pairs.reshape(-1, 4)).float().to(device)
            scores = net.score(net.look(item.pixels[None])[0], boxes).cpu().double().numpy()
            gains.append(scores[::2] - scores[1::2])
            votes.append(item.votes)
    counted = np.concatenate(votes)
    total = counted.sum(1)
    return np.concatenate(gains), counted[:, 0] / np.maximum(total, 1e-9), total


def fit_slope(gains: Floats, wins: Floats, weights: Floats, steps: int = 50) -> float:
    """The k of P(first wins) = sigmoid(k * gain) of greatest likelihood (Platt 1999, no offset).

    (P,) gains, shares of votes for the first and counts of votes. Newton's method; 0 for no pairs.
    """
    slope = 0.0
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-np.clip(slope * gains, -500, 500)))
        gradient = float((weights * gains * (wins - chance)).sum())
        curvature = float((weights * gains**2 * chance * (1 - chance)).sum())
        if curvature < 1e-12:
            break
        step = gradient / curvature
        slope += float(np.clip(step, -1, 1))
        if abs(step) < 1e-9:
            break
    return slope

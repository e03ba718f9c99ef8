"""How far photos were tilted when they were published, read by networks that never saw them.

Nobody labelled that. But of a photo's windows, turned by known angles, a network reads the sum of
turn and own tilt, so that what its readings have in common is the photo's own. Each half of the
photos is read by a network that was trained on the other half.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cropper.tilt import ANGLES

__all__ = ["own_tilts"]

_HALVES = 7  # seed of the halves
_TILTS = np.arange(-6, 6.01, 0.1)  # degrees
_LOOKS = 3.0  # that a photo's windows are worth together: they show the same edges
_SPREAD = 1.0  # degrees, of photos' own tilts: Laplace


def own_tilts(
    edges: Tensor,
    angles: Tensor,
    windows: int,
    train: Callable[[Tensor, Tensor, int], nn.Module],
    log_odds: Callable[[nn.Module, Tensor], Tensor],
) -> NDArray[np.float64]:
    """(N, ...) edge directions of ``windows`` a photo and (N,) turns -> (photos,) degrees.

    ``train`` makes a network of such windows, with a seed; ``log_odds`` gives those of ``ANGLES``.
    The mean of what is possible, so that a photo which says little has little.
    """
    photos = len(angles) // windows
    half = np.zeros(photos, dtype=bool)
    half[np.random.default_rng(_HALVES).permutation(photos)[: photos // 2]] = True
    found = np.zeros(photos)
    for number, side in enumerate((~half, half)):
        own = torch.from_numpy(np.repeat(side, windows))
        net = train(edges[own], angles[own], number)
        odds = log_odds(net, edges[~own])
        chances = odds.log_softmax(1).numpy().reshape(-1, windows, len(ANGLES))
        turns = angles[~own].numpy().reshape(-1, windows)
        found[~side] = [_tilt_of(*each) for each in zip(chances, turns, strict=True)]
    return found


def _tilt_of(log_chances: NDArray[np.float32], turned: NDArray[np.float32]) -> float:
    """(windows, angles) and (windows,) degrees of turn -> degrees."""
    each = [
        np.interp(turn + _TILTS, ANGLES, row) for turn, row in zip(turned, log_chances, strict=True)
    ]
    log_chance = _LOOKS * np.mean(each, 0) - np.abs(_TILTS) / _SPREAD
    chance = np.exp(log_chance - log_chance.max())
    return float(chance @ _TILTS / chance.sum())

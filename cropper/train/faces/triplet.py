"""The triplet loss and how its triplets are mined (Schroff et al. 2015; Hermans et al. 2017)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cropper.errors import ConfigError

__all__ = ["MINING", "check_spread", "distances", "spread", "triplet_loss"]

MINING = ("semi-hard", "hard")
_COLLAPSED = 0.05  # of the spread that there was at first


def distances(encodings: Tensor) -> Tensor:
    """(N, D) -> (N, N), Euclidean; without a gradient where two are the same."""
    squares = encodings.square().sum(1)
    gaps = (squares[:, None] + squares - 2 * encodings @ encodings.T).clamp_min(0)
    apart = gaps > 1e-12
    return torch.where(apart, torch.where(apart, gaps, 1.0).sqrt(), 0.0)


def triplet_loss(encodings: Tensor, people: Tensor, margin: float, mining: str) -> Tensor:
    """The mean over triplets (anchor, positive, negative) of max(0, d_ap - d_an + margin).

    ``encodings`` (N, D) are of ``people`` (N,), two faces or more of each. hard: for each anchor
    its farthest positive and its nearest negative. semi-hard: for each anchor and positive the
    nearest negative that is farther than the positive, or the farthest of all where none is.
    """
    gaps = distances(encodings)
    same = people[:, None] == people
    positive = same & ~torch.eye(len(people), dtype=torch.bool, device=people.device)
    if mining == "hard":
        far = gaps.masked_fill(~positive, -torch.inf).amax(1)
        near = gaps.masked_fill(same, torch.inf).amin(1)
        return F.relu(far - near + margin).mean()
    anchor, other = positive.nonzero(as_tuple=True)
    own = gaps[anchor, other]
    others = gaps[anchor]
    beyond = others.masked_fill(same[anchor] | (others <= own[:, None]), torch.inf).amin(1)
    farthest = others.masked_fill(same[anchor], -torch.inf).amax(1)
    negative = torch.where(beyond.isfinite(), beyond, farthest)
    return F.relu(own - negative + margin).mean()


def spread(encodings: Tensor, people: Tensor) -> float:
    """The mean distance between faces of different people."""
    gaps = distances(encodings.detach())
    return float(gaps[people[:, None] != people].mean())


def check_spread(now: float, first: float, margin: float) -> None:
    """Raises ConfigError where all faces have come to one encoding: the loss is met, or stands at
    the margin, and nobody is told from anybody."""
    if now < _COLLAPSED * first:
        raise ConfigError(
            f"the training collapsed: different people lie {now:.2g} apart, at first they lay "
            f"{first:.2g}, so that all faces have one encoding. Use a larger `margin` than "
            f"{margin:g}, `mining=semi-hard`, or a lower `rate`"
        )

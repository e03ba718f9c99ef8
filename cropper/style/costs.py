"""What style transfer makes small: how far a picture is from a content and from a style.

Costs are those of Gatys, Ecker and Bethge (2016), each as a share of its target's own energy:
a strength then means the same for every network, layer and size. 0 is equal, about 1 unrelated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Costs", "content_cost", "gram", "style_cost", "variation"]

_LEAST = 1e-12


@dataclass(frozen=True)
class Costs:
    """Of one picture; ``total`` is what the descent makes small."""

    content: float
    style: float
    total: float


def gram(features: Tensor) -> Tensor:
    """(1, C, h, w) -> (C, C): how often channels are strong in the same place, wherever that is."""
    flat = features.flatten(2)[0]
    return flat @ flat.T / flat.shape[1]


def content_cost(features: Tensor, target: Tensor) -> Tensor:
    """Features (1, C, h, w) of one layer: the same in the same places."""
    return _share(features, target)


def style_cost(features: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
    """Features by layer against the Gram matrices of the painting, the mean over the layers."""
    shares = [_share(gram(features[name]), target) for name, target in targets.items()]
    return torch.stack(shares).mean()


def variation(pixels: Tensor) -> Tensor:
    """(1, 3, H, W) -> mean square of the steps between neighbours (total variation, squared)."""
    across, down = pixels.diff(dim=3), pixels.diff(dim=2)
    return across.square().mean() + down.square().mean()


def _share(found: Tensor, target: Tensor) -> Tensor:
    return (found - target).square().sum() / (target.square().sum() + _LEAST)

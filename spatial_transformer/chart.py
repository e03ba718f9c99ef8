"""Coordinates that an ascent moves in: the bounded crop's, or theta itself as in 2015."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from spatial_transformer.affine import AffineCrop

__all__ = ["Chart", "RawCrop"]


class Chart(Protocol):
    """(N, P) params <-> theta, and steps between them. AffineCrop is one."""

    def theta(self, params: Tensor) -> Tensor: ...

    def move(self, params: Tensor, moves: Tensor) -> Tensor: ...

    def slopes(self, params: Tensor, gradient: Tensor) -> Tensor:
        """A gradient by params as one by moves."""
        ...

    def bounded(self, space: AffineCrop, params: Tensor) -> Tensor:
        """(N, 6) params of ``space``: the nearest crop that may be returned."""
        ...


@dataclass(frozen=True)
class RawCrop:
    """The vanilla spatial transformer's parameters, without bounds.

    Six are the entries of theta. Three are a factor of the start's size and the offset, which the
    origin tried next (Karpathy 2015).
    """

    starts: Tensor  # (N, 2, 3)
    parameters: int  # 3 or 6

    @property
    def start(self) -> Tensor:
        """(N, parameters)."""
        if self.parameters == 6:
            return self.starts.flatten(1)
        return torch.cat([torch.ones_like(self.starts[:, :1, 0]), self.starts[:, :, 2]], 1)

    def theta(self, params: Tensor) -> Tensor:
        if self.parameters == 6:
            return params.reshape(-1, 2, 3)
        linear = self.starts[:, :, :2] * params[:, :1, None]
        return torch.cat([linear, params[:, 1:, None]], 2)

    def move(self, params: Tensor, moves: Tensor) -> Tensor:
        return params + moves

    def slopes(self, params: Tensor, gradient: Tensor) -> Tensor:
        return gradient

    def bounded(self, space: AffineCrop, params: Tensor) -> Tensor:
        return space.params(self.theta(params))

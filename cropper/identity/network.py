"""The descriptor's network in torch, to train and to check the graph against.

A ResNet of dlib's design (King 2017, "High Quality Face Recognition with Deep Metric Learning"),
batch normalisation folded in.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cropper.identity.config import BLOCKS, MEAN, NUMBERS, SCALE, STEM

__all__ = ["FaceNetwork"]


class _Block(nn.Module):
    """relu(x + conv(relu(conv(x)))); where it halves the sides, x is averaged over 2 x 2."""

    def __init__(self, cin: int, cout: int, halves: bool) -> None:
        super().__init__()
        self.halves = halves
        stride, padding = (2, 0) if halves else (1, 1)
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, padding)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        change = self.conv2(F.relu(self.conv1(x)))
        if not self.halves:
            return F.relu(x + change)
        kept = F.avg_pool2d(x, 2)
        shape = [max(a, b) for a, b in zip(kept.shape[1:], change.shape[1:], strict=True)]
        return F.relu(_grown(kept, shape) + _grown(change, shape))


def _grown(x: Tensor, shape: list[int]) -> Tensor:
    """With zeros after its channels, below and at the right."""
    channels, rows, columns = (most - own for most, own in zip(shape, x.shape[1:], strict=True))
    return F.pad(x, (0, columns, 0, rows, 0, channels))


class FaceNetwork(nn.Module):
    """Aligned faces (N, 150, 150, 3), RGB in [0, 255] -> encodings (N, 128)."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        name, channels = STEM
        self.add_module(name, nn.Conv2d(3, channels, 7, 2))
        for name, cout, halves in BLOCKS:
            self.add_module(name, _Block(channels, cout, halves))
            channels = cout
        self.fc = nn.Linear(channels, NUMBERS, bias=False)
        self.register_buffer("mean", torch.tensor(MEAN), persistent=False)

    def forward(self, faces: Tensor) -> Tensor:
        x = ((faces.float() - self.mean) / SCALE).permute(0, 3, 1, 2)
        x = F.max_pool2d(F.relu(self.get_submodule(STEM[0])(x)), 3, 2)
        for name, _, _ in BLOCKS:
            x = self.get_submodule(name)(x)
        encodings: Tensor = self.fc(x.mean((2, 3)))
        return encodings

    def load(self, weights: Mapping[str, Tensor]) -> FaceNetwork:
        """Raises RuntimeError for weights of another network."""
        self.load_state_dict({name: value.float() for name, value in weights.items()})
        return self

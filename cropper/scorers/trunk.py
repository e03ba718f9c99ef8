"""MobileNetV2 (Sandler et al. 2018) as the trunk of the package's scorers.

Batch norm is folded, so the network is 51 convolutions with bias; names follow the weight file:
``features.<block>.<expand|depthwise|project|conv>``. Every convolution is padded on both sides,
and inputs are 32 k + 1 px a side: then each stride-2 layer keeps its border pixels, the feature
at index i lies on input pixel ``stride * i``, from either side alike, where the padding of even
sizes would shift it by half a cell.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cropper.errors import ConfigError
from cropper.scorers.affine import on_torch
from cropper.scorers.base import Scorer
from cropper.scorers.cropnet.config import MEAN_PIXEL, STAGES, TAPS, input_size

__all__ = ["MEAN_PIXEL", "Trunk", "input_size", "normalise_pixels", "trunk_of"]

_BELOW = 7  # blocks up to stride 8


class _Block(nn.Module):
    """Inverted residual: expand, depthwise, project."""

    def __init__(self, cin: int, cout: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = cin * expansion
        self.expand = nn.Conv2d(cin, hidden, 1) if expansion != 1 else None
        self.depthwise = nn.Conv2d(hidden, hidden, 3, stride, padding=1, groups=hidden)
        self.project = nn.Conv2d(hidden, cout, 1)
        self.residual = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        hidden = x if self.expand is None else F.relu6(self.expand(x))
        out: Tensor = self.project(F.relu6(self.depthwise(hidden)))
        return x + out if self.residual else out


class _Stem(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 32, 3, 2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(self.conv(x))


class Trunk(nn.Module):
    """(B, 3, 32 h + 1, 32 w + 1) in [-1, 1] -> features at strides 8, 16 and 32."""

    channels = tuple(TAPS.values())

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = [_Stem()]
        cin = 32
        for expansion, cout, repeats, stride in STAGES:
            for repeat in range(repeats):
                blocks.append(_Block(cin, cout, stride if repeat == 0 else 1, expansion))
                cin = cout
        self.features = nn.ModuleList(blocks)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the blocks, from the pixels on."""
        return tuple(f"block{place}" for place in range(len(self.features)))

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.above(self.below(x))

    def freeze_below(self) -> None:
        """Leave what ``below`` computes as it is when training."""
        self.features[:_BELOW].requires_grad_(False)

    def below(self, x: Tensor) -> Tensor:
        """Up to stride 8: edges and textures, which fine-tuning leaves alone."""
        for block in self.features[:_BELOW]:
            x = block(x)
        return x

    def above(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From stride 8 (B, 32, ...) on: the taps at strides 8, 16 (96 ch) and 32 (320 ch)."""
        stride_8 = x
        for block in self.features[_BELOW:14]:
            x = block(x)
        stride_16 = x
        for block in self.features[14:]:
            x = block(x)
        return stride_8, stride_16, x


def trunk_of(scorer: Scorer) -> tuple[Trunk, int]:
    """A scorer's trunk, and the area, px, at which it is shown a whole picture.

    Raises ConfigError for a scorer that has none.
    """
    scorer = on_torch(scorer)
    trunk, pixels = getattr(scorer, "trunk", None), getattr(scorer, "trunk_pixels", 0)
    if not isinstance(trunk, Trunk):
        raise ConfigError(
            f"{scorer.spec.name} has no trunk whose layers are known: choose cropnet, convnet, "
            "selfie or a checkpoint of their kinds"
        )
    return trunk, pixels


def normalise_pixels(pixels: Tensor) -> Tensor:
    """(..., H, W, 3) uint8, or floats from 0 to 255 -> (..., 3, H, W) floats in [-1, 1]."""
    values = pixels if pixels.is_floating_point() else pixels.to(torch.float32)
    return values.movedim(-1, -3) / MEAN_PIXEL - 1

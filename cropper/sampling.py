"""The one resampler, for pixels and feature maps, for the search and the spatial transformer.

Antialiased by a mip pyramid (Williams 1983): each level averages 2 x 2 px of the one before, and a
crop is read by bilinear interpolation within, and linear interpolation between, the two levels
whose pixels are closest in size to an output pixel. Everything is differentiable, in the image and
in where it is read.

``theta`` (N, 2, 3) maps output to input as ``torch.nn.functional.affine_grid`` does: both in
[-1, 1] from edge to edge (``align_corners=False``), x to the right, y down. Boxes here are (N, 4)
xyxy, normalised to [0, 1]. Positions and grids stay in float32 or better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cropper.errors import ConfigError

__all__ = ["Pyramid", "pyramid", "sample_affine", "sample_boxes", "theta_from_boxes"]


@dataclass(frozen=True)
class Pyramid:
    """Mip levels of one image or feature map; level 0 is the map itself."""

    levels: tuple[Tensor, ...]  # (C, ceil(H / 2**l), ceil(W / 2**l)) each

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of level 0."""
        return self.levels[0].shape[-2], self.levels[0].shape[-1]


def pyramid(image: Tensor) -> Pyramid:
    """(C, H, W), floating point -> its mip levels, down to one pixel.

    Every level covers the same extent exactly, also where a side is odd: a pixel there averages
    the exact share that it covers.
    """
    if image.ndim != 3 or not image.is_floating_point():
        raise ConfigError(f"pyramid takes (C, H, W) floats, got {tuple(image.shape)} {image.dtype}")
    levels = [image]
    while max(levels[-1].shape[-2:]) > 1:
        above = levels[-1]
        height, width = above.shape[-2:]
        if height % 2 == 0 and width % 2 == 0:
            levels.append(F.avg_pool2d(above, 2))
        else:
            levels.append(_halving(height, above) @ above @ _halving(width, above).T)
    return Pyramid(tuple(levels))


def _halving(length: int, like: Tensor) -> Tensor:
    """(ceil(length / 2), length): rows average the exact share of the pixels that they cover."""
    rows = math.ceil(length / 2)
    edges = torch.arange(rows + 1, dtype=torch.float64) * (length / rows)
    pixels = torch.arange(length, dtype=torch.float64)
    low = torch.maximum(edges[:-1, None], pixels)
    high = torch.minimum(edges[1:, None], pixels + 1)
    return ((high - low).clamp_min(0) * (rows / length)).to(like)


def theta_from_boxes(boxes: Tensor) -> Tensor:
    """(N, 4) normalised xyxy -> (N, 2, 3), the axis-aligned transforms that read these boxes."""
    x0, y0, x1, y1 = boxes.unbind(1)
    zero = torch.zeros_like(x0)
    rows = [
        torch.stack([x1 - x0, zero, x0 + x1 - 1], 1),
        torch.stack([zero, y1 - y0, y0 + y1 - 1], 1),
    ]
    return torch.stack(rows, 1)


def sample_boxes(source: Pyramid, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, 4) normalised xyxy -> (N, C, *size), size = (height, width)."""
    return sample_affine(source, theta_from_boxes(boxes), size)


def sample_affine(source: Pyramid, theta: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, 2, 3) -> (N, C, *size), size = (height, width); border pixels continue outside.

    The level is log2 of source px per output px, along the output axis where that is larger, so
    that neither axis aliases.
    """
    channels = source.levels[0].shape[0]
    grid = F.affine_grid(theta, [len(theta), 1, *size], align_corners=False)  # (N, h, w, 2)
    level = _level(source, theta, size)
    out = theta.new_zeros(len(theta), channels, *size).to(source.levels[0].dtype)
    for index, pixels in enumerate(source.levels):
        weight = (1 - (level - index).abs()).clamp_min(0)
        rows = torch.nonzero(weight.detach()).squeeze(1)
        if len(rows):
            read = _bilinear(pixels, grid[rows])
            out = out.index_add(0, rows, read * weight[rows, None, None, None].to(read.dtype))
    return out


def _level(source: Pyramid, theta: Tensor, size: tuple[int, int]) -> Tensor:
    """(N,): the fractional mip level, within the levels that there are."""
    extent = theta.new_tensor([source.size[1], source.size[0]])  # source px, as (x, y)
    steps = theta[:, :, :2] * extent[None, :, None] / theta.new_tensor([size[1], size[0]])
    longest = steps.square().sum(1).amax(1).clamp_min(1e-12)  # squared source px per output px
    return (0.5 * torch.log2(longest)).clamp(0, len(source.levels) - 1)


def _bilinear(pixels: Tensor, grid: Tensor) -> Tensor:
    """(C, H, W) read at (N, h, w, 2) -> (N, C, h, w), all crops as one tall picture."""
    count, height, width, _ = grid.shape
    read = F.grid_sample(
        pixels[None],
        grid.reshape(1, count * height, width, 2).to(pixels.dtype),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return read[0].reshape(-1, count, height, width).transpose(0, 1)

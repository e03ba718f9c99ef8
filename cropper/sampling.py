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

__all__ = [
    "Pyramid",
    "decompose",
    "equal_area_boxes",
    "pyramid",
    "sample_affine",
    "sample_boxes",
    "theta_from_boxes",
]

_WORTH_GROUPING = 64  # boxes; below, grouping costs more than it saves
_WORTH_SHARING = 8  # boxes of one shape; below, reading them one by one is as fast


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


def decompose(theta: Tensor, size: tuple[float, float]) -> tuple[Tensor, Tensor, Tensor]:
    """(N, 2, 3) -> sides (N, 2), rotation (N,) in radians, shear (N,), in a picture of ``size``.

    ``size`` = (width, height) in any unit, which is the sides' too. The map from output to input is
    ``R(rotation) [[1, shear], [0, 1]] diag(sides)``, the QR decomposition of its linear part. The
    sides are positive, also of a crop that is read mirrored.
    """
    linear = theta[:, :, :2] * theta.new_tensor(size)[:, None]  # of full sides: output spans 2
    (a, b), (c, d) = linear[:, 0].unbind(1), linear[:, 1].unbind(1)
    width = torch.hypot(a, c)
    height = (a * d - b * c).abs() / width
    shear = (a * b + c * d) / (width * height)
    return torch.stack([width, height], 1), torch.atan2(c, a), shear


def equal_area_boxes(theta: Tensor, size: tuple[float, float]) -> Tensor:
    """(N, 2, 3) -> (N, 4) normalised xyxy: the upright boxes that crops would be without a turn.

    They keep centre, width and area. Of an upright theta it is the box that it reads.
    """
    sides, _, _ = decompose(theta, size)
    half = sides / theta.new_tensor(size) / 2
    centre = (theta[:, :, 2] + 1) / 2
    return torch.cat([centre - half, centre + half], 1)


def sample_boxes(source: Pyramid, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, 4) normalised xyxy -> (N, C, *size), size = (height, width).

    The same values as ``sample_affine`` of these boxes. Where no gradient in the boxes is wanted,
    those of one shape that share x and y intervals, as a search's do, are read together.
    """
    if boxes.requires_grad or len(boxes) < _WORTH_GROUPING:
        return sample_affine(source, theta_from_boxes(boxes), size)
    out = source.levels[0].new_empty(len(boxes), source.levels[0].shape[0], *size)
    sides = (boxes[:, 2:] - boxes[:, :2]).round(decimals=6)
    _, group = torch.unique(sides, dim=0, return_inverse=True)
    order = torch.argsort(group)
    rest = []
    for rows in torch.split(order, torch.bincount(group).tolist()):
        if len(rows) < _WORTH_SHARING:
            rest.append(rows)
            continue
        x0, column = torch.unique(boxes[rows, 0], return_inverse=True)
        y0, row = torch.unique(boxes[rows, 1], return_inverse=True)
        if len(x0) * len(y0) > 2 * len(rows) + 8:
            rest.append(rows)
            continue
        lattice = _sample_lattice(source, x0, y0, boxes[rows[0], 2:] - boxes[rows[0], :2], size)
        out[rows] = lattice[row, :, :, column].movedim(2, 1)
    if rest:
        rows = torch.cat(rest)
        out[rows] = sample_affine(source, theta_from_boxes(boxes[rows]), size)
    return out


def _sample_lattice(
    source: Pyramid, x0: Tensor, y0: Tensor, sides: Tensor, size: tuple[int, int]
) -> Tensor:
    """Every box of ``sides`` (2,) at each of (X,) ``x0`` and (Y,) ``y0``: (Y, h, C, X, w).

    Reading an axis-aligned box is bilinear, so it is two matrix products, and a lattice of boxes
    shares both.
    """
    corner = torch.stack([x0[0], y0[0], x0[0] + sides[0], y0[0] + sides[1]])
    level = _level(source, theta_from_boxes(corner[None]), size)[0]
    total = None
    for index in {int(level), min(int(level) + 1, len(source.levels) - 1)}:
        weight = (1 - (level - index).abs()).clamp_min(0)
        pixels = source.levels[index]
        channels, height, width = pixels.shape
        down = _hat(y0, sides[1], size[0], height).to(pixels)  # (Y * h, H)
        across = _hat(x0, sides[0], size[1], width).to(pixels) * weight.to(pixels)  # (X * w, W)
        strips = down @ pixels.transpose(0, 1).reshape(height, channels * width)
        part = strips.reshape(-1, width) @ across.T
        total = part if total is None else total + part
    assert total is not None
    return total.reshape(len(y0), size[0], channels, len(x0), size[1])


def _hat(low: Tensor, side: Tensor, samples: int, length: int) -> Tensor:
    """(K,) intervals -> (K * samples, length): what each sample takes from each pixel."""
    steps = (torch.arange(samples, dtype=low.dtype, device=low.device) + 0.5) / samples
    places = ((low[:, None] + side * steps) * length - 0.5).clamp(0, length - 1).reshape(-1, 1)
    pixels = torch.arange(length, dtype=low.dtype, device=low.device)
    return (1 - (places - pixels).abs()).clamp_min(0)


def sample_affine(source: Pyramid, theta: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, 2, 3) -> (N, C, *size), size = (height, width); border pixels continue outside.

    The level is log2 of source px per output px, along the output axis where that is larger, so
    that neither axis aliases.
    """
    channels = source.levels[0].shape[0]
    if not len(theta):
        return source.levels[0].new_zeros(0, channels, *size)
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
    kind = pixels.dtype
    wide = torch.promote_types(kind, torch.float32)
    read = F.grid_sample(
        pixels[None].to(wide),
        grid.reshape(1, count * height, width, 2).to(wide),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return read.to(kind)[0].reshape(-1, count, height, width).transpose(0, 1)

"""How likely a turned photo is level, differentiable in the angle by which it is turned.

The photo is read as ``--straighten`` cuts it: turned back by the angle, the largest frame of its
own shape that lies inside. What the tilt network makes of that reading, edge directions and
log-odds, is the product's (``cropper.tilt``) in torch.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from cropper.image import View
from cropper.sampling import pyramid, sample_affine
from cropper.tilt import (
    ANGLES,
    BINS,
    CELLS,
    EDGE_RANGE,
    LEAST_EDGE,
    LONG_SIDE,
    SMOOTHINGS,
    WEIGHTS,
    grey_levels,
)
from cropper.train.tilt import TiltNet, mirrored

__all__ = ["SOURCE_SIDE", "Levelness", "edge_directions"]

SOURCE_SIDE = 2 * LONG_SIDE  # px of the view that turned readings are taken from


class Levelness:
    """Of one photo; ``angles`` (N,) degrees -> (N,) log-probabilities."""

    def __init__(self, view: View, dtype: torch.dtype = torch.float32) -> None:
        """A view of ``SOURCE_SIDE`` px or, of a smaller photo, of all that it has."""
        self._source = pyramid(torch.from_numpy(grey_levels(view, SOURCE_SIDE)).to(dtype)[None])
        self._net = _net(dtype)
        width, height = view.size
        scale = LONG_SIDE / max(view.pixels.shape[:2])
        sides = view.pixels.shape[:2]
        self._shape = tuple(max(round(side * min(scale, 1)), 1) for side in sides)
        self._aspect = width / height

    def __call__(self, angles: Tensor) -> Tensor:
        """That the photo, turned back by each angle, is level to within a degree."""
        log_odds = F.log_softmax(self.log_odds(angles), 1)
        return log_odds[:, torch.from_numpy(abs(ANGLES) < 1)].logsumexp(1)

    def log_odds(self, angles: Tensor) -> Tensor:
        """(N,) -> (N, ANGLES) of each tilt that the turned photo may still have."""
        pictures = sample_affine(self._source, self._theta(angles), self._shape)[:, 0]
        edges = edge_directions(pictures)
        odds: Tensor = self._net(edges) + self._net(mirrored(edges)).flip(1)
        return odds / 2

    def _theta(self, angles: Tensor) -> Tensor:
        """(N, 2, 3): the largest frame of the photo's shape, as ``Turn.fit`` has it."""
        turn = torch.deg2rad(angles)
        cos, sin, aspect = turn.cos(), turn.sin(), self._aspect
        narrow = min(aspect, 1 / aspect)  # the shorter side is the first to touch the border
        scale = 1 / (cos + sin.abs() / narrow)
        zero = torch.zeros_like(cos)
        rows = [
            torch.stack([cos, -sin / aspect, zero], 1),
            torch.stack([sin * aspect, cos, zero], 1),
        ]
        return torch.stack(rows, 1) * scale[:, None, None]


@lru_cache
def _net(dtype: torch.dtype) -> TiltNet:
    """The package's, which learns no more."""
    net = TiltNet().eval().requires_grad_(False)
    net.load_state_dict(load_file(WEIGHTS))
    return net.to(dtype)


def edge_directions(pictures: Tensor) -> Tensor:
    """(N, H, W) grey levels -> (N, scales, 2, CELLS, CELLS, BINS), as ``cropper.tilt`` has them.

    Every edge is shared between two bins by its direction, so the slope is right almost everywhere;
    what comes and goes at the threshold of noise, or between upright and level, has none.
    """
    across, down = _gradient(_smooth(pictures[:, None], 2))
    tensor = torch.cat([across * across, down * down, across * down], 1)
    height, width = pictures.shape[1:]
    row, column = (torch.arange(side) * CELLS // side for side in (height, width))
    cells = (row[:, None] * CELLS + column).expand(len(pictures), -1, -1)
    found = []
    for passes in SMOOTHINGS:
        tensor = _smooth(tensor, passes)
        found.append(_directions(tensor, cells))
    return torch.stack(found, 1) / (height * width / CELLS**2)


def _directions(tensor: Tensor, cells: Tensor) -> Tensor:
    """(N, 3, H, W) and the cells (N, H, W) of pixels -> (N, 2, CELLS, CELLS, BINS)."""
    xx, yy, xy = tensor.transpose(0, 1).flatten(1)
    across, along = xx - yy, 2 * xy
    squared = across * across + along * along
    near = along.abs() < across.abs()
    (seen,) = (near & (squared > LEAST_EDGE**4)).nonzero(as_tuple=True)
    across, along, squared, both = (
        each.index_select(0, seen) for each in (across, along, squared, xx + yy)
    )
    place = torch.rad2deg(torch.atan(along / across)) + (2 * EDGE_RANGE - 0.5)
    strength = squared**0.75 / (both + 1e-6)
    first = place.detach().floor()
    picture = seen // cells[0].numel()
    start = ((picture * 2 + (across < 0)) * CELLS**2 + cells.flatten()[seen]) * BINS
    total = tensor.new_zeros(len(tensor) * 2 * CELLS**2 * BINS)
    for step in (0, 1):
        share = strength * (1 - (place - first - step).abs())
        bins = (first.long() + step).clamp(0, BINS - 1)
        total = total.index_add(0, start + bins, share)
    return total.view(-1, 2, CELLS, CELLS, BINS)


def _smooth(x: Tensor, passes: int) -> Tensor:
    """(N, C, H, W): the binomial filter along both axes; edges continue."""
    for _ in range(passes):
        x = F.pad(x, (1, 1, 1, 1), mode="replicate")
        x = x[..., 1:-1] * 0.5 + (x[..., :-2] + x[..., 2:]) * 0.25
        x = x[..., 1:-1, :] * 0.5 + (x[..., :-2, :] + x[..., 2:, :]) * 0.25
    return x


def _gradient(x: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 1, H, W) -> its slopes to the right and down by Scharr's filter; 0 at the border."""
    wide, high = x[..., 2:] - x[..., :-2], x[..., 2:, :] - x[..., :-2, :]
    across = 3 * (wide[..., :-2, :] + wide[..., 2:, :]) + 10 * wide[..., 1:-1, :]
    down = 3 * (high[..., :-2] + high[..., 2:]) + 10 * high[..., 1:-1]
    return F.pad(across / 32, (1, 1, 1, 1)), F.pad(down / 32, (1, 1, 1, 1))

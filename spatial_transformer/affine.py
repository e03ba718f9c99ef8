"""AffineCrop: six bounded parameters of a crop -> theta, with the crop inside the picture.

Params are (N, 6): log scale, centre x, centre y, log aspect, rotation, shear. Scale and centres
are those of ``CropSpace`` (scale 1 is the largest upright box of its aspect, centres are in [0, 1]
of the picture's sides), log aspect is relative to the crop's base aspect, rotation is in radians
(clockwise on the screen, since y points down), shear is the x offset per y. In pixels, output
coordinates o in [-1, 1] are read at ``centre + R(rotation) [[1, shear], [0, 1]] diag(w, h) o / 2``.

The four warped corners lie inside the picture for any parameters: first the scale is cut to what
the turned and sheared shape leaves room for, then the centre. So nothing outside is ever read, and
with rotation, shear and log aspect 0 what is left is ``CropSpace``, within float rounding.

Values are kept inside by cutting, not by a sigmoid: the whole picture lies on the bound of the
scale, where a sigmoid is never quite and has no gradient, so that every ascent from it would stick.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cropper.boxes import Boxes, Corners, normalise
from cropper.errors import SpaceError
from cropper.sampling import decompose, equal_area_boxes, theta_from_boxes
from cropper.space import FREE_ASPECTS, MIN_SCALE, CropSpace, crop_spaces

__all__ = ["PARAMS", "AffineCrop", "Warp", "corners_of"]

PARAMS = 6
_LOG_SCALE, _X, _Y, _LOG_ASPECT, _ROTATION, _SHEAR = range(PARAMS)
# What a move of 1 changes: then each parameter displaces the crop's edges, at most, by about one
# side of the crop, so that one step size suits all six.
_PER_MOVE = (2.0, 1.0, 1.0, 2.0, 2.0, 2.0)


@dataclass(frozen=True)
class Warp:
    """One affine crop of one picture."""

    theta: tuple[tuple[float, float, float], tuple[float, float, float]]  # as in ``affine_grid``
    corners: Corners  # of the output, px

    @classmethod
    def of(cls, theta: Tensor, size: tuple[int, int]) -> Warp:
        """From (2, 3), for a picture of ``size`` = (width, height)."""
        theta = theta.detach().double().cpu()
        points = corners_of(theta[None], size)[0]
        (a, b, x), (c, d, y) = theta.tolist()
        top_left, top_right, bottom_right, bottom_left = map(tuple, points.tolist())
        corners = (top_left, top_right, bottom_right, bottom_left)
        return cls(((a, b, x), (c, d, y)), corners)

    @property
    def box(self) -> NDArray[np.float64]:
        """(4,): the smallest upright box around it, px."""
        points = np.array(self.corners)
        return np.concatenate([points.min(0), points.max(0)])

    def equal_area_box(self, size: tuple[int, int]) -> NDArray[np.float64]:
        """(4,): the upright box that it would be without its turn, px of a picture of ``size``."""
        theta = torch.tensor(self.theta, dtype=torch.float64)[None]
        scaled: NDArray[np.float64] = equal_area_boxes(theta, size)[0].numpy() * (size * 2)
        return scaled

    @property
    def upright(self) -> bool:
        """Whether it is a box: neither turned nor sheared by more than rounding."""
        return max(abs(self.theta[0][1]), abs(self.theta[1][0])) < 1e-9


def corners_of(theta: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, 2, 3) -> (N, 4, 2) px: top left, top right, bottom right, bottom left of the output."""
    ends = theta.new_tensor([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    placed = ends @ theta[:, :, :2].transpose(1, 2) + theta[:, None, :, 2]
    out: Tensor = (placed + 1) / 2 * theta.new_tensor(size)
    return out


@dataclass(frozen=True)
class AffineCrop:
    """All affine crops of one picture within bounds."""

    size: tuple[int, int]  # (width, height) of the upright picture, px
    aspect: float  # width / height of the crop where log aspect is 0
    min_scale: float = MIN_SCALE  # as in CropSpace
    max_scale: float = 1.0
    log_aspect: tuple[float, float] = (0.0, 0.0)  # bounds; equal: the aspect is given
    rotation: float = math.radians(10)  # at most, either way; more looks like a mistake
    shear: float = 0.1  # at most, either way; more distorts faces visibly

    def __post_init__(self) -> None:
        CropSpace(self.size, self.aspect, self.min_scale, self.max_scale)  # checks these
        low, high = self.log_aspect
        if not -3 <= low <= 0 <= high <= 3:
            raise SpaceError(
                f"bounds of log aspect are -3 <= low <= 0 <= high <= 3, got {low} and {high}"
            )
        if not (0 <= self.rotation <= math.pi / 4 and 0 <= self.shear <= 0.5):
            raise SpaceError(
                "rotation is at most pi / 4 and shear at most 0.5 either way, got "
                f"{self.rotation} and {self.shear}"
            )

    @classmethod
    def of(
        cls,
        size: tuple[int, int],
        aspect: str | float = "original",
        min_scale: float = MIN_SCALE,
        max_scale: float = 1.0,
    ) -> AffineCrop:
        """What ``crop_spaces`` means by these words, with rotation and shear."""
        if aspect != "free":
            (space,) = crop_spaces(size, aspect, min_scale, max_scale)
            return cls(size, space.aspect, min_scale, max_scale)
        own = math.log(size[0] / size[1])
        bounds = (
            max(min(math.log(FREE_ASPECTS[0]) - own, 0.0), -3.0),
            min(max(math.log(FREE_ASPECTS[-1]) - own, 0.0), 3.0),
        )
        return cls(size, size[0] / size[1], min_scale, max_scale, bounds)

    @cached_property
    def _bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        low = (math.log(self.min_scale), 0, 0, self.log_aspect[0], -self.rotation, -self.shear)
        high = (math.log(self.max_scale), 1, 1, self.log_aspect[1], self.rotation, self.shear)
        return low, high

    @property
    def identity(self) -> Tensor:
        """(1, 6): the largest box of the base aspect, centred; all of the picture if that fits."""
        return torch.tensor([[0, 0.5, 0.5, 0, 0, 0]], dtype=torch.float64)

    def project(self, params: Tensor) -> Tensor:
        """(N, 6) -> (N, 6): the nearest that are within the bounds and the picture."""
        low, high = (params.new_tensor(bound) for bound in self._bounds)
        params = torch.minimum(torch.maximum(params, low), high)
        linear, log_fit = self._linear(params)
        log_scale = torch.minimum(params[:, _LOG_SCALE], log_fit)
        half = _half_extent(linear) * log_scale.exp()[:, None]
        # min before max: where there is no room at all, rounding may make half exceed 1 - half
        centre = torch.maximum(torch.minimum(params[:, _X : _Y + 1], 1 - half), half)
        return torch.cat([log_scale[:, None], centre, params[:, _LOG_ASPECT:]], 1)

    def theta(self, params: Tensor) -> Tensor:
        """(N, 6) -> (N, 2, 3), differentiable; what is outside the bounds is cut to them.

        The gradient has a kink where rotation or shear is 0 on a crop as large as it can be: it
        has to shrink whichever way it turns.
        """
        params = self.project(params)
        linear, _ = self._linear(params)
        linear = linear * params[:, _LOG_SCALE].exp()[:, None, None]
        return torch.cat([linear, 2 * params[:, _X : _Y + 1, None] - 1], 2)

    def _linear(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """The (N, 2, 2) part of theta at scale 1, and the log of the largest scale that fits."""
        extent = params.new_tensor(self.size)
        ratio = torch.exp(params[:, _LOG_ASPECT]) * (self.aspect * self.size[1] / self.size[0])
        one = torch.ones_like(ratio)
        sides = torch.stack([torch.minimum(ratio, one), torch.minimum(1 / ratio, one)], 1) * extent
        cos, sin = torch.cos(params[:, _ROTATION]), torch.sin(params[:, _ROTATION])
        shear = params[:, _SHEAR]
        turned = torch.stack(
            [
                torch.stack([cos, cos * shear - sin], 1),
                torch.stack([sin, sin * shear + cos], 1),
            ],
            1,
        )
        linear = turned * sides[:, None, :] / extent[:, None]
        fit = 0.5 / _half_extent(linear).amax(1)
        return linear, torch.log(fit)

    def params(self, theta: Tensor) -> Tensor:
        """(N, 2, 3) -> (N, 6): the inverse of ``theta`` where that is within the bounds."""
        sides, rotation, shear = decompose(theta, self.size)
        log_aspect = torch.log(sides[:, 0] / sides[:, 1]) - math.log(self.aspect)
        ratio = torch.exp(log_aspect) * (self.aspect * self.size[1] / self.size[0])
        scale = sides[:, 0] / self.size[0] / ratio.clamp_max(1)
        centre = (theta[:, :, 2] + 1) / 2
        columns = [torch.log(scale), *centre.unbind(1), log_aspect, rotation, shear]
        return self.project(torch.stack(columns, 1))

    def from_boxes(self, boxes: Boxes) -> Tensor:
        """(N, 4) px -> (N, 6) float64: upright starts."""
        return self.params(theta_from_boxes(torch.from_numpy(normalise(boxes, self.size))))

    def move(self, params: Tensor, moves: Tensor) -> Tensor:
        """Displace (N, 6) by (N, 6) in shares of the crop's side; stays inside."""
        linear, _ = self._linear(params)
        sides = 2 * _half_extent(linear) * params[:, _LOG_SCALE].exp()[:, None]
        step = moves * moves.new_tensor(_PER_MOVE)
        step = torch.cat([step[:, :_X], step[:, _X : _Y + 1] * sides, step[:, _LOG_ASPECT:]], 1)
        return self.project(params + step)

    def slopes(self, params: Tensor, gradient: Tensor) -> Tensor:
        """A gradient by params (N, 6) as one by moves: the chain rule of ``move`` at 0."""
        linear, _ = self._linear(params)
        sides = 2 * _half_extent(linear) * params[:, _LOG_SCALE].exp()[:, None]
        gradient = gradient * gradient.new_tensor(_PER_MOVE)
        centre = gradient[:, _X : _Y + 1] * sides
        return torch.cat([gradient[:, :_X], centre, gradient[:, _LOG_ASPECT:]], 1)

    def bounded(self, space: AffineCrop, params: Tensor) -> Tensor:
        """As a chart of an ascent: params of another space, from these, which obey it already."""
        return params

    def sample(self, count: int, rng: np.random.Generator) -> Tensor:
        """(count, 6) float64 upright crops: log-uniform scale and aspect, a uniform centre."""
        low, high = (np.array(bound) for bound in self._bounds)
        params = rng.uniform(low, high, (count, PARAMS))
        params[:, _ROTATION:] = 0
        drawn = torch.from_numpy(params)
        linear, _ = self._linear(drawn)
        half = _half_extent(linear) * drawn[:, :1].exp()
        drawn[:, _X : _Y + 1] = half + drawn[:, _X : _Y + 1] * (1 - 2 * half)
        return self.project(drawn)


def _half_extent(linear: Tensor) -> Tensor:
    """(N, 2, 2) of theta -> (N, 2): half the sides of the box around the crop, of the picture's."""
    return linear.abs().sum(2) / 2

"""The bounded crop space: three parameters (scale, centre x, centre y) for one aspect ratio.

Scale 1 is the largest box of the aspect inside the picture, so a scale bounds the centre and no
candidate ever leaves the picture. Params are (N, 3): scale in [min_scale, max_scale], centres in
[0, 1] of the picture's width and height. Boxes are (N, 4) as in ``boxes``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cropper.boxes import Boxes
from cropper.errors import SpaceError

__all__ = [
    "FREE_ASPECTS",
    "MIN_SCALE",
    "SAME_ASPECT",
    "CropSpace",
    "agreed_aspect",
    "canonical_aspect",
    "crop_spaces",
    "parse_aspect",
]

Params = NDArray[np.float64]  # (N, 3): scale, centre x, centre y

MIN_SCALE = 0.5  # usual: smaller crops lose resolution and context
_NAMED = {"square": "1:1", "portrait": "4:5", "landscape": "5:4"}
SAME_ASPECT = 0.01  # a size and an aspect are one if they differ by no more
_SMALLEST = 0.01  # scale; smaller crops are a pixel or two, and grids of them have no end
# Free search: 1:2 to 2:1 in eight equal ratios of 1.19, about what people can tell apart, and
# symmetric, so that portrait and landscape are treated alike.
FREE_ASPECTS = tuple(2.0 ** (step / 4) for step in range(-4, 5))


def parse_aspect(text: str) -> float:
    """``W:H`` as width over height; W and H may be decimals (``16:9``, ``1.91:1``).

    Also as people type it: ``4x5``, ``4/5``, ``square`` (1:1), ``portrait`` (4:5) and
    ``landscape`` (5:4).
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)", canonical_aspect(text))
    if not match or float(match[1]) <= 0 or float(match[2]) <= 0:
        raise SpaceError(
            f"aspect is 'original', 'free', {', '.join(map(repr, _NAMED))} or W:H with W and H "
            f"above 0 (4:5, 16:9), got {text!r}"
        )
    return float(match[1]) / float(match[2])


def canonical_aspect(text: str) -> str:
    """In lower case, with a colon, the names of shapes as W:H.

    >>> canonical_aspect("4X5"), canonical_aspect(" Square "), canonical_aspect("free")
    ('4:5', '1:1', 'free')
    """
    text = text.strip().lower()
    return _NAMED.get(text) or re.sub(r"(?<=\d)[x/](?=\d)", ":", text)


def _ratio(aspect: object) -> float:
    if not isinstance(aspect, Real):
        raise SpaceError(f"aspect is 'original', 'free', W:H or a number, got {aspect!r}")
    return float(aspect)


def agreed_aspect(aspect: str | float | None, size: tuple[int, int] | None = None) -> str | float:
    """The aspect to search: that of ``size`` if there is one, else ``aspect``, else original.

    Raises SpaceError for what is no aspect, and where the two disagree.
    """
    asked = canonical_aspect(aspect) if isinstance(aspect, str) else aspect
    if asked in (None, "original", "free"):
        ratio = None
    else:
        ratio = parse_aspect(asked) if isinstance(asked, str) else _ratio(asked)
    if size is None:
        return "original" if asked is None else asked
    width, height = size
    if asked is not None and (ratio is None or abs(ratio * height / width - 1) > SAME_ASPECT):
        raise SpaceError(
            f"`size` {width}x{height} is not of aspect {aspect}: leave `aspect` out, or make them "
            "agree"
        )
    return f"{width}:{height}"


@dataclass(frozen=True)
class CropSpace:
    """All crops of one aspect ratio inside one picture."""

    size: tuple[int, int]  # (width, height) of the upright picture, px
    aspect: float  # width / height of the crop, in pixels
    min_scale: float = MIN_SCALE  # of the largest box's side
    max_scale: float = 1.0  # 1 is the largest box that fits

    def __post_init__(self) -> None:
        if min(self.size) < 1:
            raise SpaceError(f"a picture is at least 1 x 1 px, got {self.size}")
        if not (math.isfinite(self.aspect) and self.aspect > 0):
            raise SpaceError(f"aspect is a positive width / height, got {self.aspect}")
        if not _SMALLEST <= self.min_scale <= self.max_scale <= 1:
            raise SpaceError(
                f"scales are {_SMALLEST} <= min_scale <= max_scale <= 1 (1: the largest box that "
                f"fits), got {self.min_scale} and {self.max_scale}"
            )

    @property
    def largest(self) -> NDArray[np.float64]:
        """(2,): normalised width and height of the box at scale 1."""
        width, height = self.size
        ratio = self.aspect * height / width  # crop aspect over picture aspect
        return np.array([min(ratio, 1.0), min(1 / ratio, 1.0)])

    @property
    def centred(self) -> Boxes:
        """(1, 4): the largest box, in the middle, px."""
        return self.boxes([[self.max_scale, 0.5, 0.5]])

    def boxes(self, params: ArrayLike) -> Boxes:
        """(N, 3) params -> (N, 4) px. Scales and centres outside the bounds are clipped to them."""
        params = np.asarray(params, dtype=np.float64).reshape(-1, 3)
        scales = np.clip(params[:, :1], self.min_scale, self.max_scale)
        half = scales * self.largest / 2  # (N, 2)
        centres = np.clip(params[:, 1:], half, 1 - half)
        # min and max take away the last rounding error: inside means inside
        low, high = np.maximum(centres - half, 0.0), np.minimum(centres + half, 1.0)
        return np.concatenate([low, high], axis=1) * np.array(self.size * 2, dtype=np.float64)

    def params(self, boxes: Boxes) -> Params:
        """(N, 4) px -> (N, 3): the inverse of ``boxes`` for boxes of this aspect."""
        normalised = boxes / np.array(self.size * 2, dtype=np.float64)
        centres = (normalised[:, :2] + normalised[:, 2:]) / 2
        scales = ((normalised[:, 2:] - normalised[:, :2]) / self.largest).mean(axis=1)
        return np.concatenate([scales[:, None], centres], axis=1)

    def grid(self, stride: float) -> Params:
        """The exhaustive lattice: neighbours differ by at most ``stride`` of the crop's side.

        Scales form a geometric ladder from max_scale to min_scale whose ratio moves a crop's edges
        apart by one stride; centres are spread evenly between their bounds, both bounds included,
        so the lattice of a mirrored picture is the mirrored lattice. Largest scale first.
        """
        parts = []
        ladder = self._ladder(stride)
        for scale, (nx, ny) in zip(ladder, self._positions(ladder, stride), strict=True):
            half = scale * self.largest / 2
            xs, ys = _spread(half[0], nx), _spread(half[1], ny)
            parts.append(
                np.stack(
                    [np.full(nx * ny, scale), np.tile(xs, ny), np.repeat(ys, nx)],
                    axis=1,
                )
            )
        return np.concatenate(parts)

    def grid_size(self, stride: float) -> int:
        """``len(grid(stride))`` without building it."""
        return int(self._positions(self._ladder(stride), stride).prod(axis=1).sum())

    def neighbourhood(self, params: Params, stride: float, steps: int) -> Params:
        """(K, 3) -> (K * M, 3): lattices of ``2 * steps + 1`` points an axis around each param.

        Centres move by ``stride`` of the crop's side, scales by ``1 - stride``; what would leave
        the bounds is clipped to them, so that some may come twice.
        """
        grid = _lattice(steps)
        scales = params[:, :1] * (1 - stride) ** grid[:, 0]
        scales = scales.clip(self.min_scale, self.max_scale)[..., None]
        half = scales * self.largest / 2
        centres = params[:, None, 1:] + grid[:, 1:] * (2 * stride * half)
        centres = np.maximum(np.minimum(centres, 1 - half), half)
        return np.concatenate([scales, centres], axis=2).reshape(-1, 3).round(12)

    def sample(self, count: int, rng: np.random.Generator) -> Params:
        """``count`` random params: log-uniform scale, then a uniform centre within its bounds."""
        low, high = math.log(self.min_scale), math.log(self.max_scale)
        scales = np.exp(rng.uniform(low, high, (count, 1)))
        half = scales * self.largest / 2
        return np.concatenate([scales, rng.uniform(half, 1 - half)], axis=1)

    def _ladder(self, stride: float) -> NDArray[np.float64]:
        if not 0 < stride < 1:
            raise SpaceError(f"stride is a fraction of the crop's side in (0, 1), got {stride}")
        rungs = math.log(self.min_scale / self.max_scale) / math.log(1 - stride)
        return np.geomspace(self.max_scale, self.min_scale, 1 + math.ceil(rungs - 1e-9))

    def _positions(self, scales: NDArray[np.float64], stride: float) -> NDArray[np.intp]:
        """(S,) -> (S, 2): how many centres each scale has along x and y."""
        sides = scales[:, None] * self.largest
        return 1 + np.ceil((1 - sides) / (stride * sides) - 1e-9).astype(np.intp)


def _spread(half: float, count: int) -> NDArray[np.float64]:
    """``count`` centres from ``half`` to ``1 - half``, symmetric about 0.5 to the last bit."""
    if count == 1:
        return np.array([0.5])
    steps = (2 * np.arange(count) - (count - 1)) / (count - 1)
    centres: NDArray[np.float64] = 0.5 + (0.5 - half) * steps
    return centres


@lru_cache(8)
def _lattice(steps: int) -> Params:
    """(M, 3) whole steps from -``steps`` to ``steps`` along each axis."""
    steps_of_axis = np.arange(-steps, steps + 1, dtype=np.float64)
    return np.stack(np.meshgrid(*[steps_of_axis] * 3, indexing="ij"), -1).reshape(-1, 3)


def crop_spaces(
    size: tuple[int, int],
    aspect: str | float = "original",
    min_scale: float = MIN_SCALE,
    max_scale: float = 1.0,
) -> tuple[CropSpace, ...]:
    """The spaces that a user's aspect means for a picture of ``size`` = (width, height).

    ``original`` keeps the picture's own aspect, ``W:H`` or a number is one fixed aspect, ``free``
    is the set FREE_ASPECTS, searched together. Raises SpaceError.
    """
    aspects: tuple[float, ...]
    if isinstance(aspect, str):
        aspect = canonical_aspect(aspect)
    if aspect == "free":
        aspects = FREE_ASPECTS
    elif aspect == "original":
        aspects = (size[0] / size[1],)
    else:
        aspects = (parse_aspect(aspect) if isinstance(aspect, str) else _ratio(aspect),)
    return tuple(CropSpace(size, value, min_scale, max_scale) for value in aspects)

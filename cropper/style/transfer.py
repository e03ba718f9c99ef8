"""The descent of style transfer: pixels are moved until they have the content and the style.

From coarse to fine: large strokes are found in a small picture, where a step is cheap and a
network's layers see far, and each finer size starts from the one before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cropper.errors import ConfigError, ImageReadError
from cropper.image import Photo, SourceImage, open_photo
from cropper.style.backbone import Backbone
from cropper.style.costs import Costs, content_cost, gram, style_cost, variation
from cropper.tone import LUMA

__all__ = ["MIN_SIDE", "Step", "StyleConfig", "transfer", "transfer_style"]

MIN_SIDE = 32  # px; after four poolings two are left
_COARSEST = 256  # px of the long side
_SMOOTH = 0.2  # of the cost, a unit of variation: less and noise is left in flat areas
_OUTSIDE = 10.0  # of the cost, a unit of mean square beyond black and white
_RATE = 0.02  # of Adam, in units of white


@dataclass(frozen=True)
class StyleConfig:
    """How a style is transferred. Raises ConfigError for what cannot be."""

    strength: float = 20.0  # of the style, against 1 of the content
    size: int = 512  # px of the long side; photos are not enlarged
    steps: int = 100  # of the descent at the coarsest size; each finer one takes half as many
    start: str = "photo"  # or "noise", or a picture's path: a frame of a run that was ended
    keep_colours: bool = False
    layers: tuple[str, ...] = ()  # whose style counts; none: the backbone's own
    content_layer: str | None = None  # None: the backbone's own
    optimizer: Literal["lbfgs", "adam"] = "lbfgs"
    seed: int = 0  # of the noise

    def __post_init__(self) -> None:
        if not (math.isfinite(self.strength) and self.strength >= 0):
            raise ConfigError(f"`strength` is a number from 0 on, got {self.strength}")
        if self.size < MIN_SIDE:
            raise ConfigError(f"`size` is at least {MIN_SIDE} px, got {self.size}")
        if self.steps < 1:
            raise ConfigError(f"`steps` is at least 1, got {self.steps}")

    def checked(self, backbone: Backbone) -> StyleConfig:
        """Raises ConfigError for layers that the backbone does not have."""
        for name in (*self.layers, *([self.content_layer] if self.content_layer else [])):
            if name not in backbone.layers:
                raise ConfigError(
                    f"the backbone has no layer {name!r}: it has {', '.join(backbone.layers)}"
                )
        return self

    def levels(self, least: int = 0) -> list[tuple[int, int]]:
        """Long sides from ``least`` px on, each twice the one before at most, with their steps."""
        count = max(math.ceil(math.log2(self.size / _COARSEST)), 0) + 1
        found = [
            (round(self.size / 2 ** (count - 1 - level)), max(self.steps >> level, 1))
            for level in range(count)
        ]
        return [each for each in found if each[0] >= least] or found[-1:]


@dataclass(frozen=True)
class Step:
    """Where the descent is."""

    number: int  # of all steps, from 1
    total: int
    costs: Costs
    _picture: Tensor  # (1, 3, H, W)

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """(H, W, 3), sRGB."""
        levels = (self._picture.clamp(0, 1)[0] * 255).round().to(torch.uint8)
        return np.ascontiguousarray(levels.movedim(0, -1).numpy())


def transfer_style(
    photo: Photo, like: Photo, backbone: Backbone, config: StyleConfig | None = None
) -> NDArray[np.uint8]:
    """(H, W, 3), sRGB: the photo in the manner of ``like``. Raises what ``transfer`` raises."""
    *_, last = transfer(photo, like, backbone, config)
    return last.pixels


def transfer(
    photo: Photo, like: Photo, backbone: Backbone, config: StyleConfig | None = None
) -> Iterator[Step]:
    """Step after step, so that the caller may show, keep or end it at any of them.

    The same pictures, config and seed give the same pixels on one machine. Raises what
    ``open_photo`` raises, ImageReadError for pictures with a side under MIN_SIDE, and ConfigError.
    """
    config = (config or StyleConfig()).checked(backbone)
    sources = [open_photo(each) for each in (photo, like)]
    frame = None if config.start in ("photo", "noise") else open_photo(config.start)
    levels = config.levels(max(frame.size) if frame else 0)
    for source in sources:
        _check_size(source, levels[0][0])
    return _transfer(sources, frame, backbone, config, levels)


def _transfer(
    sources: Sequence[SourceImage],
    frame: SourceImage | None,
    backbone: Backbone,
    config: StyleConfig,
    levels: Sequence[tuple[int, int]],
) -> Iterator[Step]:
    picture = _read(frame, config.size) if frame else None
    number, total = 0, sum(steps for _, steps in levels)
    for size, steps in levels:
        content, style = (_read(source, size) for source in sources)
        colours = content
        if config.keep_colours:
            content, style = _grey(content), _grey(style)
            style = (style - style.mean()) / (style.std() + 1e-6) * content.std() + content.mean()
        if picture is None:
            picture = content if config.start == "photo" else _noise(content, config.seed)
        else:
            picture = F.interpolate(picture, content.shape[2:], mode="bicubic")
        cost = _objective(content, style, backbone, config)
        for found, costs in _descend(picture, cost, config, steps):
            picture, number = found, number + 1
            shown = _recoloured(found, colours) if config.keep_colours else found
            yield Step(number, total, costs, shown)


Objective = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]


def _objective(
    content: Tensor, style: Tensor, backbone: Backbone, config: StyleConfig
) -> Objective:
    """(1, 3, H, W) -> total, content and style cost."""
    at = config.content_layer or backbone.content_layer
    layers = config.layers or backbone.style_layers
    with torch.no_grad():
        wanted = backbone(content, {at})[at]
        targets = {name: gram(each) for name, each in backbone(style, set(layers)).items()}

    def objective(picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = backbone(picture, {at, *layers})
        kept, styled = content_cost(features[at], wanted), style_cost(features, targets)
        outside = F.relu(-picture).square().mean() + F.relu(picture - 1).square().mean()
        other = _SMOOTH * variation(picture) + _OUTSIDE * outside
        return kept + config.strength * styled + other, kept, styled

    return objective


def _descend(
    start: Tensor, objective: Objective, config: StyleConfig, steps: int
) -> Iterator[tuple[Tensor, Costs]]:
    """The picture and its costs after each step; L-BFGS never takes one that raises the cost."""
    picture = start.contiguous().clone().requires_grad_()
    optimizer: torch.optim.Optimizer
    if config.optimizer == "lbfgs":
        optimizer = torch.optim.LBFGS([picture], max_iter=1, line_search_fn="strong_wolfe")
    else:
        optimizer = torch.optim.Adam([picture], _RATE)

    slope = _Slope(picture, objective)
    for _ in range(steps):
        before = slope.here
        optimizer.step(slope)  # type: ignore[no-untyped-call]
        if slope.here is before:  # L-BFGS would try the same direction for ever
            optimizer.state.clear()
        slope.forget_others()
        yield slope.here.picture, slope.here.costs


class _Evaluation(NamedTuple):
    picture: Tensor
    gradient: Tensor
    costs: Costs


class _Slope:
    """The cost of a picture and its gradient, for an optimizer that moves it.

    Each step of L-BFGS starts where a line search has been: that is not evaluated again.
    """

    def __init__(self, picture: Tensor, objective: Objective) -> None:
        self._picture, self._objective = picture, objective
        self._known: list[_Evaluation] = []

    @property
    def here(self) -> _Evaluation:
        """Of the picture as it is now."""
        for each in self._known:
            if torch.equal(each.picture, self._picture):
                return each
        self._known.append(self._evaluated())
        return self._known[-1]

    def __call__(self) -> float:
        self._picture.grad = self.here.gradient.clone()
        return self.here.costs.total

    def forget_others(self) -> None:
        """What was tried on the way here."""
        self._known = [self.here]

    def _evaluated(self) -> _Evaluation:
        with torch.enable_grad():
            costs = self._objective(self._picture)
            (gradient,) = torch.autograd.grad(costs[0], self._picture)
        total, content, style = (each.item() for each in costs)
        return _Evaluation(self._picture.detach().clone(), gradient, Costs(content, style, total))


def _check_size(source: SourceImage, long_side: int) -> None:
    scale = min(1.0, long_side / max(source.size))
    if min(source.size) * scale < MIN_SIDE:
        raise ImageReadError(
            f"{source.name}: {source.size[0]} x {source.size[1]} px is too small or too narrow: "
            f"at a long side of {long_side} px the short one has at least {MIN_SIDE}",
            "too small",
        )


def _read(source: SourceImage, long_side: int) -> Tensor:
    """(1, 3, H, W), RGB in [0, 1]."""
    pixels = torch.from_numpy(source.view(long_side).pixels)
    return (pixels.movedim(-1, 0)[None].float() / 255).contiguous()


def _noise(content: Tensor, seed: int) -> Tensor:
    """Around the photo's own mean, so that brightness has not to be found."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(content.shape, generator=generator) * 0.1
    return (noise + content.mean((2, 3), keepdim=True)).clamp(0, 1)


def _grey(pixels: Tensor) -> Tensor:
    luma = (pixels * pixels.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    return luma.expand(-1, 3, -1, -1)


def _recoloured(picture: Tensor, colours: Tensor) -> Tensor:
    """The brightness of one with what makes the other's colours differ from grey."""
    return _grey(picture) + colours - _grey(colours)

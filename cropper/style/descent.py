"""The descent of style transfer: pixels are moved until they have the content and the style.

From coarse to fine: large strokes are found in a small picture, where a step is cheap and a
network's layers see far, and each finer size starts from the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cropper.canvas import Size
from cropper.errors import ConfigError, ImageReadError
from cropper.image import Photo, SourceImage, open_photo
from cropper.style.backbone import Backbone
from cropper.style.config import MIN_SIDE, StyleConfig
from cropper.style.costs import Costs, content_cost, gram, style_cost, variation
from cropper.style.memory import available_memory, memory_needed
from cropper.tone import LUMA

__all__ = ["DescentStep", "memory_of", "transfer", "transfer_style"]

_SMOOTH = 0.2  # of the cost, a unit of variation: less and noise is left in flat areas
_OUTSIDE = 10.0  # of the cost, a unit of mean square beyond black and white
_RATE = 0.02  # of Adam, in units of white


@dataclass(frozen=True)
class DescentStep:
    """Where the descent is."""

    number: int  # of all steps, from 1
    total: int
    costs: Costs
    _picture: Tensor  # (1, 3, H, W)

    @property
    def told(self) -> str:
        """Its costs, for people to read."""
        return f"content cost {self.costs.content:.3f}, style cost {self.costs.style:.3f}"

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
    photo: Photo,
    like: Photo,
    backbone: Backbone,
    config: StyleConfig | None = None,
    *,
    memory: float | None = None,
) -> Iterator[DescentStep]:
    """Step after step, so that the caller may show, keep or end it at any of them.

    ``memory`` is how many bytes it may take, None all that are free. The same pictures, config and
    seed give the same pixels on one machine. Raises what ``open_photo`` raises, ImageReadError for
    pictures with a side under MIN_SIDE, and ConfigError, also for a size that takes more memory.
    """
    config = config or StyleConfig()
    config.check_layers(backbone.layers)
    sources = [open_photo(each) for each in (photo, like)]
    frame = None if config.start in ("photo", "noise") else open_photo(config.start)
    levels = config.levels(max(frame.size) if frame else 0)
    for source in sources:
        _check_size(source, levels[0][0])
    _check_memory(backbone, config, sources[0].size, memory)
    return _with_remedy(_transfer(sources, frame, backbone, config, levels), config.size)


def memory_of(backbone: Backbone, config: StyleConfig, size: Size) -> int:
    """Bytes that it takes for a photo of ``size`` = (width, height) px, by two small passes."""

    def cost(picture: Tensor) -> Tensor:
        still = picture.detach()
        return _objective(still, still, backbone, config)(picture)[0]

    scale = min(1.0, config.size / max(size))
    pixels = round(size[0] * scale) * round(size[1] * scale)
    return memory_needed(cost, pixels, config.levels()[-1][1])


def _check_memory(
    backbone: Backbone, config: StyleConfig, size: Size, memory: float | None
) -> None:
    needed, room = memory_of(backbone, config, size), memory or available_memory()
    if needed <= room:
        return
    side = fitting = min(config.size, max(size))
    while fitting > MIN_SIDE and memory_of(backbone, replace(config, size=fitting), size) > room:
        fitting = max(fitting * 7 // 8, MIN_SIDE)
    raise ConfigError(
        f"a long side of {side} px takes {needed / 1e9:.1f} GB, and {room / 1e9:.1f} GB are free: "
        f"choose a smaller size, as {fitting} px"
    )


def _with_remedy(steps: Iterator[DescentStep], side: int) -> Iterator[DescentStep]:
    """Raises ConfigError where torch gets no memory, whatever was free before."""
    try:
        yield from steps
    except RuntimeError as error:
        if "allocate" not in str(error):
            raise
        raise ConfigError(f"not enough memory at {side} px: choose a smaller size") from error


def _transfer(
    sources: Sequence[SourceImage],
    frame: SourceImage | None,
    backbone: Backbone,
    config: StyleConfig,
    levels: Sequence[tuple[int, int]],
) -> Iterator[DescentStep]:
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
            yield DescentStep(number, total, costs, shown)


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

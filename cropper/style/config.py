"""What is asked of a style transfer: of one picture, and of the crops of a run. Without torch."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cropper.errors import ConfigError, extra
from cropper.scorers import WEIGHTS

if TYPE_CHECKING:
    from cropper.style.painter import Painter

__all__ = ["MIN_SIDE", "CropStyle", "Progress", "StyleConfig"]

# Entered for each picture; what it gives is told of each step: its number, of how many, and costs
Progress = Callable[[], AbstractContextManager[Callable[[int, int, str], None] | None]]

MIN_SIDE = 32  # px; after four poolings two are left
_COARSEST = 256  # px of the long side


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

    def check_layers(self, known: Sequence[str]) -> None:
        """Raises ConfigError for layers that are not among a backbone's."""
        for name in (*self.layers, *([self.content_layer] if self.content_layer else [])):
            if name not in known:
                raise ConfigError(f"the backbone has no layer {name!r}: it has {', '.join(known)}")

    def levels(self, least: int = 0) -> list[tuple[int, int]]:
        """Long sides from ``least`` px on, each twice the one before at most, with their steps."""
        count = max(math.ceil(math.log2(self.size / _COARSEST)), 0) + 1
        found = [
            (round(self.size / 2 ** (count - 1 - level)), max(self.steps >> level, 1))
            for level in range(count)
        ]
        return [each for each in found if each[0] >= least] or found[-1:]


@dataclass(frozen=True)
class CropStyle:
    """The manner of a painting, for every crop of a run."""

    like: Path  # the painting
    backbone: str = "trunk"  # one of BACKBONES, or a file
    config: StyleConfig = field(default_factory=StyleConfig)

    def painter(self, max_mpixels: float, progress: Progress = nullcontext) -> Painter:
        """Loads the painting and the network. Raises what ``Painter`` raises."""
        with extra("torch"):
            from cropper.style.painter import Painter  # noqa: PLC0415 - torch

        return Painter(self, max_mpixels, progress)

    def key(self) -> list[Any]:
        """What decides the pixels: the settings, and digests of the painting and of the weights.

        Of files that cannot be read the names stand alone.
        """
        weights = WEIGHTS / "convnet.safetensors" if self.backbone == "trunk" else self.backbone
        return [repr(self.config), self.backbone, *map(_digest, (self.like, Path(weights)))]


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # which is told where it is opened; nor has a network by its name a file here
        return ""

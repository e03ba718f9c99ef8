"""The ways to find crops, the search and the transforms, and which options go with which."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cropper.errors import ConfigError, extra
from cropper.finder import CropFinder
from cropper.image.source import MAX_PIXELS
from cropper.result import SEARCH, TRANSFORMS

if TYPE_CHECKING:
    from cropper.transform import TransformFinder

__all__ = ["Asked", "check_method", "check_sizes", "crops_to_find", "load_transformer"]

_ON_OVERLAY = 4  # the best crop and its runners-up


class Asked(Protocol):
    """A command's options, as far as they are about the method."""

    @property
    def method(self) -> str: ...
    @property
    def shear(self) -> bool: ...
    @property
    def localizer(self) -> Path | None: ...
    @property
    def strategy(self) -> str | None: ...
    @property
    def budget(self) -> int | None: ...
    @property
    def seed(self) -> int: ...
    @property
    def top_k(self) -> int: ...
    @property
    def overlay(self) -> str | None: ...


def check_method(asked: Asked) -> None:
    """Raises ConfigError for options that do not go together."""
    method = asked.method
    if method not in (SEARCH, *TRANSFORMS):
        raise ConfigError(f"method is one of {', '.join((SEARCH, *TRANSFORMS))}, got {method!r}")
    if asked.localizer and method != "localizer":
        raise ConfigError("--localizer is for --method localizer: add that, or leave it out")
    if method == "localizer" and asked.top_k > 1:
        raise ConfigError("--method localizer gives one crop of a picture: leave --top-k out")
    if asked.shear and method == SEARCH:
        raise ConfigError("--shear is for crops that may be turned: add --method search+stn")
    if asked.strategy and method in ("stn", "localizer"):
        raise ConfigError(f"--strategy is of a search: {method} has none, leave it out")


def check_sizes(sizes: Iterable[tuple[int, int]]) -> None:
    """Raises ConfigError for a crop's (width, height) that is more than can be written."""
    for size in sizes:
        if size[0] * size[1] > MAX_PIXELS:
            raise ConfigError(f"--size has at most {MAX_PIXELS} px, got {size}")


def crops_to_find(asked: Asked) -> int:
    """Those to write, and those that an overlay shows beside the best."""
    return asked.top_k if asked.overlay is None else max(asked.top_k, _ON_OVERLAY)


def load_transformer(finder: CropFinder, asked: Asked) -> TransformFinder | None:
    """None for the search."""
    if asked.method == SEARCH:
        return None
    with extra("torch"):
        from cropper.transform import TransformFinder  # noqa: PLC0415 - torch is slow

    return TransformFinder(
        finder,
        asked.method,
        budget=asked.budget,
        seed=asked.seed,
        top_k=crops_to_find(asked),
        strategy=asked.strategy or "halving",
        shear=asked.shear,
        localizer=asked.localizer,
    )

"""What a run over a folder is asked to do, and the key that tells whether a crop answers to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from cropper.errors import ConfigError
from cropper.filter_search import JUDGE
from cropper.options import WritingOptions
from cropper.request import CropRequest
from cropper.result import SEARCH
from cropper.scorers import WEIGHTS
from cropper.scorers.ensemble import parse_parts
from cropper.space import SAME_ASPECT, canonical_aspect, parse_aspect
from cropper.tone import BEST

__all__ = ["BACKENDS", "BulkOptions", "each_target"]

BACKENDS = ("local", "dask", "ray")
_RECIPE = 4  # raised when the same settings would give other pixels, so that resume redoes them
# Options that change what is written; requests, scorer and style are in the key by themselves
_DECIDE = ("overlay", "quality", "xmp", "min_gain", "strict", "strip", "linear")


@dataclass(frozen=True)
class BulkOptions(WritingOptions):
    """What is asked of every photo of a folder, and how the folder is worked on."""

    # They differ in aspect and size alone, and in whether that may enlarge
    requests: tuple[CropRequest, ...] = (CropRequest(),)
    include: tuple[str, ...] = ()  # globs on paths below the input folder; none: all pictures
    exclude: tuple[str, ...] = ()
    subjects: Path | None = None  # a table of what single photos keep, avoid and focus on
    workers: int | None = None  # None: one a core; of a cluster, what it has
    backend: str = "local"
    cluster: str | None = None  # address of a scheduler; None: one on this machine, for the run
    manifest: Path | None = None  # a folder for that of crops in a store
    batch_size: int = 16  # photos that a GPU looks at together; a CPU takes them one by one
    restart: bool = False  # forget earlier runs instead of going on
    report: str | None = None  # an HTML file
    sheet: str | None = None  # a picture file
    xmp: str | None = None  # 'beside' the crops, or 'instead' of them
    min_gain: float = 0.0  # least probability that people prefer the crop; below, none is written
    fail_fast: bool = False

    def __post_init__(self) -> None:
        shared = {replace(each, aspect=None, size=None, no_enlarge=False) for each in self.requests}
        if len(shared) != 1:
            raise ConfigError(f"requests of a run differ in aspect and size alone, got {shared}")
        if self.backend not in BACKENDS:
            raise ConfigError(f"backend is one of {', '.join(BACKENDS)}, got {self.backend!r}")
        if self.cluster and self.backend == "local":
            raise ConfigError("`cluster` is the address of a dask or ray cluster: add `backend`")
        if self.xmp not in (None, "beside", "instead"):
            raise ConfigError(f"xmp is 'beside' or 'instead', got {self.xmp!r}")
        if self.xmp and self.method != SEARCH:
            raise ConfigError("a sidecar holds no shear: leave `xmp` or `method` out")
        if self.xmp == "instead" and self.requests[0].filter:
            raise ConfigError("a sidecar holds no filter: write crops, or leave `filter` out")
        if self.xmp == "instead" and self.style:
            raise ConfigError("a sidecar holds no style: write crops, or leave `style` out")
        if self.file_format and self.xmp == "instead":
            raise ConfigError("a sidecar has no format of a picture: leave `format` out")
        if not 0 <= self.min_gain < 1:
            raise ConfigError(f"min_gain is a probability in [0, 1), got {self.min_gain}")
        if not self.time_limit > 0:
            raise ConfigError(f"time_limit is in seconds, above 0, got {self.time_limit}")
        for name, value in (("workers", self.workers or 1), ("batch_size", self.batch_size)):
            if value < 1:
                raise ConfigError(f"{name} is at least 1, got {value}")

    @property
    def method(self) -> str:
        """Of all requests."""
        return self.requests[0].method

    @property
    def top_k(self) -> int:
        """Of all requests."""
        return self.requests[0].top_k

    def key(self, template: str) -> str:
        """A digest of all that decides which pixels go under which names, for one source."""
        digest = _digest_of(self.scorer)
        settings = {
            "recipe": _RECIPE,
            "template": template,
            "requests": [
                _changed(each) | {"aspect": each.searched_aspect, "localizer": None}
                for each in self.requests
            ],
            "options": {name: getattr(self, name) for name in _DECIDE}
            | {"kind": self.file_format},  # as manifests of earlier versions call it
            "scorer": [self.scorer if not digest else "", digest],
            "localizer": self._localizer_digest(),
            "judge": _digest_of(JUDGE) if self.requests[0].filter == BEST else "",
            "style": self.style.key() if self.style else None,
        }
        return hashlib.sha256(json.dumps(settings, default=repr).encode()).hexdigest()[:32]

    def _localizer_digest(self) -> str:
        if self.method != "localizer":
            return ""
        return _digest_of(str(self.requests[0].localizer or "localizer"))


def _changed(request: CropRequest) -> dict[str, Any]:
    """The fields that are not as usual."""
    values = {each.name: (getattr(request, each.name), each.default) for each in fields(request)}
    return {name: value for name, (value, usual) in values.items() if value != usual}


def each_target(
    aspects: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    request: CropRequest,
    *,
    no_enlarge: bool = False,
) -> tuple[CropRequest, ...]:
    """A request for each aspect, those of its sizes in its place, then for each other size.

    Without any of them ``request`` itself. ``no_enlarge`` is that of the sizes. Raises SpaceError
    for an aspect that is none, and ConfigError for ``no_enlarge`` without sizes.
    """
    if no_enlarge and not sizes:
        raise ConfigError("`no_enlarge` is about the pixels of `size`: add that")
    sized = {size: replace(request, size=size, no_enlarge=no_enlarge) for size in sizes}
    found: list[CropRequest] = []
    for aspect in aspects:
        own = [sized[size] for size in _sizes_of(aspect, sizes)]
        found += own or [replace(request, aspect=aspect)]
    found += sized.values()
    return tuple(dict.fromkeys(found)) or (request,)


def _sizes_of(aspect: str, sizes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Raises SpaceError for an aspect that is none."""
    ratio = None if canonical_aspect(aspect) in ("original", "free") else parse_aspect(aspect)
    return [size for size in sizes if ratio and abs(ratio * size[1] / size[0] - 1) <= SAME_ASPECT]


def _digest_of(scorer: str) -> str:
    """Of its weights, for an ensemble those of each part with its own; empty where none is known.

    A plug-in's weights are its own business.
    """
    weights = Path(scorer)
    if weights.suffix != ".safetensors" or not weights.is_file():
        if parts := parse_parts(scorer):
            named = [[part.name, part.weight, _digest_of(part.name)] for part in parts]
            return hashlib.sha256(json.dumps(named).encode()).hexdigest()
        weights = WEIGHTS / f"{scorer}.safetensors"
    return hashlib.sha256(weights.read_bytes()).hexdigest() if weights.is_file() else ""

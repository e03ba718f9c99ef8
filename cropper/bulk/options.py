"""What a run over a folder is asked to do, and the key that tells whether a crop answers to it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from cropper.errors import ConfigError
from cropper.scorers import DEFAULT_SCORER, WEIGHTS
from cropper.space import parse_aspect

__all__ = ["BACKENDS", "BulkOptions", "Target"]

BACKENDS = ("local", "dask", "ray")
_RECIPE = 1  # raised when the same settings would give other pixels, so that resume redoes them
_AGREE = 0.01  # a size and an aspect are one target if they differ by less, as in `cropper best`


@dataclass(frozen=True)
class Target:
    """One kind of crop that every photo gets."""

    aspect: str  # original, free or W:H
    size: tuple[int, int] | None  # (width, height), px; None: as many as the crop has

    @property
    def label(self) -> str:
        """What {aspect} in a template becomes."""
        return self.aspect.replace(":", "x")


@dataclass(frozen=True)
class BulkOptions:
    """``crop_folder``'s options, as the command line names them."""

    aspects: tuple[str, ...] = ()  # none: those of the sizes, else original
    sizes: tuple[tuple[int, int], ...] = ()  # each is a target, of its own aspect
    min_scale: float = 0.5
    max_scale: float = 1.0
    top_k: int = 1
    scorer: str = DEFAULT_SCORER
    strategy: str | None = None  # None: what suits the scorer
    budget: int | None = None
    seed: int = 0
    device: str = "auto"
    quality: int = 92
    max_mpixels: float = 200
    overwrite: bool = False  # files in the output folder that no earlier run wrote
    include: tuple[str, ...] = ()  # globs on paths below the input folder; none: all pictures
    exclude: tuple[str, ...] = ()
    workers: int | None = None  # None: one a core; of a cluster, what it has
    backend: str = "local"
    cluster: str | None = None  # address of a scheduler; None: one on this machine, for the run
    batch_size: int = 16  # photos that a GPU looks at together; a CPU takes them one by one
    restart: bool = False  # forget earlier runs instead of going on
    dry_run: bool = False
    report: str | None = None  # an HTML file
    sheet: str | None = None  # a picture file
    xmp: str | None = None  # 'beside' the crops, or 'instead' of them
    min_gain: float = 0.0  # least probability that people prefer the crop; below, none is written
    fail_fast: bool = False

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ConfigError(f"backend is one of {', '.join(BACKENDS)}, got {self.backend!r}")
        if self.cluster and self.backend == "local":
            raise ConfigError("--cluster is the address of a dask or ray cluster: add --backend")
        if self.xmp not in (None, "beside", "instead"):
            raise ConfigError(f"xmp is 'beside' or 'instead', got {self.xmp!r}")
        if not 0 <= self.min_gain < 1:
            raise ConfigError(f"min_gain is a probability in [0, 1), got {self.min_gain}")
        for name, value in (("workers", self.workers or 1), ("batch_size", self.batch_size)):
            if value < 1:
                raise ConfigError(f"{name} is at least 1, got {value}")

    def targets(self) -> tuple[Target, ...]:
        """A target for each size, and for each aspect that no size has already.

        Raises SpaceError for an aspect that is none.
        """
        sized = [Target(f"{width}:{height}", (width, height)) for width, height in self.sizes]
        plain = [Target(aspect, None) for aspect in self.aspects if not self._has_size(aspect)]
        if not sized and not plain:
            plain = [Target("original", None)]
        return tuple(dict.fromkeys([*plain, *sized]))

    def _has_size(self, aspect: str) -> bool:
        if aspect in ("original", "free"):
            return False
        ratio = parse_aspect(aspect)
        return any(abs(ratio * height / width - 1) <= _AGREE for width, height in self.sizes)

    def key(self, template: str) -> str:
        """A digest of all that decides which pixels go under which names, for one source."""
        weights = Path(self.scorer)
        if weights.suffix != ".safetensors":
            weights = WEIGHTS / f"{self.scorer}.safetensors"
        judge = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.is_file() else ""
        settings = {
            "recipe": _RECIPE,
            "template": template,
            "targets": [asdict(target) for target in self.targets()],
            "scales": [self.min_scale, self.max_scale],
            "top_k": self.top_k,
            "scorer": [self.scorer if not judge else "", judge],
            "search": [self.strategy, self.budget, self.seed],
            "quality": self.quality,
            "xmp": self.xmp,
            "min_gain": self.min_gain,
        }
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:32]

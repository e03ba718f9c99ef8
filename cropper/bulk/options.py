"""What a run over a folder is asked to do, and the key that tells whether a crop answers to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cropper.errors import ConfigError
from cropper.methods import check_method, check_sizes
from cropper.result import SEARCH
from cropper.scorers import DEFAULT_SCORER, WEIGHTS
from cropper.scorers.ensemble import parse_parts
from cropper.space import parse_aspect

__all__ = ["BACKENDS", "BulkOptions", "Target"]

BACKENDS = ("local", "dask", "ray")
_RECIPE = 2  # raised when the same settings would give other pixels, so that resume redoes them
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
    method: str = SEARCH  # or one of cropper.result.TRANSFORMS
    shear: bool = False  # crops that may be turned may also be sheared
    localizer: Path | None = None  # weights of method 'localizer'; None: the package's
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
    overlay: str | None = None  # template below the output folder, for pictures of the why
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
        check_method(self)
        check_sizes(self.sizes)
        if self.xmp and self.method != SEARCH:
            raise ConfigError("a sidecar describes an upright crop: leave --xmp or --method out")
        if not 0 <= self.min_gain < 1:
            raise ConfigError(f"min_gain is a probability in [0, 1), got {self.min_gain}")
        for name, value in (("workers", self.workers or 1), ("batch_size", self.batch_size)):
            if value < 1:
                raise ConfigError(f"{name} is at least 1, got {value}")

    def targets(self) -> tuple[Target, ...]:
        """A target for each aspect, those of its sizes in its place, then for each other size.

        Raises SpaceError for an aspect that is none.
        """
        found: list[Target] = []
        for aspect in self.aspects:
            sizes = _sizes_of(aspect, self.sizes)
            found += map(_sized, sizes) if sizes else [Target(aspect, None)]
        found += map(_sized, self.sizes)
        return tuple(dict.fromkeys(found)) or (Target("original", None),)

    def key(self, template: str) -> str:
        """A digest of all that decides which pixels go under which names, for one source."""
        judge = _digest_of(self.scorer)
        settings = {
            "recipe": _RECIPE,
            "template": template,
            "targets": [asdict(target) for target in self.targets()],
            "scales": [self.min_scale, self.max_scale],
            "top_k": self.top_k,
            "scorer": [self.scorer if not judge else "", judge],
            "search": [self.strategy, self.budget, self.seed],
            "method": [self.method, self.shear, self._localizer_digest()],
            "overlay": self.overlay,
            "quality": self.quality,
            "xmp": self.xmp,
            "min_gain": self.min_gain,
        }
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:32]

    def _localizer_digest(self) -> str:
        if self.method != "localizer":
            return ""
        return _digest_of(str(self.localizer) if self.localizer else "localizer")


def _sized(size: tuple[int, int]) -> Target:
    return Target("{}:{}".format(*size), size)


def _sizes_of(aspect: str, sizes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Raises SpaceError for an aspect that is none."""
    ratio = None if aspect in ("original", "free") else parse_aspect(aspect)
    return [size for size in sizes if ratio and abs(ratio * size[1] / size[0] - 1) <= _AGREE]


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

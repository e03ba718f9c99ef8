"""The options that ``best`` and ``bulk`` share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cropper.image import parse_format
from cropper.scorers import DEFAULT_SCORER
from cropper.stores import StoreLimits
from cropper.style import CropStyle

__all__ = ["WritingOptions"]


@dataclass(frozen=True, kw_only=True)
class WritingOptions:
    """How crops are judged, cut and written."""

    scorer: str = DEFAULT_SCORER
    device: str = "auto"
    style: CropStyle | None = None  # of the crops; of a cluster, its files by their full names
    overlay: str | None = None  # template for pictures of the why; a folder's below its output
    format: str | None = None  # of the crops, as jpeg or webp; None: as their names say
    quality: int = 92
    strip: bool = False  # leave out EXIF and IPTC
    linear: bool = False  # resize in linear light
    dry_run: bool = False
    overwrite: bool = False  # files that are there, and that no earlier run over a folder wrote
    max_mpixels: float = 200
    max_fetch_mb: float = 200  # of a file that is fetched from a store, megabytes
    time_limit: float = 120.0  # s that a file may be fetched for, and put; a folder's decoded for
    strict: bool = False  # JPEGs with damaged data fail; else that is told
    no_fsync: bool = False  # for file systems that have none: a power cut may lose crops

    @property
    def file_format(self) -> str | None:
        """One of FORMATS; raises ConfigError for what is none."""
        return parse_format(self.format) if self.format else None

    @property
    def how(self) -> dict[str, Any]:
        """How a crop becomes a file: arguments of ``render``."""
        return {"quality": self.quality, "strip": self.strip, "linear": self.linear}

    @property
    def limits(self) -> StoreLimits:
        return StoreLimits(self.max_fetch_mb, self.time_limit)

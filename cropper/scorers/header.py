"""What a checkpoint says of itself, read without torch.

The safetensors metadata has one entry ``cropper``, JSON: ``kind`` (one of KINDS), ``name``,
``summary``, ``licence``, ``long_side``, ``batch_size``, and what the kind needs to rebuild its
module. Nothing is unpickled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from cropper.errors import MissingModelError
from cropper.scorers.base import ScorerSpec

__all__ = ["KINDS", "broken_header", "check_whole", "read_header", "spec_from"]


@dataclass(frozen=True)
class _Kind:
    """A kind of scorer: the modules whose ``load`` makes one of a checkpoint."""

    costly: bool  # as in ScorerSpec
    on_torch: str
    without_torch: str | None = None


# A localizer is a checkpoint too, but no scorer: it only proposes
KINDS = {
    "cropnet": _Kind(False, "cropper.scorers.cropnet.network", "cropper.scorers.cropnet.cpu"),
    "convnet": _Kind(True, "cropper.scorers.convnet"),
    "selfie": _Kind(True, "cropper.scorers.selfie"),
}
_WHOLE = {"long_side": (16, 8192), "batch_size": (1, 1 << 20)}  # px; boxes
_REMEDY = "train one with `cropper train crops`, or name a registered scorer"


def read_header(path: Path, remedy: str = _REMEDY) -> dict[str, Any]:
    """The JSON that came with the weights. Raises MissingModelError where it cannot be read."""
    if not path.is_file():
        raise MissingModelError(f"no weights at {path}: {remedy}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        header: dict[str, Any] = json.loads(metadata["cropper"])
    except (SafetensorError, KeyError, ValueError, RecursionError, OSError) as error:
        raise MissingModelError(
            f"{path} is not a cropper checkpoint ({error}): {remedy}"
        ) from error
    if not isinstance(header, dict):
        raise MissingModelError(f"{path} is not a cropper checkpoint: {remedy}")
    return header


def spec_from(header: dict[str, Any], path: Path) -> ScorerSpec:
    """The part of a header that every scorer has. Raises MissingModelError where it lacks some."""
    if header.get("kind") not in KINDS:
        raise MissingModelError(f"{path} holds a {header.get('kind')!r}, no scorer: {_REMEDY}")
    try:
        for field, (least, most) in _WHOLE.items():
            check_whole(field, header[field], least, most)
        for field in ("name", "summary", "licence"):
            if not isinstance(header[field], str) or not header[field].isprintable():
                raise ValueError(f"{field} is a line of text, got {header[field]!r}")
        return ScorerSpec(
            name=header["name"],
            long_side=header["long_side"],
            batch_size=header["batch_size"],
            costly=KINDS[header["kind"]].costly,
            summary=header["summary"],
            licence=header["licence"],
            calibrated=bool(header.get("calibrated", False)),
        )
    except (KeyError, ValueError) as error:
        raise broken_header(path, error) from error


def check_whole(name: str, value: object, least: int, most: int) -> None:
    """Raises ValueError for what is no whole number from ``least`` to ``most``."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} is a whole number from {least} to {most}, got {value!r:.40}")


def broken_header(path: Path, error: Exception) -> MissingModelError:
    """For what a header says that cannot be; a KeyError is what it does not say."""
    reason = f"no {error}" if isinstance(error, KeyError) else str(error)
    return MissingModelError(
        f"{path} has a broken header ({reason}): train it again with this version"
    )

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

__all__ = ["KINDS", "Kind", "read_header", "spec_from"]


@dataclass(frozen=True)
class Kind:
    """A kind of scorer: the modules whose ``load`` makes one of a checkpoint."""

    costly: bool  # as in ScorerSpec
    on_torch: str
    without_torch: str | None = None


# A localizer is a checkpoint too, but no scorer: it only proposes
KINDS = {
    "cropnet": Kind(False, "cropper.scorers.cropnet.network", "cropper.scorers.cropnet.cpu"),
    "convnet": Kind(True, "cropper.scorers.convnet"),
    "selfie": Kind(True, "cropper.scorers.selfie"),
}
_REMEDY = "train one with `cropper train crops`, or name a registered scorer"


def read_header(path: Path, remedy: str = _REMEDY) -> dict[str, Any]:
    """The JSON that came with the weights. Raises MissingModelError where it cannot be read."""
    if not path.is_file():
        raise MissingModelError(f"no weights at {path}: {remedy}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        header: dict[str, Any] = json.loads(metadata["cropper"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
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
        return ScorerSpec(
            name=header["name"],
            long_side=header["long_side"],
            batch_size=header["batch_size"],
            costly=KINDS[header["kind"]].costly,
            summary=header["summary"],
            licence=header["licence"],
            calibrated=bool(header.get("calibrated", False)),
        )
    except KeyError as error:
        raise MissingModelError(
            f"{path} has a broken header (no {error}): train it again with this version"
        ) from error

"""What a checkpoint says of itself, read without torch.

The safetensors metadata has one entry ``cropper``, JSON: ``kind`` (cropnet or convnet), ``name``,
``summary``, ``licence``, ``long_side``, ``batch_size``, and what the kind needs to rebuild its
module. Nothing is unpickled.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from cropper.errors import MissingModelError
from cropper.scorers.base import ScorerSpec

__all__ = ["read_header", "spec_from"]

_SCORERS = ("cropnet", "convnet")  # the kinds that score; a localizer only proposes
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
    if header.get("kind") not in _SCORERS:
        raise MissingModelError(f"{path} holds a {header.get('kind')!r}, no scorer: {_REMEDY}")
    try:
        return ScorerSpec(
            name=header["name"],
            long_side=header["long_side"],
            batch_size=header["batch_size"],
            costly=header["kind"] == "convnet",
            summary=header["summary"],
            licence=header["licence"],
            calibrated=bool(header.get("calibrated", False)),
        )
    except KeyError as error:
        raise MissingModelError(
            f"{path} has a broken header (no {error}): train it again with this version"
        ) from error

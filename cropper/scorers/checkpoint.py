"""Scorers <-> safetensors files: weights, config, preprocessing and licence travel together.

Tensors are stored in half precision; what the header says is in ``header``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from cropper.errors import DataError, MissingModelError
from cropper.image import write_atomic
from cropper.scorers.header import read_header

__all__ = [
    "load_trainable",
    "load_trunk",
    "load_weights",
    "module_digest",
    "save_scorer",
    "trunk_digest",
    "trunk_from",
]

_TRUNK = "trunk."


def save_scorer(
    module: nn.Module, header: dict[str, Any], path: Path, leave_out: str | None = None
) -> None:
    """Write a checkpoint that ``scorer_at`` reads; raises ImageWriteError where that fails.

    ``leave_out`` is the prefix of tensors that the header names another file for.
    """
    tensors = {
        key: (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in module.state_dict().items()
        if leave_out is None or not key.startswith(leave_out)
    }
    write_atomic(save(tensors, metadata={"cropper": json.dumps(header)}), path, overwrite=True)


def load_trunk(module: nn.Module, path: Path) -> None:
    """MobileNetV2's weights into a Trunk; the classifier and the last convolution are left out.

    ``path`` may be a cropnet as well. Raises DataError where it lacks one of the trunk's tensors.
    """
    stored = trunk_from(path) or _read(path)
    wanted = module.state_dict()
    missing = sorted(wanted.keys() - stored.keys())
    if missing:
        raise DataError(f"{path} has no {missing[0]}: give a MobileNetV2 with folded batch norm")
    module.load_state_dict({key: stored[key].float() for key in wanted})


def load_trainable(module: nn.Module, path: Path) -> None:
    """A checkpoint's weights into a module of its config; raises MissingModelError."""
    load_weights(module, path, read_header(path))
    module.requires_grad_(True)


def trunk_from(path: Path) -> dict[str, Tensor]:
    """The trunk inside a checkpoint, float32, by the names that a Trunk gives its tensors."""
    stored = _read(path)
    return {k.removeprefix(_TRUNK): v for k, v in stored.items() if k.startswith(_TRUNK)}


def trunk_digest(path: Path) -> str:
    """SHA-256 over the trunk inside a checkpoint: a head fits the trunk that it was trained on."""
    return _digest(trunk_from(path))


def module_digest(module: nn.Module) -> str:
    """SHA-256 over all weights of a loaded module: a localizer fits the CropNet that it read."""
    return _digest({key: value.cpu() for key, value in module.state_dict().items()})


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(tensors.items()):
        digest.update(key.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return {key: value.float() for key, value in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise MissingModelError(f"the weights {path} cannot be read: {error}") from error


def load_weights(module: nn.Module, path: Path, header: dict[str, Any]) -> None:
    """Without gradients, with those of the trunk in another file. Raises MissingModelError."""
    stored = _read(path)
    if "trunk" in header:
        other = path.with_name(header["trunk"]["file"])
        if trunk_digest(other) != header["trunk"]["sha256"]:
            raise MissingModelError(
                f"{path} was trained on another trunk than the one in {other}: train it again"
            )
        stored |= {_TRUNK + key: value for key, value in trunk_from(other).items()}
    try:
        module.load_state_dict(stored)
    except RuntimeError as error:
        raise MissingModelError(f"{path} does not fit its own header: {error}") from error
    module.requires_grad_(False)

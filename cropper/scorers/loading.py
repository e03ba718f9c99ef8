"""From a checkpoint to a scorer: which backend runs it. Imports torch only where that is needed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cropper.errors import ConfigError, CropperError, extra
from cropper.scorers.base import Scorer
from cropper.scorers.header import KINDS, broken_header, read_header, spec_from

if TYPE_CHECKING:
    import torch

__all__ = ["resolve_device", "scorer_at"]


def resolve_device(name: str) -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU. Raises MissingExtraError without torch."""
    _check(name)
    with extra("torch"):
        import torch  # noqa: PLC0415 - slow

    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("no CUDA device is available: use `device=cpu` or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _check(device: str) -> None:
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device is auto, cpu or cuda, got {device!r}")


def scorer_at(path: Path, device: str = "auto", *, torch: bool = False) -> Scorer:
    """The scorer in a checkpoint, by the loader of its kind.

    A kind that has a backend without torch runs on that unless ``device`` is ``cuda`` or ``torch``
    is asked for. Raises MissingModelError for a broken file and MissingExtraError where torch is
    needed and missing.
    """
    _check(device)
    header = read_header(path)
    spec = spec_from(header, path)
    kind = KINDS[header["kind"]]
    try:
        if kind.without_torch and device != "cuda" and not torch:
            scorer: Scorer | None = import_module(kind.without_torch).load(header, path, spec)
            if scorer is not None:
                return scorer
        where = resolve_device(device)
        on_torch: Scorer = import_module(kind.on_torch).load(header, path, spec, where)
    except CropperError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise broken_header(path, error) from error
    return on_torch

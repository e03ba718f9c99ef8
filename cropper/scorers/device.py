"""The one place where ``auto`` becomes a device."""

from __future__ import annotations

import torch

from cropper.errors import ConfigError

__all__ = ["resolve_device"]


def resolve_device(name: str) -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU."""
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device is auto, cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("no CUDA device is available: use `device=cpu` or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)

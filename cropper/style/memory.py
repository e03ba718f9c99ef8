"""What a descent takes of memory, known before it begins; and what there is."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

__all__ = ["available_memory", "memory_needed"]

_SIDES = (64, 128)  # px of the squares that are measured
_MORE = 1.75  # times what is kept for the gradient: what the passes make and drop, as measured
_A_STEP = 24  # bytes a pixel that L-BFGS keeps of each of its last steps
_REMEMBERED = 100  # steps
_BESIDE = 250_000_000  # bytes: the libraries' own
_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup/memory.max")  # a container's own


def memory_needed(cost: Callable[[Tensor], object], pixels: int, steps: int) -> int:
    """Bytes that a descent of so many steps takes at most, by the ``cost`` of a (1, 3, H, W).

    Passes over two small pictures tell what a larger one keeps: that grows with its pixels.
    """
    small, large = (_kept(cost, side) for side in _SIDES)
    slope = (large - small) / (_SIDES[1] ** 2 - _SIDES[0] ** 2)
    each = _MORE * slope + _A_STEP * min(steps, _REMEMBERED)
    return round(each * pixels) + _BESIDE


def _kept(cost: Callable[[Tensor], object], side: int) -> int:
    """Bytes that autograd keeps of one pass, weights too."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    picture = torch.rand(1, 3, side, side, requires_grad=True)
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda kept: kept):
        alive = cost(picture)
    found = sum(each.untyped_storage().nbytes() for each in kept.values())
    del alive
    return found


def available_memory() -> float:
    """Bytes that may still be taken, by the system and the container; inf where none tells."""
    found = math.inf
    with contextlib.suppress(OSError, ValueError, IndexError):
        kilobytes = _MEMINFO.read_text("ascii").partition("MemAvailable:")[2].split()[0]
        found = int(kilobytes) * 1024
    with contextlib.suppress(OSError, ValueError):  # "max" is no number
        found = min(found, int(_GROUP.read_text("ascii")))
    return found

"""What a network pass costs at least on this machine: its operations and its bytes.

A roofline (Williams et al. 2009): a pass takes no less than its operations at the rate of a large
matrix product, and no less than its bytes at the rate of a large copy; both rates are measured. As
bytes count what each convolution and linear layer reads and writes, all between taken as fused into
them; weights are read once a batch and left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["Rates", "Work", "measure_rates", "work_of"]

_PRODUCT = {"cpu": 1536, "cuda": 8192}  # side of the square matrices
_COPY = {"cpu": 1 << 26, "cuda": 1 << 30}  # bytes
_REPEATS = 5


@dataclass(frozen=True)
class Work:
    """Of one crop."""

    flops: float  # multiplications and additions apart
    values: float  # numbers that its layers read and write


@dataclass(frozen=True)
class Rates:
    flops: float  # a second
    bytes: float  # a second, those read and those written

    def limit(self, work: Work, dtype: torch.dtype) -> float:
        """Seconds a crop, at least."""
        return max(work.flops / self.flops, work.values * dtype.itemsize / self.bytes)


@torch.no_grad()
def work_of(module: nn.Module, side: int) -> Work:
    """Of a (1, 3, side, side) input; ``module`` is on the CPU, in single precision."""
    values = 0

    def count(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal values
        values += inputs[0].numel() + output.numel()

    layers = [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(count) for layer in layers]
    counter: Any = FlopCounterMode(display=False)
    try:
        with counter:
            module(torch.zeros(1, 3, side, side))
    finally:
        for handle in handles:
            handle.remove()
    return Work(float(counter.get_total_flops()), float(values))


@lru_cache
@torch.no_grad()
def measure_rates(device: torch.device, dtype: torch.dtype) -> Rates:
    """The best of a few repeats each; once a run, so that all networks are held against one."""
    side = _PRODUCT[device.type]
    a = torch.randn(side, side, device=device).to(dtype)
    source = torch.zeros(_COPY[device.type], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    product = _best(lambda: a @ a, device)
    copy = _best(lambda: target.copy_(source), device)
    return Rates(2 * side**3 / product, 2 * len(source) / copy)


def _best(work: Callable[[], object], device: torch.device) -> float:
    """Seconds."""
    found = []
    for _ in range(_REPEATS + 1):  # the first warms up
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        found.append(time.perf_counter() - start)
    return min(found[1:])

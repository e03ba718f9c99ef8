"""A network's forward pass as a GPU runs it best: in few shapes, each captured once and replayed.

The trunk is dozens of small kernels, and launching them one by one takes longer than they do. A
CUDA graph is launched at once. It needs the same shapes and the same memory each time, so batches
are padded to a power of two, and what comes in is copied to where the graph reads.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Forward", "Replayed", "padded", "upload"]

Forward = Callable[[Tensor], tuple[Tensor, ...]]
_MOST = 16  # graphs kept, each with its own memory: a folder has few shapes
_WARM_UP = 3  # passes before a capture, in which libraries choose and allocate


def upload(array: NDArray[np.uint8], device: torch.device) -> Tensor:
    """To a GPU from page-locked memory, so that the copy runs beside what is computed there."""
    host = torch.from_numpy(array)
    if device.type != "cuda":
        return host.to(device)
    return host.pin_memory().to(device, non_blocking=True)


def padded(batch: Tensor) -> Tensor:
    """(N, ...) -> (M, ...) with M the next power of two; the last row again where there is none."""
    missing = (1 << (len(batch) - 1).bit_length()) - len(batch)
    return torch.cat([batch, batch[-1:].expand(missing, *batch.shape[1:])]) if missing else batch


class Replayed:
    """``forward`` of (N, ...) on a GPU by CUDA graphs, anywhere else as it is.

    Rows must not depend on each other, and ``forward`` not on anything but its argument.
    """

    def __init__(self, forward: Forward) -> None:
        self.forward = forward
        self._captured: OrderedDict[torch.Size, _Captured] = OrderedDict()
        self._lock = threading.Lock()  # one reads and writes where a graph does at a time

    def __call__(self, batch: Tensor) -> tuple[Tensor, ...]:
        if batch.device.type != "cuda" or torch.is_grad_enabled():
            return self.forward(batch)
        with self._lock:
            return self._replay(padded(batch), len(batch))

    def _replay(self, full: Tensor, rows: int) -> tuple[Tensor, ...]:
        if full.shape not in self._captured:
            self._captured[full.shape] = _capture(self.forward, full)
            if len(self._captured) > _MOST:
                self._captured.popitem(last=False)
        self._captured.move_to_end(full.shape)
        return tuple(each[:rows] for each in self._captured[full.shape].replay(full))


@dataclass(frozen=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    read: Tensor  # where the graph reads
    written: tuple[Tensor, ...]  # where it writes

    def replay(self, batch: Tensor) -> tuple[Tensor, ...]:
        self.read.copy_(batch)
        self.graph.replay()
        return tuple(each.clone() for each in self.written)  # the next replay writes there again


def _capture(forward: Forward, batch: Tensor) -> _Captured:
    read = batch.clone()
    stream = torch.cuda.Stream(batch.device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(batch.device))
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP):
            forward(read)
    torch.cuda.current_stream(batch.device).wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # others may allocate
        written = forward(read)
    return _Captured(graph, read, written)

"""How many crops go through a network at once: found by trying, and less where memory ends."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["AutoBatch"]

_ON_CPU = 16  # where crops a second have levelled out on 2 cores: `python -m eval bench-convnet`
_PROBE = 8  # crops that tell how much memory one takes
_MOST = 1024
_SHARE = 0.6  # of the free memory; the allocator's rounding and other processes take from the rest


class AutoBatch:
    """Runs a function over rows in batches; the size never changes what comes out.

    On a CPU the size is a constant. On a GPU the first call measures what a crop takes and fills
    what is free. Wherever a batch does not fit into memory the size is halved, for good.
    """

    def __init__(self, device: torch.device, size: int | None = None) -> None:
        self.size = size or (_ON_CPU if device.type == "cpu" else None)
        self._device = device

    def run(self, function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        """(N, ...) -> the concatenated answers (N, ...). Raises MemoryError where one row is too
        much."""
        answers: list[Tensor] = []
        start = 0
        while start < len(rows) or not answers:
            part = rows[start : start + (self.size or _PROBE)]
            try:
                if self.size is None and len(part) == _PROBE:
                    answers.append(self._probe(function, part))
                else:
                    answers.append(function(part))
            except RuntimeError as error:  # of which torch.OutOfMemoryError is one
                if not _is_out_of_memory(error):
                    raise
                self._back_off(len(part), error)
                continue
            start += len(part)
        return torch.cat(answers)

    def _probe(self, function: Callable[[Tensor], Tensor], part: Tensor) -> Tensor:
        function(part)  # the first pass also allocates what the libraries keep
        before = torch.cuda.memory_allocated(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        answer = function(part)
        each = max((torch.cuda.max_memory_allocated(self._device) - before) / len(part), 1)
        free = _SHARE * torch.cuda.mem_get_info(self._device)[0]
        self.size = 1 << (min(max(int(free / each), 1), _MOST).bit_length() - 1)
        return answer

    def _back_off(self, tried: int, error: RuntimeError) -> None:
        if tried == 1:
            raise MemoryError(f"one crop does not fit into memory: {error}") from error
        self.size = tried // 2
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def _is_out_of_memory(error: RuntimeError) -> bool:
    """The CPU's allocator has no class of its own for it."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)

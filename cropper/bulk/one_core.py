"""Workers that compute in one thread each."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

from cropper.threads import THREADS

__all__ = ["one_core_each"]


@contextlib.contextmanager
def one_core_each() -> Iterator[Callable[[], None]]:
    """Lets each worker compute in its own thread alone; call what it gives when all is loaded.

    Left alone, NumPy, torch and ONNX Runtime would each start a thread a core for every worker,
    and these wait for each other in loops. One thread whatever the number of workers, since sums
    in another order have other last digits, and a crop may depend on them.
    """
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"  # ONNX Runtime and what starts its threads when it is loaded
    torch_threads: list[int] = []
    limits = contextlib.ExitStack()

    def limit() -> None:
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 - looks at all libraries

        limits.enter_context(threadpool_limits(1))
        if torch := sys.modules.get("torch"):
            torch_threads.append(torch.get_num_threads())
            torch.set_num_threads(1)

    try:
        with limits:
            yield limit
    finally:
        if torch_threads:
            sys.modules["torch"].set_num_threads(torch_threads[0])
        if before is None:
            os.environ.pop(THREADS, None)
        else:
            os.environ[THREADS] = before

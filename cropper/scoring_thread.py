"""One thread that has the scorer: photos that wait are bound together, as a GPU works best.

The callers decode in their own threads, hand in what the scorer sees, and wait for the answer.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from cropper.finder import CropFinder
from cropper.image import View
from cropper.search import Objective

__all__ = ["ScoringThread"]

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class _Waiting:
    view: View
    work: Callable[[Objective], Any]
    check: Callable[[], None]
    answer: Future[Any]


class ScoringThread:
    """Ends with ``close``, or is used in a ``with`` statement."""

    def __init__(
        self,
        finder: CropFinder,
        batch_size: int = 16,
        around_batch: Callable[[int], AbstractContextManager[object]] = lambda _: nullcontext(),
    ) -> None:
        """``batch_size`` photos are bound together at most; a batch is worked on in the context
        that ``around_batch`` gives for its size.
        """
        self.finder, self.batch_size, self._around_batch = finder, batch_size, around_batch
        # not bounded here: each caller has one photo in it
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="scorer", daemon=True)
        self._thread.start()

    def __enter__(self) -> ScoringThread:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        """Returns when what was handed in is done."""
        self._queue.put(None)
        self._thread.join()

    def ask(
        self,
        view: View,
        work: Callable[[Objective], Answer],
        check: Callable[[], None] = lambda: None,
    ) -> Answer:
        """``work`` with the objective of a view, done in the scorer's thread; what it raises.

        ``check`` is called before the work begins; what it raises ends it.
        """
        answer: Future[Answer] = Future()
        self._queue.put(_Waiting(view, work, check, answer))
        return answer.result()

    def _run(self) -> None:
        while batch := self._batch():
            ready = [each for each in batch if _try(each.answer, each.check)]
            try:
                with self._around_batch(len(ready)):
                    self._answer(ready)
            except Exception as error:  # the callers', who say what becomes of it
                for each in ready:
                    if not each.answer.done():
                        each.answer.set_exception(error)

    def _answer(self, batch: list[_Waiting]) -> None:
        objectives = self.finder.bind_views([each.view for each in batch]) if batch else []
        for each, objective in zip(batch, objectives, strict=True):
            try:
                each.answer.set_result(each.work(objective))
            except Exception as error:
                each.answer.set_exception(error)

    def _batch(self) -> list[_Waiting]:
        """Waits for the first, then takes what is there; nothing at the end."""
        batch: list[_Waiting] = []
        waiting = self._queue.get()
        while waiting is not None:
            batch.append(waiting)
            if len(batch) == self.batch_size:
                return batch
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return batch
        if batch:
            self._queue.put(None)  # the end, once more for the next call
        return batch


def _try(answer: Future[Any], check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception as error:
        answer.set_exception(error)
        return False
    return True

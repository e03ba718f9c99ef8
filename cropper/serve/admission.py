"""How many requests are admitted, and the threads that work on them.

A request takes one of a fixed number of places or is refused; a few worker threads have photos
decoded, so that no more photos than workers are ever decoded. Heavy photos have workers of their
own, for which light ones do not wait. A request that has timed out or whose client has gone is
dropped at its next step, or while a decoder is at it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import ClientDisconnect, Request

from cropper.boxes import Boxes
from cropper.search import Objective
from cropper.serve.metrics import Metrics
from cropper.serve.problems import ProblemError

__all__ = ["Admission", "DroppedError", "Ticket"]

_LONGEST_WAIT = 60  # s that a refused client is asked to wait
_HEAVY = 250_000_000  # bytes that a photo takes, from which on it is for workers of their own
_STUCK_SECONDS = 10.0  # of all workers at one request each, after which the service is not ready


class DroppedError(Exception):
    """Nobody waits for this work any more."""


class _HeavyError(Exception):
    """Work for the workers of heavy photos."""


class Ticket:
    """One request's work, which may be called off from outside."""

    def __init__(self, work: Callable[[Ticket], Any]) -> None:
        self.heavy = False  # whether it is where heavy photos are
        self._dropped = threading.Event()
        self._work: Callable[[Ticket], Any] | None = work

    def drop(self) -> None:
        """Also lets the upload go, which the work holds, though it may still wait for a worker."""
        self._dropped.set()
        self._work = None

    def answer(self) -> Any:
        """What the work makes. Raises DroppedError, and what the work raises."""
        work = self._work
        if work is None:
            raise DroppedError
        return work(self)

    def check(self) -> None:
        """Raises DroppedError."""
        if self._dropped.is_set():
            raise DroppedError

    def weigh(self, amount: int) -> None:
        """Ends work that will take so many bytes, where it keeps light work waiting."""
        if amount > _HEAVY and not self.heavy:
            raise _HeavyError

    def watched(self, objective: Objective, batch_size: int) -> Objective:
        """The same objective, which ends between two batches when the ticket is dropped."""

        def score(boxes: Boxes) -> NDArray[np.floating]:
            parts = []
            for start in range(0, len(boxes), batch_size):
                self.check()
                parts.append(objective(boxes[start : start + batch_size]))
            return np.concatenate(parts) if parts else np.empty(0)

        return score


class Admission:
    """The places and the workers. Its methods belong to the event loop's thread."""

    def __init__(self, places: int, workers: int, metrics: Metrics) -> None:
        self.places, self.metrics = places, metrics
        self.inside = 0
        self._seconds = 0.5  # of work that a request takes, smoothed
        self._workers = workers
        self._light, self._heavy = (ThreadPoolExecutor(workers) for _ in range(2))
        self._running: dict[Ticket, float] = {}  # when its work began

    @property
    def full(self) -> bool:
        return self.inside >= self.places

    @property
    def stuck(self) -> bool:
        """Whether every worker of light photos has been busy with one request for long."""
        begun = [at for ticket, at in [*self._running.items()] if not ticket.heavy]
        late = time.monotonic() - _STUCK_SECONDS
        return len(begun) >= self._workers and max(begun) < late

    def close(self) -> None:
        """What is still worked on is dropped: it ends at its next step."""
        for ticket in [*self._running]:
            ticket.drop()
        for each in (self._light, self._heavy):
            each.shutdown(wait=True, cancel_futures=True)

    def refusal(self) -> ProblemError:
        """What a client is told while all places are taken."""
        wait = math.ceil(self.inside * self._seconds / self._workers)
        return ProblemError(
            "busy",
            f"{self.places} requests are being worked on, and no more are taken in",
            {"Retry-After": str(min(max(wait, 1), _LONGEST_WAIT)), "Connection": "close"},
            rule="queue",
            limit=self.places,
        )

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """One of the places; who takes it has looked whether there is one."""
        self.inside += 1
        self.metrics.inside.set(self.inside)
        try:
            yield
        finally:
            self.inside -= 1
            self.metrics.inside.set(self.inside)

    async def run(self, request: Request, ticket: Ticket, seconds: float) -> Any:
        """What a worker makes of a ticket, unless the client leaves or the time is up first."""
        working = asyncio.ensure_future(self._worked(ticket))
        leaving = asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait(
                (working, leaving), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if working.done():
                return working.result()
            if leaving.done():
                raise ClientDisconnect
            raise ProblemError(
                "too-slow",
                f"an answer takes at most {seconds:g} s",
                rule="answer_seconds",
                limit=seconds,
            )
        finally:
            ticket.drop()
            working.cancel()
            leaving.cancel()

    async def _worked(self, ticket: Ticket) -> Any:
        try:
            return await asyncio.wrap_future(self._light.submit(self._timed, ticket))
        except _HeavyError:
            ticket.heavy = True
            return await asyncio.wrap_future(self._heavy.submit(self._timed, ticket))

    def _timed(self, ticket: Ticket) -> Any:
        started = self._running[ticket] = time.monotonic()
        try:
            answer = ticket.answer()
        finally:
            del self._running[ticket]
        self._seconds += 0.2 * (time.monotonic() - started - self._seconds)
        return answer


async def _left(request: Request) -> None:
    """Returns when the client is gone; its request was read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

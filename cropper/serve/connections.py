"""Connections that ask for nothing: uvicorn has no time limit before a request's head has come."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

__all__ = ["Prompt"]

_HEAD_SECONDS = 10.0  # for a request's head to arrive; at most twice that


class Prompt(H11Protocol):
    """Closes a connection on which no request is being answered, and none has begun for a while.

    A slow body is the application's own affair, and an idle connection after an answer uvicorn's.
    """

    head_seconds = _HEAD_SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def _watch(self, last: RequestResponseCycle | None) -> None:
        self._timer = self.loop.call_later(self.head_seconds, self._check, last)

    def _check(self, last: RequestResponseCycle | None) -> None:
        cycle: Any = self.cycle  # the latest request; None before the first
        if cycle is last and (cycle is None or cycle.response_complete):
            self.transport.close()
        else:
            self._watch(cycle)

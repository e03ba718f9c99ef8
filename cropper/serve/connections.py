"""Connections that stand still: for a request's head, and for a reader, uvicorn waits for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Prompt"]


class Prompt(H11Protocol):
    """Ends a connection on which nothing has moved between two looks at it.

    Nothing moves where no request has begun since, none is being answered, and the client has read
    nothing of what is left of an answer, which is memory. A slow body is the application's affair.
    """

    look_seconds = 10.0  # between two looks

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._seen: tuple[Any, int] = (None, 0)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        self._timer = self.loop.call_later(self.look_seconds, self._look)

    def _look(self) -> None:
        cycle: Any = self.cycle  # the latest request; None before the first
        now = (cycle, self.transport.get_write_buffer_size())
        if now == self._seen and (cycle is None or cycle.response_complete):
            self.transport.abort()  # a close would wait for the reader
        else:
            self._seen = now
            self._watch()

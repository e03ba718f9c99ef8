"""Connections that stand still, drip or say too much, which uvicorn would bear with for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cropper.serve.security import HEADERS

__all__ = ["Prompt"]

_MAX_SILENT = 1 << 17  # bytes with neither the end of a head nor any of a body in them
_MANY_PIECES = 1000  # of a body, from which on
_SMALLEST_PIECE = 64  # bytes are what they have at least, on average
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_FIRST_PROBE = 0.1  # s from the first _CONTINUE to the second; then twice as long each time


class Prompt(HttpToolsProtocol):
    """Ends a connection on which nothing has moved between two looks at it, or nothing useful.

    Nothing moves where no request has begun since, none is being answered, and the client has read
    nothing of what is left of an answer, which is memory. A slow body is the application's affair,
    one of a million pieces, each of which costs as much as a large one, is not. Where all that is
    left of answers is too much, the one that has waited for its reader longest is cut off; a next
    request of such a connection is not read before.
    """

    look_seconds = 10.0  # between two looks
    max_unread = 256_000_000  # bytes of answers that wait for their readers, beside the latest

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._seen: tuple[Any, bool, int] = (None, True, 0)
        self._silent = self._pieces = self._body = 0
        self._waits_since = 0.0
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._silent += len(data)
        super().data_received(data)
        if self._silent > _MAX_SILENT and not self.transport.is_closing():
            self.send_400_response("The request's head is too long.")

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that says no more is answered what it has asked in full, then let go."""
        if self.cycle is None or self.cycle.more_body or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False
        self._probe(_FIRST_PROBE)
        return True

    def _probe(self, seconds: float) -> None:
        """Write to a client that may have gone altogether: only then is the connection reset."""
        if self.transport.is_closing() or self.cycle.response_started:
            return
        if not self.pipeline and self.cycle.scope["http_version"] != "1.0":  # which knows no 1xx
            self.transport.write(_CONTINUE)
        self.loop.call_later(seconds, self._probe, 2 * seconds)

    def on_headers_complete(self) -> None:
        self._silent = self._pieces = self._body = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._silent = 0
        self._pieces += 1
        self._body += len(body)
        if self._pieces > _MANY_PIECES and self._body < _SMALLEST_PIECE * self._pieces:
            raise ValueError("a body in too many pieces")  # the parser makes a 400 of it
        super().on_body(body)

    def on_response_complete(self) -> None:
        unread = self.flow.write_paused
        if unread and self.pipeline:  # whose answers would wait for this one's reader too
            self.transport.close()
        super().on_response_complete()
        if unread:
            self.flow.pause_reading()
            self._make_room()

    def pause_writing(self) -> None:
        self._waits_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.flow.resume_reading()

    def _make_room(self) -> None:
        others = [
            each for each in self.connections if isinstance(each, Prompt) and each is not self
        ]
        waiting = [each for each in others if each.flow.write_paused]
        unread = sum(each.transport.get_write_buffer_size() for each in waiting)
        for each in sorted(waiting, key=lambda each: each._waits_since):
            if unread <= self.max_unread:
                break
            unread -= each.transport.get_write_buffer_size()
            each.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """The server's own, with the headers that all answers have."""
        lines = ["HTTP/1.1 400 Bad Request", *(f"{name}: {HEADERS[name]}" for name in HEADERS)]
        lines += ["Cache-Control: no-store", "Content-Type: text/plain; charset=utf-8"]
        lines += [f"Content-Length: {len(msg)}", "Connection: close", "", msg]
        self.transport.write("\r\n".join(lines).encode("ascii"))
        self.transport.close()

    def _watch(self) -> None:
        self._timer = self.loop.call_later(self.look_seconds, self._look)

    def _look(self) -> None:
        cycle: Any = self.cycle  # the latest request; None before the first
        answered = cycle is None or cycle.response_complete or self.flow.write_paused
        now = (cycle, answered, self.transport.get_write_buffer_size())
        if now == self._seen and answered:
            self.transport.abort()  # a close would wait for the reader
        else:
            self._seen = now
            self._watch()

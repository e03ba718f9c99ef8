"""Calls of Mastodon.py that end in time: bounded answers of one server, in threads."""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
import time
from collections.abc import Callable
from typing import Any

import requests

__all__ = ["LONGEST", "EndlessAnswerError", "Session", "in_thread"]

LONGEST = 30.0  # s of one call, however slowly its parts come
_LARGEST = 16_000_000  # bytes of its answer


class EndlessAnswerError(requests.RequestException):
    """Larger or slower than any that is waited for; told by its name, as the library's are."""


class Session(requests.Session):
    """Goes nowhere else, where a POST would become a GET. A call that is given up ends here too."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        end = time.monotonic() + LONGEST
        answer = super().send(request, **{**options, "stream": True, "allow_redirects": False})
        body = bytearray()
        with contextlib.closing(answer.raw) as raw:
            if answer.is_redirect:
                raise requests.TooManyRedirects
            while part := raw.read1(decode_content=True):
                body += part
                if len(body) > _LARGEST or time.monotonic() > end:
                    raise EndlessAnswerError
        answer.raw = io.BytesIO(body)
        return answer


async def in_thread(call: Callable[[], Any]) -> Any:
    """What the call comes to; one that is given up holds up neither the bot nor its end."""
    events, future = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

    def tell(found: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(found)
        else:
            future.set_exception(error)

    def work() -> None:
        found, failed = None, None
        try:
            found = call()
        except Exception as error:  # for the one who waits
            failed = error
        with contextlib.suppress(RuntimeError):  # the bot has ended
            events.call_soon_threadsafe(tell, found, failed)

    threading.Thread(target=work, daemon=True).start()
    return await future

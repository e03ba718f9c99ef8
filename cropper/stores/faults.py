"""What a store's client raised, in a line that says what to do and tells no secret."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator

from cropper.stores.urls import cleaned

__all__ = ["is_missing", "reason_of"]

_UNKNOWN_HOST = (socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL)
_CUT = {
    "TooManyRedirects": "too many redirects",
    "ClientPayloadError": "the connection was cut in the middle",
    "IncompleteRead": "the connection was cut in the middle",
    "ServerDisconnectedError": "the server hung up",
}
_NOBODY = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, *_UNKNOWN_HOST)
_REFUSED = (401, 403)


def reason_of(error: BaseException, url: str) -> str:
    """In words, without the file's name."""
    if is_missing(error):
        return "there is no such file"
    chain = list(_causes(error))
    for each in chain:
        status = getattr(each, "status", None)  # of aiohttp's ClientResponseError
        if isinstance(status, int) and status >= 400:
            remedy = "; look at the credentials" if status in _REFUSED else ""
            told = cleaned(str(getattr(each, "message", "")), url)
            return f"the server answered {status} {told}".rstrip() + remedy
    last = chain[-1]
    name = type(last).__name__
    if isinstance(last, PermissionError) or "Credentials" in name:
        return f"access denied ({cleaned(str(last), url)}); look at the credentials"
    if name in _CUT:
        return _CUT[name]
    if isinstance(last, OSError) and last.errno:
        why = os.strerror(last.errno) if last.errno > 0 else str(last.strerror)
        return "the server cannot be reached: " * (last.errno in _NOBODY) + cleaned(why, url)
    return cleaned(f"{name}: {last}", url)


def is_missing(error: BaseException) -> bool:
    """Whether it says that there is no file, and not that nobody could be asked."""
    if not isinstance(error, FileNotFoundError):
        return False
    of_http = [each for each in _causes(error) if type(each).__module__.startswith("aiohttp")]
    return not of_http or any(getattr(each, "status", None) in (404, 410) for each in of_http)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Itself, then what it comes from."""
    here: BaseException | None = error
    while here is not None:
        yield here
        here = here.__cause__

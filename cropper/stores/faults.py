"""What a store's client raised, in a line that says what to do and tells no secret."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from cropper.stores.urls import cleaned

__all__ = ["is_missing", "reason_of"]

_NAMED = {
    "EndpointConnectionError": "the server cannot be reached",
    "ConnectTimeoutError": "the server cannot be reached",
    "TooManyRedirects": "too many redirects",
    "ClientPayloadError": "the connection was cut in the middle",
    "IncompleteRead": "the connection was cut in the middle",
    "ServerDisconnectedError": "the server hung up",
    **dict.fromkeys(
        ("FSTimeoutError", "TimeoutError", "ReadTimeoutError"), "the server took too long"
    ),
    **dict.fromkeys(
        ("BadHttpMessage", "BadStatusLine", "InvalidHeader", "LineTooLong"),
        "what the server answered is no HTTP",
    ),
}
_NOBODY = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH)
_REFUSED = (401, 403)
_LONGEST = 200  # characters of another's message


def reason_of(error: BaseException, url: str) -> str:
    """In words, without the file's name."""
    from http import HTTPStatus  # noqa: PLC0415 - slow

    if is_missing(error):
        return "there is no such file"
    chain = list(_causes(error))
    last = chain[-1]
    names = [type(each).__name__ for each in chain]
    for name in filter(_NAMED.get, names):
        return _NAMED[name]
    for status in (getattr(each, "status", None) for each in chain):  # of a ClientResponseError
        if status in set(HTTPStatus):
            remedy = "; look at the credentials" if status in _REFUSED else ""
            return f"the server answered {status} {HTTPStatus(status).phrase}{remedy}"
    if any(isinstance(each, PermissionError) for each in chain) or "NoCredentialsError" in names:
        return f"access denied ({_line(last, url)}); look at the credentials"
    return _system(last, url)


def _system(error: BaseException, url: str) -> str:
    if not isinstance(error, OSError) or not error.errno:
        return f"{type(error).__name__}: {_line(error, url)}"
    if type(error).__name__ == "gaierror":  # of socket, which is slow to import
        return f"the server cannot be reached: {error.strerror}"
    if error.errno in _NOBODY:
        return f"the server cannot be reached: {os.strerror(error.errno)}"
    return cleaned(str(error.strerror), url)


def _line(error: BaseException, url: str) -> str:
    return cleaned(str(error).partition("\n")[0], url)[:_LONGEST]


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

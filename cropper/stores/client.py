"""fsspec's side of a store: its file system for a URL, and what calls of it have in common."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from cropper.errors import ConfigError, MissingExtraError
from cropper.stores.urls import is_http, scheme_of, shown

__all__ = [
    "Connection",
    "TooLongError",
    "Version",
    "connected",
    "filesystem",
    "go_on",
    "put_by_way_of",
    "put_object",
    "version_of",
    "within",
]

T = TypeVar("T")
Version = tuple[int, int]  # bytes, and a number that changes with the content; 0: none is told
Connection = tuple[Any, str, AbstractContextManager[object]]

_LEFT = "/?#[]@!$&'()*+,;=:%"  # of a URL as it is
_LOOK = 0.1  # s between two looks whether a call is still wanted
# By which stores tell whether a file is another one, the surest first
_TOLD = ("etag", "md5hash", "content-md5", "checksum", "digest", "crc32c")
_DATED = (
    *("mtime", "lastmodified", "last-modified", "last_modified", "updated", "modified"),
    *("modify", "created"),
)


def go_on() -> None:
    """A ``check`` that ends nothing."""


class TooLongError(Exception):
    pass


def within(seconds: float, work: Callable[[], T], check: Callable[[], None] = go_on) -> T:
    """What ``work`` gives or raises, in a thread; TooLongError when its time is up.

    The thread is then left behind: it ends when its client gives up, or at its next bytes.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    end = time.monotonic() + seconds
    while not done.done():
        check()
        left = end - time.monotonic()
        if left <= 0:
            raise TooLongError
        wait([done], min(left, _LOOK))
    return done.result()


def filesystem(url: str) -> Any:
    """fsspec's class for a scheme. Raises ConfigError and MissingExtraError."""
    scheme = scheme_of(url)
    try:
        import fsspec  # noqa: PLC0415 - slow, and only for URLs

        return fsspec.get_filesystem_class(scheme)
    except ValueError as error:
        raise ConfigError(f"{shown(url)}: fsspec knows no {scheme}://") from error
    except ImportError as error:
        told = "pip install 'cropper[remote]'"
        if error.name != "fsspec" and not is_http(url):
            told = f"{str(error).rstrip('.')}, with pip"
        raise MissingExtraError(f"{shown(url)}: {scheme}:// needs a package: {told}") from error


_connecting = threading.Lock()


def connected(url: str, seconds: float) -> Connection:
    """fsspec's file system, the path in it, and what lets one call through at a time if need be."""
    with _connecting:
        return _connect(url, seconds, os.getpid())


@functools.lru_cache(maxsize=64)
def _connect(url: str, seconds: float, process: int) -> Connection:
    kind = filesystem(url)
    options: dict[str, Any] = {"use_listings_cache": False}
    if is_http(url):
        import aiohttp  # noqa: PLC0415

        total = aiohttp.ClientTimeout(total=seconds)
        options["client_kwargs"] = {"timeout": total, "trust_env": True}
        options |= {"block_size": 0, "encoded": True}  # as a stream; quoted here
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        url = f"{scheme}://{host}{slash}{quote(path, safe=_LEFT)}"
    files = kind(**kind._get_kwargs_from_urls(url), **options)
    turn = nullcontext() if files.async_impl else threading.RLock()
    return files, kind._strip_protocol(url), turn


def put_object(files: Any, place: str, data: bytes, *, is_new: bool) -> None:
    """Onto no file that came up meanwhile, where the store can tell."""
    try:
        files.pipe_file(place, data, mode="create" if is_new else "overwrite")
    except Exception as error:
        if not is_new or "NotImplemented" not in f"{type(error).__name__} {error}":
            raise
        files.pipe_file(place, data)


def put_by_way_of(files: Any, place: str, data: bytes, *, is_new: bool) -> None:
    """By way of a file that becomes it."""
    folder = place.rpartition("/")[0]
    temporary = f"{folder}/.cropper-{secrets.token_hex(8)}.tmp"
    files.makedirs(folder, exist_ok=True)
    try:
        files.pipe_file(temporary, data)
        try:
            files.mv(temporary, place)
        except Exception:
            if is_new:
                raise
            files.rm_file(place)  # some servers rename onto no file
            files.mv(temporary, place)
    except BaseException:
        with contextlib.suppress(Exception):
            files.rm_file(temporary)
        raise


def version_of(about: dict[str, Any]) -> Version:
    told = {str(key).lower(): value for key, value in about.items() if value}
    for key in (*_TOLD, *_DATED):
        if key in told:
            value = told[key]
            text = str(value.timestamp() if isinstance(value, datetime) else value)
            text = text.removeprefix("W/").strip('"')
            number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
            return int(about.get("size") or 0), number or 1
    return int(about.get("size") or 0), 0

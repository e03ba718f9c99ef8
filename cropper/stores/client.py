"""fsspec's side of a store: one connection, and what is asked through it. Anything may be raised.

The only module that imports fsspec and aiohttp, and that when a URL is given.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

from cropper.errors import ConfigError, MissingExtraError
from cropper.stores.faults import is_missing
from cropper.stores.urls import is_http, scheme_of, shown

__all__ = ["Connection", "Listed", "Version", "connected", "filesystem"]

Version = tuple[int, int]  # bytes, and a number that changes with the content; 0: none is told

_HEAD, _CHUNK = 4096, 1 << 20  # bytes: that tell a format; that are read at once
_GRACE = 5.0  # s that a call has longer than who waits for it, who tells better what happened
_LEFT = "/?#[]@!$&'()*+,;=:%"  # of a URL as it is
# They hand a file over in full or not at all
_OBJECTS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "tos", "memory"}
_TEMPORARY = re.compile(r"\.cropper-[0-9a-f]{16}\.tmp")
# By which stores tell whether a file is another one, the surest first
_TOLD = ("etag", "md5hash", "content-md5", "checksum", "digest", "crc32c")
_DATED = (
    *("mtime", "lastmodified", "last-modified", "last_modified", "updated", "modified"),
    *("modify", "created"),
)


@dataclass(frozen=True)
class Listed:
    """Something right in a folder."""

    name: str
    is_folder: bool
    version: Version | None  # None: the listing does not tell it


class Connection:
    """Paths are below the URL, and the empty one is itself."""

    def __init__(self, files: Any, url: str) -> None:
        self.files, self.is_http = files, is_http(url)
        self.puts_at_once = scheme_of(url) in _OBJECTS
        if self.is_http:
            scheme, _, rest = url.partition("://")
            host, slash, path = rest.partition("/")
            url = f"{scheme}://{host}{slash}{quote(path, safe=_LEFT)}"
        self.root = str(files._strip_protocol(url))

    def place(self, path: str) -> str:
        """As fsspec has it."""
        if not path:
            return self.root
        return f"{self.root.rstrip('/')}/{quote(path) if self.is_http else path}"

    def version(self, path: str) -> Version | None:
        """None where there is no file."""
        try:
            about = self.files.info(self.place(path))
        except Exception as error:
            if is_missing(error):
                return None
            raise
        return None if about["type"] == "directory" else _version_of(about)

    def listed(self, folder: str) -> list[Listed]:
        """What is right in a folder, and nothing that a page's links lead to elsewhere."""
        from html import unescape  # noqa: PLC0415 - slow

        above, found = self.place(folder).rstrip("/"), dict[str, Listed]()
        for each in self.files.ls(above + "/" if self.is_http else above, detail=True):
            path = unescape(each["name"]) if self.is_http else str(each["name"])
            is_folder = each["type"] == "directory" or path.endswith("/")
            start, _, name = path.rstrip("/").rpartition("/")
            if start.rstrip("/") != above or (self.is_http and "?" in name):
                continue
            name = unquote(name) if self.is_http else name
            told = each.get("size") is not None and not is_folder
            found[name] = Listed(name, is_folder, _version_of(each) if told else None)
        return list(found.values())

    def read(
        self, path: str, wanted: Callable[[bytes], object], check: Callable[[float], None]
    ) -> tuple[bytes, Version]:
        """All of a file, or its first bytes where these are not ``wanted``.

        ``check`` is given the bytes that there are to be, or are so far, and raises to end it.
        """
        place, parts, length = self.place(path), list[bytes](), 0
        about = self.files.info(place)
        if about["type"] == "directory":
            raise IsADirectoryError(errno.EISDIR, "is a folder")
        size = about.get("size")
        check(size or 0)
        with self.files.open(place, "rb", **({"size": size} if self.is_http else {})) as file:
            while chunk := file.read(_CHUNK):
                parts.append(chunk)
                is_head, length = length < _HEAD, length + len(chunk)
                check(length)
                if is_head and length >= _HEAD and not wanted(b"".join(parts)):
                    return b"".join(parts), _version_of(about)
        if not self.is_http and size not in (None, length):  # its client tells by itself
            raise OSError(errno.EIO, f"cut off: {length} of {size} bytes came")
        return b"".join(parts), _version_of(about)

    def is_planned(self, path: str, there: Version, replaces: Version | None) -> bool:
        """Whether the file is the one that may be replaced, by itself or as its folder has it.

        Some stores date a file otherwise than its folder does.
        """
        if replaces in (None, there):
            return replaces is not None
        folder, _, name = path.rpartition("/")
        return any(each.name == name and each.version == replaces for each in self.listed(folder))

    def put(self, data: bytes, path: str, *, is_new: bool) -> Version:
        """In full or not at all, onto no file that came up meanwhile where the store can tell."""
        place = self.place(path)
        if not self.puts_at_once:
            self._put_by_way_of(data, place, is_new=is_new)
        else:
            try:
                self.files.pipe_file(place, data, mode="create" if is_new else "overwrite")
            except Exception as error:
                if not is_new or "NotImplemented" not in f"{type(error).__name__} {error}":
                    raise
                self.files.pipe_file(place, data)
        return _version_of(self.files.info(place))

    def _put_by_way_of(self, data: bytes, place: str, *, is_new: bool) -> None:
        """A file that becomes it."""
        folder = place.rpartition("/")[0]
        temporary = f"{folder}/.cropper-{secrets.token_hex(8)}.tmp"
        self.files.makedirs(folder, exist_ok=True)
        try:
            self.files.pipe_file(temporary, data)
            try:
                self.files.mv(temporary, place)
            except Exception:
                if is_new:
                    raise
                self.files.rm_file(place)  # some servers rename onto no file
                self.files.mv(temporary, place)
        except BaseException:
            with contextlib.suppress(Exception):
                self.files.rm_file(temporary)
            raise

    def sweep(self) -> None:
        """Removes what a killed process was putting, where a store keeps such a thing."""
        for name in [] if self.puts_at_once else self.files.find(self.root):
            if _TEMPORARY.fullmatch(name.rpartition("/")[2]):
                self.files.rm_file(name)


def filesystem(url: str) -> Any:
    """fsspec's class for a scheme. Raises ConfigError and MissingExtraError."""
    scheme = scheme_of(url)
    try:
        import fsspec  # noqa: PLC0415 - slow

        return fsspec.get_filesystem_class(scheme)
    except ValueError as error:
        raise ConfigError(f"{shown(url)}: fsspec knows no {scheme}://") from error
    except ImportError as error:
        told = "pip install 'cropper[remote]'"
        if error.name != "fsspec" and not is_http(url):
            told = f"{str(error).rstrip('.')}, with pip"
        raise MissingExtraError(f"{shown(url)}: {scheme}:// needs a package: {told}") from error


_lock = threading.Lock()
_idle: dict[object, list[Any]] = {}  # what may be used again, by what it was made with


@contextlib.contextmanager
def connected(url: str, seconds: float) -> Iterator[Connection]:
    """A connection that nobody else uses meanwhile, unless its client may be shared.

    One that failed is not used again: a new one may fare better. ``seconds`` are those of one
    request of HTTP.
    """
    kind = filesystem(url)
    own = kind._get_kwargs_from_urls(url)
    key = (kind, repr(own), seconds, os.getpid())  # it outlives no fork
    with _lock:
        idle = _idle.setdefault(key, [])
        files = idle.pop() if idle else None
        if kind.async_impl and files:
            idle.append(files)
    if files is None:
        files = kind(**own, **_options(url, seconds))
        if kind.async_impl:
            with _lock:
                idle.append(files)
    yield Connection(files, url)
    if not kind.async_impl:
        with _lock:
            idle.append(files)


def _options(url: str, seconds: float) -> dict[str, Any]:
    options = {"use_listings_cache": False, "skip_instance_cache": True}
    if not is_http(url):
        return options
    import aiohttp  # noqa: PLC0415 - slow

    client = {"timeout": aiohttp.ClientTimeout(total=seconds + _GRACE), "trust_env": True}
    streams = {"block_size": 0, "encoded": True}  # quoted by Connection
    return {**options, **streams, "client_kwargs": client}


def _version_of(about: dict[str, Any]) -> Version:
    told = {str(key).lower(): value for key, value in about.items() if value}
    for key in (*_TOLD, *_DATED):
        if key in told:
            value = told[key]
            text = str(value.timestamp() if isinstance(value, datetime) else value)
            text = text.removeprefix("W/").strip('"')
            number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
            return int(about.get("size") or 0), number or 1
    return int(about.get("size") or 0), 0

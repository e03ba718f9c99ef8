"""What fsspec reaches by a URL: a file, or a folder with all below it, within limits.

fsspec's clients may wait for as long as a server likes and log what they were given. Every call is
made in a thread of its own, which is left behind when its time is up, and reads no more bytes than
allowed. Who answers and how is the URL's scheme's, and that of the packages that are installed.
"""

from __future__ import annotations

import contextlib
import errno
import html
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TypeVar
from urllib.parse import quote, unquote

from cropper.errors import ConfigError, ImageReadError, ImageWriteError
from cropper.stores.client import (
    TooLongError,
    Version,
    connected,
    filesystem,
    go_on,
    put_by_way_of,
    put_object,
    version_of,
    within,
)
from cropper.stores.faults import is_missing, reason_of
from cropper.stores.urls import is_http, name_in, scheme_of, shown, trimmed

__all__ = ["Content", "Limits", "Listed", "Store", "UnsureWriteError"]

T = TypeVar("T")
Content = tuple[bytes, Version]

_HEAD, _CHUNK = 4096, 1 << 20  # bytes: that tell a format; that are read at once
_MEGABYTE = 1_000_000
# They hand a file over in full or not at all
_OBJECTS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "tos", "memory"}
# They lead to other URLs, to files of this machine, or into archives
_CHAINS = {
    *("simplecache", "filecache", "blockcache", "cached", "zip", "tar", "libarchive", "dir"),
    *("reference", "generic", "async_wrapper", "asyncwrapper", "asynclocal", "dask", "dvc", "git"),
}
_TEMPORARY = re.compile(r"\.cropper-[0-9a-f]{16}\.tmp")


class UnsureWriteError(ImageWriteError):
    """The file may have been put all the same."""


@dataclass(frozen=True)
class Limits:
    """Of one file."""

    megabytes: float = 200
    seconds: float = 120.0

    def __post_init__(self) -> None:
        if not self.megabytes > 0:
            raise ConfigError(f"max_fetch_mb is above 0, got {self.megabytes}")
        if not self.seconds > 0:
            raise ConfigError(f"time_limit is in seconds, above 0, got {self.seconds}")


@dataclass(frozen=True)
class Listed:
    """Something right in a folder."""

    name: str
    is_folder: bool
    version: Version | None  # None: the listing does not tell it


@dataclass(frozen=True)
class Store:
    """What a URL leads to; paths are below it, and the empty one is itself.

    It travels to other processes and is as good there. Messages have its ``str``, which tells no
    secret. ``check`` is called while a call is waited for; what it raises ends the waiting.
    """

    url: str = field(repr=False)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Raises ConfigError for a chain, and MissingExtraError where the scheme needs a package.

        That is before anything is asked of the store.
        """
        scheme = scheme_of(self.url)
        if "::" in scheme or scheme in _CHAINS:
            raise ConfigError(
                f"{self}: {scheme}:// leads on to other files; fetch or unpack these first, and "
                "name them"
            )
        filesystem(self.url)

    def __str__(self) -> str:
        return shown(self.url)

    def named(self, path: str) -> str:
        """As messages name it."""
        return str(self) if path in ("", ".") else f"{trimmed(str(self))}/{path}"

    @classmethod
    def for_output(cls, url: str, limits: Limits) -> Store:
        """Raises ConfigError also where nothing can be put."""
        if is_http(url):
            raise ConfigError(f"{shown(url)}: nothing is put to {scheme_of(url)}://; name a store")
        return cls(url, limits)

    @property
    def suffix(self) -> str:
        """Of its name, as a path has it."""
        return PurePosixPath(name_in(self.url)).suffix

    def exists(self) -> bool:
        """Raises ImageWriteError where nobody tells."""
        return self.version() is not None

    def version(self, path: str = "") -> Version | None:
        """None where there is no file. Raises ImageWriteError where nobody tells."""
        try:
            return within(self.limits.seconds, lambda: self._version(path))
        except Exception as error:
            raise ImageWriteError(f"{self.named(path)}: {self._reason(error)}") from error

    def listed(self, folder: str = "") -> list[Listed] | None:
        """What is right in a folder; None where there is none. Raises OSError."""
        try:
            return within(self.limits.seconds, lambda: list(self._list(folder)))
        except Exception as error:
            if is_missing(error):
                return None
            raise OSError(errno.EIO, self._reason(error)) from error

    def read(
        self,
        path: str = "",
        wanted: Callable[[bytes], object] = bool,
        check: Callable[[], None] = go_on,
    ) -> Content:
        """All of a file, or its first bytes where these are not ``wanted``. Raises ImageReadError.

        What ``check`` raises ends it.
        """
        try:
            return within(self.limits.seconds, lambda: self._read(path, wanted), check)
        except ImageReadError:
            raise
        except Exception as error:
            message = f"{self.named(path)}: cannot be fetched: {self._reason(error)}"
            raise ImageReadError(message, "not fetched") from error

    def write(
        self,
        data: bytes,
        path: str = "",
        *,
        replaces: Version | None = None,
        check: Callable[[], None] = go_on,
    ) -> Version:
        """The whole file or none. What is there is replaced if it is ``replaces``.

        Another file stays, and is an error unless it has the same content. Raises ImageWriteError,
        UnsureWriteError where the file may be there all the same.
        """
        name, begun = self.named(path), [False]
        try:
            return within(
                self.limits.seconds, lambda: self._write(data, path, replaces, begun), check
            )
        except FileExistsError:
            raise ImageWriteError(f"{name}: exists already; `overwrite` replaces it") from None
        except Exception as error:
            is_lost = is_missing(error)
            why = "there is no such bucket or folder" if is_lost else self._reason(error)
            message = f"{name}: not written: {why}"
            if is_lost or isinstance(error, PermissionError):  # so it is with all others
                raise ImageWriteError(message) from OSError(errno.EROFS, why)
            raise (UnsureWriteError if begun[0] else ImageWriteError)(message) from error

    def put(self, data: bytes, *, overwrite: bool) -> None:
        """As ``write``, to the file itself, whatever is there."""
        self.write(data, replaces=self.version() if overwrite else None)

    def sweep(self) -> None:
        """Removes what a killed run was writing, where a store can keep such a thing."""
        if scheme_of(self.url) not in _OBJECTS:
            with contextlib.suppress(Exception):
                files, root, _ = connected(self.url, self.limits.seconds)
                for name in files.find(root):
                    if _TEMPORARY.fullmatch(name.rpartition("/")[2]):
                        files.rm_file(name)

    def _reason(self, error: BaseException) -> str:
        if isinstance(error, TooLongError):
            return f"took longer than `time_limit={self.limits.seconds:g}` s"
        return reason_of(error, self.url)

    def _place(self, path: str) -> str:
        """As fsspec has it."""
        _, root, _ = connected(self.url, self.limits.seconds)
        if not path:
            return root
        return f"{root.rstrip('/')}/{quote(path) if is_http(self.url) else path}"

    def _version(self, path: str) -> Version | None:
        files, _, turn = connected(self.url, self.limits.seconds)
        with turn:
            try:
                about = files.info(self._place(path))
                return None if about["type"] == "directory" else version_of(about)
            except Exception as error:
                if is_missing(error):
                    return None
                raise

    def _list(self, folder: str) -> Iterator[Listed]:
        files, _, turn = connected(self.url, self.limits.seconds)
        above = self._place(folder).rstrip("/")
        with turn:
            found = files.ls(above + "/" if is_http(self.url) else above, detail=True)
        seen = set()
        for each in found:
            name = str(each["name"])
            if is_http(self.url):
                name = html.unescape(name)
            is_folder = each["type"] == "directory" or name.endswith("/")
            name = name.rstrip("/")
            start, _, name = name.rpartition("/")
            if start.rstrip("/") != above or name in seen or (is_http(self.url) and "?" in name):
                continue
            seen.add(name)
            told = each.get("size") is not None and not is_folder
            name = unquote(name) if is_http(self.url) else name
            yield Listed(name, is_folder, version_of(each) if told else None)

    def _listed_version(self, path: str) -> Version | None:
        """As a plan saw it, where a store dates a file otherwise than its folder does."""
        folder, _, name = path.rpartition("/")
        return next((each.version for each in self._list(folder) if each.name == name), None)

    def _read(self, path: str, wanted: Callable[[bytes], object]) -> Content:
        files, _, turn = connected(self.url, self.limits.seconds)
        most, end = self.limits.megabytes * _MEGABYTE, time.monotonic() + self.limits.seconds
        place, parts, length = self._place(path), list[bytes](), 0
        with turn:
            about = files.info(place)
            if about["type"] == "directory":
                raise OSError(errno.EISDIR, "is a folder")
            size = about.get("size")
            if (size or 0) > most:
                raise self._too_large(path)
            with files.open(place, "rb", **({"size": size} if is_http(self.url) else {})) as file:
                while chunk := file.read(_CHUNK):
                    parts.append(chunk)
                    head, length = length < _HEAD, length + len(chunk)
                    if length > most:
                        raise self._too_large(path)
                    if time.monotonic() > end:
                        raise TooLongError
                    if head and length >= _HEAD and not wanted(b"".join(parts)):
                        return b"".join(parts), version_of(about)
        if not is_http(self.url) and size not in (None, length):  # its client tells by itself
            raise OSError(errno.EIO, f"cut off: {length} of {size} bytes came")
        return b"".join(parts), version_of(about)

    def _too_large(self, path: str) -> ImageReadError:
        limit = f"{self.limits.megabytes:g}"
        return ImageReadError(
            f"{self.named(path)}: more than {limit} MB: `max_fetch_mb` is the limit", "too large"
        )

    def _write(
        self, data: bytes, path: str, replaces: Version | None, begun: list[bool]
    ) -> Version:
        files, _, turn = connected(self.url, self.limits.seconds)
        place = self._place(path)
        there = self._version(path)
        if there not in (None, replaces) and self._listed_version(path) != replaces:
            if self._read(path, bool)[0] == data:  # another worker wrote it and was lost
                return there
            raise FileExistsError
        with turn:
            begun[0] = True
            if scheme_of(self.url) in _OBJECTS:
                put_object(files, place, data, is_new=there is None)
            else:
                put_by_way_of(files, place, data, is_new=there is None)
            return version_of(files.info(place))

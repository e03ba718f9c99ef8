"""A file in a store, or a folder with all below it, within limits and in the words of cropper.

Clients of stores may wait for as long as a server likes. So every call is made in a thread of its
own, which is left behind when its time is up.
"""

from __future__ import annotations

import contextlib
import errno
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TypeVar

from cropper.errors import ConfigError, ImageReadError, ImageWriteError
from cropper.stores.client import Connection, Listed, Version, connected, filesystem
from cropper.stores.faults import is_missing, reason_of
from cropper.stores.urls import is_http, name_in, scheme_of, shown, trimmed

__all__ = ["Content", "Listed", "Store", "StoreLimits", "UnsureWriteError"]

T = TypeVar("T")
Content = tuple[bytes, Version]

_MEGABYTE = 1_000_000
_LOOK = 0.1  # s between two looks whether a call is still wanted
# They lead to other URLs, to files of this machine, or into archives
_CHAINS = {
    *("simplecache", "filecache", "blockcache", "cached", "zip", "tar", "libarchive", "dir"),
    *("reference", "generic", "async_wrapper", "asyncwrapper", "asynclocal", "dask", "dvc", "git"),
}


class UnsureWriteError(ImageWriteError):
    """The file may have been put all the same."""


@dataclass(frozen=True)
class StoreLimits:
    """Of one file."""

    megabytes: float = 200
    seconds: float = 120.0

    def __post_init__(self) -> None:
        if not self.megabytes > 0:
            raise ConfigError(f"max_fetch_mb is above 0, got {self.megabytes}")
        if not self.seconds > 0:
            raise ConfigError(f"time_limit is in seconds, above 0, got {self.seconds}")


def _go_on() -> None:
    """A ``check`` that ends nothing."""


@dataclass(frozen=True)
class Store:
    """What a URL leads to; paths are below it, and the empty one is itself.

    It travels to other processes and is as good there. Messages have its ``str``, which tells no
    secret. ``check`` is called while a call is waited for; what it raises ends the waiting.
    """

    url: str = field(repr=False)
    limits: StoreLimits = field(default_factory=StoreLimits)

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
    def for_output(cls, url: str, limits: StoreLimits) -> Store:
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
            return self._ask(lambda client: client.version(path))
        except Exception as error:
            raise ImageWriteError(f"{self.named(path)}: {self._reason(error)}") from error

    def listed(self, folder: str = "") -> list[Listed] | None:
        """What is right in a folder; None where there is none. Raises OSError."""
        try:
            return self._ask(lambda client: client.listed(folder))
        except Exception as error:
            if is_missing(error):
                return None
            raise OSError(errno.EIO, self._reason(error)) from error

    def read(
        self,
        path: str = "",
        wanted: Callable[[bytes], object] = bool,
        check: Callable[[], None] = _go_on,
    ) -> Content:
        """All of a file, or its first bytes where these are not ``wanted``. Raises ImageReadError.

        What ``check`` raises ends it.
        """
        most, end = self.limits.megabytes * _MEGABYTE, time.monotonic() + self.limits.seconds

        def in_bounds(length: float) -> None:
            if length > most:
                why = f"more than {self.limits.megabytes:g} MB: `max_fetch_mb` is the limit"
                raise ImageReadError(f"{self.named(path)}: {why}", "too large")
            if time.monotonic() > end:
                raise _TooLongError

        try:
            return self._ask(lambda client: client.read(path, wanted, in_bounds), check)
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
        check: Callable[[], None] = _go_on,
    ) -> Version:
        """The whole file or none. What is there is replaced if it is ``replaces``.

        Another file stays, and is an error unless it has the same content. Raises ImageWriteError,
        UnsureWriteError where the file may be there all the same.
        """
        name, attempt = self.named(path), _Attempt()

        def work(client: Connection) -> Version:
            there = client.version(path)
            if there and not client.is_planned(path, there, replaces):
                if client.read(path, bool, lambda _: None)[0] == data:
                    return there  # another worker wrote it and was lost
                raise FileExistsError
            attempt.begin()
            return client.put(data, path, is_new=there is None)

        try:
            return self._ask(work, check)
        except FileExistsError:
            raise ImageWriteError(f"{name}: exists already; `overwrite` replaces it") from None
        except Exception as error:
            is_lost = is_missing(error)
            why = "there is no such bucket or folder" if is_lost else self._reason(error)
            message = f"{name}: not written: {why}"
            if is_lost or isinstance(error, PermissionError):  # so it is with all others
                raise ImageWriteError(message) from OSError(errno.EROFS, why)
            kind = UnsureWriteError if attempt.give_up() else ImageWriteError
            raise kind(message) from error

    def put(self, data: bytes, *, overwrite: bool) -> None:
        """As ``write``, to the file itself, whatever is there."""
        self.write(data, replaces=self.version() if overwrite else None)

    def sweep(self) -> None:
        """Removes what a killed run was writing, as far as that can be had."""
        with contextlib.suppress(Exception):
            self._ask(lambda client: client.sweep())

    def _ask(self, work: Callable[[Connection], T], check: Callable[[], None] = _go_on) -> T:
        """What ``work`` gives or raises; _TooLongError when its time is up."""
        answers, faults, done = list[T](), list[BaseException](), threading.Event()

        def run() -> None:
            try:
                with connected(self.url, self.limits.seconds) as client:
                    answers.append(work(client))
            except BaseException as error:
                faults.append(error)
            done.set()

        threading.Thread(target=run, daemon=True).start()
        end = time.monotonic() + self.limits.seconds
        while not done.is_set():
            check()
            left = end - time.monotonic()
            if left <= 0:
                raise _TooLongError
            done.wait(min(left, _LOOK))
        if faults:
            raise faults[0]
        return answers[0]

    def _reason(self, error: BaseException) -> str:
        if isinstance(error, _TooLongError):
            return f"took longer than `time_limit={self.limits.seconds:g}` s"
        return reason_of(error, self.url)


class _TooLongError(Exception):
    pass


class _Attempt:
    """A put that is given up before it began does not begin any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun = self._given_up = False

    def begin(self) -> None:
        with self._lock:
            if self._given_up:
                raise _TooLongError
            self._begun = True

    def give_up(self) -> bool:
        """Whether it had begun."""
        with self._lock:
            self._given_up = True
            return self._begun

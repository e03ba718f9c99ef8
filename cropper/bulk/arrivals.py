"""Which files of a folder have come to rest: nobody writes to them any more.

A file rests where two looks, some seconds apart, saw the same size and time of modification, and,
on local disks of Linux, where no process has it open for writing. Looking works on every file
system, network mounts and those of containers too, from where the system sends no events; an event
that is lost is nothing that could be missed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
from pathlib import Path

__all__ = ["Arrivals"]

Stamp = tuple[int, int]  # bytes, ns of modification


class Arrivals:
    """What was seen below a folder, look by look, and what a run was given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[str, Stamp] = {}
        self._resting: dict[str, Stamp] = {}
        self._taken: dict[str, Stamp] = {}
        self._told: set[str] = set()

    def look(self) -> bool:
        """Whether anything rests now that no run was given as it is."""
        seen = _stamps(self.folder)
        self._taken = {path: stamp for path, stamp in self._taken.items() if path in seen}
        self._resting = {
            path: stamp
            for path, stamp in seen.items()
            if self._seen.get(path) == stamp
            and (self._taken.get(path) == stamp or not _is_written(self.folder / path))
        }
        self._seen = seen
        return not self._resting.items() <= self._taken.items()

    def take(self) -> None:
        """A run was given what rests."""
        self._taken |= self._resting

    def rests(self, path: str) -> bool:
        return path in self._resting

    def was_tried(self, path: str) -> bool:
        """Whether a run was given the file as it is."""
        return path in self._taken and self._taken[path] == self._resting.get(path)

    def was_told(self, path: str) -> bool:
        """Whether this was asked before, of something that cannot be read."""
        before = path in self._told
        self._told.add(path)
        return before


def _stamps(root: Path) -> dict[str, Stamp]:
    """Of every file that is not hidden; links by what they lead to, or by themselves."""
    found: dict[str, Stamp] = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = os.path.join(folder, name)
            if not name.startswith("."):
                with contextlib.suppress(OSError):  # it is gone again
                    told = os.stat(path) if os.path.exists(path) else os.lstat(path)
                    found[os.path.relpath(path, root)] = (told.st_size, told.st_mtime_ns)
    return found


def _is_written(path: Path) -> bool:
    """Whether a process has it open for writing, as far as the system tells.

    Linux gives no read lease on such a file. Who opens a leased one for writing waits until it is
    given back, right away, and the holder gets a SIGIO: asked only where that is ignored.
    """
    if not hasattr(fcntl, "F_SETLEASE") or signal.getsignal(signal.SIGIO) is not signal.SIG_IGN:
        return False
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:  # another's file, or a file system without leases
        return error.errno == errno.EAGAIN
    finally:
        os.close(file)
    return False

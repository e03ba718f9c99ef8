"""How far long work is: a bar on a terminal, else a line every ten seconds."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

from cropper.errors import tell

__all__ = ["Progress", "progress"]

_EVERY = 10.0  # s between two lines


class Progress(Protocol):
    def __call__(self, done: int, total: int, told: str = "") -> None:
        """``told`` stands behind the numbers."""
        ...


@contextlib.contextmanager
def progress(unit: str, *, shares_terminal: bool = True) -> Iterator[Progress | None]:
    """On standard error, of so many ``unit``: a plural.

    None where that is a terminal, and so is standard output, to which lines go meanwhile.
    """
    on_terminal = [stream is not None and stream.isatty() for stream in (sys.stderr, sys.stdout)]
    if not on_terminal[0]:
        yield _Lines(unit)
        return
    if on_terminal[1] and shares_terminal:
        yield None
        return
    from rich import progress as rich_progress  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    columns = (
        rich_progress.TextColumn("{task.completed}/{task.total} " + unit),
        rich_progress.BarColumn(),
        rich_progress.TimeRemainingColumn(),
        rich_progress.TextColumn("{task.description}"),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int, told: str = "") -> None:
            bar.update(task, completed=done, total=total, description=told)

        yield show


class _Lines:
    """Not more often than every ten seconds."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.started = self.told = time.monotonic()

    def __call__(self, done: int, total: int, told: str = "") -> None:
        now = time.monotonic()
        if done and now - self.told >= _EVERY:
            self.told = now
            rate = done / (now - self.started)
            tell(f"cropper: {done}/{total}, {rate:.1f} {self.unit}/s{told and ', '}{told}")

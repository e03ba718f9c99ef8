"""The group of ``python -m eval``, and what its commands share."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from cropper.errors import exit_on_error

__all__ = ["cli", "command_line", "in_folder", "progress_bar", "writing"]

Progress = Callable[[int, int], None]


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        with exit_on_error("error", "interrupted: nothing was reported"):
            return super().invoke(ctx)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Measure croppers against people's crops, and the product's speed."""


def in_folder(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    """Known before the work starts, not after it."""
    if value is not None and not value.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {value.absolute().parent}")
    return value


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        click.echo(f"error: {path} cannot be written: {error.strerror}", err=True)
        raise SystemExit(5) from error


@contextlib.contextmanager
def progress_bar(what: str) -> Iterator[Progress | None]:
    """A bar on stderr, only where that is a terminal."""
    if not (sys.stderr and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - only where a bar is seen
    from rich.progress import Progress as Bar  # noqa: PLC0415

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def command_line() -> str:
    return shlex.join(["python", "-m", "eval", *sys.argv[1:]])

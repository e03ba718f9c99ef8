"""The group of ``python -m eval``, and what its commands share."""

from __future__ import annotations

import contextlib
import functools
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cropper.errors import exit_on_error
from cropper.progress import progress

__all__ = ["cli", "command_line", "in_folder", "progress_bar", "writing"]


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


# what is measured is printed when all is done
progress_bar = functools.partial(progress, shares_terminal=False)


def command_line() -> str:
    """As it was typed: of this group, or of ``cropper``, which has ``compare`` too."""
    name = click.get_current_context().find_root().info_name or ""
    return f"{name} {shlex.join(sys.argv[1:])}"

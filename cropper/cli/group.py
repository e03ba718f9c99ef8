"""The ``cropper`` command itself: its group, its exit codes and how errors end it.

Exit codes are a stable interface: 0 all done, 1 some files failed and the rest is done, 2 usage or
configuration, 3 missing model or extra, 4 no input pictures, 5 cannot write, 130 interrupted.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any

import click

from cropper.errors import exit_on_error, lost_output, tell
from cropper.threads import THREADS, set_threads

__all__ = ["EXIT_CODES", "main", "refuse_repeats", "threads_option"]

EXIT_CODES = """
\b
Exit codes: 0 all done; 1 some files failed, the rest is done; 2 usage;
3 missing model or extra; 4 no input pictures; 5 cannot write; 130 interrupted.
"""


class _Group(click.Group):
    group_class = type

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """A stream without room, which help may be printed to, is no traceback."""
        with exit_on_error("cropper"):
            try:
                return super().main(*args, **kwargs)
            except OSError as error:
                if error.errno != errno.ENOSPC or error.filename:
                    raise
                raise lost_output(error) from error

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with exit_on_error("cropper"), _in_one_line():
            return super().invoke(ctx)


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Wrong usage ends a command with one line, as all errors do."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:  # shows help
        raise
    except click.UsageError as error:
        place = error.ctx.command_path if error.ctx else "cropper"
        tell(f"cropper: {error.format_message().rstrip('.')}; see {place} --help")
        raise SystemExit(error.exit_code) from error


class _Command(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """An option that takes one value is refused twice: the first would be lost in silence.

        One whose value may be left out takes what follows for it only where that is a choice.
        """
        args = [
            f"{arg}={values[0]}" if values and after not in values else arg
            for arg, after in zip_longest(args, args[1:])
            for values in [self._optional.get(arg, ())]
        ]
        if not ctx.resilient_parsing and not self.ignore_unknown_options:
            refuse_repeats(self, ctx, args)
        return super().parse_args(ctx, args)

    @property
    def _optional(self) -> dict[str, Sequence[str]]:
        """The choices of options that may stand alone, the one that is meant then first."""
        return {
            name: param.type.choices
            for param in self.params
            if param.metavar and param.metavar[0] == "[" and isinstance(param.type, click.Choice)
            for name in param.opts
        }


def refuse_repeats(command: click.Command, ctx: click.Context, args: Sequence[str]) -> None:
    """Raises UsageError for an option of one value that is given twice."""
    _, _, given = command.make_parser(ctx).parse_args(args=list(args))
    for param in given:
        single = isinstance(param, click.Option) and not (param.multiple or param.is_flag)
        if single and given.count(param) > 1:
            name = max(param.opts, key=len)
            raise click.UsageError(f"{name} is given twice, and takes one value", ctx)


_Group.command_class = _Command


_SETTINGS = {"max_content_width": 100, "help_option_names": ["-h", "--help"]}


@click.group(cls=_Group, epilog=EXIT_CODES, context_settings=_SETTINGS)
@click.version_option(package_name="cropper", prog_name="cropper")
def main() -> None:
    """Find the crop of a photo that people like best."""


def _threads(_: click.Context, __: click.Parameter, count: int | None) -> None:
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - looks at all libraries

    is_set = any(os.environ.get(name) for name in (THREADS, "OPENBLAS_NUM_THREADS"))
    set_threads(count)
    if count or not is_set:  # NumPy is there already; its second thread mostly waits, in a loop
        threadpool_limits(count or 1, user_api="blas")


threads_option = click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    metavar="N",
    expose_value=False,
    callback=_threads,
    help="Threads that compute. Default: OMP_NUM_THREADS, else the cores that it may use, and "
    "one for NumPy's products, which are small.",
)

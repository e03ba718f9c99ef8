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
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cropper.cli.settings import Settings, options_of, read_settings
from cropper.errors import ConfigError, exit_on_error, lost_output, tell
from cropper.threads import THREADS, set_threads

__all__ = ["EXIT_CODES", "explained", "main", "refuse_repeats", "threads_option"]

EXIT_CODES = """
\b
Exit codes: 0 all done; 1 some files failed, the rest is done; 2 usage;
3 missing model or extra; 4 no input pictures; 5 cannot write; 130 interrupted.
"""


@contextmanager
def explained(ctx: click.Context) -> Iterator[None]:
    """A wrong value is told with the file and the key, or the variable, that it comes from."""
    try:
        yield
    except click.BadParameter as error:
        option = error.param
        source = ctx.get_parameter_source(str(option.name)) if option else None
        keys = {each: key for key, each in options_of(ctx.command).items()}
        if isinstance(option, click.Option) and source is ParameterSource.DEFAULT_MAP:
            names = [*ctx.command_path.split()[1:], keys[option]]
            place = f"{ctx.obj.path}: {'.'.join(names)}"
        elif isinstance(option, click.Option) and source is ParameterSource.ENVIRONMENT:
            place = str(option.envvar)
        else:
            raise
        raise ConfigError(f"{place}: {error.message}") from error


# Of these the command line's count, else the variables', else the file's; and what none is
_ALTERNATIVES = ({"aspect": None, "size": None, "preset": None}, {"angle": 0.0, "straighten": None})
_SOURCES = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)


def _take_first(command: click.Command, ctx: click.Context) -> None:
    """Settings that stand for each other are taken from one place."""
    for unset in _ALTERNATIVES:
        options = {key: each for key, each in options_of(command).items() if key in unset}
        sources = {key: ctx.get_parameter_source(str(each.name)) for key, each in options.items()}
        first = next((each for each in _SOURCES if each in sources.values()), None)
        for key, option in options.items():
            if sources[key] in _SOURCES and sources[key] != first:
                ctx.params[str(option.name)] = () if option.multiple else unset[key]
                ctx.set_parameter_source(str(option.name), ParameterSource.DEFAULT)


class _Group(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with explained(ctx):
            return super().parse_args(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """A stream without room, which help may be printed to, is no traceback."""
        with exit_on_error("cropper"):
            try:
                with _heard_or_not():  # the script of a shell's completion
                    return super().main(*args, **kwargs)
            except OSError as error:
                if error.errno != errno.ENOSPC or error.filename:
                    raise
                raise lost_output(error) from error

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _heard_or_not(), _in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with exit_on_error("cropper"), _in_one_line():
            return super().invoke(ctx)


@contextmanager
def _heard_or_not() -> Iterator[None]:
    """A reader of help that has left, as `head` does, is no failure."""
    try:
        yield
    except BrokenPipeError as error:
        lost_output(error)
        raise SystemExit(0) from error


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
    def invoke(self, ctx: click.Context) -> None:
        """Tell what a file that nobody named has set; what a command returns is its exit code."""
        settings = ctx.obj
        if isinstance(settings, Settings) and settings.found and not _is_quiet(ctx):
            named = {each.name: key for key, each in options_of(self).items()}
            sources = [(key, ctx.get_parameter_source(str(name))) for name, key in named.items()]
            own = [key for key, source in sources if source is ParameterSource.DEFAULT_MAP]
            if own:
                tell(f"cropper: {settings.path} sets {', '.join(own)}; --no-config passes it over")
        if code := super().invoke(ctx):
            raise SystemExit(code)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _heard_or_not():
            return super().make_context(*args, **kwargs)

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
        with explained(ctx):
            left = super().parse_args(ctx, args)
        _take_first(self, ctx)
        return left

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


def _is_quiet(ctx: click.Context) -> bool:
    return bool(ctx.params.get("quiet"))


class _Commands(click.Group):
    command_class = _Command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _heard_or_not():
            return super().make_context(*args, **kwargs)


_Group.command_class = _Command
_Group.group_class = _Commands

_SETTINGS = {"max_content_width": 100, "help_option_names": ["-h", "--help"], "show_default": True}


@click.group(cls=_Group, epilog=EXIT_CODES, context_settings=_SETTINGS)
@click.version_option(package_name="cropper", prog_name="cropper")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="CROPPER_CONFIG",
    metavar="FILE",
    help="Settings, in place of the cropper.toml here or in a folder above.",
)
@click.option("--no-config", is_flag=True, help="No file with settings.")
@click.pass_context
def main(ctx: click.Context, config: Path | None, no_config: bool) -> None:
    """Find the crop of a photo that people like best.

    Options have defaults from cropper.toml and from variables as CROPPER_BEST_ASPECT;
    `cropper config` tells which.
    """
    assert isinstance(ctx.command, click.Group)
    named = None if no_config else config
    ctx.obj = read_settings(ctx.command, named, search=not no_config)
    ctx.default_map = ctx.obj.defaults


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

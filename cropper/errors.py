"""Every error that cropper raises on purpose, with the exit code it maps to.

    CropperError                      1  base: catch this one
    |-- ConfigError (ValueError)      2  an argument breaks a rule
    |   |-- BoxError                  2  boxes of a wrong shape, order or range
    |   |-- SpaceError                2  a crop space that holds no crop
    |   `-- SearchError               2  a search that cannot be run as asked
    |-- MissingModelError             3  no such scorer or weights
    |   `-- MissingExtraError         3  an optional package that is not installed
    |-- ImageReadError                1  a file that cannot be read as a picture
    |   `-- ImageTooLargeError        1  more megapixels than allowed
    |-- NoInputError                  4  nothing to work on
    |-- CropTooSmallError             1  a crop with fewer pixels than asked for
    |-- ImageWriteError               5  an output that cannot be written
    |-- ScorerOutputError             1  a scorer answered with a wrong shape or a NaN
    `-- DataError                     1  training or benchmark data that breaks its format

A message names the rule, the value that broke it and the remedy. Options stand in backquotes by
the names of their fields, `top_k` or `method=search+stn`; the shell shows them as its own,
``--top-k`` and ``--method search+stn``.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "BoxError",
    "ConfigError",
    "CropTooSmallError",
    "CropperError",
    "DataError",
    "ImageReadError",
    "ImageTooLargeError",
    "ImageWriteError",
    "MissingExtraError",
    "MissingModelError",
    "NoInputError",
    "ScorerOutputError",
    "SearchError",
    "SpaceError",
    "exit_on_error",
    "extra",
    "in_shell_words",
    "lost_output",
    "printable",
    "tell",
]

# Controls, other ends of lines, and what turns the direction of writing
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_OPTIONS = {"output": "-o", "as_json": "--json"}  # that are not called as their fields


class CropperError(Exception):
    """Base of the tree; ``exit_code`` is what the command line ends with."""

    exit_code = 1


class ConfigError(CropperError, ValueError):
    exit_code = 2


class BoxError(ConfigError):
    pass


class SpaceError(ConfigError):
    pass


class SearchError(ConfigError):
    pass


class MissingModelError(CropperError):
    exit_code = 3


class MissingExtraError(MissingModelError):
    pass


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around an import that needs the package's extra ``name``: raises MissingExtraError."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name} is not installed, and this needs it: pip install 'cropper[{name}]'"
        ) from error


class ImageReadError(CropperError):
    """``reason`` is why, in a word or two that files can be counted by."""

    exit_code = 1

    def __init__(self, message: str, reason: str = "broken") -> None:
        super().__init__(message)
        self.reason = reason


class ImageTooLargeError(ImageReadError):
    def __init__(self, message: str, reason: str = "too large") -> None:
        super().__init__(message, reason)


class NoInputError(CropperError):
    exit_code = 4


class CropTooSmallError(CropperError):
    exit_code = 1


class ImageWriteError(CropperError):
    exit_code = 5


class ScorerOutputError(CropperError):
    exit_code = 1


class DataError(CropperError):
    exit_code = 1


def in_shell_words(message: str) -> str:
    """A library's message with its options as the shell has them.

    >>> in_shell_words("`top_k` is for `method=search`: use `overwrite`")
    '--top-k is for --method search: use --overwrite'
    """

    def option(match: re.Match[str]) -> str:
        name, value = match.groups()
        text = _OPTIONS.get(name) or "--" + name.replace("_", "-")
        return f"{text} {value}" if value else text

    return re.sub(r"`([a-z_]+)(?:=([^`]*))?`", option, message)


def printable(text: str) -> str:
    r"""A text that may hold a file's name, as one line that a terminal shows and does not obey.

    >>> print(printable("a\nb\x1b[31m.jpg"))
    a\nb\x1b[31m.jpg
    """
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def tell(line: str) -> None:
    """A line on standard error; where that is closed, full or a broken pipe, nothing happens."""
    line = printable(line)
    if sys.stderr is None:  # print would take standard output then
        return
    try:
        print(line, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        sys.stderr = None


def lost_output(error: OSError) -> ImageWriteError:
    """What to raise where standard output takes no more; it takes the rest, and loses it.

    Python would try once more to flush at exit, and fail with a traceback.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return ImageWriteError(f"standard output cannot be written: {error.strerror}")


@contextmanager
def exit_on_error(prefix: str, interrupted: str = "interrupted") -> Iterator[None]:
    """Around a command: what is raised on purpose ends it with one line and its exit code."""
    try:
        yield
    except CropperError as error:
        tell(f"{prefix}: {in_shell_words(str(error))}")
        raise SystemExit(error.exit_code) from error
    except KeyboardInterrupt as error:
        tell(f"{prefix}: {interrupted}")
        raise SystemExit(130) from error

"""Photos one after another, as measurements go through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from cropper.errors import CropperError, DataError

__all__ = ["Progress", "counted", "of_readable", "of_split"]

Progress = Callable[[int, int], None]
T = TypeVar("T")
Made = TypeVar("Made")


def counted(items: Sequence[T], progress: Progress | None) -> Iterator[T]:
    """The items; before each ``progress`` hears how many are done, of how many."""
    for done, item in enumerate(items):
        if progress:
            progress(done, len(items))
        yield item


def of_readable(
    paths: Sequence[Path], make: Callable[[int, Path], Made], progress: Progress | None
) -> list[Made]:
    """What ``make`` makes of each photo, which it is given the number of, if it can be read."""
    found = []
    for number, path in enumerate(counted(paths, progress)):
        try:
            found.append(make(number, path))
        except CropperError:
            continue
    return found


def of_split(
    root: Path,
    split: str,
    make: Callable[[int, Path], Made],
    *,
    limit: int | None = None,
    progress: Progress | None = None,
) -> list[Made]:
    """The same of the first photos of a split; raises DataError where none can be read."""
    from cropper.train.tilt import photos_of  # noqa: PLC0415 - on torch

    found = of_readable(photos_of(root, split)[:limit], make, progress)
    if not found:
        raise DataError(f"{root}: no photo of split {split!r} can be read: name another folder")
    return found

"""Which files are pictures: of a folder, all with a picture's extension; of files, each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cropper.errors import NoInputError
from cropper.image import has_picture_extension

__all__ = ["is_picture_name", "is_so", "list_pictures"]


def is_picture_name(path: Path) -> bool:
    """By its extension alone; hidden files, such as other systems leave beside pictures, are not.

    >>> is_picture_name(Path("a/photo.JPG")), is_picture_name(Path("a/._photo.jpg"))
    (True, False)
    """
    return has_picture_extension(path) and not path.name.startswith(".")


def list_pictures(inputs: Sequence[str | Path]) -> list[Path]:
    """Files as they are named, folders with all that is below them, sorted; each file once.

    Raises NoInputError where there is none. Of several, a named file that is not there is kept:
    reading it tells why it fails.
    """
    found: dict[Path, None] = {}
    for name in inputs:
        path = Path(name)
        for each in _below(path) if path.is_dir() else [path]:
            found.setdefault(each)
    if not any(is_so(path.exists) for path in found):
        names = ", ".join(str(name) for name in inputs)
        raise NoInputError(f"no picture in {names}: name pictures, or a folder that holds some")
    return list(found)


def is_so(question: Callable[[], bool]) -> bool:
    """As ``path.is_dir`` and its like say, and no for a name that is too long."""
    try:
        return question()
    except OSError:
        return False


def _below(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(where, name)
            if is_picture_name(path):
                yield path

"""A folder -> its photos, one after another, in the file system's order and without keeping them.

In a store names alone tell what a photo is, since a look inside would cost a request a file.

A photo is a regular file with a picture's extension, or one of another name whose first bytes are a
picture's; those of a TIFF are also a camera's raw file's, and count where there is no extension.
Names that start with a dot are left out, as are folders that systems keep thumbnails and waste in,
and those that an earlier run wrote its crops to. Links to folders are not followed; links to files
are, where they stay inside.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cropper.errors import ConfigError, NoInputError
from cropper.image import has_picture_extension, sniff
from cropper.stores import Store

__all__ = ["IN_PLACE", "MANIFEST", "Entry", "matches", "walk", "walk_store"]

MANIFEST = os.path.join(".cropper", "manifest.sqlite")  # in a folder: it holds a run's crops

IN_PLACE = os.path.join(".cropper", "in-place")  # beside it: it holds photos with their sidecars
# Thumbnails and waste of network drives, Windows, archives and file systems, in lower case
_OF_SYSTEMS = {
    "@eadir",
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    "__macosx",
    "lost+found",
    "system volume information",
}
_LONGEST = 1024  # bytes of a path in a store, as Amazon's has it; a server's links may have no end
# Cameras' thumbnails, copies, and downloads that go on
_LEFT_BY_PROGRAMS = {".thm", ".bak", ".tmp", ".part", ".crdownload", ".download"}


@dataclass(frozen=True)
class Entry:
    """Something below the input folder."""

    path: str  # relative to the input folder
    problem: str | None = None  # why it cannot be cropped; to be counted as failed
    ignored: str | None = None  # why it was passed over


def walk(root: Path, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Iterator[Entry]:
    """Everything below ``root``, photos and what is no photo.

    ``include`` and ``exclude`` are globs: ``*`` and ``?`` stay within a name, ``**`` does not, and
    a pattern without a slash, but at its end, may match at any depth. Case does not count. A
    folder that ``exclude`` matches is not entered. Raises ConfigError for an empty pattern.
    """
    wanted, unwanted = [_glob(each) for each in include], [_glob(each) for each in exclude]
    real_root = os.path.realpath(root)
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as entries:
                for entry in entries:
                    path = os.path.join(folder, entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        reason = _why_not_entered(entry, path, unwanted)
                        if reason:
                            yield Entry(path, ignored=reason)
                        else:
                            folders.append(path)
                    else:
                        yield _file(entry, path, real_root, wanted, unwanted)
        except OSError as error:
            yield Entry(folder or ".", problem=f"the folder cannot be listed: {error.strerror}")


def walk_store(
    store: Store, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> Iterator[Entry]:
    """As ``walk``. Raises NoInputError where there is no such folder."""
    wanted, unwanted = [_glob(each) for each in include], [_glob(each) for each in exclude]
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            found = store.listed(folder)
        except OSError as error:
            yield Entry(folder or ".", problem=f"the folder cannot be listed: {error.strerror}")
            continue
        if found is None and not folder:
            raise NoInputError(f"no input pictures: there is no {store}")
        for each in found or ():
            path = f"{folder}/{each.name}" if folder else each.name
            if each.name in ("", ".", "..") or "/" in each.name or "\0" in each.name:
                yield Entry(path, problem="no file here can have this name: rename it")
            elif len(path.encode("utf-8", "surrogatepass")) > _LONGEST:
                yield Entry(path, problem=f"its path has more than {_LONGEST} bytes: rename it")
            elif each.is_folder:
                if reason := _why_passed_by(each.name, path, unwanted):
                    yield Entry(path, ignored=reason)
                else:
                    folders.append(path)
            else:
                reason = _why_ignored(each.name, path, wanted, unwanted)
                is_photo = has_picture_extension(each.name)
                yield Entry(path, ignored=reason or (None if is_photo else "not a picture's name"))


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether a relative path matches any of the globs."""
    return _any(path, [_glob(each) for each in patterns])


def _why_not_entered(
    entry: os.DirEntry[str], path: str, unwanted: Sequence[re.Pattern[str]]
) -> str | None:
    holds = [os.path.exists(os.path.join(entry.path, each)) for each in (MANIFEST, IN_PLACE)]
    crops = "a folder of crops" if holds == [True, False] else None
    return _why_passed_by(entry.name, path, unwanted) or crops


def _why_passed_by(name: str, path: str, unwanted: Sequence[re.Pattern[str]]) -> str | None:
    """Of a folder, by its name alone."""
    if name.startswith("."):
        return "hidden"
    if name.casefold() in _OF_SYSTEMS:
        return "a system's folder"
    return "excluded" if _any(path, unwanted) else None


def _why_ignored(
    name: str,
    path: str,
    wanted: Sequence[re.Pattern[str]],
    unwanted: Sequence[re.Pattern[str]],
) -> str | None:
    """Of a file, by its name alone."""
    if name.startswith("."):
        return "hidden"
    if _any(path, unwanted) or (wanted and not _any(path, wanted)):
        return "excluded"
    left = os.path.splitext(name)[1].lower() in _LEFT_BY_PROGRAMS or name.endswith("~")
    return "left by a program" if left and not wanted else None


def _file(
    entry: os.DirEntry[str],
    path: str,
    real_root: str,
    wanted: Sequence[re.Pattern[str]],
    unwanted: Sequence[re.Pattern[str]],
) -> Entry:
    if reason := _why_ignored(entry.name, path, wanted, unwanted):
        return Entry(path, ignored=reason)
    may_be_raw = bool(os.path.splitext(entry.name)[1]) and not wanted
    try:
        return Entry(path, ignored=_why_no_photo(entry, real_root, may_be_raw=may_be_raw))
    except OSError as error:
        return Entry(path, problem=f"cannot be read: {error.strerror}")


def _why_no_photo(entry: os.DirEntry[str], real_root: str, *, may_be_raw: bool) -> str | None:
    if entry.is_symlink():
        if entry.is_dir():
            return "a link to a folder"
        target = os.path.realpath(entry.path, strict=True)
        if os.path.commonpath([target, real_root]) != real_root:
            return "a link out of the folder"
    if not entry.is_file():
        return "not a regular file"
    if has_picture_extension(entry.name):
        return None
    with open(entry.path, "rb") as file:
        file_format = sniff(file.read(4096))
    return (
        "not a picture" if file_format is None or (file_format == "TIFF" and may_be_raw) else None
    )


def _any(path: str, patterns: Sequence[re.Pattern[str]]) -> bool:
    path = path.replace(os.sep, "/")
    return any(pattern.fullmatch(path) for pattern in patterns)


def _glob(pattern: str) -> re.Pattern[str]:
    text = pattern.strip("/")
    if not text:
        raise ConfigError(f"a pattern names files, as in '*.jpg' or 'raw/**', got {pattern!r}")
    if "/" not in pattern.rstrip("/"):
        text = f"**/{text}"
    tokens = {"**/": "(?:.*/)?", "/**": "(?:/.*)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|/\*\*$|\*\*|\*|\?|\[!?[^]/]+\])", text)
    regex = "".join(
        tokens.get(part) or (part.replace("[!", "[^") if index % 2 else re.escape(part))
        for index, part in enumerate(parts)
    )
    return re.compile(regex, re.IGNORECASE | re.DOTALL)

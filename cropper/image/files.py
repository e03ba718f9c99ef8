"""Bytes to files and back, so that nothing is touched but what was named or planned.

A file is whole or not there. Below a folder nothing but the folders and regular files that are
there themselves is used: links are not followed, so that whoever may write to a folder of a run
cannot lead it out of there while it works. What is replaced is known by its inode.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from stat import S_ISREG

from cropper.errors import ImageReadError, ImageWriteError

__all__ = [
    "FileId",
    "check_target",
    "file_id",
    "make_folder",
    "read_below",
    "write_atomic",
    "write_below",
]

FileId = tuple[int, int]  # device and inode

_EXISTS = "exists already; `overwrite` replaces it"
_MOVED = "the output folder was moved, replaced or unmounted"
_NO_FSYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)  # as file systems say that they have none
LOSES = (
    "this file system has no fsync, so a power cut may lose what was written; write elsewhere, or "
    "use `no_fsync`, which best and bulk have"
)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_FOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW


def write_atomic(data: bytes, target: Path, *, overwrite: bool, fsync: bool = True) -> None:
    """The whole file or none: what is at ``target`` is the old file, or nothing, until it is done.

    Without ``fsync`` a power cut soon after may lose it. Of a symbolic link the file that it leads
    to is replaced. Raises ImageWriteError.
    """
    place = check_target(target, overwrite=overwrite)
    with _writing(target), _opened(place.parent) as folder:
        _put(
            data,
            folder,
            place.name,
            lambda there: overwrite and S_ISREG(there.st_mode),
            fsync=fsync,
        )


def write_below(
    data: bytes,
    root: Path,
    path: str,
    *,
    replaces: FileId | None,
    inside: FileId | None = None,
    fsync: bool = True,
) -> os.stat_result:
    """As ``write_atomic``, to ``path`` below a folder that is there; missing ones are made.

    ``replaces`` is the file that may be there and is replaced, None where there is none: another
    one stays, and is an error unless it has the same content. ``inside`` is what ``root`` has to be
    still. No link is followed. Raises ImageWriteError.
    """
    *folders, name = PurePath(path).parts
    with _writing(root / path), contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(_opened(root))
        except FileNotFoundError as error:
            raise OSError(errno.ESTALE, _MOVED) from error
        if inside not in (None, file_id(os.fstat(folder))):
            raise OSError(errno.ESTALE, _MOVED)
        for each in folders:
            with contextlib.suppress(FileExistsError):
                os.mkdir(each, dir_fd=folder)
            folder = stack.enter_context(_opened(each, folder))
        try:
            _put(data, folder, name, lambda there: file_id(there) == replaces, fsync=fsync)
        except FileExistsError:
            if _content(name, folder) != data:  # else another worker wrote it and was lost
                raise
        return os.stat(name, dir_fd=folder, follow_symlinks=False)


def read_below(root: Path, path: str, head: int, wanted: Callable[[bytes], object]) -> Content:
    """A regular file below a folder; of one whose first bytes are not ``wanted`` ``head`` bytes.

    A link is followed to a file that lies below ``root`` itself. Raises OSError, and ImageReadError
    for what is no regular file or lies elsewhere.
    """
    try:
        return _read_below(root, path, head, wanted)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
    real = Path(os.path.realpath(root))
    target = Path(os.path.realpath(real / path, strict=True))
    if not target.is_relative_to(real):
        raise ImageReadError(f"{root / path}: became a link out of the folder", "unreadable")
    return _read_below(real, str(target.relative_to(real)), head, wanted)


Content = tuple[bytes, os.stat_result]


def _read_below(root: Path, path: str, head: int, wanted: Callable[[bytes], object]) -> Content:
    *folders, name = PurePath(path).parts
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_opened(root))
        for each in folders:
            folder = stack.enter_context(_opened(each, folder))
        # a pipe would be waited for
        handle = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _NO_FOLLOW, dir_fd=folder)
        with open(handle, "rb") as file:
            stat = os.fstat(handle)
            if not S_ISREG(stat.st_mode):
                raise ImageReadError(f"{root / path}: is no regular file", "unreadable")
            data = file.read(head)
            return (data + file.read() if wanted(data) else data), stat


def make_folder(folder: Path) -> None:
    """The folder with those above it, where they are missing. Raises ImageWriteError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageWriteError(f"{folder}: the folder cannot be made: {error.strerror}") from error


def check_target(target: Path, *, overwrite: bool) -> Path:
    """Where the bytes go, links followed, or ImageWriteError where they can't.

    A link that another user put into a folder of others is not followed, as Linux has it for
    folders that everybody may write to.
    """
    try:
        place = Path(target).resolve()
        exists, is_directory, is_file = place.exists(), place.is_dir(), place.is_file()
        has_parent = place.parent.is_dir()
        foreign = _is_foreign_link(target)
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, names too long
        raise ImageWriteError(f"{target}: not a place for a file: {error}") from error
    if foreign:
        raise ImageWriteError(f"{target}: is a link that another user made; name a file")
    if is_directory:
        raise ImageWriteError(f"{target}: is a folder; name a file")
    if not has_parent:
        raise ImageWriteError(f"{target}: there is no folder {place.parent}; make it first")
    if exists and not is_file:
        raise ImageWriteError(f"{target}: is a device or a pipe; name a file")
    if exists and not overwrite:
        raise ImageWriteError(f"{target}: {_EXISTS}")
    return place


def _is_foreign_link(target: Path) -> bool:
    if not target.is_symlink():
        return False
    return target.lstat().st_uid not in (os.geteuid(), target.parent.stat().st_uid)


def _put(
    data: bytes,
    folder: int,
    name: str,
    may_replace: Callable[[os.stat_result], bool],
    *,
    fsync: bool,
) -> None:
    """To a name in an open folder, by way of a file that becomes it. Raises OSError."""
    temporary = f".cropper-{secrets.token_hex(8)}.tmp"
    try:
        with open(os.open(temporary, _NEW, 0o666, dir_fd=folder), "wb") as file:
            file.write(data)
            file.flush()
            if fsync:
                _keep(file.fileno())
        there = _lstat(name, folder)
        if there is None:
            _move_to_free(temporary, name, folder)
        elif may_replace(there):
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            raise FileExistsError(errno.EEXIST, "exists")
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
    if fsync:
        with contextlib.suppress(OSError):
            os.fsync(folder)  # makes the new name last through a power cut


def _keep(handle: int) -> None:
    """Through a power cut. Raises OSError, ENOSYS where the file system cannot be told to."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FSYNC:
            raise
        raise OSError(errno.ENOSYS, LOSES) from error


def _move_to_free(temporary: str, name: str, folder: int) -> None:
    """Renames, but never onto a file that came up meanwhile, where the file system can tell."""
    try:
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # no hard links here
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


@contextlib.contextmanager
def _opened(folder: Path | str, above: int | None = None) -> Iterator[int]:
    """A folder's descriptor; below another one no link leads there. Raises OSError."""
    handle = os.open(folder, _DIRECTORY | (0 if above is None else _NO_FOLLOW), dir_fd=above)
    try:
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    """OSError becomes ImageWriteError."""
    try:
        yield
    except FileExistsError:
        raise ImageWriteError(f"{target}: {_EXISTS}") from None
    except OSError as error:
        reason = error.strerror or error
        raise ImageWriteError(
            f"{target}: not written: {reason}; nothing was left behind"
        ) from error


def _content(name: str, folder: int) -> bytes | None:
    with contextlib.suppress(OSError):
        handle = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _NO_FOLLOW, dir_fd=folder)
        with open(handle, "rb") as file:
            return file.read() if S_ISREG(os.fstat(handle).st_mode) else None
    return None


def _lstat(name: str, folder: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def file_id(stat: os.stat_result) -> FileId:
    """By which a file is known, whatever its name."""
    return stat.st_dev, stat.st_ino

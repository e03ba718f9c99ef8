"""The two trees of a run, that of the photos and that of their crops: here, or in a store.

All paths are relative to a tree. What is where, and whether it is still what was seen, is asked of
the tree alone.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import quote

from cropper.bulk.options import BulkOptions
from cropper.bulk.signature import Signature, digest, recheck
from cropper.bulk.walk import Entry, walk, walk_store
from cropper.errors import ConfigError, ImageReadError, ImageWriteError, NoInputError
from cropper.image import FileId, file_id, read_below, sniff, write_below
from cropper.naming import with_extension
from cropper.report import file_link
from cropper.stores import Listed, Store, StoreLimits, as_local, is_url, shown, trimmed

__all__ = ["LocalTree", "StoredTree", "Tree", "manifest_folder", "open_tree"]

Check = Callable[[], None]

_HEAD = 4096  # bytes that tell a format
_TEMPORARY = re.compile(r"\.cropper-[0-9a-f]{16}\.tmp")  # as write_atomic names them


@dataclass(frozen=True)
class LocalTree:
    """A folder of this machine, or one that all workers see under the same name."""

    path: Path
    inside: FileId | None = None  # what the folder has to be still
    fsync: bool = True

    def __str__(self) -> str:
        return str(self.path)

    @property
    def identity(self) -> str:
        """Equal for names of one folder."""
        return str(self.path.resolve())

    def named(self, path: str) -> str:
        """As messages name it."""
        return str(self.path / path)

    def lies_in(self, other: Tree, folder: str = "") -> bool:
        """Whether the real folder, which need not be there yet, is the other tree or below it."""
        if not isinstance(other, LocalTree):
            return False
        return Path(os.path.realpath(self.path / folder)).is_relative_to(other.identity)

    def absolute(self) -> LocalTree:
        """For processes with another current folder, which may see it on another machine."""
        return LocalTree(self.path.absolute(), fsync=self.fsync)

    def check_input(self) -> None:
        """Raises NoInputError where there is nothing, ConfigError where there is no folder."""
        if not self.path.exists():
            raise NoInputError(f"no input pictures: there is no {self}")
        if not self.path.is_dir():
            raise ConfigError(f"{self} is not a folder: for single files use `cropper best`")

    def walk(self, include: Sequence[str], exclude: Sequence[str]) -> Iterator[Entry]:
        """Its photos, and what is none."""
        return walk(self.path, include, exclude)

    def with_extension(self, path: PurePath) -> PurePath:
        """The name with an extension by its content, where it tells no format."""
        return with_extension(path, self.path / path)

    def look(self, path: str) -> FileId | None:
        """The file that is there. Raises ConfigError where that is no regular one."""
        name = self.path / path
        try:
            there = os.lstat(name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"{name}: not a place for a file: {error.strerror}") from error
        if stat.S_ISDIR(there.st_mode):
            raise ConfigError(_is_a_folder(str(name)))
        if stat.S_ISLNK(there.st_mode):
            raise ConfigError(
                f"{name} is a link, where a crop would go: remove it, or write elsewhere "
                "with `output`"
            )
        return file_id(there)

    def recheck(self, path: str, seen: Signature, *, follow: bool = False) -> Signature | None:
        """Its signature now if its content is what was seen. Sources may be links: ``follow``."""
        return recheck(self.path / path, seen, follow=follow)

    def saved_since(self, path: str, seen: Signature) -> bytes | None:
        """The content of a file that was saved since it was written, and is not only damaged."""
        name = self.path / path
        try:
            if name.lstat().st_mtime_ns == seen.modified or not name.is_file():
                return None
            return name.read_bytes()
        except OSError:
            return None

    def read(self, path: str, check: Check) -> tuple[bytes, Signature]:
        """The content and what the file was when it was read; of no picture, the head alone."""
        try:
            data, told = read_below(self.path, path, _HEAD, sniff)
        except OSError as error:
            message = f"{self.named(path)}: cannot be read: {error.strerror}"
            raise ImageReadError(message, "unreadable") from error
        return data, Signature.of(told, digest(data))

    def write(self, data: bytes, path: str, replaces: FileId | None, check: Check) -> Signature:
        """To where nothing is, or in the place of ``replaces``. Raises ImageWriteError."""
        told = write_below(
            data, self.path, path, replaces=replaces, inside=self.inside, fsync=self.fsync
        )
        return Signature.of(told, digest(data))

    def sweep(self) -> None:
        """Removes what a killed run, or a lost worker, was writing when it ended."""
        for folder, _, names in os.walk(self.path):
            for name in names:
                if _TEMPORARY.fullmatch(name):
                    with contextlib.suppress(OSError):
                        os.unlink(os.path.join(folder, name))

    def link(self, path: str, folder: Path) -> str:
        """From a page in a folder, as a browser reads it."""
        return file_link(self.path / path, folder)


@dataclass(frozen=True)
class StoredTree:
    """A folder in a store. What is there is asked folder by folder."""

    store: Store

    def __str__(self) -> str:
        return str(self.store)

    @property
    def identity(self) -> str:
        return str(self)

    def named(self, path: str) -> str:
        return self.store.named(path)

    def lies_in(self, other: Tree, folder: str = "") -> bool:
        (scheme, _, here), (its, _, there) = (str(each).partition("://") for each in (self, other))
        here = os.path.normpath(f"/{here}/{folder}") + "/"
        is_below = here.startswith(os.path.normpath(f"/{there}").rstrip("/") + "/")
        return isinstance(other, StoredTree) and scheme == its and is_below

    def absolute(self) -> StoredTree:
        return self

    def check_input(self) -> None:
        """As it is listed."""

    def walk(self, include: Sequence[str], exclude: Sequence[str]) -> Iterator[Entry]:
        return walk_store(self.store, include, exclude)

    def with_extension(self, path: PurePath) -> PurePath:
        return path

    def look(self, path: str) -> FileId | None:
        """As ``LocalTree.look``. Raises ImageWriteError where nobody tells."""
        try:
            there = self._listed(path)
        except OSError as error:
            message = f"{self}: the folder cannot be listed: {error.strerror}"
            raise ImageWriteError(message) from error
        if there and there.is_folder:
            raise ConfigError(_is_a_folder(self.named(path)))
        return self._version(path)

    def recheck(self, path: str, seen: Signature, *, follow: bool = False) -> Signature | None:
        try:
            there = self._version(path)
        except (OSError, ImageWriteError):
            return None
        if there is None or there[0] not in (0, seen.size):
            return None
        if there == (seen.size, seen.changed) and seen.changed:
            return seen
        try:
            data, now = self.store.read(path)
        except ImageReadError:
            return None
        return self._signed(data, now) if digest(data) == seen.digest else None

    def saved_since(self, path: str, seen: Signature) -> bytes | None:
        there = self._version(path)
        if there is None or not there[1] or there[1] == seen.changed:
            return None
        try:
            return self.store.read(path)[0]
        except ImageReadError:
            return None

    def read(self, path: str, check: Check) -> tuple[bytes, Signature]:
        data, version = self.store.read(path, sniff, check)
        return data, self._signed(data, version)

    def write(self, data: bytes, path: str, replaces: FileId | None, check: Check) -> Signature:
        return self._signed(data, self.store.write(data, path, replaces=replaces, check=check))

    def sweep(self) -> None:
        self.store.sweep()

    def link(self, path: str, folder: Path) -> str:
        return self.named(quote(path))

    def _version(self, path: str) -> FileId | None:
        there = self._listed(path)
        return there.version or self.store.version(path) if there else None

    def _listed(self, path: str) -> Listed | None:
        folder, _, name = path.rpartition("/")
        return _listing(self.store, folder).get(name)

    def _signed(self, data: bytes, version: FileId) -> Signature:
        """A store's version stands for the time of the last change."""
        return Signature(len(data), 0, version[1], digest(data))


Tree = LocalTree | StoredTree


def open_tree(
    name: str, limits: StoreLimits, *, fsync: bool = True, for_output: bool = False
) -> Tree:
    """Raises ConfigError and MissingExtraError for URLs that it cannot be had from, or put to."""
    _listing.cache_clear()
    name = as_local(name)
    if not is_url(name):
        return LocalTree(Path(name), fsync=fsync)
    if "?" in name or "#" in name:
        raise ConfigError(f"{shown(name)}: a folder's URL has no query")
    return StoredTree((Store.for_output if for_output else Store)(trimmed(name), limits))


def manifest_folder(root: Tree, options: BulkOptions) -> Path:
    """Where a run's manifest lies: with its crops, of a store's in a folder of this machine.

    Raises ConfigError for another folder than that of local crops.
    """
    if isinstance(root, LocalTree):
        if options.manifest:
            raise ConfigError("`manifest` is for crops in a store: others have theirs beside them")
        return root.path
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", root.identity)[:80]
    own = f"{name}-{digest(root.identity.encode())[:8]}"
    return options.manifest or Path(state, "cropper", own)


# photos come folder by folder, so few folders are asked about again
@functools.lru_cache(maxsize=8)
def _listing(store: Store, folder: str) -> dict[str, Listed]:
    """Raises OSError where nobody tells."""
    return {each.name: each for each in store.listed(folder) or ()}


def _is_a_folder(name: str) -> str:
    return f"{name} is a folder, where a crop would go: name crops with `output`"

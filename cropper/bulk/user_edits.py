"""Crops that somebody edited after the run: theirs is kept, a torn file is not.

The digest of a crop tells that it is another one. With the time of what was written, to the
nanosecond, it is a disk's damage; with another time, and whole, somebody saved it on purpose or put
it back from a copy. A torn file is not whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from cropper.bulk.outcome import Written
from cropper.bulk.signature import Signature
from cropper.bulk.trees import Tree
from cropper.errors import ImageReadError
from cropper.image import is_cut_off, load_image, sniff

__all__ = ["UserEdits", "is_user_edit"]

_NAMED = 20  # changed crops
_MAY_END_IN_ZEROS = ("BMP", "TIFF")  # they need not be compressed
_UNWRITTEN = bytes(64)  # the end of a file that was allotted and not written; it may decode
_VIEW = 64  # px; all of the file is decoded for it


class UserEdits:
    """Crops that somebody edited since they were written."""

    def __init__(self, root: Tree, overwrite: bool) -> None:
        self.root, self.overwrite = root, overwrite
        self.kept = 0  # photos
        self._notes: list[str] = []
        self._more = 0

    def among(self, written: Sequence[Written]) -> list[str]:
        """Their paths; none where they may be overwritten anyway."""
        if self.overwrite:
            return []
        return [x.path for x in written if is_user_edit(self.root, x.path, x.signature)]

    def add(self, paths: Sequence[str], *, kept: bool, done: bool) -> None:
        """``done``: there is nothing else to do for their photo."""
        self.kept += done and bool(paths)
        what = "kept; `overwrite` replaces it" if kept else "to be replaced"
        for path in paths:
            if len(self._notes) < _NAMED:
                self._notes.append(f"{self.root.named(path)}: changed since it was written: {what}")
            else:
                self._more += 1

    def notes(self) -> tuple[str, ...]:
        more = [f"{self._more} more were changed since they were written"] if self._more else []
        return (*self._notes, *more)


def is_user_edit(root: Tree, path: str, seen: Signature) -> bool:
    """Whether ``path``, by its digest not what was ``seen``, is a whole picture or sidecar."""
    data = root.saved_since(path, seen)
    if data is None:
        return False
    return b"</x:xmpmeta>" in data if path.endswith(".xmp") else _is_whole(path, data)


def _is_whole(path: str, data: bytes) -> bool:
    file_format = sniff(data)
    if file_format is None or is_cut_off(file_format, data):
        return False
    if file_format not in _MAY_END_IN_ZEROS and data.endswith(_UNWRITTEN):
        return False
    try:
        load_image(data, max_mpixels=float("inf"), name=path).view(_VIEW)
    except ImageReadError:
        return False
    return True

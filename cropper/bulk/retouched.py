"""Crops that somebody changed after the run: theirs is kept, a torn file is not.

A torn file, or one whose disk lost bits, can't be decoded or is no newer than what was written;
one that is newer and whole was saved by a person or a program on purpose.
"""

from __future__ import annotations

from pathlib import Path

from cropper.bulk.signature import Signature
from cropper.errors import ImageReadError
from cropper.image import load_image, sniff

__all__ = ["is_retouched"]

_MAY_END_IN_ZEROS = ("BMP", "TIFF")  # they need not be compressed
_UNWRITTEN = bytes(64)  # room that a file got and that was not written to; decoders let it pass
_VIEW = 64  # px; all of the file is decoded for it


def is_retouched(path: Path, seen: Signature) -> bool:
    """Whether ``path``, no longer what was ``seen``, is newer and a whole picture or sidecar."""
    try:
        if path.lstat().st_mtime_ns <= seen.modified or not path.is_file():
            return False
        data = path.read_bytes()
    except OSError:
        return False
    if path.suffix == ".xmp":
        return b"</x:xmpmeta>" in data
    if sniff(data) not in _MAY_END_IN_ZEROS and data.endswith(_UNWRITTEN):
        return False
    try:
        load_image(data, max_mpixels=float("inf"), name=str(path)).view(_VIEW)
    except ImageReadError:
        return False
    return True

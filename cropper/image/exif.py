"""EXIF blocks, edited in place after a crop: orientation, picture size, thumbnail.

A block is the inside of a small TIFF file: ``II*`` or ``MM*``, the offset of the first directory,
directories of 12-byte entries. No value is moved or written anew: maker notes hold offsets from
the start of the block, and texts are in whatever encoding the camera chose.

A block without a readable first directory raises ValueError. Entries beyond its end are skipped.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

__all__ = ["after_crop", "bare", "has_subdirectories", "orientation"]

PREFIX = b"Exif\x00\x00"
_WIDTH, _HEIGHT, _ORIENTATION = 0x0100, 0x0101, 0x0112
_EXIF, _GPS = 0x8769, 0x8825
_PIXEL_X, _PIXEL_Y = 0xA002, 0xA003
_JPEG_AT, _JPEG_LENGTH, _STRIP_AT, _STRIP_LENGTH = 0x0201, 0x0202, 0x0111, 0x0117
_SHORT, _LONG = 3, 4


class _Entry(NamedTuple):
    at: int  # offset of its 12 bytes: tag, type, count, value or the value's offset
    field_type: int
    value: int  # read as one SHORT or LONG


class _Directory(NamedTuple):
    at: int  # offset of the number of entries
    entries: dict[int, _Entry]
    end: int  # offset of the pointer to the next directory


def bare(block: bytes) -> bytes:
    """The block without the prefix that JPEG, and by mistake some WebP, files put before it."""
    while block.startswith(PREFIX):
        block = block[len(PREFIX) :]
    return block


def orientation(block: bytes) -> int:
    """1 to 8; 1 where the tag is missing or holds anything else."""
    order = _byte_order(block)
    entry = _first(block, order).entries.get(_ORIENTATION)
    return entry.value if entry and 1 <= entry.value <= 8 else 1


def has_subdirectories(block: bytes) -> bool:
    """Whether there are camera settings or a position beside the description."""
    entries = _first(block, _byte_order(block)).entries
    return _EXIF in entries or _GPS in entries


def after_crop(block: bytes, size: tuple[int, int]) -> bytes:
    """The block for an upright crop of ``size`` = (width, height) px, its thumbnail wiped out.

    The orientation goes; sizes are changed where they are given and not added. A preview inside a
    maker note stays.
    """
    order = _byte_order(block)
    first = _first(block, order)
    edited = bytearray(block)
    _put(edited, order, first, {_ORIENTATION: 1, _WIDTH: size[0], _HEIGHT: size[1]})
    places = [first.entries[tag].value for tag in (_EXIF, _GPS) if tag in first.entries]
    if _EXIF in first.entries:
        settings = _directory(block, order, first.entries[_EXIF].value)
        _put(edited, order, settings, {_PIXEL_X: size[0], _PIXEL_Y: size[1]})
    if first.end + 4 <= len(block):
        (thumbnail_at,) = struct.unpack_from(order + "I", block, first.end)
        struct.pack_into(order + "I", edited, first.end, 0)
        _remove(edited, order, first, _ORIENTATION)
        if thumbnail_at:
            _wipe(edited, _directory(block, order, thumbnail_at), [first.end, *places])
    return bytes(edited)


def _byte_order(block: bytes) -> str:
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(block[:4])
    if order is None:
        raise ValueError(f"an EXIF block starts with II* or MM*, got {block[:4]!r}")
    return order


def _first(block: bytes, order: str) -> _Directory:
    at = struct.unpack_from(order + "I", block, 4)[0] if len(block) >= 8 else 0
    if not 8 <= at <= len(block) - 2:
        raise ValueError(f"the first EXIF directory is at {at} of {len(block)} bytes")
    return _directory(block, order, at)


def _directory(block: bytes, order: str, at: int) -> _Directory:
    if not 8 <= at <= len(block) - 2:
        return _Directory(at, {}, len(block))
    (count,) = struct.unpack_from(order + "H", block, at)
    entries: dict[int, _Entry] = {}
    for entry_at in range(at + 2, min(at + 2 + 12 * count, len(block) - 11), 12):
        tag, field_type = struct.unpack_from(order + "HH", block, entry_at)
        (value,) = struct.unpack_from(
            order + ("H" if field_type == _SHORT else "I"), block, entry_at + 8
        )
        entries.setdefault(tag, _Entry(entry_at, field_type, value))
    return _Directory(at, entries, at + 2 + 12 * count)


def _put(edited: bytearray, order: str, directory: _Directory, values: dict[int, int]) -> None:
    """One value each for those tags that the directory has; LONG where SHORT can't hold it."""
    for tag, value in values.items():
        if tag not in directory.entries:
            continue
        at, field_type, _ = directory.entries[tag]
        if field_type == _SHORT and value < 1 << 16:
            struct.pack_into(order + "HHIHH", edited, at, tag, _SHORT, 1, value, 0)
        else:
            struct.pack_into(order + "HHII", edited, at, tag, _LONG, 1, value)


def _remove(edited: bytearray, order: str, directory: _Directory, tag: int) -> None:
    """Takes one entry out. The later ones move up, what they point to does not."""
    if tag not in directory.entries:
        return
    (count,) = struct.unpack_from(order + "H", edited, directory.at)
    struct.pack_into(order + "H", edited, directory.at, count - 1)
    at, end = directory.entries[tag].at, directory.end + 4
    edited[at:end] = edited[at + 12 : end] + bytes(12)


def _wipe(edited: bytearray, directory: _Directory, places: list[int]) -> None:
    """Zeros over the thumbnail's pixels, or an end before them where they come last.

    A span that covers one of ``places``, the directories that are kept, is wrong and not touched.
    """
    for at_tag, length_tag in ((_JPEG_AT, _JPEG_LENGTH), (_STRIP_AT, _STRIP_LENGTH)):
        if at_tag not in directory.entries or length_tag not in directory.entries:
            continue
        start = directory.entries[at_tag].value
        end = start + directory.entries[length_tag].value
        if start < 8 or any(start <= place < end for place in places):
            continue
        if end >= len(edited):
            del edited[start:]
        else:
            edited[start:end] = bytes(end - start)

"""Files that would keep a decoder busy for minutes by their structure alone, refused by a look.

Decoders walk scans, segments, directories and chunks one by one, some in quadratic time, and a file
of a few hundred kilobytes holds a million of them. The limits are far above what cameras and
programs write; the look itself takes at most some tenths of a second, of a usual file less than a
millisecond.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from cropper.image.formats import png_chunks

__all__ = ["MAX_SIDE", "excess", "is_cut_off"]

MAX_SIDE = 100_000  # px; Pillow keeps a pointer for each row
_MAX_SCANS = 100  # of a JPEG; encoders write 1 to some 20
_MAX_SEGMENTS = 4096  # before a JPEG's first scan
_MAX_STRAY = 1 << 16  # bytes between these
_MAX_CHUNKS = 1 << 16  # of a PNG
_MAX_BLOCKS = 1 << 16  # of a GIF: frames, extensions and stray bytes
_MAX_FRAMES = 10_000  # of a GIF
_MAX_DIRECTORIES = 4096  # of a TIFF: its pages
_MAX_ENTRIES = 1 << 18  # of these together
_SHARED_VALUES = (
    1 << 26
)  # bytes of entries' values beyond the file's own size: directories may share

_MARKER = re.compile(rb"\xff[^\x00\xff]")
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_SOS, _EOI = 0xDA, 0xD9
_FRAME, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B  # of a GIF
_WITHOUT_LENGTH = {*range(0xD0, 0xDA), 0xC8, *range(0xF0, 0xFE)}  # Pillow reads on right behind
# of a TIFF: type -> bytes of one value
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8}


def excess(file_format: str, data: bytes) -> str | None:
    """What a file of this format has too much of, as in ``more than 100 scans``; or None.

    What is broken is left to the decoder, which says so.
    """
    look = {"JPEG": _of_jpeg, "PNG": _of_png, "GIF": _of_gif, "TIFF": _of_tiff}.get(file_format)
    try:
        return look(data) if look else None
    except (IndexError, struct.error):  # it ends early
        return None


def is_cut_off(file_format: str, data: bytes) -> bool:
    """Whether the end of a file is missing that a decoder may do without."""
    try:
        if file_format == "PNG":
            end = (at for chunk, at, _ in png_chunks(data) if chunk == b"IEND")
            return len(data) < next(end, len(data)) + 4  # its checksum
        if file_format == "GIF":
            for _ in _gif_blocks(data):
                pass
            return False
        size = {"BMP": (2, 0), "WEBP": (4, 8)}.get(file_format)
        return size is not None and len(data) < size[1] + struct.unpack_from("<I", data, size[0])[0]
    except (IndexError, struct.error):
        return True


def _of_jpeg(data: bytes) -> str | None:
    at, stray = 2, 0
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.search(data, at)
        stray += (found.start() if found else len(data)) - at
        if stray > _MAX_STRAY:
            return f"more than {_MAX_STRAY} stray bytes before its pixels"
        if found is None:
            return None
        at = found.end()
        if data[at - 1] == _SOS:
            return _of_scans(data, at)
        if data[at - 1] not in _WITHOUT_LENGTH:
            at += int.from_bytes(data[at : at + 2], "big")
    return f"more than {_MAX_SEGMENTS} segments"


def _of_scans(data: bytes, at: int) -> str | None:
    """``at`` is behind the first scan's marker."""
    told = f"more than {_MAX_SCANS} scans"
    if data.count(b"\xff\xda", at) < _MAX_SCANS:  # quick, and sees at least every scan
        return None
    scans = 1
    for _ in range(_MAX_SEGMENTS):
        at += int.from_bytes(data[at : at + 2], "big")
        found = _MARKER_IN_SCAN.search(data, at)
        if found is None or data[found.end() - 1] == _EOI:
            return None
        at = found.end()
        scans += data[at - 1] == _SOS
        if scans > _MAX_SCANS:
            return told
    return told


def _of_png(data: bytes) -> str | None:
    for number, _ in enumerate(png_chunks(data)):
        if number == _MAX_CHUNKS:
            return f"more than {_MAX_CHUNKS} chunks"
    return None


def _of_gif(data: bytes) -> str | None:
    frames = 0
    for number, what in enumerate(_gif_blocks(data)):
        frames += what == _FRAME
        if frames > _MAX_FRAMES:
            return f"more than {_MAX_FRAMES} frames"
        if number == _MAX_BLOCKS:
            return f"more than {_MAX_BLOCKS} blocks"
    return None


def _gif_blocks(data: bytes) -> Iterator[int]:
    """What each block is, and each stray byte, up to the end; raises IndexError where it is cut."""
    at = 13 + _table(data[10])
    while (what := data[at]) != _TRAILER:
        yield what
        if what not in (_FRAME, _EXTENSION):
            at += 1
            continue
        at += 11 + _table(data[at + 9]) if what == _FRAME else 2
        while data[at]:
            at += data[at] + 1
        at += 1


def _table(flags: int) -> int:
    """Bytes of a GIF's colour table."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _of_tiff(data: bytes) -> str | None:
    order = "<" if data[:1] == b"I" else ">"
    big = 43 in data[2:4]
    head, entry, link = ("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")
    head_size, entry_size = struct.calcsize(order + head), struct.calcsize(order + entry)
    (at,) = struct.unpack_from(order + link, data, 8 if big else 4)
    seen: set[int] = set()
    entries = values = 0
    while at and at not in seen:
        seen.add(at)
        (count,) = struct.unpack_from(order + head, data, at)
        end = at + head_size + count * entry_size
        entries += count
        if len(seen) > _MAX_DIRECTORIES or entries > _MAX_ENTRIES:
            return f"more than {_MAX_DIRECTORIES} pages or {_MAX_ENTRIES} entries about them"
        for _, field_type, number, _ in struct.iter_unpack(
            order + entry, data[at + head_size : end]
        ):
            values += _SIZES.get(field_type, 0) * number
        if values > len(data) + _SHARED_VALUES:
            return "entries that are longer than the file"
        (at,) = struct.unpack_from(order + link, data, end)
    return None

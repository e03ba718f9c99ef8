"""Small files that would take a decoder minutes or gigabytes: one of each kind, made here."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from cropper.image import encode, from_array

__all__ = ["HEAVY", "bombs", "heavy_files"]

HEAVY = 59_000_000  # px; just below the service's limit


def bombs() -> dict[str, bytes]:
    """Name -> a file that is refused for its structure or its sides."""
    return {
        "scans": _jpeg_of_scans(20_000),
        "segments": _jpeg_of_segments(6_000_000),
        "fill bytes": b"\xff\xd8" + b"\xff" * 24_000_000,
        "stray bytes": b"\xff\xd8\xff\xe0\x00\x02" + b"\x01" * 24_000_000,
        "chunks": _png_of_chunks(1_900_000),
        "frames": _gif_of_frames(900_000),
        "directories": _tiff_of_directories(200_000),
        "shared values": _tiff_of_shared_values(),
        "one column": _png(1, HEAVY),
    }


def heavy_files() -> dict[str, bytes]:
    """Name -> a picture of nearly 60 megapixels in at most some 230 KB."""
    side = 7500, HEAVY // 7500
    source = from_array(np.zeros(side[::-1], np.uint8))
    webp = encode(source.cut((0, 0, *side)), source, "WEBP", 1)
    return {"float TIFF": _float_tiff(*side), "PNG": _png(*side), "WebP": webp}


def _segment(marker: int, content: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _jpeg(side: int = 64) -> bytes:
    source = from_array(np.full((side, side), 90, np.uint8))
    return encode(source.cut((0, 0, side, side)), source, "JPEG")


def _jpeg_of_scans(number: int) -> bytes:
    """Progressive: a scan of one coefficient that says nothing is ten bytes."""
    side = 4096
    frame = struct.pack(">BHHBBBB", 8, side, side, 1, 1, 0x11, 0)
    tables = _segment(0xDB, b"\0" + bytes([1] * 64))
    tables += _segment(0xC4, b"\0\1" + bytes(15) + b"\0")  # one code, for no difference
    tables += _segment(0xC4, b"\x10\1" + bytes(15) + b"\0")  # one code, for the end of a block
    scan = _segment(0xDA, b"\1\1\0\1\1\0")
    first = _segment(0xDA, b"\1\1\0\0\0\0") + bytes(side * side // 64 // 8)
    return b"\xff\xd8" + tables + _segment(0xC2, frame) + first + scan * number + b"\xff\xd9"


def _jpeg_of_segments(number: int) -> bytes:
    return b"\xff\xd8" + _segment(0xFE) * number + _jpeg()[2:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def _png(width: int, height: int, extra: bytes = b"") -> bytes:
    """Grey and black; of any size it has a thousandth of its pixels in bytes."""
    packer = zlib.compressobj(9)
    rows = bytes((width + 1) * max(1, (1 << 20) // width))
    left, pixels = (width + 1) * height, []
    while left > 0:
        pixels.append(packer.compress(rows[:left]))
        left -= len(rows)
    pixels.append(packer.flush())
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = _chunk(b"IDAT", b"".join(pixels)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + extra + body


def _png_of_chunks(number: int) -> bytes:
    return _png(64, 64, _chunk(b"teSt", b"") * number)


def _gif_of_frames(number: int) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 8, 8, 0) + b"\2\2\x4c\1\0"
    return head + frame * number + b";"


def _entries(width: int, height: int, compression: int, place: int, size: int) -> bytes:
    values = [(256, width), (257, height), (258, 8), (259, compression), (262, 1)]
    values += [(273, place), (277, 1), (278, height), (279, size)]
    return b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values)


def _tiff_of_directories(number: int) -> bytes:
    """Each says that the next one follows."""
    entries = _entries(8, 8, 1, 8, 64)
    size = 2 + len(entries) + 4
    first = 8 + 64
    directories = [
        struct.pack("<H", 9) + entries + struct.pack("<I", first + size * (index + 1))
        for index in range(number)
    ]
    return b"II*\0" + struct.pack("<I", first) + bytes(64) + b"".join(directories) + bytes(6)


def _tiff_of_shared_values() -> bytes:
    """60,000 entries, each a megabyte long and all at one place."""
    count, length = 60_000, 1 << 20
    place = 8 + 64
    first = place + length
    entries = _entries(8, 8, 1, 8, 64)
    entries += b"".join(
        struct.pack("<HHII", tag, 1, length, place) for tag in range(2000, 2000 + count)
    )
    directory = struct.pack("<H", 9 + count) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", first) + bytes(64) + bytes(length) + directory


def _float_tiff(width: int, height: int) -> bytes:
    pixels = zlib.compress(bytes(4 * width * height), 9)
    entries = _entries(width, height, 8, 8, len(pixels))
    entries = entries.replace(
        struct.pack("<HHII", 258, 4, 1, 8), struct.pack("<HHII", 258, 3, 1, 32)
    )
    entries += struct.pack("<HHII", 339, 3, 1, 3)
    start = 8 + len(pixels) + len(pixels) % 2
    head = b"II*\0" + struct.pack("<I", start)
    directory = struct.pack("<H", 10) + entries + bytes(4)
    return head + pixels.ljust(start - 8, b"\0") + directory

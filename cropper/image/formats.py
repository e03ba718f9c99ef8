"""The picture formats: told by a file's first bytes when read, by its extension when written."""

from __future__ import annotations

import itertools
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePath

from cropper.errors import ConfigError

__all__ = [
    "EXTENSION_OF",
    "FORMATS",
    "broken_end",
    "format_for",
    "has_picture_extension",
    "is_lossless_webp",
    "parse_format",
    "png_chunks",
    "sniff",
    "webp_canvas",
]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF")
_EXTENSIONS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".mpo": "JPEG",
    ".png": "PNG",
    ".apng": "PNG",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".hif": "HEIF",
}
EXTENSION_OF = {file_format: extension for extension, file_format in reversed(_EXTENSIONS.items())}
_STARTS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF87a": "GIF", b"GIF89a": "GIF"}
_STARTS |= dict.fromkeys((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"), "TIFF")
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}


def format_for(path: str | Path) -> str:
    """One of JPEG, PNG, WEBP, GIF, TIFF, BMP, AVIF, HEIF by extension, else ConfigError."""
    known = _EXTENSIONS.get(_extension(path))
    if known is None:
        raise ConfigError(f"{path}: the extension tells the format, one of {' '.join(_EXTENSIONS)}")
    return known


def parse_format(text: str) -> str:
    """One of FORMATS by what its files' names end with, as jpeg or webp; else ConfigError."""
    known = _EXTENSIONS.get("." + text.lower())
    if known is None:
        told = ", ".join(file_format.removeprefix(".") for file_format in _EXTENSIONS)
        raise ConfigError(f"`format` is one of {told}, got {text!r}")
    return known


def has_picture_extension(path: str | PurePath) -> bool:
    """Whether the name tells a format."""
    return _extension(path) in _EXTENSIONS


def _extension(path: str | PurePath) -> str:
    """As pathlib has it, in lower case, for a tenth of its time: plans ask it of each photo."""
    return os.path.splitext(str(path).rstrip("/"))[1].lower()


def sniff(data: bytes) -> str | None:
    """The format by the first bytes (some 100 do), None for anything but the FORMATS."""
    for start, file_format in _STARTS.items():
        if data.startswith(start):
            return file_format
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM" and data[15:18] == bytes(3) and 12 <= data[14] <= 124:
        return "BMP"
    if data[4:8] == b"ftyp":
        end = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & _HEIC_BRANDS:
            return "HEIF"
    return None


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, offset and length of the content of each chunk."""
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at + 8, length
        at += 12 + length


def broken_end(data: bytes) -> int | None:
    """Where a PNG's first chunk starts that lies behind its pixels and is broken, if one is."""
    chunks = itertools.dropwhile(lambda chunk: chunk[0] != b"IDAT", png_chunks(data))
    for kind, at, length in chunks:
        if kind in (b"IDAT", b"IEND"):
            continue
        told = data[at + length : at + length + 4]
        if zlib.crc32(data[at - 4 : at + length]).to_bytes(4, "big") != told:
            return at - 8
    return None


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Kind and offset of the content of each chunk, also of those inside animation frames."""
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        yield kind, at + 8
        at += 8 + (16 if kind == b"ANMF" else length + length % 2)


def is_lossless_webp(data: bytes) -> bool:
    return next((c == b"VP8L" for c, _ in _riff_chunks(data) if c in (b"VP8 ", b"VP8L")), False)


def webp_canvas(data: bytes) -> tuple[int, int]:
    """(width, height), or (0, 0) where the decoder will complain anyway."""
    kind, at = next(_riff_chunks(data), (b"", 0))
    if len(data) < at + 10:
        return (0, 0)
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at + i : at + i + 3], "little") for i in (4, 7))
        return (width + 1, height + 1)
    if kind == b"VP8L":
        bits = int.from_bytes(data[at + 1 : at + 5], "little")
        return ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    width, height = struct.unpack_from("<HH", data, at + 6)
    return (width & 0x3FFF, height & 0x3FFF)

"""Pictures, EXIF blocks and colour profiles for the tests, made from nothing but Pillow."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from skimage import data

from cropper.image import SourceImage

THUMBNAIL = b"\xff\xd8\xff\xe0 these bytes stand for a small JPEG of the uncropped picture \xff\xd9"
ARTIST = "Jörg Müller © 2024".encode()
MAKER_NOTE = b"MakerXYZ" + bytes(range(64))

BICUBIC = Image.Resampling.BICUBIC
LOSSLESS = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}


@functools.lru_cache(maxsize=1)
def _astronaut() -> Image.Image:
    return Image.fromarray(data.astronaut())


def photo(width: int = 96, height: int = 64) -> Image.Image:
    """Part of a photo without any symmetry."""
    return _astronaut().resize((width, height), box=(40, 0, 440, 300))


def with_palette_and_alpha(image: Image.Image) -> Image.Image:
    """RGBA as PA, which not every Pillow converts to."""
    palette = image.convert("RGB").quantize(256)
    merged = Image.merge("PA", (palette, image.getchannel("A")))
    merged.putpalette(palette.getpalette() or [])
    return merged


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def difference(a: Any, b: Any) -> float:
    """Mean absolute difference of two pictures of one shape."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    assert a.shape == b.shape
    return float(np.abs(a - b).mean())


def noise(shape: tuple[int, ...], top: int = 256) -> NDArray[Any]:
    kind = np.uint8 if top == 256 else np.uint16
    return np.random.default_rng(5).integers(0, top, shape).astype(kind)


def _directory(order: str, entries: dict[int, tuple[int, int, bytes]], at: int) -> bytes:
    """A TIFF directory at ``at``, its longer values right behind it, the next pointer 0."""
    behind = at + 2 + 12 * len(entries) + 4
    table, values = struct.pack(order + "H", len(entries)), b""
    for tag, (kind, count, value) in sorted(entries.items()):
        if len(value) > 4:
            place = struct.pack(order + "I", behind + len(values))
            values += value + bytes(len(value) % 2)
        else:
            place = value.ljust(4, b"\0")
        table += struct.pack(order + "HHI", tag, kind, count) + place
    return table + bytes(4) + values


def exif_block(
    orientation: int = 1, order: str = "<", size: tuple[int, int] = (96, 64), thumbnail: bool = True
) -> bytes:
    """Description, settings, position and a thumbnail, the way a camera lays them out."""
    short, long = (lambda v: struct.pack(order + "H", v)), (lambda v: struct.pack(order + "I", v))
    degrees = struct.pack(order + "6I", 48, 1, 8, 1, 30, 1)
    first = {
        0x0100: (4, 1, long(size[0])),
        0x0101: (4, 1, long(size[1])),
        0x0112: (3, 1, short(orientation)),
        0x013B: (2, len(ARTIST) + 1, ARTIST + b"\0"),
        0x8769: (4, 1, long(0)),
        0x8825: (4, 1, long(0)),
    }
    settings = {
        0x829A: (5, 1, struct.pack(order + "II", 1, 250)),
        0x927C: (7, len(MAKER_NOTE), MAKER_NOTE),
        0xA002: (3, 1, short(size[0])),
        0xA003: (3, 1, short(size[1])),
    }
    position = {1: (2, 2, b"N\0"), 2: (5, 3, degrees)}
    settings_at = 8 + len(_directory(order, first, 8))
    position_at = settings_at + len(_directory(order, settings, settings_at))
    small_at = position_at + len(_directory(order, position, position_at))
    first[0x8769], first[0x8825] = (4, 1, long(settings_at)), (4, 1, long(position_at))
    block = (b"II*\0" if order == "<" else b"MM\0*") + long(8) + _directory(order, first, 8)
    if thumbnail:  # the pointer to it follows the entries
        link = 8 + 2 + 12 * len(first)
        block = block[:link] + long(small_at) + block[link + 4 :]
    block += _directory(order, settings, settings_at) + _directory(order, position, position_at)
    if thumbnail:
        pixels_at = small_at + 2 + 12 * 2 + 4
        small = {0x0201: (4, 1, long(pixels_at)), 0x0202: (4, 1, long(len(THUMBNAIL)))}
        block += _directory(order, small, small_at) + THUMBNAIL
    return block


def with_exif(image: Image.Image, kind: str, orientation: int, **options: Any) -> bytes:
    """A file with the pixels as they are and a camera's EXIF with this orientation."""
    if kind == "TIFF":
        tags = Image.Exif()
        tags[0x0112], tags[0x013B] = orientation, ARTIST
        return encoded(image, kind, exif=tags, **options)
    block = b"Exif\0\0" + exif_block(orientation, size=image.size)
    return encoded(image, kind, exif=block, **options)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG from raw rows (each with its filter byte), other chunks before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            *extra,
            png_chunk(b"IDAT", zlib.compress(rows)),
            png_chunk(b"IEND", b""),
        ]
    )


@functools.lru_cache(maxsize=1)  # it holds the time when it was made
def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """sRGB with red and green for each other: right colours have these channels swapped."""
    profile = srgb_profile()
    return profile.replace(b"rXYZ", b"tXYZ").replace(b"gXYZ", b"rXYZ").replace(b"tXYZ", b"gXYZ")


def _profile(kind: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    body, table, at = b"", struct.pack(">I", len(tags)), 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        content = value + bytes(-len(value) % 4)
        table += struct.pack(">4sII", name, at + len(body), len(content))
        body += content
    white = struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    head = struct.pack(
        ">I4sI4s4s4s12s4s",
        at + len(body),
        b"lcms",
        0x02400000,
        kind,
        space,
        pcs,
        struct.pack(">6H", 2024, 1, 1, 0, 0, 0),
        b"acsp",
    )
    return head + bytes(68 - len(head)) + white + bytes(48) + table + body


def grey_profile(gamma: float) -> bytes:
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    white = b"XYZ " + bytes(4) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": white, b"kTRC": curve})


def cmyk_profile() -> bytes:
    """Inks that print unlike their names: cyan ink is a strong green, the others are black."""
    identity = bytes(range(256))
    corners = b""
    for corner in range(16):  # C is the slowest, K the fastest
        ink = corner == 8
        corners += (
            bytes([255, 128, 128])
            if corner == 0
            else bytes([150, 40, 200] if ink else [0, 128, 128])
        )
    matrix = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + identity * 4 + corners + identity * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut, b"A2B1": lut})


def pixel(source: SourceImage, x: int = 0, y: int = 0) -> tuple[int, ...]:
    return tuple(int(channel) for channel in source.view(max(source.size)).pixels[y, x])


def use(source: SourceImage) -> None:
    """Everything that decodes."""
    width, height = source.size
    source.view(32)
    source.view(96)
    source.cut((0, 0, width, height))
    source.cut((0.2, 0.2, width / 2 + 0.3, height / 2 + 0.3), (7, 7))


def whole_files() -> dict[str, bytes]:
    image = photo()
    files = {kind: encoded(image, kind) for kind in ("JPEG", "PNG", "WEBP", "BMP", "AVIF", "TIFF")}
    files["GIF"] = encoded(image.quantize(64), "GIF")
    files["LZW TIFF"] = encoded(image, "TIFF", compression="tiff_lzw")
    files["progressive"] = encoded(image, "JPEG", progressive=True)
    return files


BOMB = png(30_000, 30_000, 1, 0, b"")  # 900 megapixels in 68 bytes

"""Crop -> bytes: what the source had is kept where the format has a place for it.

Kept are the colour profile, EXIF (made true for the crop), IPTC in JPEG and TIFF, the resolution,
alpha, 16-bit grey, palettes, a JPEG's chroma subsampling, a WebP's losslessness. Left out are XMP,
comments, texts and other frames. Where a format can't hold the colours they become sRGB, where it
can't hold alpha the picture is laid on white.
"""

from __future__ import annotations

import io
import math
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cropper.errors import ConfigError, CropperError, ImageWriteError, MissingExtraError
from cropper.image import exif
from cropper.image.colour import is_srgb, to_srgb
from cropper.image.formats import FORMATS, format_for
from cropper.image.header import Header, plugin_of
from cropper.image.metadata import IPTC_IN_PHOTOSHOP, IPTC_IN_TIFF, tiff_tags
from cropper.image.pixels import (
    PILLOW,
    averageable,
    eight_bits,
    family,
    has_alpha,
    over_white,
    to_palette,
)
from cropper.image.source import SourceImage

__all__ = ["encode", "format_for", "lost_note", "writable_format"]

_MODES = {  # that a format holds as they are
    "JPEG": {"L", "RGB", "CMYK"},
    "PNG": {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"},
    "WEBP": {"RGB", "RGBA"},
    "GIF": {"1", "L", "P"},
    "TIFF": {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "LAB", "I;16", "I", "F"},
    "BMP": {"1", "L", "P", "RGB"},
    "AVIF": {"RGB", "RGBA"},
    "HEIF": {"RGB", "RGBA"},
}
_HOLD_ALPHA = {"PNG", "WEBP", "GIF", "TIFF", "AVIF", "HEIF"}
_HOLD_PROFILE = {"JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"}
_JPEG_SEGMENT = 65533  # bytes
_APP13 = 0xFFED
# A quarter of the time of the default, as good, a fifth larger at most: docs/benchmarks.md
_X265_PRESET = "ultrafast"
_JPEG_SIDE = 65500  # px; libjpeg's limit
_LOSSLESS_TIFF = {"raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma"}
_BILEVEL_TIFF = {"group3", "group4", "tiff_ccitt"}


def writable_format(path: str | Path) -> str:
    """``format_for``; raises MissingExtraError for a format that this installation cannot write."""
    file_format = format_for(path)
    if file_format == "HEIF" and plugin_of("HEIF") is None:
        raise MissingExtraError(f"{path}: HEIC is an extra: pip install 'cropper[heic]'")
    return file_format


def encode(
    crop: Image.Image,
    source: SourceImage,
    format: str,  # noqa: A002 - Pillow's name for it
    quality: int = 92,
    *,
    strip: bool = False,
) -> bytes:
    """The crop as a file of ``format``, with what ``source`` passes on.

    ``quality`` is 1 to 100, for JPEG, WebP, AVIF and HEIF. EXIF that does not fit into a JPEG's
    64 KiB is left out. ``strip`` leaves out all EXIF and IPTC, thus camera, time, position, names
    and captions; the colour profile and the resolution stay. Raises ImageWriteError where the
    format can't take it, by its size say.
    """
    if format not in FORMATS:
        raise ConfigError(f"a format is one of {', '.join(FORMATS)}, got {format!r}")
    if not isinstance(quality, int) or not 1 <= quality <= 100:
        raise ConfigError(f"quality is a whole number from 1 to 100, got {quality!r}")
    if format == "HEIF" and plugin_of("HEIF") is None:
        raise ImageWriteError(f"{source.name}: HEIC is an extra: pip install 'cropper[heic]'")
    if format == "JPEG" and max(crop.size) > _JPEG_SIDE:
        raise ImageWriteError(
            f"{source.name}: a crop of {crop.width} x {crop.height} px can't be written as JPEG: a "
            f"side has at most {_JPEG_SIDE} px; choose another size or format"
        )
    buffer = io.BytesIO()
    try:
        with PILLOW:
            plugin_of(format)
            image, profile = _fitted(crop, source, format)
            header = replace(source.header, exif=None, iptc=None) if strip else source.header
            image.save(buffer, format, **_options(image, header, format, quality, profile))
    except CropperError:
        raise
    except Exception as error:  # encoders raise as many kinds as decoders do
        size = f"{crop.width} x {crop.height}"
        raise ImageWriteError(
            f"{source.name}: a crop of {size} px can't be written as {format}: {error}; "
            "choose another size or format"
        ) from error
    return buffer.getvalue()


def lost_note(header: Header, file_format: str) -> str | None:
    """What a crop of this format does not keep of what its photo says; None: nothing."""
    room = {"JPEG": _JPEG_SEGMENT // 2, "TIFF": math.inf}.get(file_format, 0)
    if header.iptc and len(header.iptc) > room:
        return f"its IPTC (captions, credits) is not kept in {file_format}: JPEG and TIFF keep it"
    return None


def _fitted(
    crop: Image.Image, source: SourceImage, file_format: str
) -> tuple[Image.Image, bytes | None]:
    """The crop in a mode that the format holds, and the profile that goes with its colours."""
    image = crop.copy()
    image.info = {key: crop.info[key] for key in ("transparency",) if key in crop.info}
    profile = source.header.icc
    if file_format not in _HOLD_PROFILE:
        if not is_srgb(image, profile):
            image = to_srgb(eight_bits(averageable(image), source.span), profile)
        profile = None
    if has_alpha(image) and not _holds_alpha(image, file_format):
        image = averageable(image) if file_format in _HOLD_ALPHA else over_white(image)
    if image.mode not in _MODES[file_format]:
        image = _kin(image, source, file_format)
    if image.mode not in _MODES[file_format]:
        image = to_srgb(image, profile)
    if family(image.mode) != family(source.header.mode):
        profile = None
    if file_format == "GIF" and image.mode in ("RGB", "RGBA"):
        image = to_palette(image)
    return image, profile


def _holds_alpha(image: Image.Image, file_format: str) -> bool:
    """Whether the format takes the picture's kind of alpha as it is."""
    if image.mode == "P" and image.palette is not None and image.palette.mode == "RGBA":
        return file_format == "PNG"
    key = image.info.get("transparency")
    if key is not None:
        whole = file_format == "PNG" or (file_format == "GIF" and isinstance(key, int))
        return whole and image.mode in _MODES[file_format]
    return file_format in _HOLD_ALPHA


def _kin(image: Image.Image, source: SourceImage, file_format: str) -> Image.Image:
    """The picture in the mode of the same colour space that comes closest."""
    if image.mode == "I" and file_format == "PNG" and source.span == (0, 65535):
        return Image.fromarray(np.asarray(image).astype(np.uint16))
    if image.mode == "YCbCr":
        return image.convert("RGB")
    return averageable(eight_bits(image, source.span))


def _options(
    image: Image.Image, header: Header, file_format: str, quality: int, profile: bytes | None
) -> dict[str, Any]:
    options: dict[str, Any] = {"icc_profile": profile} if file_format in _HOLD_PROFILE else {}
    if header.dpi and file_format in ("JPEG", "PNG", "TIFF", "BMP"):
        options["dpi"] = header.dpi
    if file_format in ("JPEG", "WEBP", "AVIF", "HEIF"):
        options["quality"] = quality
    if file_format == "HEIF":
        options["enc_params"] = {"preset": _X265_PRESET}
    if file_format == "JPEG" and image.mode == "RGB" and header.subsampling is not None:
        options["subsampling"] = header.subsampling
    if file_format == "JPEG" and header.iptc and lost_note(header, file_format) is None:
        options["extra"] = _photoshop_segment(header.iptc)
    if file_format == "WEBP":
        options["lossless"] = header.lossless
    if file_format == "GIF":
        options["optimize"] = False  # which would sort the palette
    block = exif.after_crop(header.exif, image.size) if header.exif else b""
    if file_format == "TIFF":
        options["compression"] = _tiff_compression(image, header.compression, block)
        options["exif"] = _described(block, header.iptc)
    elif block and file_format not in ("GIF", "BMP"):
        block = exif.PREFIX + block
        if file_format != "JPEG" or len(block) <= _JPEG_SEGMENT:
            options["exif"] = block
    return options


def _described(block: bytes, iptc: bytes | None) -> Image.Exif:
    """A TIFF's tags."""
    tags = Image.Exif()
    if block:
        tags.load(exif.PREFIX + block)
        tags = tiff_tags(tags)
    if iptc:
        tags[IPTC_IN_TIFF] = iptc
    return tags


def _photoshop_segment(iptc: bytes) -> bytes:
    """Of a JPEG, with this resource alone: others hold previews and paths of the whole photo."""
    resource = (
        b"8BIM" + struct.pack(">HHI", IPTC_IN_PHOTOSHOP, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)
    )
    content = b"Photoshop 3.0\0" + resource
    return struct.pack(">HH", _APP13, len(content) + 2) + content


def _tiff_compression(image: Image.Image, used: str | None, block: bytes) -> str:
    """As the source, if that was lossless; none where camera settings are to be kept.

    Pillow compresses through libtiff, which takes no subdirectories from it.
    """
    if block and exif.has_subdirectories(block):
        return "raw"
    if used in _LOSSLESS_TIFF or (used in _BILEVEL_TIFF and image.mode == "1"):
        return str(used)
    return "tiff_adobe_deflate"

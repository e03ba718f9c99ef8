"""What a picture's bytes say before its pixels are decoded.

The format is told by the content, never by the name. The megapixels are checked before anything
of that size is allocated. What is broken beside the pixels (EXIF, profile, texts) is left out with
a note; XMP, comments and texts are not read at all, since a crop makes much of them untrue.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image, ImageFile, UnidentifiedImageError

from cropper.errors import CropperError, ImageReadError, ImageTooLargeError
from cropper.image import exif
from cropper.image.deep_tiff import deep_header, samples_of, unread_kind
from cropper.image.formats import (
    FORMATS,
    broken_end,
    is_lossless_webp,
    png_chunks,
    sniff,
    webp_canvas,
)
from cropper.image.frames import (
    DNG,
    count_frames,
    has_still,
    is_preview,
    part_of_canvas,
    pass_previews,
)
from cropper.image.icc import av1_depth
from cropper.image.metadata import dpi_of, exif_block, iptc_of, note_gain_map, profile_of
from cropper.image.pixels import PILLOW, Span
from cropper.image.structure import MAX_SIDE, excess

__all__ = ["Header", "color_key", "in_memory", "inspect", "open_picture", "plugin_of", "reading"]

_PLUGINS = {
    "JPEG": "PIL.JpegImagePlugin",
    "PNG": "PIL.PngImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "GIF": "PIL.GifImagePlugin",
    "TIFF": "PIL.TiffImagePlugin",
    "BMP": "PIL.BmpImagePlugin",
    "AVIF": "PIL.AvifImagePlugin",
    "HEIF": "pillow_heif",
}
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"}
_PLANES = 284


@dataclass(frozen=True)
class Header:
    """The picture before decoding, and what a crop of it may keep."""

    format: str  # one of FORMATS, or MEMORY for what was never a file
    size: tuple[int, int]  # (width, height), upright
    mode: str  # Pillow's
    orientation: int = 1  # EXIF 1-8, still to be applied to decoded pixels
    exif: bytes | None = None  # without prefix
    iptc: bytes | None = None
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    subsampling: int | None = None  # JPEG: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0
    lossless: bool = False  # WebP
    compression: str | None = None  # TIFF
    span: Span | None = None  # black and white of I;16; I and F need the pixels
    deep: int = 0  # TIFF that Pillow does not read: bytes of a pixel in the file
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def reading(name: str, file_format: str) -> Iterator[None]:
    """Keeps Pillow quiet, and whatever it raises about a picture becomes an ImageReadError.

    Broken files make it raise nearly every exception that there is, hence the wide net: put little
    but calls of Pillow inside.
    """
    try:
        with PILLOW:
            yield
    except CropperError:
        raise
    except MemoryError as error:
        raise ImageReadError(
            f"{name}: not enough memory for its pixels; make it smaller", "out of memory"
        ) from error
    except Exception as error:
        if "bitfields" in str(error):
            raise ImageReadError(
                f"{name}: its colours are in bit fields that are not read; save it with 24 bits",
                "bit fields",
            ) from error
        reason = "unknown variant" if isinstance(error, UnidentifiedImageError) else str(error)
        raise ImageReadError(
            f"{name}: broken {file_format} file ({reason or type(error).__name__}); copy or "
            "download it again, or save it anew in an image editor"
        ) from error


def plugin_of(file_format: str) -> Any:
    """The module that reads and writes this one format, registered; None where it is missing.

    Left alone, Pillow imports all of its plugins at the first format that is not common.
    """
    if importlib.util.find_spec(_PLUGINS[file_format]) is None:
        return None
    plugin = importlib.import_module(_PLUGINS[file_format])
    if file_format == "HEIF":
        plugin.register_heif_opener()
    return plugin


def open_picture(data: bytes, file_format: str) -> ImageFile.ImageFile:
    """Pillow's view of the header; only the plugin of this one format is asked."""
    plugin_of(file_format)
    image = Image.open(io.BytesIO(data), formats=(file_format,))
    image.decodermaxblock = len(data)  # at once: every other block would wait for Python's lock
    image.info.pop("xmp", None)  # else Pillow would turn pictures by it, against all viewers
    image.info.pop("XML:com.adobe.xmp", None)
    if file_format == "TIFF":
        pass_previews(image)
    return image


def inspect(name: str, data: bytes, max_mpixels: float) -> tuple[Header, bytes]:
    """The header, and the data, less those PNG chunks that keep Pillow from reading it."""
    file_format, notes = _readable(name, data), list[str]()
    if file_format == "PNG" and (end := broken_end(data)):
        data = data[:end] + _PNG_END
        notes.append("a broken PNG chunk behind the pixels, so what follows was ignored")
    with reading(name, file_format):
        if file_format == "TIFF" and (unread := unread_kind(data)):
            notes.append(f"{unread}: colours are read as 8 bits, its dates and texts are not kept")
            shown, deep = deep_header(name, unread, data)
            image = open_picture(shown, file_format)
            _check_size(name, image.size, max_mpixels)
            header = _header(name, file_format, image, shown, notes)
            return replace(header, deep=deep), data
        if file_format == "WEBP":  # its decoder allocates the canvas as soon as it is made
            _check_size(name, webp_canvas(data), max_mpixels)
        try:
            image = open_picture(data, file_format)
        except Exception as error:
            if isinstance(error, UnidentifiedImageError) and file_format == "TIFF":
                _name_variant(name, data)
            if file_format != "PNG":
                raise
            data = _pixels_alone(data)
            image = open_picture(data, file_format)
            notes.append("a broken PNG chunk, so profile and animation were ignored")
        _check_size(name, image.size, max_mpixels)
        return _header(name, file_format, image, data, notes), data


def _readable(name: str, data: bytes) -> str:
    """The format of what can be read, by its start."""
    file_format = sniff(data)
    if file_format is None:
        raise ImageReadError(
            f"{name}: not a picture in {', '.join(FORMATS)}; it starts with {data[:8]!r}",
            "not a picture",
        )
    if plugin_of(file_format) is None:
        raise ImageReadError(
            f"{name}: HEIC is read by an extra: pip install 'cropper[heic]'",
            "HEIC without its extra",
        )
    if too_much := excess(file_format, data):
        raise ImageReadError(
            f"{name}: {too_much}, which would take too long to read; save it anew in an image "
            "editor",
            "too complex",
        )
    return file_format


def _pixels_alone(data: bytes) -> bytes:
    """A PNG less all chunks but those of its pixels."""
    return data[:8] + b"".join(
        data[at - 8 : at + length + 4]
        for chunk, at, length in png_chunks(data)
        if chunk in _PIXEL_CHUNKS
    )


def _name_variant(name: str, data: bytes) -> None:
    """Raises ImageReadError for a TIFF that is sound, of pixels that nobody here reads."""
    if told := samples_of(data):
        raise ImageReadError(
            f"{name}: a TIFF with {told} a pixel, of a kind that is not read; save it as grey or "
            "RGB of 8 or 16 bits",
            "unread TIFF",
        )


def in_memory(image: Image.Image) -> Header:
    """The header of a picture that is decoded already."""
    notes: list[str] = []
    block = exif_block("MEMORY", image, b"", notes)
    turn = exif.orientation(block) if block else 1
    return Header(
        format="MEMORY",
        size=image.size if turn < 5 else (image.height, image.width),
        mode=image.mode,
        orientation=turn,
        exif=block,
        icc=profile_of("MEMORY", image, b"", notes),
        dpi=dpi_of(image),
        notes=tuple(notes),
    )


def _check_size(name: str, size: tuple[int, int], max_mpixels: float) -> None:
    mpixels = size[0] * size[1] / 1e6
    if mpixels > max_mpixels:
        told = f"{mpixels:.1f}" if round(mpixels, 1) > max_mpixels else f"{mpixels:.9g}"
        raise ImageTooLargeError(
            f"{name}: {told} megapixels ({size[0]} x {size[1]}), more than the limit of "
            f"{max_mpixels:g}; raise `max_mpixels` if you trust the file"
        )
    if max(size) > MAX_SIDE:
        raise ImageTooLargeError(
            f"{name}: {size[0]} x {size[1]} px: a side has at most {MAX_SIDE} px; cut it into parts"
        )


def _header(
    name: str, file_format: str, image: ImageFile.ImageFile, data: bytes, notes: list[str]
) -> Header:
    tags: Any = getattr(image, "tag_v2", {})
    if tags and (is_preview(tags) or DNG in tags or data[8:10] == b"CR"):
        raise ImageReadError(
            f"{name}: a camera's raw file; develop it to JPEG or TIFF first", "raw"
        )
    if image.mode in ("LA", "La") and tags.get(_PLANES) == 2:
        raise ImageReadError(
            f"{name}: grey and alpha are stored one after the other, which cannot be read; save it "
            "with both side by side",
            "planar grey with alpha",
        )
    block = exif_block(file_format, image, data, notes)
    turn = exif.orientation(block) if block else 1
    if file_format == "TIFF":  # Pillow turns it when it is decoded, and says so in the size
        turn = 1
    _note_depth(file_format, image, data, notes)
    icc = profile_of(file_format, image, data, notes)
    note_gain_map(file_format, data, notes)
    compression = image.info.get("compression")
    _note_frames(file_format, image, notes)
    return Header(
        format=file_format,
        size=image.size if turn < 5 else (image.height, image.width),
        mode="RGBA" if part_of_canvas(image) else image.mode,
        orientation=turn,
        exif=block,
        iptc=iptc_of(file_format, image, data, notes),
        icc=icc,
        dpi=dpi_of(image),
        subsampling=_subsampling(image) if file_format == "JPEG" else None,
        lossless=file_format == "WEBP" and is_lossless_webp(data),
        compression=compression if file_format == "TIFF" else None,
        span=(0.0, 4095.0) if tags.get(258) in (12, (12,)) else None,
        notes=tuple(notes),
    )


def _note_frames(file_format: str, image: ImageFile.ImageFile, notes: list[str]) -> None:
    previews = image.tell() if file_format == "TIFF" else 0
    if previews:
        notes.append("the preview before its first page was passed over")
    still = file_format == "PNG" and has_still(image)
    if still:
        notes.append("its still picture, which is no frame of the animation, was passed over")
    frames = count_frames(image) - previews - still
    if frames > 1:
        notes.append(f"first of {frames} frames")


def _subsampling(image: ImageFile.ImageFile) -> int | None:
    if getattr(image, "layers", 0) != 3:
        return None
    return max(0, int(plugin_of("JPEG").get_sampling(image)))  # what is not written becomes 4:4:4


def _note_depth(
    file_format: str, image: ImageFile.ImageFile, data: bytes, notes: list[str]
) -> None:
    bits = 8
    if file_format == "PNG" and data[25] != 0:  # grey keeps its 16 bits
        bits = data[24]
    elif file_format == "TIFF" and image.mode not in ("I;16", "I;16B", "I", "F"):
        bits = max(getattr(image, "tag_v2", {}).get(258, (8,)))
    elif file_format == "HEIF":
        bits = image.info.get("bit_depth", 8)
    elif file_format == "AVIF":
        bits = av1_depth(data)
    if bits > 8:
        notes.append(f"{bits} bits a channel are read as 8")


def color_key(header: Header, data: bytes, image: Image.Image) -> Any:
    """Pillow's "transparency" on the scale of its pixels; a PNG says it in the file's bit depth."""
    key = image.info.get("transparency")
    if header.format != "PNG" or key is None:
        return key
    bits = data[24]
    if image.mode == "1":
        return 255 if key else 0
    if image.mode == "L" and bits < 8:
        return key * 255 // ((1 << bits) - 1)
    if image.mode == "RGB" and bits == 16:
        return tuple(channel >> 8 for channel in key)
    return key

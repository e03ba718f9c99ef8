"""What a picture's bytes say before its pixels are decoded.

The format is told by the content, never by the name. The megapixels are checked before anything
of that size is allocated. What is broken beside the pixels (EXIF, profile, texts) is left out with
a note; XMP, comments and texts are not read at all, since a crop makes much of them untrue.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image, ImageCms, ImageFile, UnidentifiedImageError

from cropper.errors import CropperError, ImageReadError, ImageTooLargeError
from cropper.image import exif
from cropper.image.formats import FORMATS, is_lossless_webp, png_chunks, sniff, webp_canvas
from cropper.image.pixels import PILLOW, Span, family
from cropper.image.structure import MAX_SIDE, excess

__all__ = ["Header", "color_key", "in_memory", "inspect", "open_picture", "plugin_of", "reading"]
__all__ += ["tiff_tags"]

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
_PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"}
# TIFF tags that say something about the picture and nothing about the layout of its file
_DESCRIPTION = {269, 270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 318, 319, 33432}
_DESCRIPTION |= {0x4746, 0x4749, *range(0x9C9B, 0x9CA0)}  # ratings; title to subject
_INTEROP = 0xA005


@dataclass(frozen=True)
class Header:
    """The picture before decoding, and what a crop of it may keep."""

    format: str  # one of FORMATS, or MEMORY for what was never a file
    size: tuple[int, int]  # (width, height), upright
    mode: str  # Pillow's
    orientation: int = 1  # EXIF 1-8, still to be applied to decoded pixels
    exif: bytes | None = None  # without prefix
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    subsampling: int | None = None  # JPEG: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0
    lossless: bool = False  # WebP
    compression: str | None = None  # TIFF
    span: Span | None = None  # black and white of I;16; I and F need the pixels
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def reading(name: str, kind: str) -> Iterator[None]:
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
        reason = "unknown variant" if isinstance(error, UnidentifiedImageError) else str(error)
        raise ImageReadError(
            f"{name}: broken {kind} file ({reason or type(error).__name__}); copy or download it "
            "again, or save it anew in an image editor"
        ) from error


def plugin_of(kind: str) -> Any:
    """The module that reads and writes this one format, registered; None where it is missing.

    Left alone, Pillow imports all of its plugins at the first format that is not common.
    """
    if importlib.util.find_spec(_PLUGINS[kind]) is None:
        return None
    plugin = importlib.import_module(_PLUGINS[kind])
    if kind == "HEIF":
        plugin.register_heif_opener()
    return plugin


def open_picture(data: bytes, kind: str) -> ImageFile.ImageFile:
    """Pillow's view of the header; only the plugin of this one format is asked."""
    plugin_of(kind)
    image = Image.open(io.BytesIO(data), formats=(kind,))
    image.decodermaxblock = len(data)  # at once: every other block would wait for Python's lock
    image.info.pop("xmp", None)  # else Pillow would turn pictures by it, against all viewers
    image.info.pop("XML:com.adobe.xmp", None)
    return image


def inspect(name: str, data: bytes, max_mpixels: float) -> tuple[Header, bytes]:
    """The header, and the data, less those PNG chunks that keep Pillow from opening it."""
    kind = sniff(data)
    if kind is None:
        raise ImageReadError(
            f"{name}: not a picture in {', '.join(FORMATS)}; it starts with {data[:8]!r}",
            "not a picture",
        )
    if plugin_of(kind) is None:
        raise ImageReadError(
            f"{name}: HEIC is read by an extra: pip install 'cropper[heic]'",
            "HEIC without its extra",
        )
    if too_much := excess(kind, data):
        raise ImageReadError(
            f"{name}: {too_much}, which would take too long to read; save it anew in an image "
            "editor",
            "too complex",
        )
    notes: list[str] = []
    with reading(name, kind):
        if kind == "WEBP":  # its decoder allocates the canvas as soon as it is made
            _check_size(name, webp_canvas(data), max_mpixels)
        try:
            image = open_picture(data, kind)
        except Exception:
            if kind != "PNG":
                raise
            data = data[:8] + b"".join(
                data[at - 8 : at + length + 4]
                for chunk, at, length in png_chunks(data)
                if chunk in _PIXEL_CHUNKS
            )
            image = open_picture(data, kind)
            notes.append("a broken PNG chunk, so profile and animation were ignored")
        _check_size(name, image.size, max_mpixels)
        return _header(name, kind, image, data, notes), data


def in_memory(image: Image.Image) -> Header:
    """The header of a picture that is decoded already."""
    notes: list[str] = []
    block = _exif_block("MEMORY", image, b"", notes)
    turn = exif.orientation(block) if block else 1
    return Header(
        format="MEMORY",
        size=image.size if turn < 5 else (image.height, image.width),
        mode=image.mode,
        orientation=turn,
        exif=block,
        icc=_profile(image, notes),
        dpi=_dpi(image),
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
    name: str, kind: str, image: ImageFile.ImageFile, data: bytes, notes: list[str]
) -> Header:
    tags: Any = getattr(image, "tag_v2", {})
    if tags and (tags.get(254, 0) & 1 or 50706 in tags or data[8:10] == b"CR"):
        raise ImageReadError(
            f"{name}: a camera's raw file; develop it to JPEG or TIFF first", "raw"
        )
    block = _exif_block(kind, image, data, notes)
    turn = exif.orientation(block) if block else 1
    if kind == "TIFF":  # Pillow turns it when it is decoded, and says so in the size
        turn = 1
    _note_depth(kind, image, data, notes)
    icc = _profile(image, notes)
    compression = image.info.get("compression")
    frames = _frames(image)
    if frames > 1:
        notes.append(f"first of {frames} frames")
    return Header(
        format=kind,
        size=image.size if turn < 5 else (image.height, image.width),
        mode=image.mode,
        orientation=turn,
        exif=block,
        icc=icc,
        dpi=_dpi(image),
        subsampling=_subsampling(image) if kind == "JPEG" else None,
        lossless=kind == "WEBP" and is_lossless_webp(data),
        compression=compression if kind == "TIFF" else None,
        span=(0.0, 4095.0) if tags.get(258) in (12, (12,)) else None,
        notes=tuple(notes),
    )


def _exif_block(kind: str, image: Image.Image, data: bytes, notes: list[str]) -> bytes | None:
    """The bare block if there is one that can be used; Pillow would decode a PNG to find it."""
    try:
        if kind == "TIFF":
            tags = tiff_tags(image.getexif())
            return exif.bare(tags.tobytes()) if len(tags) else None
        block = image.info.get("exif") or b""
        if kind == "PNG" and not block:  # behind the pixels, or as ImageMagick's text
            block = next((data[at : at + n] for c, at, n in png_chunks(data) if c == b"eXIf"), b"")
            text = image.info.get("Raw profile type exif", "")
            block = block or bytes.fromhex("".join(text.split("\n")[3:]))
        block = exif.bare(block)
        if block:
            exif.orientation(block)  # raises if the block can't be used
    except Exception:  # of a TIFF, Pillow raises anything
        notes.append("its EXIF is broken and was ignored")
        return None
    return block or None


def tiff_tags(tags: Image.Exif) -> Image.Exif:
    """Those tags that describe the picture, with its settings and position, for Pillow to write.

    Texts become bytes, since Pillow reads them as Latin-1 but writes "?" for all but ASCII.
    """
    kept = Image.Exif()
    for tag in sorted(_DESCRIPTION.intersection(tags)):
        kept[tag] = _as_bytes(tags[tag])
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        entries = tags.get_ifd(directory)
        inside = {tag: _as_bytes(entries[tag]) for tag in entries if tag != _INTEROP}
        if inside:
            kept.get_ifd(directory).update(inside)
            kept[directory] = inside
    return kept


def _as_bytes(value: Any) -> Any:
    return value.encode("latin-1", "replace") if isinstance(value, str) else value


def _profile(image: Image.Image, notes: list[str]) -> bytes | None:
    profile = image.info.get("icc_profile")
    if not profile:
        return None
    try:
        ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (OSError, TypeError, ValueError):
        notes.append("its colour profile is broken and was ignored")
        return None
    space = profile[16:20].decode("latin-1")
    if space != family(image.mode):
        notes.append(f"its colour profile, for {space.strip()}, is not one for {image.mode}")
    return bytes(profile)


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    """What the header says; Pillow's own stand-ins, 72 in JPEG and 1 in TIFF, don't count."""
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    given = image.info.get("jfif_unit", 1) != 0 and math.isfinite(x + y)
    return (x, y) if given and min(x, y) > 1 and max(x, y) < 1 << 16 else None


def _subsampling(image: ImageFile.ImageFile) -> int | None:
    if getattr(image, "layers", 0) != 3:
        return None
    return max(
        0, int(plugin_of("JPEG").get_sampling(image))
    )  # kinds that Pillow can't write become 4:4:4


def _note_depth(kind: str, image: ImageFile.ImageFile, data: bytes, notes: list[str]) -> None:
    bits = 8
    if kind == "PNG" and data[25] != 0:  # grey keeps its 16 bits
        bits = data[24]
    elif kind == "TIFF" and image.mode not in ("I;16", "I;16B", "I", "F"):
        bits = max(getattr(image, "tag_v2", {}).get(258, (8,)))
    elif kind == "HEIF":
        bits = image.info.get("bit_depth", 8)
    if bits > 8:
        notes.append(f"{bits} bits a channel are read as 8")


def _frames(image: ImageFile.ImageFile) -> int:
    """1 for the multi-picture JPEG of phones too: its others are previews, depth and gain maps."""
    if image.format == "MPO":
        return 1
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # the first frame may be sound where the chain to the others is broken
        return 1


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

"""TIFFs that Pillow refuses or misreads, such as those of science: tifffile reads them, an extra.

Their grey becomes 32-bit floats, colours get 8 bits; colour profile and orientation are kept.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, TiffImagePlugin

from cropper.errors import ImageReadError

__all__ = ["deep_header", "deep_picture", "samples_of", "unread_kind"]

_WIDTH, _HEIGHT, _BITS, _PLANES, _SAMPLES, _FORMAT = 256, 257, 258, 284, 277, 339  # tags
_COMPRESSION, _PHOTOMETRIC, _OFFSETS, _EXTRA_SAMPLES = 259, 262, 273, 338
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3  # of _FORMAT
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_ORIENTATION, _PROFILE = 274, 34675
_RAW, _ALPHA = 1, 2  # of _COMPRESSION and _EXTRA_SAMPLES
_START = 8  # bytes before a first directory
_STRIP = 1 << 20  # values that are converted, and bytes that are read, at once


def unread_kind(data: bytes) -> str | None:
    """What Pillow does not read right in a TIFF, as in ``64-bit floats``; None: it does."""
    if data[:4] == b"MM\0+":
        return "big-endian BigTIFF"
    try:
        tags = _first_tags(data)
        bits, samples = max(tags.get(_BITS, (1,))), tags.get(_SAMPLES, 1)
        kind, planes = max(tags.get(_FORMAT, (_UNSIGNED,))), tags.get(_PLANES, 1)
        is_negative = tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO and data[:1] == b"M"
    except Exception:  # broken: Pillow says so
        return None
    if kind == _FLOAT and not (samples == 1 and bits == 32):
        return f"{bits}-bit floats{' in colour' * (samples > 1)}"
    signed = kind == _SIGNED and not (samples == 1 and bits in (16, 32))
    if signed or (kind == _UNSIGNED and bits in (32, 64)):
        return f"{'' if signed else 'un'}signed {bits}-bit numbers"
    if is_negative and (bits, samples) == (16, 1):
        return "big-endian 16 bits with white as 0"
    return "16-bit planes of colour" if bits == 16 and planes == 2 and samples > 2 else None


def samples_of(data: bytes) -> str | None:
    """What a pixel is in a TIFF, as in ``2 samples of 16 bits``; None of a broken one."""
    try:
        tags = _first_tags(data)
        if tags[_WIDTH] > 0 and tags[_HEIGHT] > 0 and tags[_OFFSETS]:
            return f"{tags.get(_SAMPLES, 1)} samples of {max(tags.get(_BITS, (1,)))} bits"
    except Exception:  # it cannot say
        return None
    return None


def _first_tags(data: bytes) -> TiffImagePlugin.ImageFileDirectory_v2:
    file = io.BytesIO(data)
    tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(16 if data[2] == 43 else 8))
    file.seek(tags.next)
    tags.load(file)
    return tags


def deep_header(name: str, kind: str, data: bytes) -> tuple[bytes, int]:
    """The header of a TIFF as Pillow reads it, with no pixels behind it: that of ``deep_picture``.

    And how many bytes a pixel has in the file.
    Raises ImageReadError without tifffile, and for colours other than grey and RGB.
    """
    try:
        import tifffile  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        raise ImageReadError(
            f"{name}: {kind}, read by an extra: pip install 'cropper[tiff]'; or save it with 8 or "
            "16 bits",
            "TIFF without its extra",
        ) from error
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = _first_page(file)
        if int(page.photometric) not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
            raise ImageReadError(
                f"{name}: {kind} that are neither grey nor RGB; save it with 8 or 16 bits",
                "unread TIFF",
            )
        samples, dtype = _plain(page)
        kept = {tag.code: tag.value for tag in page.tags if tag.code in (_ORIENTATION, _PROFILE)}
        size = page.imagewidth, page.imagelength
        deep = int(page.samplesperpixel) * np.dtype(page.dtype).itemsize
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[_WIDTH], tags[_HEIGHT] = size
    tags[_BITS] = (8 * dtype.itemsize,) * samples
    tags[_FORMAT] = (_FLOAT if dtype.kind == "f" else _UNSIGNED,) * samples
    tags[_PHOTOMETRIC], tags[_SAMPLES] = _RGB if samples > 1 else _BLACK_IS_ZERO, samples
    tags[_COMPRESSION], tags[_OFFSETS] = _RAW, _START
    tags[_ORIENTATION] = int(kept.get(_ORIENTATION, 1))
    if samples == len("RGBA"):
        tags[_EXTRA_SAMPLES] = _ALPHA
    if _PROFILE in kept:
        tags[_PROFILE] = kept[_PROFILE]
    return b"II*\0" + struct.pack("<I", _START) + tags.tobytes(_START), deep


def deep_picture(data: bytes) -> Image.Image:
    """The pixels, upright: strip by strip, so that few of them are there as the file has them."""
    import tifffile  # noqa: PLC0415 - of an extra

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = _first_page(file)
        samples, dtype = _plain(page)
        convert = {_RGB: _eight_bits, _WHITE_IS_ZERO: _negative}.get(
            int(page.photometric), np.asarray
        )
        pixels = np.zeros((page.imagelength, page.imagewidth, samples), dtype)
        for segment, (plane, depth, top, left, _), shape in page.segments(
            maxworkers=1, buffersize=_STRIP
        ):
            if depth or plane >= samples:
                continue
            if segment is None:
                segment = np.full(shape, page.nodata, page.dtype)  # noqa: PLW2901
            part = pixels[top:, left:, plane:][: shape[1], : shape[2], : shape[3]]
            _fill(part, segment[0, : len(part), : part.shape[1], : part.shape[2]], convert)
        image = Image.fromarray(pixels if samples > 1 else pixels[..., 0])
        image.getexif()[_ORIENTATION] = int(page.tags.valueof(_ORIENTATION, 1))
    ImageOps.exif_transpose(image, in_place=True)
    return image


def _first_page(file: Any) -> Any:
    """That is no small version of another."""
    pages = [*file.pages]
    return next((each for each in pages if not int(each.subfiletype) & 1), pages[0])


def _plain(page: Any) -> tuple[int, np.dtype[Any]]:
    """How many samples a pixel has that are read, and what they become."""
    if int(page.photometric) == _RGB:
        return min(int(page.samplesperpixel), len("RGBA")), np.dtype(np.uint8)
    kept = np.dtype(page.dtype) in (np.uint8, np.uint16)
    return 1, np.dtype(page.dtype if kept else np.float32).newbyteorder("=")


def _fill(
    part: NDArray[Any], values: NDArray[Any], convert: Callable[[NDArray[Any]], NDArray[Any]]
) -> None:
    """Some rows at a time: copies of all, in double precision, would take gigabytes."""
    rows = max(1, _STRIP // max(1, part[:1].size))
    for top in range(0, len(part), rows):
        part[top : top + rows] = convert(values[top : top + rows])


def _negative(pixels: NDArray[Any]) -> NDArray[Any]:
    """Of grey; without a sign that is over the whole range."""
    return ~pixels if pixels.dtype in (np.uint8, np.uint16) else -pixels.astype(np.float32)


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours: floats from 0 to 1, whole numbers over their whole range."""
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    if pixels.dtype.kind == "f":
        shares = np.nan_to_num(pixels, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
    else:
        limits = np.iinfo(pixels.dtype)
        shares = (pixels.astype(np.float64) - limits.min) / (float(limits.max) - limits.min)
    return np.asarray((shares * 255).round(), np.uint8)

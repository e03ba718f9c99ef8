"""TIFFs that Pillow refuses or misreads, such as those of science: tifffile reads them, an extra.

They are written anew in memory as Pillow reads them: grey as 32-bit floats, colours in 8 bits,
with colour profile and orientation.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from cropper.errors import ImageReadError

__all__ = ["plain_tiff", "unread_kind"]

_BITS, _PLANES, _SAMPLES, _FORMAT = 258, 284, 277, 339  # tags
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3  # of _FORMAT
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_ORIENTATION, _PROFILE = 274, 34675


def unread_kind(data: bytes) -> str | None:
    """What Pillow does not read right in a TIFF, as in ``64-bit floats``; None: it does."""
    if data[:4] == b"MM\0+":
        return "big-endian BigTIFF"
    file = io.BytesIO(data)
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(16 if data[2] == 43 else 8))
        file.seek(tags.next)
        tags.load(file)
        bits, samples = max(tags.get(_BITS, (1,))), tags.get(_SAMPLES, 1)
        kind, planes = max(tags.get(_FORMAT, (_UNSIGNED,))), tags.get(_PLANES, 1)
    except Exception:  # broken: Pillow says so
        return None
    if kind == _FLOAT and not (samples == 1 and bits == 32):
        return f"{bits}-bit floats{' in colour' * (samples > 1)}"
    if kind == _SIGNED and not (samples == 1 and bits in (16, 32)):
        return f"signed {bits}-bit numbers"
    if kind == _UNSIGNED and bits == 32:
        return "unsigned 32-bit numbers"
    return "16-bit planes of colour" if bits == 16 and planes == 2 and samples > 2 else None


def plain_tiff(
    name: str, kind: str, data: bytes, check_size: Callable[[tuple[int, int]], None]
) -> bytes:
    """A TIFF of the same picture that Pillow reads.

    ``check_size`` is called with (width, height) before it is decoded. Raises ImageReadError
    without tifffile, and for colours other than grey and RGB.
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
        pages: list[Any] = [*file.pages]
        page = next((each for each in pages if not int(each.subfiletype) & 1), pages[0])
        check_size((page.imagewidth, page.imagelength))
        photometric = int(page.photometric)
        if photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
            raise ImageReadError(
                f"{name}: {kind} that are neither grey nor RGB; save it with 8 or 16 bits",
                "unread TIFF",
            )
        pixels = np.asarray(page.asarray())
        if pixels.ndim == 3 and int(page.planarconfig) == 2:
            pixels = np.moveaxis(pixels, 0, -1)
        kept = {tag.code: tag.value for tag in page.tags if tag.code in (_ORIENTATION, _PROFILE)}
    colour = photometric == _RGB
    plain = _eight_bits(pixels) if colour else _floats(pixels, photometric == _WHITE_IS_ZERO)
    written = io.BytesIO()
    tifffile.imwrite(
        written,
        plain,
        photometric="rgb" if colour else "minisblack",
        extrasamples=["unassalpha"] if colour and plain.shape[-1] == 4 else None,
        iccprofile=kept.get(_PROFILE),
        extratags=[(_ORIENTATION, "H", 1, int(kept.get(_ORIENTATION, 1)), True)],
        metadata=None,
    )
    return written.getvalue()


def _floats(pixels: NDArray[Any], negative: bool) -> NDArray[Any]:
    """Grey; 8 and 16 bits without a sign as they are."""
    if pixels.dtype in (np.uint8, np.uint16):
        return ~pixels if negative else pixels
    return np.asarray(-pixels.astype(np.float32) if negative else pixels, np.float32)


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours: floats from 0 to 1, whole numbers over their whole range."""
    pixels = pixels[..., :4]
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    if pixels.dtype.kind == "f":
        shares = np.nan_to_num(pixels, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
    else:
        limits = np.iinfo(pixels.dtype)
        shares = (pixels.astype(np.float64) - limits.min) / (float(limits.max) - limits.min)
    return np.asarray((shares * 255).round(), np.uint8)

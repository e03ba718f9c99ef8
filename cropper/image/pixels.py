"""Pillow's modes and colour profiles: what can be averaged, flattened, shown as sRGB.

Grey of more than 8 bits (modes I;16, I, F) needs a span, the two values that stand for black and
white; it is a property of the whole picture, so that a crop is as bright as what it was cut from.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "FILTER",
    "PILLOW",
    "Span",
    "averageable",
    "eight_bits",
    "family",
    "has_alpha",
    "little_endian",
    "on_clear",
    "over_white",
    "resample",
    "span_of",
    "strips",
    "to_palette",
    "transform",
    "weighing",
]

_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # a tag of TIFF, and its value

Span = tuple[float, float]  # black, white

_FAMILIES = {"CMYK": "CMYK", "LAB": "Lab ", "1": "GRAY", "L": "GRAY", "LA": "GRAY", "La": "GRAY"}
_FAMILIES |= {"I;16": "GRAY", "I": "GRAY", "F": "GRAY"}
# Its distance from Lanczos is less than what encoding at quality 92 loses, at 3/4 of the time
FILTER = Image.Resampling.BICUBIC
_REACH = 2  # output px to either side that weigh in
_STRIP = 1 << 20  # px that are converted in floats at once


class _Pillow:
    """A context in which Pillow neither warns nor applies its own size limit.

    Both are settings of the process, so they are changed when the first thread enters and put
    back when the last one leaves; in between, another user of Pillow meets them too.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._limit = Image.MAX_IMAGE_PIXELS
                Image.MAX_IMAGE_PIXELS = None
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"(PIL|pillow_heif)\b")
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.__exit__(None, None, None)
                Image.MAX_IMAGE_PIXELS = self._limit


PILLOW = _Pillow()


def family(mode: str) -> str:
    """The colour space of a mode as an ICC header spells it: GRAY, RGB, CMYK or Lab."""
    return _FAMILIES.get(mode, "RGB ")


def has_alpha(image: Image.Image) -> bool:
    """Whether anything may be transparent: a channel, a palette with alpha or a colour key."""
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        return True
    return image.mode == "P" and image.palette is not None and image.palette.mode == "RGBA"


def span_of(image: Image.Image) -> Span:
    """Black and white of grey with more than 8 bits: 16 bits, else the least and greatest value."""
    if image.mode == "I;16":
        return (0.0, 65535.0)
    low, high = math.inf, -math.inf
    for _, strip in strips(image):
        finite = strip[np.isfinite(strip)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:
        return (0.0, 1.0)
    if image.mode == "I" and low >= 0 and high <= 65535:
        return (0.0, 65535.0)
    return (low, high if high > low else low + 1.0)


def strips(image: Image.Image) -> Iterator[tuple[int, NDArray[Any]]]:
    """Its rows, some at a time, each with the first one's number: copies of all would take GBs."""
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        yield top, np.asarray(image.crop((0, top, image.width, bottom)))


def eight_bits(image: Image.Image, span: Span | None) -> Image.Image:
    """Grey of more than 8 bits as L; any other picture as it is. NaN becomes black."""
    if image.mode not in ("I;16", "I", "F"):
        return image
    low, high = span or span_of(image)
    if image.mode == "I;16":
        levels = (np.arange(65536) - low) * (255 / (high - low))
        table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        return Image.fromarray(table[np.asarray(image)])
    grey = Image.new("L", image.size)
    for top, strip in strips(image):
        values = np.nan_to_num(strip.astype(np.float64), nan=low, posinf=high, neginf=low)
        levels = np.rint((values - low) * (255 / (high - low)))
        grey.paste(Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)), (0, top))
    return grey


def little_endian(image: Image.Image) -> Image.Image:
    """Grey of 16 bits in mode I;16, black at 0: of TIFF's WhiteIsZero Pillow makes a negative."""
    tags = getattr(image, "tag_v2", {})
    pixels = np.asarray(image).astype("<u2")
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        return Image.fromarray(np.uint16(65_535) - pixels)
    return image if image.mode == "I;16" else Image.fromarray(pixels)


def averageable(image: Image.Image) -> Image.Image:
    """The picture in a mode whose numbers can be averaged; palettes and keys become alpha."""
    key = image.info.get("transparency")
    if image.mode in ("P", "PA"):  # a copy, since Pillow puts the key into the palette it converts
        return image.copy().convert("RGBA" if has_alpha(image) else "RGB")
    if image.mode == "I;16" and key is not None:
        alpha = Image.fromarray(np.where(np.asarray(image) == key, 0, 255).astype(np.uint8))
        return Image.merge("LA", (eight_bits(image, None), alpha))
    if image.mode in ("1", "L") and key is not None:
        return image.convert("LA")
    if image.mode == "RGB" and key is not None:
        return image.convert("RGBA")
    other = {"1": "L", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "HSV": "RGB"}.get(image.mode)
    return image.convert(other) if other else image


def resample(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    """Exactly ``box`` (xyxy px, default all) averaged to exactly ``size``, alpha premultiplied.

    The result is in a mode of ``averageable``. Only the pixels that weigh in are converted.
    """
    x0, y0, x1, y1 = box or (0.0, 0.0, *map(float, image.size))
    left, top, right, bottom = weighing(image.size, size, (x0, y0, x1, y1))
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        left, top, part = 0, 0, image  # nothing to convert, and resize() reads what weighs in alone
    else:
        part = averageable(image.crop((left, top, right, bottom)))
    if part.mode == "F":
        part = _finite(part)
    # reduce() averages whole pixels first, the filter does the rest; it doesn't know I;16
    gap = None if part.mode == "I;16" else 3.0
    inner = (x0 - left, y0 - top, x1 - left, y1 - top)
    return part.resize(size, FILTER, inner, gap)


def _finite(image: Image.Image) -> Image.Image:
    """F without NaN and infinities, one of which would spread over all pixels around it."""
    if all(np.isfinite(strip).all() for _, strip in strips(image)):
        return image
    low, high = span_of(image)
    finite = Image.new("F", image.size)
    for top, strip in strips(image):
        values = np.nan_to_num(strip, nan=low, posinf=high, neginf=low)
        finite.paste(Image.fromarray(values), (0, top))
    return finite


def weighing(
    whole: tuple[int, int], size: tuple[int, int], box: tuple[float, float, float, float]
) -> tuple[int, int, int, int]:
    """The pixels, xyxy, of a picture of ``whole`` px that weigh in where a box becomes ``size``."""
    x0, y0, x1, y1 = box
    reach_x = _REACH * max(1.0, (x1 - x0) / size[0]) + 1
    reach_y = _REACH * max(1.0, (y1 - y0) / size[1]) + 1
    left, top = max(0, math.floor(x0 - reach_x)), max(0, math.floor(y0 - reach_y))
    right, bottom = min(whole[0], math.ceil(x1 + reach_x)), min(whole[1], math.ceil(y1 + reach_y))
    return left, top, right, bottom


def transform(
    image: Image.Image, corners: NDArray[np.float64], size: tuple[int, int]
) -> Image.Image:
    """The parallelogram with (4, 2) ``corners`` read into ``size``, alpha premultiplied.

    Bicubic, not antialiased: for a size no smaller than the parallelogram. The result is in a mode
    of ``averageable``.
    """
    across = (corners[1] - corners[0]) / size[0]
    down = (corners[3] - corners[0]) / size[1]
    data = (across[0], down[0], corners[0, 0], across[1], down[1], corners[0, 1])

    def read(band: Image.Image) -> Image.Image:
        """In floats, since Pillow cuts off the fractions of whole numbers, and knows no I;16."""
        kind = np.asarray(band).dtype
        wide = Image.fromarray(np.asarray(band, dtype=np.float32))
        warped = wide.transform(size, Image.Transform.AFFINE, data, Image.Resampling.BICUBIC)
        values = np.asarray(warped)
        if kind.kind != "f":
            limits = np.iinfo(kind)
            values = np.clip(np.rint(values.astype(np.float64)), limits.min, limits.max)
        return Image.fromarray(values.astype(kind))

    image = averageable(image)
    if image.mode == "LA":  # which Pillow cannot merge premultiplied
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        return _merged(image.convert("RGBa"), read).convert("RGBA")
    return _merged(image, read)


def _merged(image: Image.Image, read: Callable[[Image.Image], Image.Image]) -> Image.Image:
    bands = image.split()
    return read(image) if len(bands) == 1 else Image.merge(image.mode, [read(b) for b in bands])


def on_clear(image: Image.Image, part: tuple[int, int, int, int]) -> Image.Image:
    """RGBA that is clear but for a part (xyxy px) of the picture."""
    canvas = Image.new("RGBA", image.size)
    canvas.paste(image.crop(part).convert("RGBA"), part)
    return canvas


def over_white(image: Image.Image) -> Image.Image:
    """The picture without alpha, laid on white; what was transparent doesn't shine through."""
    if not has_alpha(image):
        return image
    image = averageable(image)
    opaque = "L" if image.mode == "LA" else "RGB"
    ground = Image.new(opaque, image.size, "white")
    ground.paste(image.convert(opaque), mask=image.getchannel("A"))
    return ground


def to_palette(image: Image.Image) -> Image.Image:
    """RGB or RGBA as P of at most 256 colours, one of them clear where alpha is below half."""
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = over_white(image).convert("RGB")
    palette = colours.quantize(255 if alpha else 256, Image.Quantize.MEDIANCUT)
    indexed = colours.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    if alpha is not None:
        clear = alpha.point([255] * 128 + [0] * 128)
        if clear.getbbox():
            table = indexed.getpalette() or []
            index = len(table) // 3
            indexed.putpalette([*table, 255, 255, 255])
            indexed.paste(index, mask=clear)
            indexed.info["transparency"] = index
    return indexed

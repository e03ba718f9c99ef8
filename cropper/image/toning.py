"""A picture with other tones, in any mode that crops have.

The tone is applied to the numbers of the picture's own colour space, which keeps its profile;
pictures that are not RGB or grey (CMYK, Lab) become sRGB. Alpha stays, and so do the pixels of a
palette, whose colours change. Grey of more than 8 bits keeps them. The picture's span is black
and white.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cropper.image.colour import from_srgb, to_srgb
from cropper.image.pixels import (
    Span,
    averageable,
    eight_bits,
    family,
    has_alpha,
    over_white,
    span_of,
    strips,
)
from cropper.image.view import View
from cropper.tone import Tone

__all__ = ["Paint", "is_grey", "looked_at", "painted", "toned", "toned_pixels"]

Paint = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]  # (H, W, 3), sRGB -> the same

_DEEP = ("I;16", "I", "F")


def is_grey(mode: str) -> bool:
    """Whether pictures of a mode have no colours: those that a tone cannot change either."""
    return family(mode) == "GRAY"


def toned(
    picture: Image.Image, tone: Tone, span: Span | None = None, profile: bytes | None = None
) -> Image.Image:
    """The picture with the curves and the colours of ``tone``, without its border.

    ``span`` is black and white of grey with more than 8 bits, ``profile`` that of its colours.
    A tone that would change nothing gives the picture itself.
    """
    if not (tone.has_curves or (tone.has_colour and not is_grey(picture.mode))):
        return picture
    if picture.mode == "P" and picture.palette and picture.palette.mode in ("RGB", "RGBA"):
        return _with_palette(picture, tone)
    picture = averageable(picture)
    if picture.mode in _DEEP:
        return _deep(picture, tone, span or span_of(picture))
    if picture.mode not in ("L", "LA", "RGB", "RGBA"):
        picture = to_srgb(picture, profile)
    return _eight_bit(picture, tone)


def looked_at(picture: Image.Image, span: Span | None, profile: bytes | None) -> View:
    """The whole picture as a scorer sees one."""
    shown = over_white(to_srgb(eight_bits(picture, span), profile))
    return View(np.array(shown), picture.size)


def painted(
    picture: Image.Image, paint: Paint, span: Span | None = None, profile: bytes | None = None
) -> Image.Image:
    """The picture as ``paint`` makes it of the sRGB that is seen, over white: RGB, with its alpha.

    ``span`` and ``profile`` are those of ``toned``; what is RGB keeps the colours of its profile.
    """
    seen = Image.fromarray(paint(looked_at(picture, span, profile).pixels))
    if family(picture.mode) == "RGB ":
        seen = from_srgb(seen, profile, "RGB")
    if has_alpha(picture):
        seen.putalpha(averageable(picture).getchannel("A"))
    return seen


def toned_pixels(pixels: NDArray[np.uint8], tone: Tone) -> NDArray[np.uint8]:
    """(H, W, 3) of 8 bits, as pictures are."""
    return np.array(_eight_bit(Image.fromarray(pixels), tone))


def _with_palette(picture: Image.Image, tone: Tone) -> Image.Image:
    assert picture.palette is not None
    mode = picture.palette.mode
    table = np.array(picture.getpalette(mode), dtype=np.uint8).reshape(1, -1, len(mode))
    table[..., :3] = toned_pixels(np.ascontiguousarray(table[..., :3]), tone)
    changed = picture.copy()
    changed.putpalette(table.tobytes(), mode)
    return changed


def _eight_bit(picture: Image.Image, tone: Tone) -> Image.Image:
    """Rounded to whole levels after the saturation, and after the curves."""
    alpha = picture.getchannel("A") if picture.mode.endswith("A") else None
    if alpha is not None:
        picture = picture.convert(picture.mode.removesuffix("A"))
    if picture.mode == "RGB" and tone.saturation != 1:
        picture = picture.convert("RGB", tone.matrix)
    picture = picture.point(tone.table(grey=picture.mode == "L"))
    if alpha is not None:
        picture.putalpha(alpha)
    return picture


def _deep(picture: Image.Image, tone: Tone, span: Span) -> Image.Image:
    low, high = span
    kind = np.asarray(picture).dtype
    changed = np.empty((picture.height, picture.width), kind)
    for top, strip in strips(picture):
        values = np.clip((strip.astype(np.float64) - low) / (high - low), 0, 1)
        levels = low + tone.of_grey(values) * (high - low)
        if kind.kind != "f":
            levels = np.rint(levels)
        changed[top : top + len(strip)] = levels.astype(kind)
    return Image.fromarray(changed)

"""A picture laid on a larger one, in any mode that crops have."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageColor

from cropper.canvas import Canvas, Size
from cropper.errors import ConfigError
from cropper.image.colour import from_srgb
from cropper.image.pixels import averageable, resample, span_of
from cropper.image.source import MAX_PIXELS

__all__ = ["check_colour", "laid"]

_BLURRED = 12  # px: the long side to which a background is averaged before it is enlarged again
_WHITE_16 = 65_535.0


def check_colour(name: str) -> None:
    """Raises ConfigError for what is no colour."""
    try:
        ImageColor.getrgb(name)
    except (ValueError, AttributeError, TypeError) as error:
        raise ConfigError(f"`background` is a colour, as white or #20242a, got {name!r}") from error


def laid(
    picture: Image.Image,
    canvas: Canvas,
    size: Size,
    place: tuple[int, int],
    profile: bytes | None = None,
) -> Image.Image:
    """``picture`` with its top left corner at ``place`` in one of ``size`` = (width, height).

    ``profile`` is that of its colours; the background's is sRGB. Raises ConfigError above
    MAX_PIXELS.
    """
    if size[0] * size[1] > MAX_PIXELS:
        raise ConfigError(
            f"the crop padded to its shape has {size[0]}x{size[1]} px, more than {MAX_PIXELS}: "
            "give a smaller `size`"
        )
    picture = averageable(picture)
    if canvas.fill == "pad":
        whole = Image.new(picture.mode, size, _colour(canvas.background, picture, profile))
    elif canvas.fill == "blur":
        whole = _blurred(picture, size)
    else:
        return _extended(picture, size, place)
    whole.paste(picture, place)
    return whole


def _colour(name: str, picture: Image.Image, profile: bytes | None) -> float | tuple[int, ...]:
    """The colour in the picture's mode; of grey with more than 8 bits between its own ends."""
    dot = Image.new("RGB", (1, 1), ImageColor.getrgb(name)[:3])
    if picture.mode.startswith(("I", "F")):
        black, white = (0.0, _WHITE_16) if picture.mode == "I;16" else span_of(picture)
        grey = black + (white - black) * float(np.asarray(dot.convert("L"))[0, 0]) / 255
        return grey if picture.mode == "F" else round(grey)
    dot = from_srgb(dot, profile, picture.mode)
    return tuple(np.atleast_1d(np.asarray(dot)[0, 0]).tolist())


def _blurred(picture: Image.Image, size: Size) -> Image.Image:
    """The middle of the picture in the shape of ``size``, averaged to few pixels and enlarged."""
    width, height = picture.size
    scale = max(size[0] / width, size[1] / height)
    half = min(size[0] / scale, width) / 2, min(size[1] / scale, height) / 2
    box = (width / 2 - half[0], height / 2 - half[1], width / 2 + half[0], height / 2 + half[1])
    long = max(size)
    few = (max(round(size[0] * _BLURRED / long), 1), max(round(size[1] * _BLURRED / long), 1))
    return resample(resample(picture, few, box), size)


def _extended(picture: Image.Image, size: Size, place: tuple[int, int]) -> Image.Image:
    pixels = np.asarray(picture)
    margins = [
        (before, whole - before - own)
        for before, whole, own in zip(place[::-1], size[::-1], pixels.shape[:2], strict=True)
    ]
    margins += [(0, 0)] * (pixels.ndim - 2)
    extended = np.pad(pixels, margins, mode="edge")
    return Image.frombuffer(picture.mode, size, extended.tobytes(), "raw", picture.mode, 0, 1)

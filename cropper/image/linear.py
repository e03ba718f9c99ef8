"""Resizing in linear light: what is averaged is the light, not the numbers that stand for it.

The light of a value is told by the curves of the picture's own profile (``curv`` and ``para`` of
ICC.1:2022), by sRGB's where it has none or a table in their place. RGB and grey of 8 and 16 bits
have such values. Inks (CMYK), Lab, and grey of 32 bits or floats, which are mostly measures, are
averaged as they are.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cropper.image.pixels import FILTER, averageable, family, resample, weighing

__all__ = ["resample_linear"]

_TAGS = {"L": (b"kTRC",), "RGB": (b"rTRC", b"gTRC", b"bTRC")}
_ENTRY = 12  # bytes of a profile's table of tags, behind its header and their number
_GAP = 3.0  # as in ``resample``: whole pixels are averaged first where there are many
Floats = NDArray[np.float64]


def resample_linear(
    image: Image.Image,
    size: tuple[int, int],
    box: tuple[float, float, float, float],
    profile: bytes | None,
) -> Image.Image:
    """``box`` (xyxy px) averaged to exactly ``size`` = (width, height) px, alpha premultiplied.

    One channel at a time is in floats. The result is in a mode of ``averageable``.
    """
    left, top, right, bottom = weighing(image.size, size, box)
    part = averageable(image.crop((left, top, right, bottom)))
    colours = "L" if part.mode in ("L", "LA", "I;16") else "RGB"
    if part.mode not in ("L", "LA", "I;16", "RGB", "RGBA"):
        return resample(image, size, box)
    inner = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    bands = part.split()
    own = profile if profile and profile[16:20].decode("latin-1") == family(part.mode) else None
    alpha = np.asarray(bands[-1], np.float32) / np.float32(255) if part.mode.endswith("A") else None
    weight = None if alpha is None else np.clip(_resized(alpha, size, inner), 0, 1)
    made = []
    for band, tag in zip(bands, _TAGS[colours], strict=False):
        values = np.asarray(band)
        curve = _curve(own, tag, 2 * np.iinfo(values.dtype).max + 1)
        light = curve[::2].astype(np.float32)[values]
        if alpha is not None:
            light *= alpha
        light = _resized(light, size, inner)
        if weight is not None:
            light /= np.maximum(weight, 1e-4)
        # the nearest value, with the border between two half way between them in light
        nearest = np.searchsorted(curve[1::2], light, side="right")
        made.append(Image.fromarray(nearest.astype(values.dtype)))
    if weight is not None:
        made.append(Image.fromarray(np.rint(weight * 255).astype(np.uint8)))
    return made[0] if len(made) == 1 else Image.merge(part.mode, made)


def _resized(
    values: NDArray[np.float32],
    size: tuple[int, int],
    box: tuple[float, float, float, float],
) -> NDArray[np.float32]:
    return np.array(Image.fromarray(values).resize(size, FILTER, box, _GAP))


def _curve(profile: bytes | None, tag: bytes, steps: int) -> Floats:
    """(steps,) light in [0, 1] of values evenly spaced in [0, 1], never falling."""
    values = np.linspace(0, 1, steps)
    told = _told(profile, tag, values) if profile else None
    if told is None or not np.isfinite(told).all() or told[-1] <= told[0]:
        return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.maximum.accumulate(np.clip(told, 0, 1))


def _told(profile: bytes, tag: bytes, x: Floats) -> Floats | None:
    """The light of values ``x`` by the profile's curve of that name, if it has one."""
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        table = profile[132 : 132 + _ENTRY * min(count, 100)]
        entries = struct.iter_unpack(">4sII", table)
        at = next((at for name, at, _ in entries if name == tag), 0)
        read = {b"curv": _table, b"para": _formula}.get(profile[at : at + 4])
        with np.errstate(all="ignore"):
            return read(profile, at, x) if read else None
    except (struct.error, ValueError):  # of a profile that ends too early
        return None


def _table(profile: bytes, at: int, x: Floats) -> Floats:
    (count,) = struct.unpack_from(">I", profile, at + 8)
    if count == 0:
        return x
    if count == 1:
        (gamma,) = struct.unpack_from(">H", profile, at + 12)
        return np.asarray(x ** (gamma / 256))
    points = np.frombuffer(profile, ">u2", count, at + 12) / 65535
    return np.interp(x, np.linspace(0, 1, count), points)


def _formula(profile: bytes, at: int, x: Floats) -> Floats | None:
    """(ax + b)^g + e from d on, cx + f below; shorter kinds leave some of these out."""
    kind, length = struct.unpack_from(">H", profile, at + 8)[0], (1, 3, 4, 5, 7)
    if kind >= len(length):
        return None
    given = [n / 65536 for n in struct.unpack_from(f">{length[kind]}i", profile, at + 12)]
    g, a, b, c, d, e, f = given + [0.0] * (7 - len(given))
    if kind == 0:
        a, d = 1.0, 0.0
    elif kind in (1, 2):  # their fourth number, if any, is added to both parts
        c, d, e, f = 0.0, (-b / a if a else 0.0), c, c
    upper = np.maximum(a * x + b, 0) ** g + e
    return np.asarray(np.where(x >= d, upper, c * x + f))

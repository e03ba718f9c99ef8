"""Colour profiles: pictures through theirs to sRGB and back.

A profile counts where it is one for the picture's mode and changes its colours.
"""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from cropper.image.pixels import averageable, family, has_alpha

__all__ = ["from_srgb", "is_srgb", "to_srgb"]

_MOST_CACHED = 1 << 20  # bytes; of a profile whose transform is kept for the next picture


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB, or RGBA where there is alpha, through the profile where it is one for these pixels."""
    image = averageable(image)
    alpha = image.getchannel("A") if has_alpha(image) else None
    if alpha is not None:
        image = image.convert("L" if image.mode == "LA" else "RGB")
    if image.mode == "YCbCr":
        image = image.convert("RGB")
    transform = _matching(profile, image.mode)
    image = transform.apply(image) if transform else image.convert("RGB")
    image.info.clear()
    if alpha is not None:
        image.putalpha(alpha)
    return image


def from_srgb(colour: Image.Image, profile: bytes | None, mode: str) -> Image.Image:
    """RGB in another mode, through the profile of its pictures where that is one for the mode."""
    opaque = {"RGBA": "RGB", "LA": "L"}.get(mode, mode)
    if not profile or _matching(profile, opaque) is None:
        return colour.convert(mode)
    try:
        target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        found = ImageCms.profileToProfile(
            colour, ImageCms.createProfile("sRGB"), target, outputMode=opaque
        )
    except (ImageCms.PyCMSError, OSError):  # a profile that leads to sRGB alone
        return colour.convert(mode)
    assert found is not None
    return found.convert(mode)


def is_srgb(image: Image.Image, profile: bytes | None) -> bool:
    """Whether the picture looks the same without its profile: that is sRGB, or can't be used."""
    mode = {"GRAY": "L", "CMYK": "CMYK", "Lab ": "LAB"}.get(family(image.mode), "RGB")
    return _matching(profile, mode) is None


def _matching(profile: bytes | None, mode: str) -> Any:
    """The profile's transform to sRGB where it has one for this mode."""
    if not profile or profile[16:20].decode("latin-1") != family(mode):
        return None
    make = _transform if len(profile) <= _MOST_CACHED else _transform.__wrapped__
    return make(profile, mode)


@functools.lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> Any:
    """An ImageCmsTransform to sRGB; None where it would change nothing, or where it can't be built.

    A name says little ("sRGB linear"), so that a few colours are sent through instead.
    """
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            _srgb(),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    if mode in ("L", "RGB"):
        levels = np.arange(0, 256, 51, dtype=np.uint8)
        cube = np.stack(np.meshgrid(levels, levels, levels), -1)
        probe = Image.fromarray(cube.reshape(6, 36, 3)).convert(mode)
        change = np.asarray(transform.apply(probe), dtype=int) - np.asarray(probe.convert("RGB"))
        if np.abs(change).max() <= 1:
            return None
    return transform


@functools.lru_cache(maxsize=1)
def _srgb() -> Any:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))

"""A crop as messengers take it: sRGB as JPEG, without what a file says of its maker and place."""

from __future__ import annotations

import numpy as np

from cropper.boxes import Crop
from cropper.image import SourceImage, load_image
from cropper.render import render

__all__ = ["as_jpeg"]

_QUALITY = 90


def as_jpeg(source: SourceImage, crop: Crop, size: tuple[int, int] | None) -> bytes:
    """The crop in ``size`` = (width, height) px. Raises what ``render`` raises."""
    bare = load_image(render(source, crop, "BMP", size=size))  # which holds nothing but sRGB
    whole = Crop.of(np.array([0.0, 0.0, *bare.size]), 0.0)
    return render(bare, whole, "JPEG", quality=_QUALITY)

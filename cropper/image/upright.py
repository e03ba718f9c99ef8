"""What the eight orientations of EXIF do to a picture and to points of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from cropper.canvas import Size

__all__ = ["to_stored", "turned", "upright"]

# EXIF orientation -> Pillow's transpose to upright, and the way back to what is stored: whether x
# and y are swapped, then whether x is reversed, and y
_UPRIGHT = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT, (False, True, False)),
    3: (Image.Transpose.ROTATE_180, (False, True, True)),
    4: (Image.Transpose.FLIP_TOP_BOTTOM, (False, False, True)),
    5: (Image.Transpose.TRANSPOSE, (True, False, False)),
    6: (Image.Transpose.ROTATE_270, (True, False, True)),
    7: (Image.Transpose.TRANSVERSE, (True, True, True)),
    8: (Image.Transpose.ROTATE_90, (True, True, False)),
}
# Each is the one before it and a quarter turn clockwise; of a mirrored picture the second four
_QUARTERS = ((1, 6, 3, 8), (2, 7, 4, 5))


def turned(orientation: int, quarters: int) -> int:
    """The orientation of a picture that is turned clockwise by that many quarters."""
    order = next(each for each in _QUARTERS if orientation in each)
    return order[(order.index(orientation) + quarters) % 4]


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """A stored picture as it is to be seen."""
    return image if orientation == 1 else image.transpose(_UPRIGHT[orientation][0])


def to_stored(points: ArrayLike, size: Size, orientation: int) -> NDArray[np.float64]:
    """(N, 2) px of the upright picture -> px of the stored one, which has ``size``."""
    found = np.array(points, dtype=np.float64)
    if orientation == 1:
        return found
    swapped, *reversed_sides = _UPRIGHT[orientation][1]
    found = found[:, ::-1] if swapped else found
    return np.where(reversed_sides, size - found, found)

"""JPEG -> pixels, and what is damaged in its data.

Pillow shows grey or shifted parts where libjpeg warns; simplejpeg, of the same libjpeg-turbo, tells
the warnings and gives the same pixels. So the decode that is needed anyway is done by simplejpeg,
and by Pillow where that warns or cannot.
"""

from __future__ import annotations

import re

import simplejpeg
from PIL import Image, ImageFile

__all__ = ["DAMAGED", "decode_jpeg"]

DAMAGED = "its data is damaged"  # how the note about it starts
# Not: stray bytes between segments, unusual parameters and the like, which sound cameras write
_WARNING = re.compile(r"premature end[a-z ]*|bad Huffman code|instead of RST")
_COLOURS = {"RGB": "RGB", "L": "GRAY"}


def decode_jpeg(image: ImageFile.ImageFile, data: bytes) -> tuple[Image.Image, str | None]:
    """The pixels of a JPEG that Pillow has opened, as small as it was drafted; and the damage.

    That is why parts are not what was saved, in libjpeg's words; None where all is sound, and for
    what simplejpeg does not read, CMYK among it.
    """
    what = None
    if colours := _COLOURS.get(image.mode):
        try:
            pixels = simplejpeg.decode_jpeg(
                data, colours, min_height=image.height, min_width=image.width, strict=True
            )
        except ValueError as error:
            found = _WARNING.search(str(error))
            what = found[0] if found else None
        else:
            if pixels.shape[:2] == (image.height, image.width):
                return Image.fromarray(pixels[..., 0] if image.mode == "L" else pixels), None
    image.load()
    return image, what

"""Recoding for the tests of ``encode``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cropper.image import SourceImage, from_array
from cropper.image.output import encode
from tests.image.pictures import (
    cmyk_profile,
    grey_profile,
    photo,
    swapped_profile,
    with_palette_and_alpha,
)

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"]


BOX = (10, 8, 74, 48)  # 64 x 40 px of a photo() of 96 x 64


def recoded(source: SourceImage, kind: str, box: Any = BOX, size: Any = None) -> bytes:
    return encode(source.cut(box, size), source, kind)


def pictures_of_all_modes() -> dict[str, SourceImage]:
    clear = photo().convert("RGBA")
    clear.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))))
    keyed = photo().quantize(100)
    keyed.info["transparency"] = keyed.getpixel((40, 30))
    grey16 = np.asarray(photo().convert("L")).astype(np.uint16) * 257
    images = {mode: photo().convert(mode) for mode in ("1", "L", "RGB", "CMYK", "YCbCr", "LAB")}
    images |= {"HSV": photo().convert("HSV"), "P": photo().quantize(100), "P+key": keyed}
    images |= {"RGBX": photo().convert("RGBX"), "RGBA": clear, "LA": clear.convert("LA")}
    images |= {"La": clear.convert("LA").convert("La"), "RGBa": clear.convert("RGBa")}
    images |= {"PA": with_palette_and_alpha(clear), "I;16": Image.fromarray(grey16)}
    images |= {"I": Image.fromarray(grey16.astype(np.int32))}
    images |= {"I, wide": Image.fromarray(grey16.astype(np.int32) * 100 - 5000)}
    images |= {"F": Image.fromarray(grey16.astype(np.float32) / 65535 - 0.5)}
    table = bytes(100) + bytes(range(156))
    images["P+alphas"] = photo().quantize(256)
    images["P+alphas"].info["transparency"] = table
    images["L+key"] = images["L"].copy()
    images["L+key"].info["transparency"] = images["L"].getpixel((40, 30))
    images["RGB+key"] = images["RGB"].copy()
    images["RGB+key"].info["transparency"] = images["RGB"].getpixel((40, 30))
    images["I;16+key"] = images["I;16"].copy()
    images["I;16+key"].info["transparency"] = int(grey16[30, 40])
    sources = {name: from_array(image, name) for name, image in images.items()}
    profiles = {"L": grey_profile(1.2), "LA": grey_profile(1.8), "CMYK": cmyk_profile()}
    profiles |= {"RGB": swapped_profile(), "RGBA": swapped_profile(), "P": swapped_profile()}
    for name, profile in profiles.items():
        tagged = images[name].copy()
        tagged.info["icc_profile"] = profile
        sources[f"{name}+profile"] = from_array(tagged, name)
    return sources


SOURCES = pictures_of_all_modes()


def listing(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))

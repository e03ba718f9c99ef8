"""A contact sheet: photos with their crop framed, each beside the crop itself."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from cropper.report.overlay import cropped, draw_overlay
from cropper.report.records import ReportedPhoto

__all__ = ["CELL", "draw_sheet"]

CELL = 240  # px, side of the square that a picture is fitted into
_GAP, _TEXT = 12, 15  # px
_LATIN = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"})
_PAPER, _INK, _PALE = (250, 250, 250), (30, 30, 30), (120, 120, 120)


def draw_sheet(photos: Sequence[ReportedPhoto], columns: int = 3) -> Image.Image:
    """One sheet of all photos that have a view, in their order, row by row."""
    shown = [photo for photo in photos if photo.view is not None]
    columns = max(min(columns, len(shown)), 1)
    width, height = 2 * CELL + 2 * _GAP, CELL + 2 * _TEXT + 2 * _GAP
    rows = max(-(-len(shown) // columns), 1)
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_TEXT - 2)
    for index, photo in enumerate(shown):
        x, y = _GAP + index % columns * width, _GAP + index // columns * height
        before, after = _pair(photo)
        sheet.paste(before, _centred(before, x, y))
        sheet.paste(after, _centred(after, x + CELL + _GAP // 2, y))
        name = _fitting(photo.name, 2 * CELL, font)
        draw.text((x, y + CELL + 2), name, _INK, font)
        draw.text((x, y + CELL + 2 + _TEXT), _caption(photo), _PALE, font)
    return sheet


def _pair(photo: ReportedPhoto) -> tuple[Image.Image, Image.Image]:
    view = photo.view
    assert view is not None
    crop = photo.crops[0].crop
    before = draw_overlay(view, [crop])
    before.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
    return before, cropped(view, crop, CELL)


def _centred(picture: Image.Image, x: int, y: int) -> tuple[int, int]:
    return x + (CELL - picture.width) // 2, y + (CELL - picture.height) // 2


def _caption(photo: ReportedPhoto) -> str:
    best = photo.crops[0]
    text = f"{best.label}, " + "{} x {} px".format(*best.crop.layout()[0])
    text += "" if photo.preferred is None else f", preferred by {photo.preferred:.0%}"
    return text + (", skipped" if photo.skipped else "")


def _fitting(name: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The end of a long name says more than its beginning."""
    name = _plain(name)
    if font.getlength(name) <= width:
        return name
    while len(name) > 1 and font.getlength(f"...{name}") > width:
        name = name[1:]
    return f"...{name}"


def _plain(text: str) -> str:
    """In letters that Pillow's own font has: without accents, ``?`` for those of other scripts."""
    text = unicodedata.normalize("NFKD", text.translate(_LATIN))
    letters = (letter for letter in text if not unicodedata.combining(letter))
    return "".join(letter if " " <= letter <= "~" else "?" for letter in letters)

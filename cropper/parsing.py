"""Boxes, points and what is kept, as people write them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

from cropper.boxes import Box
from cropper.errors import ConfigError
from cropper.person import Person
from cropper.request import KEPT, Point

__all__ = ["parse_box", "parse_kept", "parse_point"]


def parse_kept(
    texts: Iterable[str], people: Mapping[str, Person] | None = None
) -> tuple[str | Box | Person, ...]:
    """``keep`` as people write it: words, boxes and names of ``people``, with commas between names.

    Boxes alone are kept beside the faces. Raises ConfigError for what is none of them.
    """
    kept: list[str | Box | Person] = []
    for text in texts:
        names = [unicodedata.normalize("NFC", name.strip()) for name in text.split(",")]
        if people and all(name in people for name in names):
            kept += [people[name] for name in names]
        elif "," in text and _is_number(names[0]):
            kept.append(parse_box(text))
        elif people is not None and text not in KEPT:
            unknown = next(name for name in names if name not in people)
            told = ", ".join(people) or "nobody"
            raise ConfigError(f"{unknown or 'an empty name'} is none of the people here: {told}")
        else:
            kept.append(parse_box(text) if "," in text else text)
    boxes_alone = not any(isinstance(each, str | Person) for each in kept)
    return ("faces", *kept) if boxes_alone else tuple(kept)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def parse_box(text: str) -> Box:
    """``x,y,w,h`` -> xyxy. Raises ConfigError.

    >>> parse_box(".1,.2,.5,.25")
    (0.1, 0.2, 0.6, 0.45)
    """
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError:
        x = y = width = height = -1.0
    if not (x >= 0 and y >= 0 and width > 0 and height > 0):
        raise ConfigError(f"{text!r} is no box x,y,w,h, as in 120,80,200,200 or .1,.1,.3,.4")
    return (x, y, x + width, y + height)


def parse_point(text: str) -> Point:
    """``x,y``. Raises ConfigError."""
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"{text!r} is no point x,y, as in 640,200 or .5,.3") from None
    return x, y

"""Sizes that have a name: one table for the shell, the service and the page.

What a place asks for beyond the size is held where a request has a field for it (``keep``) and said
as ``rule`` where it has none: nothing here measures how high a head is in the crop.

Passports: travel.state.gov (photos for U.S. passports), gov.uk (printed photos for passports, 29 to
34 of 45 mm) and ICAO Doc 9303, whose 70 to 80 % most of Europe takes, on 35 x 45 mm. Their pixels
are those of 300 an inch.

>>> preset_of("story").size
(1080, 1920)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cropper.errors import ConfigError

__all__ = ["PRESETS", "Preset", "kept_by", "preset_of"]


@dataclass(frozen=True)
class Preset:
    """A size by its name."""

    name: str
    title: str
    group: str
    size: tuple[int, int]  # (width, height) of the output, px
    keep: str | None = None  # of a request; None: what it keeps anyway
    circle: bool = False  # shown in a circle, by whoever shows it: the file has its corners
    rule: str = ""  # what is asked beyond it and not held, for people to read

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON fields."""
        return {
            "name": self.name,
            "title": self.title,
            "group": self.group,
            "size": list(self.size),
            "keep": self.keep,
            "circle": self.circle,
            "rule": self.rule,
        }


_POSTS, _WIDE, _FACE = "Posts and stories", "Screens, links and banners", "Faces"


def _passport(name: str, title: str, size: tuple[int, int], head: str) -> Preset:
    rule = f"the head, from chin to crown, is {head} of the height: not held, check it yourself"
    return Preset(name, title, _FACE, size, keep="largest", rule=rule)


PRESETS = (
    Preset("square", "Square post", _POSTS, (1080, 1080)),
    Preset("post", "Post 4:5", _POSTS, (1080, 1350)),
    Preset("story", "Story 9:16", _POSTS, (1080, 1920)),
    Preset("screen", "Screen 16:9", _WIDE, (1920, 1080)),
    Preset("thumbnail", "Thumbnail 16:9", _WIDE, (1280, 720)),
    Preset("link", "Link card 1.91:1", _WIDE, (1200, 630)),
    Preset("banner", "Banner 3:1", _WIDE, (1500, 500)),
    Preset("cover", "Cover 4:1", _WIDE, (1584, 396)),
    Preset("avatar", "Avatar, round", _FACE, (400, 400), keep="largest", circle=True),
    _passport("passport", "Passport 35 x 45 mm", (413, 531), "70 to 80 %"),
    _passport("passport-uk", "Passport UK, 35 x 45 mm", (413, 531), "64 to 76 %"),
    _passport("passport-us", "Passport US, 2 x 2 in", (600, 600), "50 to 69 %"),
)


def preset_of(name: str) -> Preset:
    """Raises ConfigError for a name that is none."""
    for each in PRESETS:
        if each.name == name:
            return each
    told = ", ".join(each.name for each in PRESETS)
    raise ConfigError(f"`preset` is one of {told}, got {name!r}")


def kept_by(presets: Sequence[Preset]) -> str | None:
    """What these presets keep, all together. Raises ConfigError where they differ."""
    kept = {each.keep for each in presets}
    if len(kept) > 1:
        names = ", ".join(each.name for each in presets if each.keep)
        raise ConfigError(
            f"`preset` {names} keeps the largest face alone and others do not: run them apart, or "
            "say what to `keep`"
        )
    return kept.pop() if kept else None

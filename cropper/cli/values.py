"""Values of options as the library takes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cropper.errors import ConfigError

if TYPE_CHECKING:
    from cropper.request import CropRequest
    from cropper.style import CropStyle

__all__ = ["parse_boxes", "parse_pair", "parse_pixels", "parse_point", "parse_size"]
__all__ += ["take_presets", "take_request", "take_style"]


def parse_size(_: click.Context, __: click.Parameter, value: Any) -> Any:
    """A callback: ``WxH`` -> (W, H); a tuple of them where the option may be repeated."""
    if value is None:
        return None
    if isinstance(value, tuple):
        return tuple(_size(text) for text in value)
    return _size(value)


def take_request(options: dict[str, Any]) -> CropRequest:
    """The request among a command's options, which are left without it."""
    from cropper.request import CropRequest  # noqa: PLC0415 - numpy and pillow

    options["keep"] = _kept(options.pop("keep"), options.pop("people"), options.pop("keep_person"))
    names = CropRequest.__dataclass_fields__.keys() & options.keys()
    return CropRequest(**{name: options.pop(name) for name in names})


def take_style(options: dict[str, Any]) -> CropStyle | None:
    """The style of crops among a command's options, which are left without it."""
    from cropper.style import CropStyle, StyleConfig  # noqa: PLC0415 - numpy and pillow

    like = options.pop("style")
    given = {name: options.pop(f"style_{name}") for name in ("strength", "size", "steps")}
    backbone = options.pop("style_backbone")
    given = {name: value for name, value in given.items() if value is not None}
    if like is None:
        for name in [*given, *(["backbone"] if backbone else [])]:
            raise ConfigError(f"`style_{name}` is about the picture of `style`: add that")
        return None
    return CropStyle(like, backbone or "trunk", StyleConfig(**given))


def take_presets(
    options: dict[str, Any], names: Sequence[str], *, quiet: bool
) -> tuple[tuple[int, int], ...]:
    """The sizes of presets by their names; ``keep`` is theirs where the command gives none."""
    from cropper.console import say  # noqa: PLC0415 - numpy and pillow
    from cropper.presets import kept_by, preset_of  # noqa: PLC0415

    presets = [preset_of(name) for name in names]
    for preset in presets:
        if preset.rule and not quiet:
            say(f"note: {preset.name}: {preset.rule}")
    kept = None if options["keep"] else kept_by(presets)
    if kept and not (options["people"] or options["keep_person"]):
        options["keep"] = (kept,)
    return tuple(preset.size for preset in presets)


def _size(text: str) -> tuple[int, int]:
    return parse_pair(
        text, "([1-9][0-9]{0,5})[xX]([1-9][0-9]{0,5})", "a size in pixels, as in 1080x1350"
    )


def parse_pair(text: str, pattern: str, what: str) -> tuple[int, int]:
    """Two numbers, the groups of a pattern. Raises BadParameter for what is not ``what``."""
    match = re.fullmatch(pattern, text)
    if not match:
        raise click.BadParameter(f"{text!r} is not {what}")
    return int(match[1]), int(match[2])


def parse_pixels(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    """A callback: a count of pixels, or ``WxH`` -> W * H."""
    if text is None:
        return None
    if re.fullmatch("[1-9][0-9]{0,11}", text):
        return int(text)
    width, height = _size(text)
    return width * height


def _read(parse: str, value: Any) -> Any:
    """``value`` by a function of ``cropper.parsing``, its errors as the shell's own."""
    from cropper import parsing  # noqa: PLC0415 - numpy and pillow

    try:
        return getattr(parsing, parse)(value)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from None


def _kept(texts: tuple[str, ...], people: Path | None, photos: tuple[Path, ...]) -> tuple[Any, ...]:
    """What ``--keep`` says, with the people that it names and those of ``--keep-person``."""
    from cropper.parsing import parse_kept  # noqa: PLC0415 - numpy and pillow

    if people is None and not photos:
        return parse_kept(texts) if texts else ("faces",)
    from cropper.console import say  # noqa: PLC0415
    from cropper.identity import KnownPeople, people_of  # noqa: PLC0415
    from cropper.person import Person  # noqa: PLC0415

    known = {person.name: person for person in KnownPeople.at(people, say)} if people else {}
    kept = parse_kept(texts, known if people else None) if texts else ()
    if people and not known.keys() & {getattr(what, "name", "") for what in kept}:
        raise ConfigError("`people` are known, and none of them is to be kept: add `keep=NAME`")
    named = [what for what in kept if isinstance(what, Person)]
    others = [x for x in kept if x not in named and (x != "faces" or "faces" in texts)]
    return (*others, *people_of(photos, named))


def parse_boxes(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[Any, ...]:
    """A callback: boxes."""
    return tuple(_read("parse_box", text) for text in texts)


def parse_point(_: click.Context, __: click.Parameter, text: str | None) -> Any:
    """A callback: a point."""
    return None if text is None else _read("parse_point", text)

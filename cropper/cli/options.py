"""Options that several commands share, written once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cropper.errors import ConfigError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from cropper.request import CropRequest
    from cropper.style import CropStyle

__all__ = ["Command", "add_options", "find_options", "method_options", "output_options"]
__all__ += ["complete_preset", "complete_scorer", "mpixels_option", "parse_size", "style_options"]
__all__ += ["take_presets", "take_request", "take_style", "treatment_options"]

Command = TypeVar("Command", bound=Callable[..., Any])


def mpixels_option(most: float) -> Callable[[Command], Command]:
    """``--max-mpixels``, whose default is ``most``."""
    return click.option(
        "--max-mpixels",
        type=click.FloatRange(0, min_open=True),
        default=most,
        show_default=True,
        help="Refuse larger pictures, before decoding.",
    )


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
    match = re.fullmatch(r"([1-9][0-9]{0,5})[xX]([1-9][0-9]{0,5})", text)
    if not match:
        raise click.BadParameter(f"{text!r} is not a size in pixels, as in 1080x1350")
    return int(match[1]), int(match[2])


def _pixels(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    if re.fullmatch("[1-9][0-9]{0,11}", text):
        return int(text)
    width, height = _size(text)
    return width * height


def _read(parse: str, value: Any) -> Any:
    """``value`` by a function of ``cropper.request``, its errors as the shell's own."""
    from cropper import request  # noqa: PLC0415 - numpy and pillow

    try:
        return getattr(request, parse)(value)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from None


def _kept(texts: tuple[str, ...], people: Path | None, photos: tuple[Path, ...]) -> tuple[Any, ...]:
    """What ``--keep`` says, with the people that it names and those of ``--keep-person``."""
    from cropper.request import parse_kept  # noqa: PLC0415 - numpy and pillow

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


def _boxes(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(_read("parse_box", text) for text in texts)


def _point(_: click.Context, __: click.Parameter, text: str | None) -> Any:
    return None if text is None else _read("parse_point", text)


def complete_preset(_: click.Context, __: click.Parameter, text: str) -> list[str]:
    """Names for a shell that asks how a value goes on."""
    from cropper.presets import PRESETS  # noqa: PLC0415 - as all commands

    return [each.name for each in PRESETS if each.name.startswith(text)]


def complete_filter(_: click.Context, __: click.Parameter, text: str) -> list[str]:
    """The same of filters."""
    from cropper.tone import BEST, FILTERS  # noqa: PLC0415

    return [name for name in (*FILTERS, BEST) if name.startswith(text)]


def complete_scorer(_: click.Context, __: click.Parameter, text: str) -> list[CompletionItem]:
    """The same of scorers, and files where no name goes on so."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - asked for by shells alone

    from cropper.scorers import scorer_names  # noqa: PLC0415 - numpy

    names = [CompletionItem(name) for name in scorer_names() if name.startswith(text)]
    return names or [CompletionItem(text, type="file")]


_METHOD = (
    click.option(
        "--method",
        type=click.Choice(["search", "stn", "localizer", "search+stn"]),
        default="search",
        show_default=True,
        help="search: boxes. stn: affine crops, which may be turned, by ascent from a few starts; "
        "search+stn: from the search's winners; localizer: in one pass of a learned transformer.",
    ),
    click.option("--shear", is_flag=True, help="Crops that may be turned may also be sheared."),
    click.option(
        "--localizer",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Weights for --method localizer, of `cropper train localizer`.",
    ),
)
_TREATMENT = (
    click.option(
        "--fit",
        type=click.Choice(["crop", "pad", "blur", "extend"]),
        default="crop",
        show_default=True,
        help="Where the shape would cut what is kept, keep it whole and fill the shape around it: "
        "pad with --background, blur with the crop itself, enlarged and blurred, extend with "
        "its edge pixels, for plain backgrounds.",
    ),
    click.option(
        "--background",
        default="white",
        show_default=True,
        metavar="COLOUR",
        help="Of --fit pad: a name, or #rrggbb.",
    ),
    click.option(
        "--straighten",
        type=click.Choice(["crop", "only"]),
        metavar="[only]",
        help="Turn a photo level, where it is surely tilted, and crop it; 'only' keeps as much of "
        "it as there is.",
    ),
    click.option(
        "--angle",
        type=click.FloatRange(-45, 45),
        default=0.0,
        metavar="DEGREES",
        help="Turn crops by this, clockwise: level, where the photo is tilted clockwise by it.",
    ),
    click.option(
        "--orient",
        is_flag=True,
        help="Set a photo upright that surely lies on a side or on its head, where its EXIF does "
        "not say so, or wrongly.",
    ),
    click.option(
        "--filter",
        shell_complete=complete_filter,
        metavar="NAME|best",
        help="Change the crop: fade, black-and-white, warm, low-contrast or border, less of it as "
        "in fade:0.5; best: what the scorer of selfies likes best, within bounds, if any.",
    ),
)
_FIND = (
    click.option(
        "--min-scale",
        type=float,
        default=0.5,
        show_default=True,
        help="Smallest crop, as a fraction of the largest box of its aspect.",
    ),
    click.option("--max-scale", type=float, default=1.0, show_default=True, help="Largest crop."),
    click.option(
        "--min-pixels",
        callback=_pixels,
        metavar="N|WxH",
        help="Refuse a photo whose crops of this shape all have fewer pixels.",
    ),
    click.option(
        "--no-enlarge",
        is_flag=True,
        help="Refuse a photo whose crops of this shape are all smaller than --size.",
    ),
    click.option(
        "--keep",
        multiple=True,
        metavar="faces|largest|none|BOX|NAME",
        help="What no crop may cut: heads with their hair (default: those of a group), the largest "
        "alone, boxes x,y,w,h in pixels or fractions, or people of --people; repeatable.",
    ),
    click.option(
        "--people",
        type=click.Path(exists=True, path_type=Path),
        metavar="DIR|FILE",
        help="Whom --keep may name: a folder that holds a folder a person, or a file of `cropper "
        "faces learn`.",
    ),
    click.option(
        "--keep-person",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        multiple=True,
        metavar="PHOTO",
        help="Keep the head of whoever PHOTO shows, and let others go; repeatable.",
    ),
    click.option(
        "--if-absent",
        type=click.Choice(["crop", "skip", "copy"]),
        default="crop",
        show_default=True,
        help="What is done with a photo that shows nobody of those people: crop it as if none had "
        "been named, skip it, or copy the whole of it.",
    ),
    click.option(
        "--avoid",
        multiple=True,
        callback=_boxes,
        metavar="BOX",
        help="A box x,y,w,h to leave out; repeatable.",
    ),
    click.option(
        "--focus",
        callback=_point,
        metavar="X,Y",
        help="A point, in pixels or fractions, that lies in the middle half of the crop, as far as "
        "the photo's edges allow.",
    ),
    *_TREATMENT,
    click.option("--top-k", type=click.IntRange(1, 100), default=1, show_default=True, metavar="N"),
    click.option(
        "--scorer",
        shell_complete=complete_scorer,
        default="cropnet",
        show_default=True,
        metavar="NAME|FILE",
        help="A name from `cropper scorers`, or a .safetensors checkpoint.",
    ),
    click.option(
        "--strategy",
        type=click.Choice(["grid", "random", "halving"]),
        help="halving (default): coarse to fine. grid: exhaustive. random: as in 2015.",
    ),
    click.option(
        "--budget",
        type=click.IntRange(1),
        metavar="N",
        help="Crops scored at most. Default: 300, or 1000 if the aspect is free; 10,000 for "
        "another strategy; 500 where each is a network pass.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Of random draws.",
    ),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto"),
)
_STYLE = (
    click.option(
        "--style",
        type=click.Path(exists=True, dir_okay=False, path_type=Path, resolve_path=True),
        metavar="PICTURE",
        help="Paint each crop in the manner of a picture, as `cropper style` does: minutes a crop.",
    ),
    click.option(
        "--style-strength",
        type=click.FloatRange(0),
        metavar="X",
        help="10 is a filter, 20 (default) has strokes, 100 is a repainting.",
    ),
    click.option(
        "--style-size",
        type=click.IntRange(32, 8192),
        metavar="PX",
        help="Long side at which a crop is painted; without --size it is written so.  "
        "[default: 512]",
    ),
    click.option(
        "--style-steps",
        type=click.IntRange(1, 100_000),
        metavar="N",
        help="At the coarsest size; each finer one takes half as many.  [default: 100]",
    ),
    click.option(
        "--style-backbone",
        metavar="trunk|vgg19|vgg16|FILE",
        help="The network, as that of `cropper style`.  [default: trunk]",
    ),
)
_FORMATS = ("jpeg", "jpg", "png", "webp", "avif", "heic", "tiff", "tif", "gif", "bmp")
_OUTPUT = (
    click.option(
        "--format",
        type=click.Choice(_FORMATS, case_sensitive=False),
        help="Of the crops: {ext} in -o ends so. Default: what their names say, else the photo's.",
    ),
    click.option(
        "--quality",
        type=click.IntRange(1, 100),
        default=92,
        show_default=True,
        help="Of JPEG, WebP, AVIF and HEIC.",
    ),
    click.option(
        "--strip",
        is_flag=True,
        help="Leave out camera, time, position, names and captions (Exif, IPTC); the colour "
        "profile and the resolution stay.",
    ),
    click.option(
        "--linear",
        is_flag=True,
        help="Resize to --size in linear light: fine bright detail keeps its brightness. Slower.",
    ),
    click.option(
        "--json", "as_json", is_flag=True, help="One JSON object a line on standard output."
    ),
    click.option("--overwrite", is_flag=True, help="Replace outputs that exist."),
    mpixels_option(200),
    click.option(
        "--max-fetch-mb",
        type=click.FloatRange(0, min_open=True),
        default=200,
        show_default=True,
        metavar="MB",
        help="Refuse larger files that are fetched from a URL.",
    ),
    click.option(
        "--strict",
        is_flag=True,
        help="Refuse JPEGs with damaged data, of which decoders show something.",
    ),
    click.option(
        "--no-fsync",
        is_flag=True,
        help="Do not wait until files are on the disk: for file systems that cannot say so.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="Only errors on standard error."),
    click.option("-v", "--verbose", is_flag=True, help="Also how each crop was found."),
)


def method_options(command: Command) -> Command:
    """How crops are found."""
    return add_options(command, _METHOD)


def find_options(command: Command) -> Command:
    """How crops are searched and judged."""
    return add_options(command, _FIND)


def treatment_options(command: Command) -> Command:
    """What is done to a crop, or to the photo before."""
    return add_options(command, _TREATMENT)


def style_options(command: Command) -> Command:
    """Crops in the manner of a picture."""
    return add_options(command, _STYLE)


def output_options(command: Command) -> Command:
    """How crops are written and told about."""
    return add_options(command, _OUTPUT)


def add_options(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    """The options in their order, before those that the command has."""
    for option in reversed(options):
        command = option(command)
    return command

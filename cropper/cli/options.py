"""Options that several commands share, written once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cropper.cli.completion import complete_filter, complete_scorer
from cropper.cli.values import parse_boxes, parse_pixels, parse_point

__all__ = ["Command", "add_options", "find_options", "method_options", "mpixels_option"]
__all__ += ["output_options", "style_options", "treatment_options"]

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
        callback=parse_pixels,
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
        callback=parse_boxes,
        metavar="BOX",
        help="A box x,y,w,h to leave out; repeatable.",
    ),
    click.option(
        "--focus",
        callback=parse_point,
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

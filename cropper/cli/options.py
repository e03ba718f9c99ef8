"""Options that several commands share, written once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cropper.cli.completion import complete_filter, complete_scorer
from cropper.cli.values import parse_boxes, parse_pixels, parse_point

__all__ = ["ABOVE_0", "COUNT", "DEVICE", "FILE", "FOLDER", "JSON", "JSON_LINES", "NEW_FILE"]
__all__ += ["NEW_FOLDER", "QUALITY", "SEED", "Command", "bundle", "find_options"]
__all__ += ["megabytes_option", "method_options", "mpixels_option", "output_options"]
__all__ += ["overwrite_option", "queue_option", "scorer_option", "style_options"]
__all__ += ["time_limit_option", "treatment_options"]

Command = TypeVar("Command", bound=Callable[..., Any])

# Types of values; NEW_FILE and NEW_FOLDER need not be there
ABOVE_0 = click.FloatRange(0, min_open=True)
COUNT = click.IntRange(1)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)

DEVICE = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=False
)
JSON = click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
JSON_LINES = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
QUALITY = click.option("--quality", type=click.IntRange(1, 100), default=90)  # of a sheet
SEED = click.option("--seed", type=click.IntRange(0), default=0)


def bundle(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """A decorator: the options in their order, before those that the command has."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def mpixels_option(most: float) -> Callable[[Command], Command]:
    """``--max-mpixels``, whose default is ``most``."""
    told = "Refuse larger pictures, before decoding."
    return click.option("--max-mpixels", type=ABOVE_0, default=most, help=told)


def megabytes_option(name: str, most: float, told: str) -> Callable[[Command], Command]:
    """An option of that name for the size of a file; ``told`` is its help."""
    return click.option(name, type=ABOVE_0, default=most, help=told)


def queue_option(most: int, told: str) -> Callable[[Command], Command]:
    """``--queue``; ``told`` is its help."""
    return click.option("--queue", type=COUNT, default=most, metavar="N", help=told)


def overwrite_option(what: str) -> Callable[[Command], Command]:
    """``--overwrite``; ``what`` is replaced."""
    return click.option("--overwrite", is_flag=True, help=f"Replace {what}.")


def scorer_option(default: str | None = "cropnet", told: str = "") -> Callable[[Command], Command]:
    """``--scorer``; ``told`` is its help."""
    return click.option(
        "--scorer",
        shell_complete=complete_scorer,
        default=default,
        metavar="NAME|FILE",
        help=told or None,
    )


def time_limit_option(seconds: float, told: str) -> Callable[[Command], Command]:
    """``--time-limit``; ``told`` is its help."""
    return click.option("--time-limit", type=ABOVE_0, default=seconds, metavar="SECONDS", help=told)


# How crops are found
method_options = bundle(
    click.option(
        "--method",
        type=click.Choice(["search", "stn", "localizer", "search+stn"]),
        default="search",
        help="search: boxes. stn: affine crops, which may be turned, by ascent from a few starts; "
        "search+stn: from the search's winners; localizer: in one pass of a learned transformer.",
    ),
    click.option("--shear", is_flag=True, help="Crops that may be turned may also be sheared."),
    click.option(
        "--localizer",
        type=FILE,
        help="Weights for --method localizer, of `cropper train localizer`.",
    ),
)
# What is done to a crop, or to the photo before
treatment_options = bundle(
    click.option(
        "--fit",
        type=click.Choice(["crop", "pad", "blur", "extend"]),
        default="crop",
        help="Where the shape would cut what is kept, keep it whole and fill the shape around it: "
        "pad with --background, blur with the crop itself, enlarged and blurred, extend with "
        "its edge pixels, for plain backgrounds.",
    ),
    click.option(
        "--background",
        default="white",
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
        show_default=False,
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
# How crops are searched and judged
find_options = bundle(
    click.option(
        "--min-scale",
        type=float,
        default=0.5,
        help="Smallest crop, as a fraction of the largest box of its aspect.",
    ),
    click.option("--max-scale", type=float, default=1.0, help="Largest crop."),
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
        type=FILE,
        multiple=True,
        metavar="PHOTO",
        help="Keep the head of whoever PHOTO shows, and let others go; repeatable.",
    ),
    click.option(
        "--if-absent",
        type=click.Choice(["crop", "skip", "copy"]),
        default="crop",
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
    treatment_options,
    click.option("--top-k", type=click.IntRange(1, 100), default=1, metavar="N"),
    scorer_option(told="A name from `cropper scorers`, or a .safetensors checkpoint."),
    click.option(
        "--strategy",
        type=click.Choice(["grid", "random", "halving"]),
        help="halving (default): coarse to fine. grid: exhaustive. random: as in 2015.",
    ),
    click.option(
        "--budget",
        type=COUNT,
        metavar="N",
        help="Crops scored at most. Default: 300, or 1000 if the aspect is free; 10,000 for "
        "another strategy; 500 where each is a network pass.",
    ),
    click.option("--seed", type=click.IntRange(0), default=0, help="Of random draws."),
    DEVICE,
)
# Crops in the manner of a picture
style_options = bundle(
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
# How crops are written and told about
output_options = bundle(
    click.option(
        "--format",
        type=click.Choice(_FORMATS, case_sensitive=False),
        help="Of the crops: {ext} in -o ends so. Default: what their names say, else the photo's.",
    ),
    click.option(
        "--quality",
        type=click.IntRange(1, 100),
        default=92,
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
    overwrite_option("outputs that exist"),
    mpixels_option(200),
    click.option(
        "--max-fetch-mb",
        type=ABOVE_0,
        default=200,
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

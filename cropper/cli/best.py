"""``cropper best`` on the shell."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from cropper.cli.group import EXIT_CODES, main

__all__ = ["best"]


def _size(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,5})[xX]([1-9][0-9]{0,5})", value)
    if not match:
        raise click.BadParameter(f"{value!r} is not a size in pixels, as in 1080x1350")
    return int(match[1]), int(match[2])


@main.command(
    epilog="""
\b
Examples:
  cropper best photo.jpg                         -> photo-best.jpg
  cropper best photo.jpg --aspect 4:5 -o out.jpg
  cropper best *.jpg --size 512x512 -o 'thumbs/{stem}.jpg'
  cropper best photo.jpg --top-k 3 --aspect free --overlay why.jpg
  cat photo.jpg | cropper best - > cropped.jpg
"""
    + EXIT_CODES
)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="OUT|TEMPLATE",
    help="File, folder, '-' for standard output, or a template with {dir} {stem} {ext} {rank} "
    "{aspect}. Default: {dir}/{stem}-best{ext}, and standard output for standard input.",
)
@click.option(
    "--aspect",
    metavar="original|W:H|free",
    help="Width to height of the crop; 'free' tries 1:2 to 2:1. Default: that of --size, else "
    "original.",
)
@click.option("--size", callback=_size, metavar="WxH", help="Exact size of the output in pixels.")
@click.option(
    "--min-scale",
    type=float,
    default=0.5,
    show_default=True,
    help="Smallest crop, as a fraction of the largest box of its aspect.",
)
@click.option("--max-scale", type=float, default=1.0, show_default=True, help="Largest crop.")
@click.option("--top-k", type=click.IntRange(1, 100), default=1, show_default=True, metavar="N")
@click.option(
    "--scorer",
    default="cropnet",
    show_default=True,
    metavar="NAME|FILE",
    help="A name from `cropper scorers`, or a .safetensors checkpoint.",
)
@click.option(
    "--method",
    type=click.Choice(["search", "stn", "localizer", "search+stn"]),
    default="search",
    show_default=True,
    help="search: boxes. stn: affine crops, which may be turned, by ascent from a few starts; "
    "search+stn: from the search's winners; localizer: in one pass of a learned transformer.",
)
@click.option(
    "--localizer",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Weights for --method localizer, of `cropper train localizer`.",
)
@click.option(
    "--strategy",
    type=click.Choice(["grid", "random", "halving"]),
    help="Default: grid; halving for a scorer that runs a network on each crop.",
)
@click.option("--budget", type=click.IntRange(1), metavar="N", help="Crops scored at most.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of --strategy random and of the transformers.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option(
    "--overlay",
    metavar="FILE|TEMPLATE",
    help="Also draw the crop, the runners-up and a heat map of the score over position.",
)
@click.option("--quality", type=click.IntRange(1, 100), default=92, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on standard output.")
@click.option("--dry-run", is_flag=True, help="Find crops and write nothing.")
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@click.option(
    "--max-mpixels",
    type=click.FloatRange(0, min_open=True),
    default=200,
    show_default=True,
    help="Refuse larger pictures, before decoding.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only errors on standard error.")
@click.option("-v", "--verbose", is_flag=True, help="Also how each crop was found.")
def best(inputs: tuple[str, ...], **options: Any) -> None:
    """Write the best crop of each IN, beside it unless -o says where. '-' is standard input."""
    from cropper.best import BestOptions, crop_files  # noqa: PLC0415 - numpy and pillow

    code = crop_files(inputs, BestOptions(**options))
    if code:
        raise SystemExit(code)

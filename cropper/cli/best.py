"""``cropper best`` on the shell."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import Any

import click

from cropper.cli.completion import complete_preset
from cropper.cli.group import EXIT_CODES, main, threads_option
from cropper.cli.options import (
    find_options,
    method_options,
    output_options,
    style_options,
    time_limit_option,
)
from cropper.cli.values import parse_size, take_presets, take_request, take_style
from cropper.errors import ConfigError
from cropper.progress import progress

__all__ = ["best"]


@main.command(
    epilog="""
\b
Examples:
  cropper best photo.jpg                         -> photo-best.jpg
  cropper best photo.jpg --aspect 4:5 -o out.jpg
  cropper best *.jpg --size 512x512 -o 'thumbs/{stem}.jpg'
  cropper best me.jpg --preset avatar
  cropper best photo.jpg --style painting.jpg -o painted.jpg
  cropper best photo.jpg --top-k 3 --aspect free --overlay why.jpg
  cat photo.jpg | cropper best - > cropped.jpg
  cropper best https://host/photo.jpg            -> photo-best.jpg here
  cropper best s3://bucket/a.jpg -o s3://bucket/b.jpg
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
@click.option(
    "--size",
    callback=parse_size,
    metavar="WxH",
    help="Exact size of the output in pixels.",
)
@click.option(
    "--preset",
    shell_complete=complete_preset,
    metavar="NAME",
    help="A size by its name, from `cropper presets`.",
)
@method_options
@find_options
@style_options
@click.option(
    "--overlay",
    metavar="FILE|TEMPLATE",
    help="Also draw the crop, the runners-up and a heat map of the score over position.",
)
@time_limit_option(120.0, "For each fetch and put of a URL.")
@click.option("--dry-run", is_flag=True, help="Find crops and write nothing.")
@click.option(
    "--skip-existing",
    is_flag=True,
    help="Leave outputs that are there; pass over photos that have all of theirs.",
)
@output_options
@threads_option
def best(inputs: tuple[str, ...], preset: str | None, **options: Any) -> int:
    """Write the best crop of each IN, beside it unless -o says where. '-' is standard input.

    IN and OUT may be URLs; the crop of one goes to the current folder unless -o says where.
    """
    from cropper.best import BestOptions, crop_files  # noqa: PLC0415 - numpy and pillow

    if preset is not None:
        if options["aspect"] or options["size"]:
            raise ConfigError("`preset` is a size: leave `aspect` and `size` out")
        (options["size"],) = take_presets(options, [preset], quiet=options["quiet"])
    shows = partial(progress, "steps") if options["style"] and not options["quiet"] else nullcontext
    style = take_style(options)
    return crop_files(inputs, BestOptions(take_request(options), style=style, **options), shows)

"""``cropper style`` on the shell."""

from __future__ import annotations

from typing import Any

import click

from cropper.cli.group import EXIT_CODES, main, threads_option
from cropper.cli.options import COUNT, NEW_FILE, NEW_FOLDER, mpixels_option, overwrite_option
from cropper.errors import extra
from cropper.progress import progress

__all__ = ["style_command"]


@main.command(
    "style",
    epilog="""
\b
Examples:
  cropper style photo.jpg --like painting.jpg -o out.jpg
  cropper style photo.jpg --like painting.jpg -o out.jpg --backbone vgg19 --keep-colours
  cropper style photo.jpg --like painting.jpg -o big.jpg --size 1024 --frames steps/
  cropper style photo.jpg --like painting.jpg -o big.jpg --start steps/00100.png

The strength weighs the style's cost against the content's, each a share of its target's own energy:
10 is a filter, 100 a repainting. Ctrl-C ends it with the picture that it has reached.
"""
    + EXIT_CODES,
)
@click.argument("photo", metavar="PHOTO")
@click.option("--like", required=True, metavar="PICTURE", help="Whose style it takes.")
@click.option("-o", "--output", type=NEW_FILE, required=True, metavar="FILE")
@click.option("--strength", type=click.FloatRange(0), default=20)
@click.option(
    "--size",
    type=click.IntRange(32, 8192),
    default=512,
    help="Long side, px; the photo is not enlarged. Refused where that memory is not free.",
)
@click.option(
    "--steps",
    type=click.IntRange(1, 100_000),
    default=100,
    help="At the coarsest size; each finer one takes half as many.",
)
@click.option(
    "--start",
    default="photo",
    metavar="photo|noise|FILE",
    help="What is changed: the photo itself, noise, or a frame of an earlier run.",
)
@click.option("--keep-colours", is_flag=True, help="Only brightness takes the style.")
@click.option(
    "--backbone",
    default="trunk",
    metavar="trunk|vgg19|vgg16|FILE",
    help="The network: the package's own, which changes textures more than colours; torchvision's "
    "vgg19 or vgg16, which it fetches once over the network (550 MB); or a VGG's .safetensors in "
    "Caffe's layout.",
)
@click.option("--layers", default="", show_default=False, metavar="L,L", help="Whose style counts.")
@click.option("--content-layer", metavar="L", help="Whose features keep the content.")
@click.option(
    "--optimizer", type=click.Choice(["lbfgs", "adam"]), default="lbfgs", show_default=False
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=False, help="Of the noise.")
@click.option("--frames", type=NEW_FOLDER, metavar="DIR", help="Keep steps.")
@click.option("--every", type=COUNT, default=10, metavar="STEPS")
@click.option("--plot", type=NEW_FILE, metavar="FILE", help="The costs over the steps, drawn.")
@click.option("--quality", type=click.IntRange(1, 100), default=92)
@mpixels_option(200)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@overwrite_option("outputs that exist")
@threads_option
def style_command(photo: str, layers: str, **options: Any) -> None:
    """Repaint PHOTO in the style of another picture (Gatys, Ecker and Bethge 2016)."""
    with extra("torch"):
        from cropper.style import StyleConfig  # noqa: PLC0415 - torch
        from cropper.style.command import StyleOptions, style  # noqa: PLC0415

    names = StyleConfig.__dataclass_fields__.keys() & options.keys()
    config = StyleConfig(
        layers=tuple(name.strip() for name in layers.split(",") if name.strip()),
        **{name: options.pop(name) for name in names},
    )
    with progress("steps", shares_terminal=False) as show:
        style(photo, StyleOptions(config=config, **options), show)

"""The shell: click commands over the library. Heavy imports stay inside the commands.

Exit codes are a stable interface: 0 all done, 1 some files failed and the rest is done, 2 usage or
configuration, 3 missing model or extra, 4 no input pictures, 5 cannot write, 130 interrupted.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from cropper.errors import CropperError

__all__ = ["main"]

_EXIT_CODES = """
\b
Exit codes: 0 all done; 1 some files failed, the rest is done; 2 usage;
3 missing model or extra; 4 no input pictures; 5 cannot write; 130 interrupted.
"""


class _Group(click.Group):
    """Turns the library's errors into one line and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CropperError as error:
            click.echo(f"cropper: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("cropper: interrupted", err=True)
            ctx.exit(130)


def _size(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,5})[xX]([1-9][0-9]{0,5})", value)
    if not match:
        raise click.BadParameter(f"{value!r} is not a size in pixels, as in 1080x1350")
    return int(match[1]), int(match[2])


@click.group(cls=_Group, epilog=_EXIT_CODES, context_settings={"max_content_width": 100})
@click.version_option(package_name="cropper", prog_name="cropper")
def main() -> None:
    """Find the crop of a photo that people like best."""


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
    + _EXIT_CODES
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
    help="Of --strategy random.",
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


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def scorers(as_json: bool) -> None:
    """List the scorers that --scorer takes by name."""
    from cropper.scorers import describe_scorers  # noqa: PLC0415 - numpy

    for line in describe_scorers(as_json):
        click.echo(line)


@main.group()
def train() -> None:
    """Train scorers."""


@train.command("crops")
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder with annotations.json ({image, split, box, pairs}) and images/.",
)
@click.option(
    "--trunk",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Weights to start from. For cropnet: MobileNetV2, default DATA/../weights/"
    "mobilenet_v2_imagenet.safetensors. For convnet: a cropnet, default the package's.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/crops"),
    show_default=True,
    help="Folder for the weights, the log and the state to continue from.",
)
@click.option("--model", type=click.Choice(["cropnet", "convnet"]), default="cropnet")
@click.option("--epochs", type=click.IntRange(1), help="Default: the recipe's.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--limit", type=click.IntRange(1), help="Only this many pictures of each split.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
def train_crops_command(
    data: Path, trunk: Path | None, model: str, epochs: int | None, seed: int, **options: Any
) -> None:
    """Train a scorer from human crop judgments: cropnet, or convnet on cropnet's trunk.

    Run the same command again after a cut: cropnet continues after its last whole epoch.
    """
    from cropper.train import train_from_crops  # noqa: PLC0415 - torch

    train_from_crops(
        model, data, trunk, epochs=epochs, seed=seed, log=partial(click.echo, err=True), **options
    )


if __name__ == "__main__":
    sys.exit(main())

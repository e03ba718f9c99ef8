"""``cropper see`` on the shell."""

from __future__ import annotations

from typing import Any

import click

from cropper.cli.group import EXIT_CODES, main, threads_option
from cropper.cli.options import JSON, NEW_FILE, QUALITY, overwrite_option, scorer_option
from cropper.errors import ConfigError, extra
from cropper.progress import progress

__all__ = ["see_command"]


@main.command(
    "see",
    epilog="""
\b
Examples:
  cropper see photo.jpg --why -o why.jpg
  cropper see photo.jpg --why --by gradients -o why.jpg
  cropper see photos/ --layer block13 --units 12 -o units.jpg
  cropper see photos/ --scorer cropnet --report layers.html

The first blurs one part of the photo after another and shows, bright, where the best crop's score
falls most. The second shows what each part brings to it over the blurred photo; these numbers add
up. The third has a row for each unit that stands out: the nine photos' parts that excite it most,
as large as it looks. The fourth is a page of all layers.
"""
    + EXIT_CODES,
)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=NEW_FILE,
    metavar="FILE",
    help="A sheet of one layer; with --why the overlay.",
)
@click.option(
    "--report",
    type=NEW_FILE,
    metavar="FILE.html",
    help="Instead of -o: a page of all layers.",
)
@click.option("--why", is_flag=True, help="What the score of one photo's best crop hangs on.")
@click.option(
    "--by",
    type=click.Choice(["occlusion", "gradients"]),
    help="With --why: blur one part after another, or integrate gradients on the way from the "
    "blurred photo.  [default: occlusion]",
)
@click.option(
    "--steps",
    type=click.IntRange(1, 10_000),
    help="With --by gradients: of the way, each a pass of the network.  [default: 64]",
)
@click.option("--aspect", help="With --why: of the crop, W:H, original, free.")
@click.option(
    "--layer",
    metavar="NAME",
    help="block0 to block17 of the trunk; of cropnet also fused, the map that its head reads.  "
    "[default: block6; all with --report]",
)
@click.option("--units", type=click.IntRange(1, 1000), help="Units of a layer.  [default: 9]")
@click.option("--top", type=click.IntRange(1, 100), help="Patches of a unit.  [default: 9]")
@click.option("--tile", type=click.IntRange(16, 512), help="px of a patch.  [default: 96]")
@scorer_option(None, "[default: convnet; with --why cropnet]")
@QUALITY
@JSON
@overwrite_option("a file that exists")
@threads_option
def see_command(inputs: tuple[str, ...], *, why: bool, **options: Any) -> int:
    """Show what the networks see in IN, files or folders."""
    given = {name: value for name, value in options.items() if value is not None}
    others = {"layer", "report", "units", "top", "tile"} if why else {"aspect", "by", "steps"}
    if wrong := sorted(others & given.keys()):
        raise ConfigError(f"`{wrong[0]}` is " + ("without `why`" if why else "for `why`"))
    if why and len(inputs) != 1:
        raise ConfigError(f"`why` takes one photo, got {len(inputs)}")
    if "steps" in given and given.get("by") != "gradients":
        raise ConfigError("`steps` are of `by=gradients`")
    if why and "output" not in given:
        raise ConfigError("`why` draws a picture: name it with `output`")
    with extra("torch"):
        from cropper.request import CropRequest  # noqa: PLC0415 - torch
        from cropper.see.command import (  # noqa: PLC0415
            UnitsOptions,
            WhyOptions,
            see_units,
            see_why,
        )

    unit = "pictures" if not why else "steps" if given.get("by") == "gradients" else "parts"
    with progress(unit, shares_terminal=not why) as show:
        if why:
            aspect = {"aspect": given.pop("aspect")} if "aspect" in given else {}
            return see_why(inputs[0], WhyOptions(request=CropRequest(**aspect), **given), show)
        return see_units(inputs, UnitsOptions(**given), show)

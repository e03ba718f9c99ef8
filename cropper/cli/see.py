"""``cropper see`` on the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cropper.cli.group import EXIT_CODES, main, threads_option
from cropper.cli.options import complete_scorer
from cropper.cli.progress import progress
from cropper.errors import ConfigError, extra

__all__ = ["see_command"]


@main.command(
    "see",
    epilog="""
\b
Examples:
  cropper see photo.jpg --why -o why.jpg
  cropper see photos/ --layer block13 --units 12 -o units.jpg

The first blurs one part of the photo after another and shows, bright, where the best crop's score
falls most. The second has a row for each unit that stands out: the nine photos' parts that excite
it most, as large as it looks.
"""
    + EXIT_CODES,
)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE"
)
@click.option("--why", is_flag=True, help="What the score of one photo's best crop hangs on.")
@click.option("--aspect", help="With --why: of the crop, W:H, original, free.")
@click.option(
    "--layer", metavar="blockN", help="block0 to block17 of the trunk.  [default: block6]"
)
@click.option("--units", type=click.IntRange(1, 1000), help="Rows.  [default: 9]")
@click.option("--top", type=click.IntRange(1, 100), help="Patches a row.  [default: 9]")
@click.option("--tile", type=click.IntRange(16, 512), help="px of a patch.  [default: 96]")
@click.option(
    "--scorer",
    shell_complete=complete_scorer,
    metavar="NAME|FILE",
    help="[default: convnet; with --why cropnet]",
)
@click.option("--quality", type=click.IntRange(1, 100), default=90, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@threads_option
def see_command(inputs: tuple[str, ...], *, why: bool, **options: Any) -> None:
    """Show what the networks see in IN, files or folders."""
    given = {name: value for name, value in options.items() if value is not None}
    others = {"layer", "units", "top", "tile"} if why else {"aspect"}
    if wrong := sorted(others & given.keys()):
        raise ConfigError(f"`{wrong[0]}` is " + ("without `why`" if why else "for `why`"))
    if why and len(inputs) != 1:
        raise ConfigError(f"`why` takes one photo, got {len(inputs)}")
    with extra("torch"):
        from cropper.request import CropRequest  # noqa: PLC0415 - torch
        from cropper.see.command import (  # noqa: PLC0415
            UnitsOptions,
            WhyOptions,
            see_units,
            see_why,
        )

    with progress("parts" if why else "pictures", shares_terminal=not why) as show:
        if why:
            aspect = {"aspect": given.pop("aspect")} if "aspect" in given else {}
            code = see_why(inputs[0], WhyOptions(request=CropRequest(**aspect), **given), show)
        else:
            code = see_units(inputs, UnitsOptions(**given), show)
    if code:
        raise SystemExit(code)

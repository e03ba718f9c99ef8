"""``cropper export`` on the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cropper.cli.group import EXIT_CODES, main
from cropper.cli.options import FILE, JSON, NEW_FOLDER, overwrite_option, scorer_option
from cropper.errors import extra

__all__ = ["export_command"]


@main.command(
    "export",
    epilog="""
\b
Examples:
  cropper export --web site/
  python -m http.server --directory site/       -> the page, with no server behind it

A static host serves the folder as it is, under any path; over https it can be installed, and works
without a network after the first visit. Photos are never uploaded: there is nowhere to upload to.
"""
    + EXIT_CODES,
)
@click.option(
    "--web",
    "folder",
    type=NEW_FOLDER,
    required=True,
    metavar="DIR",
    help="Folder for the page with its engine, as files for any static host.",
)
@scorer_option(told="cropnet, or a checkpoint of `cropper train crops`.")
@click.option(
    "--selfie",
    is_flag=True,
    help="Add the scorer `selfie` to the camera, as a switch that shows its score of the frame.",
)
@click.option(
    "--runtime",
    type=FILE,
    metavar="FILE.tgz",
    help="ONNX Runtime Web as `npm pack` saves it. Default: npm fetches the pinned release.",
)
@JSON
@overwrite_option("files that exist")
def export_command(folder: Path, as_json: bool, **options: Any) -> None:
    """Write the page with the engine inside, for browsers and phones."""
    from cropper.console import print_json, print_line, say  # noqa: PLC0415

    with extra("web"):
        from cropper.web.site import SiteOptions, export_site  # noqa: PLC0415 - an extra

    made = export_site(SiteOptions(folder=folder, **options), say)
    if as_json:
        print_json(made)
    else:
        size = made["bytes"] / 1e6
        print_line(f"{made['site']}: {made['files']} files, {size:.1f} MB; open it over http(s)")

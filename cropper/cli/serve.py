"""``cropper serve`` on the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cropper.cli.completion import complete_scorer
from cropper.cli.group import EXIT_CODES, main, threads_option
from cropper.cli.options import DEVICE, FOLDER, megabytes_option, mpixels_option, queue_option
from cropper.errors import extra

__all__ = ["serve"]


@main.command(
    epilog="""
\b
Examples:
  cropper serve                                  -> a page on http://127.0.0.1:8000
  curl --data-binary @photo.jpg 'http://127.0.0.1:8000/v1/crop?aspect=4:5'
  curl -F photo=@photo.jpg -H 'Accept: image/*' http://127.0.0.1:8000/v1/crop -o crop.jpg
"""
    + EXIT_CODES
)
@click.option(
    "--host",
    default="127.0.0.1",
    help="Address to listen on; any but this machine's own needs --token.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, help="0 takes any free one.")
@click.option(
    "--token",
    envvar="CROPPER_TOKEN",
    show_envvar=True,
    help="What clients have to send as Authorization: Bearer TOKEN.",
)
@megabytes_option("--max-upload-mb", 25, "Refuse larger uploads, before reading them.")
@mpixels_option(60)
@queue_option(32, "Requests inside at once; more are told to come back.")
@click.option(
    "--scorer",
    "scorers",
    shell_complete=complete_scorer,
    multiple=True,
    default=("cropnet",),
    metavar="NAME|FILE",
    help="Repeatable: requests may choose any of these, and get the first where they do not.",
)
@DEVICE
@click.option(
    "--people",
    type=click.Path(exists=True, path_type=Path),
    metavar="DIR|FILE",
    help="Whom requests may name to be kept: a folder that holds a folder a person, or a file of "
    "`cropper faces learn`. Who may ask can then find out whether they are in a photo.",
)
@click.option(
    "--site",
    type=FOLDER,
    metavar="DIR",
    help="What `cropper export --web` has written: the page with its engine in the browser and a "
    "camera, at /site/.",
)
@threads_option
def serve(**options: Any) -> None:
    """Serve a page to crop in, and an HTTP API, which /docs describes."""
    with extra("serve"):
        from cropper.console import say  # noqa: PLC0415 - numpy and pillow
        from cropper.serve import ServeOptions, serve  # noqa: PLC0415 - and an extra

    serve(ServeOptions(**options), say)

"""``cropper scorers`` on the shell."""

from __future__ import annotations

import click

from cropper.cli.group import main

__all__ = ["scorers"]


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def scorers(as_json: bool) -> None:
    """List the scorers that --scorer takes by name."""
    from cropper.console import print_line  # noqa: PLC0415
    from cropper.scorers import describe_scorers  # noqa: PLC0415 - numpy

    for line in describe_scorers(as_json):
        print_line(line)

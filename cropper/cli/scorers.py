"""``cropper scorers`` on the shell."""

from __future__ import annotations

from cropper.cli.group import main
from cropper.cli.options import JSON_LINES

__all__ = ["scorers"]


@main.command()
@JSON_LINES
def scorers(as_json: bool) -> None:
    """List the scorers that --scorer takes by name."""
    from cropper.console import print_line  # noqa: PLC0415
    from cropper.scorers import describe_scorers  # noqa: PLC0415 - numpy

    for line in describe_scorers(as_json):
        print_line(line)

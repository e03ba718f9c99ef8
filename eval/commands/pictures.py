"""The pictures of the README."""

from __future__ import annotations

from pathlib import Path

import click

from eval.commands.group import cli

__all__ = ["pictures"]


@cli.command()
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path),
    default=Path("docs/pictures"), show_default=True, metavar="DIR")  # fmt: skip
def pictures(*, output: Path) -> None:
    """Draw the README's pictures: crops, an overlay, the page and the report; 10 seconds."""
    from eval.pictures import draw_pictures  # noqa: PLC0415 - so that help is quick

    for path in draw_pictures(output):
        click.echo(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")

"""The pictures of the README."""

from __future__ import annotations

from pathlib import Path

import click

from eval.commands.group import cli

__all__ = ["pictures"]


@cli.command()
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path),
    default=Path("docs/pictures"), show_default=True, metavar="DIR")  # fmt: skip
@click.option("--style", "networks", multiple=True, metavar="NAME|FILE",
    help="Instead what this network makes of a photo and a painting, as style-NAME.webp; minutes, "
    "repeatable.")  # fmt: skip
def pictures(*, output: Path, networks: tuple[str, ...]) -> None:
    """Draw the README's pictures: crops, an overlay, the page and the report; 10 seconds."""
    if networks:
        from eval.style_pictures import draw_style_pictures, render_strips  # noqa: PLC0415

        click.echo(render_strips(draw_style_pictures(output, networks)))
        return
    from eval.pictures import draw_pictures  # noqa: PLC0415 - so that help is quick

    for path in draw_pictures(output):
        click.echo(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")

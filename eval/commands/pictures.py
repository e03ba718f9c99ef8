"""The pictures of the README, and sheets of people to look at."""

# ruff: noqa: PLC0415 - a command imports what it needs, so that help and usage errors are quick

from __future__ import annotations

from pathlib import Path

import click

from eval.commands.group import cli, command_line, progress_bar

__all__ = ["pictures", "selfies"]


@cli.command()
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path),
    default=Path("docs/pictures"), show_default=True, metavar="DIR")  # fmt: skip
@click.option("--style", "networks", multiple=True, metavar="NAME|FILE",
    help="Instead what this network makes of a photo and a painting, as style-NAME.webp; minutes, "
    "repeatable.")  # fmt: skip
def pictures(*, output: Path, networks: tuple[str, ...]) -> None:
    """Draw the README's pictures: crops, an overlay, the page and the report; 10 seconds."""
    if networks:
        from eval.style_pictures import draw_style_pictures, render_strips

        click.echo(render_strips(draw_style_pictures(output, networks)))
        return
    from eval.pictures import draw_pictures

    for path in draw_pictures(output):
        click.echo(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


@cli.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", required=True, metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path), help="Folder for the sheets.")  # fmt: skip
@click.option("--scorer", default="selfie", show_default=True, metavar="NAME|FILE")
@click.option("--before", default="cropnet", show_default=True, metavar="NAME|FILE")
@click.option("--aspect", default="1:1", show_default=True)
@click.option("--limit", type=click.IntRange(1), help="Only the first N photos.")
@click.option("--shown", type=click.IntRange(1), default=40, show_default=True,
    help="Photos on the sheet; the figures are of all.")  # fmt: skip
@click.option("--swept", type=click.IntRange(0), default=10, show_default=True,
    help="Photos whose score is drawn over place and scale.")  # fmt: skip
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
def selfies(
    *,
    photos: tuple[Path, ...],
    output: Path,
    scorer: str,
    before: str,
    aspect: str,
    limit: int | None,
    shown: int,
    swept: int,
    device: str,
) -> None:
    """Crops of people by two scorers beside each other, and the second's score over scale."""
    from cropper.finder import CropFinder
    from cropper.image import make_folder
    from cropper.listing import list_pictures
    from cropper.request import CropRequest
    from eval.environment import read_environment
    from eval.selfies import draw_selfies, measure_selfies, render_selfies

    make_folder(output)
    finders = CropFinder(before, device), CropFinder(scorer, device)
    with progress_bar("photos") as progress:
        paths = list_pictures(photos)[:limit]
        found = measure_selfies(paths, *finders, CropRequest(aspect=aspect), progress)
    names = (before, scorer)
    for path in draw_selfies(found[:shown], swept, finders[1], names, output):
        click.echo(f"wrote {path}", err=True)
    click.echo(f"{render_selfies(found, names)}\n\n{read_environment()}\n{command_line()}")

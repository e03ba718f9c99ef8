"""Faces told apart: strangers, degraded pictures, pairs, and people planted in crowds."""

# ruff: noqa: PLC0415 - a command imports what it needs, so that help and usage errors are quick

from __future__ import annotations

from pathlib import Path

import click

from eval.commands.group import cli, command_line, progress_bar

__all__ = ["degraded", "planted", "strangers"]

_PHOTOS = click.argument("photos", nargs=-1, required=True, metavar="PHOTOS...")


@cli.command()
@_PHOTOS
def strangers(photos: tuple[str, ...]) -> None:
    """How alike faces of different people are: the distances behind every rate that is told."""
    from cropper.listing import list_pictures
    from eval.environment import read_environment
    from eval.strangers import measure_strangers, render_strangers

    with progress_bar("photos") as progress:
        found = measure_strangers(list_pictures(photos), progress)
    click.echo(f"{render_strangers(found)}\n\n{read_environment()}\n{command_line()}")


@cli.command()
@_PHOTOS
def degraded(photos: tuple[str, ...]) -> None:
    """How often a face is known again from a worse picture of itself."""
    from cropper.listing import list_pictures
    from eval.environment import read_environment
    from eval.strangers import measure_degraded, render_degraded

    with progress_bar("photos") as progress:
        counts = measure_degraded(list_pictures(photos), progress)
    click.echo(f"{render_degraded(counts)}\n\n{read_environment()}\n{command_line()}")


@cli.command()
@click.option("--crowds", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--people", type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True, help="Photos, or a folder a person with two photos or more.")  # fmt: skip
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True)
@click.option("--height", type=click.IntRange(1), default=40, show_default=True, metavar="PX",
    help="Of a planted face, at least.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True)
def planted(*, crowds: Path, people: Path, limit: int, height: int, seed: int) -> None:
    """Whether --keep-person finds a person of PEOPLE who is planted in photos of CROWDS."""
    from cropper.listing import list_pictures
    from eval.environment import read_environment
    from eval.planted import measure_planted, render_planted

    with progress_bar("photos") as progress:
        photos = list_pictures([crowds])[:limit]
        found = measure_planted(photos, people, height=height, seed=seed, progress=progress)
    click.echo(f"{render_planted(found)}\n\n{read_environment()}\n{command_line()}")

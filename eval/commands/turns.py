"""Photos turned by what is known: tilt, angles, orientation."""

# ruff: noqa: PLC0415 - a command imports what it needs, so that help and usage errors are quick

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from cropper.errors import extra
from eval.commands.group import cli, command_line, progress_bar

__all__ = ["angles", "joint", "orientation", "tilt"]

_PHOTOS = (
    click.option(
        "--root", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder with annotations.json ({image, split}) and photos, or with photos alone.",
    ),
    click.option("--split", default="val", show_default=True, help="A split that the data has."),
    click.option("--limit", type=click.IntRange(min=1), help="Only the first N photos."),
)  # fmt: skip


def _photos(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_PHOTOS):
        command = option(command)
    return command


@cli.command()
@_photos
@click.option("--turns", type=click.IntRange(1), default=2, show_default=True, help="A photo.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of angles.")
@click.option(
    "--sheet", type=click.Path(dir_okay=False, path_type=Path),
    help="A picture to look at: the 50 turns that --straighten makes worst.",
)  # fmt: skip
def tilt(
    *, root: Path, split: str, turns: int, limit: int | None, seed: int, sheet: Path | None
) -> None:
    """How well --straighten undoes known turns, beside no turn and a Hough transform.

    Also for each folder of photos, where they lie in several, and as it would with other
    probabilities from which on it turns.
    """
    from cropper.render import write_picture
    from eval.environment import read_environment
    from eval.tilt import (
        draw_worst,
        found_by_kind,
        hough,
        look_again,
        measure_tilt,
        render_kinds,
        render_tilt,
        straighten,
        surer,
        surest_guess,
        try_turns,
    )

    methods = [
        ("no turn", lambda _: 0.0),
        ("Hough lines, scikit-image", hough),
        ("cropper, however unsure", surest_guess),
        ("the same, looking again", look_again),
        *((f"from {sure:.0%} on", surer(sure)) for sure in (0.3, 0.4, 0.6, 0.7, 0.8)),
        ("cropper --straighten", straighten),
    ]
    with progress_bar("photos") as progress:
        trials = try_turns(
            root, split, methods, turns=turns, limit=limit, seed=seed, progress=progress
        )
    told = [render_tilt(trials, measure_tilt(trials, methods))]
    if len(kinds := found_by_kind(trials, -1)) > 1:
        told.append(render_kinds(kinds))
    click.echo("\n\n".join([*told, f"{read_environment()}\n{command_line()}"]))
    if sheet:
        with progress_bar("sheet") as progress:
            worst = draw_worst(root, split, turns=turns, limit=limit, seed=seed, progress=progress)
        write_picture(worst, sheet, 85, overwrite=True)


@cli.command()
@_photos
@click.option("--turns", type=click.IntRange(1), default=2, show_default=True, help="A photo.")
@click.option(
    "--budget", type=click.IntRange(24), default=24, show_default=True, help="Evaluations an arm."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of angles.")
def angles(
    *, root: Path, split: str, turns: int, budget: int, limit: int | None, seed: int
) -> None:
    """Whether an ascent finds the angle of a tilted photo better than a search, or one pass."""
    from eval.environment import read_environment

    with extra("torch"):
        from eval.angle_arms import measure_angles, render_angles
    with progress_bar("photos") as progress:
        trials = measure_angles(
            root, split, budget=budget, turns=turns, limit=limit, seed=seed, progress=progress
        )
    click.echo(f"{render_angles(trials)}\n\n{read_environment()}\n{command_line()}")


@cli.command()
@_photos
@click.option("--turns", type=click.IntRange(1), default=2, show_default=True, help="A photo.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of angles.")
def joint(*, root: Path, split: str, turns: int, limit: int | None, seed: int) -> None:
    """Whether angle and box found together make better crops than one after the other."""
    from eval.environment import read_environment

    with extra("torch"):
        from eval.joint_arms import measure_joint, render_joint
    with progress_bar("photos") as progress:
        trials = measure_joint(root, split, turns=turns, limit=limit, seed=seed, progress=progress)
    click.echo(f"{render_joint(trials)}\n\n{read_environment()}\n{command_line()}")


@cli.command()
@_photos
def orientation(*, root: Path, split: str, limit: int | None) -> None:
    """How well --orient sets turned photos upright, beside a face detector that decides."""
    from eval.environment import read_environment
    from eval.orientation import (
        by_faces,
        likeliest,
        measure_orientation,
        orient,
        render_orientation,
    )

    methods = [
        ("most faces, YuNet", by_faces()),
        ("cropper, however unsure", likeliest),
        ("cropper --orient", orient),
    ]
    with progress_bar("photos") as progress:
        count, found = measure_orientation(root, split, methods, limit=limit, progress=progress)
    click.echo(f"{render_orientation(count, found)}\n\n{read_environment()}\n{command_line()}")

"""``cropper score``, ``cropper rank``, ``cropper map`` and ``cropper selfie`` on the shell."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cropper.cli.completion import complete_scorer
from cropper.cli.group import EXIT_CODES, main, threads_option
from cropper.errors import extra
from cropper.progress import progress

__all__ = ["map_command", "rank_command", "score_command", "selfie_command"]

_SCORES = """
Scores are those of whole pictures. 'selfie' and scorers trained on labelled pictures compare one
picture with another; 'cropnet', 'convnet' and ensembles compare crops of one picture alone.
"""


def _grid(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,2})[xX]([1-9][0-9]{0,2})", value)
    if not match:
        raise click.BadParameter(f"{value!r} is not rows and columns, as in 20x8")
    return int(match[1]), int(match[2])


def _shared(command: Callable[..., None]) -> Callable[..., None]:
    """Options that all of them have."""
    options = [
        click.argument("inputs", metavar="IN...", nargs=-1, required=True),
        click.option(
            "--scorer",
            shell_complete=complete_scorer,
            default="selfie",
            show_default=True,
            metavar="NAME|FILE",
        ),
        click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto"),
        click.option("--json", "as_json", is_flag=True, help="One JSON object a line."),
        threads_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


_QUALITY = click.option("--quality", type=click.IntRange(1, 100), default=90, show_default=True)
_OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
_IMAGE = click.Path(path_type=Path, dir_okay=False)


@main.command("score", epilog=_SCORES + EXIT_CODES)
@_shared
def score_command(inputs: tuple[str, ...], **options: Any) -> None:
    """Print the score of each picture in IN, files or folders, as it is known."""
    from cropper.rank.commands import ScoreOptions, score  # noqa: PLC0415 - numpy and pillow

    with progress("pictures") as show:
        _end(score(inputs, ScoreOptions(**options), show))


@main.command(
    "rank",
    epilog="""
\b
Examples:
  cropper rank photos/ --sheet best.jpg --top 100
  cropper rank photos/ --sheet worst.jpg --worst --top 300 --tile 48
  cropper rank photos/ --sheet all.jpg --continuum 20x8
  cropper rank photos/ > ranking.txt
"""
    + _SCORES
    + EXIT_CODES,
)
@_shared
@click.option("--sheet", type=_IMAGE, metavar="FILE", help="A contact sheet of a part of them.")
@click.option("--worst", is_flag=True, help="From the worst up.")
@click.option(
    "--continuum",
    callback=_grid,
    metavar="ROWSxCOLS",
    help="A sheet from best to worst: rows of equal parts of the ranking.",
)
@click.option(
    "--top",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Pictures on the sheet.  [default: 100]",
)
@click.option("--tile", type=click.IntRange(16, 1024), default=128, show_default=True)
@_QUALITY
@_OVERWRITE
def rank_command(inputs: tuple[str, ...], **options: Any) -> None:
    """Rank all pictures in IN, files or folders, best first."""
    from cropper.rank.commands import RankOptions, rank  # noqa: PLC0415 - numpy and pillow

    with progress("pictures") as show:
        _end(rank(inputs, RankOptions(**options), show))


@main.command("map", epilog=EXIT_CODES)
@_shared
@click.option("-o", "--output", type=_IMAGE, metavar="FILE", required=True)
@click.option(
    "--limit",
    type=click.IntRange(3),
    default=5000,
    show_default=True,
    help="Pictures; of more, this many evenly spread.",
)
@click.option("--tile", type=click.IntRange(8, 512), default=64, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@_QUALITY
@_OVERWRITE
def map_command(inputs: tuple[str, ...], **options: Any) -> None:
    """A map of the pictures in IN: those that the scorer's network sees alike lie side by side.

    t-SNE of the network's last features, laid on a grid. Extra: pip install 'cropper[map]'.
    """
    from cropper.rank.commands import MapOptions, map_pictures  # noqa: PLC0415

    with progress("pictures") as show:
        _end(map_pictures(inputs, MapOptions(**options), show))


@main.command(
    "selfie",
    epilog="""
\b
Examples:
  cropper selfie me.jpg
  cropper best me.jpg --scorer selfie --aspect 1:1

The first says what would help, the second cuts the crop.
"""
    + EXIT_CODES,
)
@_shared
@click.option(
    "--aspect", default="1:1", show_default=True, help="Of the crop: W:H, original, free."
)
def selfie_command(inputs: tuple[str, ...], **options: Any) -> None:
    """Say what would make each selfie in IN better, by trying it.

    The photo is scored as it is and with one thing changed at a time (light, colour, edges), and
    its best crop is told.
    """
    with extra("torch"):
        from cropper.rank.advice import AdviceOptions, advise  # noqa: PLC0415 - torch

    with progress("pictures") as show:
        _end(advise(inputs, AdviceOptions(**options), show))


def _end(code: int) -> None:
    if code:
        raise SystemExit(code)

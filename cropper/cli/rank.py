"""``cropper score``, ``cropper rank``, ``cropper map`` and ``cropper selfie`` on the shell."""

from __future__ import annotations

from typing import Any

import click

from cropper.cli.group import EXIT_CODES, main, threads_option
from cropper.cli.options import (
    DEVICE,
    JSON_LINES,
    NEW_FILE,
    QUALITY,
    SEED,
    bundle,
    overwrite_option,
    scorer_option,
)
from cropper.cli.values import parse_pair
from cropper.errors import extra
from cropper.progress import progress

__all__ = ["map_command", "rank_command", "score_command", "selfie_command"]

_SCORES = """
Scores are those of whole pictures. 'selfie' and scorers trained on labelled pictures compare one
picture with another; 'cropnet', 'convnet' and ensembles compare crops of one picture alone.
"""


def _grid(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    two = "([1-9][0-9]{0,2})[xX]([1-9][0-9]{0,2})"
    return None if value is None else parse_pair(value, two, "rows and columns, as in 20x8")


_shared = bundle(
    click.argument("inputs", metavar="IN...", nargs=-1, required=True),
    scorer_option("selfie"),
    DEVICE,
    JSON_LINES,
    threads_option,
)


@main.command("score", epilog=_SCORES + EXIT_CODES)
@_shared
def score_command(inputs: tuple[str, ...], **options: Any) -> int:
    """Print the score of each picture in IN, files or folders, as it is known."""
    from cropper.rank.commands import ScoreOptions, score  # noqa: PLC0415 - numpy and pillow

    with progress("pictures") as show:
        return score(inputs, ScoreOptions(**options), show)


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
@click.option("--sheet", type=NEW_FILE, metavar="FILE", help="A contact sheet of a part of them.")
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
@click.option("--tile", type=click.IntRange(16, 1024), default=128)
@QUALITY
@overwrite_option("a file that exists")
def rank_command(inputs: tuple[str, ...], **options: Any) -> int:
    """Rank all pictures in IN, files or folders, best first."""
    from cropper.rank.commands import RankOptions, rank  # noqa: PLC0415 - numpy and pillow

    with progress("pictures") as show:
        return rank(inputs, RankOptions(**options), show)


@main.command("map", epilog=EXIT_CODES)
@_shared
@click.option("-o", "--output", type=NEW_FILE, metavar="FILE", required=True)
@click.option(
    "--limit",
    type=click.IntRange(3),
    default=5000,
    help="Pictures; of more, this many evenly spread.",
)
@click.option("--tile", type=click.IntRange(8, 512), default=64)
@SEED
@QUALITY
@overwrite_option("a file that exists")
def map_command(inputs: tuple[str, ...], **options: Any) -> int:
    """A map of the pictures in IN: those that the scorer's network sees alike lie side by side.

    t-SNE of the network's last features, laid on a grid. Extra: pip install 'cropper[map]'.
    """
    from cropper.rank.commands import MapOptions, map_pictures  # noqa: PLC0415

    with progress("pictures") as show:
        return map_pictures(inputs, MapOptions(**options), show)


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
@click.option("--aspect", default="1:1", help="Of the crop: W:H, original, free.")
def selfie_command(inputs: tuple[str, ...], **options: Any) -> int:
    """Say what would make each selfie in IN better, by trying it.

    The photo is scored as it is and with one thing changed at a time (light, colour, edges), and
    its best crop is told.
    """
    with extra("torch"):
        from cropper.rank.advice import AdviceOptions, advise  # noqa: PLC0415 - torch

    with progress("pictures") as show:
        return advise(inputs, AdviceOptions(**options), show)

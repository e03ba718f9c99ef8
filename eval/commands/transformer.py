"""Search against the spatial transformer: compare, slopes."""

# ruff: noqa: PLC0415 - a command imports what it needs, so that help and usage errors are quick

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cropper.errors import extra
from eval.commands.group import cli, command_line, in_folder, progress_bar, writing

if TYPE_CHECKING:
    from cropper.statistics import Interval
    from eval.compare_report import CompareReport
    from eval.datasets import Example

__all__ = ["compare", "slopes"]


@cli.command()
@click.argument("images", nargs=-1)
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A dataset's folder instead of IMAGES: then with the human crops.",
)
@click.option("--split", default="all", show_default=True, help="A split that the data has.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N photos.")
@click.option("--scorer", default="cropnet", show_default=True, metavar="NAME|FILE")
@click.option(
    "--judge",
    metavar="FILE",
    help="A scorer that the one of --scorer never met. Default: the package's own, for cropnet, "
    "convnet and selfie: a cropnet of another seed on an ImageNet trunk that was not tuned, from "
    "half of FCDB's photos, which cropnet has learned from too; `cropper train crops --data FCDB "
    "--fold 0/2 --seed 1 --trunk-rate 0 --epochs 6` makes it in 7 minutes of a core.",
)
@click.option(
    "--localizer",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Of `cropper train localizer`, for its arms. Default for cropnet: the package's.",
)
@click.option("--arm", "only", multiple=True, metavar="NAME", help="Only this arm; repeatable.")
@click.option("--between", "pairs", nargs=2, multiple=True, metavar="ARM ARM",
    help="Also the paired difference of these two arms; repeatable.")  # fmt: skip
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Evaluations an arm and photo.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=False
)
@click.option(
    "--shown",
    type=click.IntRange(0),
    default=24,
    show_default=True,
    help="Photos drawn in the HTML report.",
)
@click.option(
    "--report",
    "html_path",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_folder,
    help="Write the HTML report to this file.",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_folder,
    help="Write everything, trajectories included, to this file.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
def compare(
    *,
    images: tuple[str, ...],
    root: Path | None,
    split: str,
    limit: int | None,
    shown: int,
    html_path: Path | None,
    json_path: Path | None,
    overwrite: bool,
    **options: Any,
) -> None:
    """Search against the spatial transformer, on IMAGES or a dataset, by a held-out judge.

    IMAGES are photos, or folders with all that is below them.
    """
    from cropper.console import print_line
    from cropper.render import check_free

    with extra("torch"):
        from eval.compare_report import render_html, render_text, to_json
    from eval.report import write_text

    for path in filter(None, (html_path, json_path)):
        check_free(path, overwrite=overwrite)
    report = _compared(_examples(images, root, split)[:limit], **options)
    for target, made in ((json_path, to_json), (html_path, partial(render_html, shown=shown))):
        if target:
            with writing(target):
                write_text(made(report), target)
    print_line(render_text(report))


def _compared(
    examples: Sequence[Example],
    *,
    scorer: str,
    judge: str | None,
    localizer: Path | None,
    only: tuple[str, ...],
    pairs: tuple[tuple[str, str], ...],
    budget: int,
    seed: int,
    device: str,
) -> CompareReport:
    from cropper.scorers import DEFAULT_SCORER, load_scorer

    with extra("torch"):
        from eval.compare import JUDGE, CompareConfig, held_out, run_comparison
        from spatial_transformer.localizer import localizer_for
    from eval.compare_report import CompareReport, difference, summarise_arms
    from eval.environment import read_environment

    judge = judge or str(JUDGE)
    notes = held_out(scorer, judge)
    climbed = load_scorer(scorer, device)
    own = scorer == DEFAULT_SCORER  # the package's localizer reads its features
    with progress_bar("photos") as progress:
        comparison = run_comparison(
            examples,
            climbed,
            load_scorer(judge, device),
            CompareConfig(budget, seed),
            localizer=localizer_for(climbed, localizer) if localizer or own else None,
            only=only,
            between=pairs,
            progress=progress,
        )
    return CompareReport(
        comparison,
        summarise_arms(comparison, seed),
        (("scorer", scorer), *notes, ("budget", str(budget)), ("seed", str(seed))),
        read_environment(),
        command_line(),
        tuple(difference(comparison, *pair, seed) for pair in pairs),
    )


def _examples(images: tuple[str, ...], root: Path | None, split: str) -> tuple[Example, ...]:
    """Those of a dataset, or pictures that nobody cropped."""
    from cropper.listing import list_pictures
    from eval.datasets import Example, load_dataset

    if bool(images) == bool(root):
        raise click.UsageError("give IMAGES or --root, one of them")
    if root:
        return load_dataset(root, split).examples
    return tuple(map(Example, list_pictures(images)))


@cli.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_folder,
    help="Draw the cosines over the downscale into this file (.png, .svg).",
)
def slopes(*, images: tuple[Path, ...], seed: int, device: str, plot: Path | None) -> None:
    """How good gradients through resampled pixels are, by downscale, on IMAGES."""
    from eval.environment import read_environment
    from eval.report import aligned

    with extra("torch"):
        from eval.slopes import ESTIMATES, MAP, measure_slopes, plot_slopes
    with progress_bar("photos") as progress:
        found = measure_slopes(images, seed=seed, device=device, progress=progress)
    scales = sorted({(each.downscale, each.side) for each in found if each.side})
    table = [["cosine with the true slope", *(f"{d:.1f}x ({side} px)" for d, side in scales)]]
    for name in ESTIMATES:
        cells = {each.side: each.cosine for each in found if each.estimate == name}
        table.append([name, *(f"{c:.2f}" for c in _in(cells, scales))])
    click.echo(aligned(table))
    (smooth,) = (each.cosine for each in found if each.estimate == MAP)
    click.echo(f"{MAP}: {smooth:.2f}")
    click.echo(f"\n{len(images)} photos, 2 crops each, seed {seed}\n{read_environment()}")
    click.echo(command_line())
    if plot:
        with writing(plot):
            plot_slopes(found, plot, f"{len(images)} photos, 2 crops each; convnet, and cropnet")


def _in(cells: dict[int, Interval], scales: list[tuple[float, int]]) -> list[Interval]:
    return [cells[side] for _, side in scales]

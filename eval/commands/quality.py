"""Crop quality against people: benchmark, calibration, regret."""

# ruff: noqa: PLC0415 - a command imports what it needs, so that help and usage errors are quick

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eval.commands.group import cli, command_line, in_folder, progress_bar, writing

if TYPE_CHECKING:
    from eval.datasets import Dataset
    from eval.groups import Grouping
    from eval.methods import Method
    from eval.report import Report

__all__ = ["attention", "benchmark", "calibration", "faces", "heads", "regret"]


@cli.command()
@click.option(
    "--root",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The dataset's folder: annotations.json, or FCDB, FLMS or GAICD as published.",
)
@click.option("--split", default="all", show_default=True, help="A split that the data has.")
@click.option(
    "--protocol",
    type=click.Choice(["both", "given", "free"]),
    default="both",
    show_default=True,
    help="given: the human crop's aspect is known. free: the method picks it too.",
)
@click.option(
    "--scorer",
    "scorers",
    multiple=True,
    default=["cropnet"],
    show_default=True,
    metavar="NAME",
    help="Scorer or weights file; may be repeated. 'none': the baselines alone.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N photos.")
@click.option(
    "--min-scale",
    type=click.FloatRange(0, 1, min_open=True),
    help="Smallest crop, of the largest box's side.  [default: the benchmark's own]",
)
@click.option("--strategy", type=click.Choice(["grid", "random", "halving"]))
@click.option("--budget", type=click.IntRange(min=1), help="Candidates a crop.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of bootstrap and search.")
@click.option("--baselines", is_flag=True, help="Also smartcrop.py and pyvips, where installed.")
@click.option("--faces", "face_model", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="YUNET.ONNX", help="Also apart: photos with and without a face.")  # fmt: skip
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_folder,
    help="Write everything, scores by photo included, to this file.",
)
def benchmark(
    *,
    root: Path,
    split: str,
    protocol: str,
    face_model: Path | None,
    json_path: Path | None,
    **options: Any,
) -> None:
    """Crop quality on photos that people cropped, always beside the full frame and the centre."""
    from eval.crop_quality import PROTOCOLS
    from eval.datasets import load_dataset
    from eval.groups import FaceGrouping, orientation
    from eval.report import render, write_json

    dataset = load_dataset(root, split)
    groupings: list[Grouping] = [orientation, *([FaceGrouping(face_model)] if face_model else [])]
    reports: list[Report] = []
    for asked in PROTOCOLS if protocol == "both" else (protocol,):
        reports.append(_report(dataset, asked, groupings, crops_alone=bool(reports), **options))
        click.echo(("\n" if len(reports) > 1 else "") + render(reports[-1]))
    if json_path:
        with writing(json_path):
            write_json(reports, json_path)


def _report(
    dataset: Dataset,
    protocol: str,
    groupings: Sequence[Grouping],
    *,
    scorers: tuple[str, ...],
    device: str,
    limit: int | None,
    min_scale: float | None,
    strategy: str | None,
    budget: int | None,
    seed: int,
    baselines: bool,
    crops_alone: bool,
) -> Report:
    from cropper.request import CropRequest
    from eval.crop_quality import DEFAULT_MIN_SCALE, run_benchmark
    from eval.environment import read_environment
    from eval.methods import ScorerMethod, load_scorer_method
    from eval.report import Report
    from eval.summary import by_group, summarise

    min_scale = min_scale or DEFAULT_MIN_SCALE
    request = CropRequest(min_scale=min_scale, strategy=strategy, budget=budget, seed=seed)
    load = partial(load_scorer_method, request=request, device=device)
    methods, notes = _methods(protocol, scorers, load, baselines)
    with progress_bar("photos") as progress:
        result = run_benchmark(
            dataset,
            methods,
            protocol,
            limit,
            progress,
            groupings=groupings,
            crops_alone=crops_alone,
        )
    for skip in () if crops_alone else result.skipped:
        click.echo(f"skipped: {skip.photo}: {skip.reason}", err=True)
    settings = {"min scale": min_scale, "seed": seed, "device": device}
    settings |= {m.name: m.request for m in methods if isinstance(m, ScorerMethod)}
    return Report(
        result,
        summarise(result, seed=seed),
        tuple((key, str(value)) for key, value in settings.items()),
        notes,
        read_environment(),
        command_line(),
        by_group(result, seed),
    )


def _methods(
    protocol: str, scorers: tuple[str, ...], load: Callable[[str], Method], baselines: bool
) -> tuple[list[Method], tuple[str, ...]]:
    """The methods to measure, and a note on each that was asked for and can't run."""
    from eval.methods import Centre, FullFrame, installed_baselines

    methods: list[Method] = [FullFrame(), Centre()]
    notes: tuple[str, ...] = ()
    if baselines:
        others = installed_baselines(protocol)
        methods, notes = [*methods, *others.methods], others.missing
    for note in notes:
        click.echo(f"not run: {note}", err=True)
    return methods + [load(name) for name in dict.fromkeys(scorers) if name != "none"], notes


@cli.command()
@click.option(
    "--root", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--split", default="all", show_default=True, help="A split that the data has.")
@click.option("--scorer", default="cropnet", show_default=True, metavar="NAME|FILE")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N photos.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), callback=in_folder)
def calibration(
    *, root: Path, split: str, scorer: str, device: str, limit: int | None, plot: Path | None
) -> None:
    """Whether score differences are log-odds of preference, on pairs that people voted on."""
    from eval.calibration import draw_calibration, measure_calibration, render_calibration
    from eval.datasets import load_dataset
    from eval.environment import read_environment

    dataset = load_dataset(root, split)
    with progress_bar("photos") as progress:
        result = measure_calibration(dataset, scorer, device, limit, progress)
    click.echo(f"{render_calibration(result)}\n\n{read_environment()}")
    if plot:
        with writing(plot):
            draw_calibration(result, plot)


@cli.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--scorer", default="convnet", show_default=True, metavar="NAME|FILE")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--aspect", default="original", show_default=True, metavar="original|W:H|free")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Photos.")
@click.option("--grid", type=click.IntRange(10), default=2000, show_default=True,
    help="Crops of the exhaustive grid at most.")  # fmt: skip
@click.option("--strategy", type=click.Choice(["halving", "random"]), default="halving")
@click.option("--budget", "budgets", multiple=True, type=click.IntRange(1),
    default=[100, 200, 500], show_default=True, help="May be repeated.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def regret(photos: tuple[Path, ...], **options: Any) -> None:
    """What halving loses against the exhaustive grid on PHOTOS, files or folders."""
    from eval.regret import render_regret, run_regret

    with progress_bar("photos") as progress:
        report = run_regret(photos, progress=progress, **options)
    click.echo(render_regret(report, command_line()))


@cli.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--scorer", default="cropnet", show_default=True, metavar="NAME|FILE")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--baselines", is_flag=True, help="Also smartcrop.py and pyvips, where installed.")
def heads(*, photos: tuple[Path, ...], scorer: str, device: str, baselines: bool) -> None:
    """How many heads crops cut, hair included, that they could hold. PHOTOS: files or folders."""
    from cropper.finder import CropFinder
    from cropper.listing import list_pictures
    from cropper.request import CropRequest
    from eval.environment import read_environment
    from eval.heads import measure_heads, render_heads
    from eval.methods import Centre, ScorerMethod

    finder = CropFinder(scorer, device)
    methods: list[Method] = [Centre(), *_others(baselines)]
    methods.append(ScorerMethod("cropper, --keep none", finder, CropRequest(keep=("none",))))
    methods.append(ScorerMethod("cropper", finder, CropRequest()))
    with progress_bar("photos") as progress:
        count, found = measure_heads(list_pictures(photos), methods, progress)
    click.echo(render_heads(count, found))
    click.echo(f"{read_environment()}\n{command_line()}")


@cli.command()
@click.option(
    "--root", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--long-side", type=click.IntRange(64), default=448, show_default=True, metavar="PX")
@click.option("--pairs", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE", help="CSV of first, second, same: is one person told from two?")  # fmt: skip
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), callback=in_folder,
    help="With --pairs: the ROC curve.")  # fmt: skip
def faces(*, root: Path, long_side: int, pairs: Path | None, plot: Path | None) -> None:
    """Which of the faces that people drew the detector finds. 448 px is what the product uses."""
    from eval.environment import read_environment
    from eval.faces import measure_faces, render_faces
    from eval.verification import draw_roc, measure_pairs, render_pairs

    if pairs:
        with progress_bar("photos") as progress:
            found = measure_pairs(pairs, root, progress)
        click.echo(f"{render_pairs(found)}\n\n{read_environment()}\n{command_line()}")
        if plot:
            with writing(plot):
                draw_roc(found, plot)
        return
    if plot:
        raise click.UsageError("--plot is of --pairs: add that, or leave it out")

    with progress_bar("photos") as progress:
        counts = measure_faces(root, long_side, progress)
    click.echo(f"{render_faces(counts, long_side)}\n\n{read_environment()}\n{command_line()}")


@cli.command()
@click.option(
    "--root", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with annotations.json ({image, split, fixations: [viewer, x, y]}) and photos.",
)  # fmt: skip
@click.option("--split", default="all", show_default=True, help="A split that the data has.")
@click.option("--scorer", "scorers", multiple=True, default=["cropnet"], show_default=True,
    metavar="NAME|FILE", help="May be repeated.")  # fmt: skip
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N photos.")
@click.option("--baselines", is_flag=True, help="Also smartcrop.py and pyvips, where installed.")
def attention(
    *, root: Path, split: str, scorers: tuple[str, ...], device: str, limit: int | None,
    baselines: bool,
) -> None:  # fmt: skip
    """How much of what people look at crops keep, beside a centred one of the same area."""
    from cropper.request import CropRequest
    from eval.attention import measure_attention, render_attention
    from eval.environment import read_environment
    from eval.methods import Centre, load_scorer_method

    largest = CropRequest(min_scale=1.0)
    methods: list[Method] = [Centre(), *_others(baselines)]
    methods += [load_scorer_method(name, largest, device) for name in scorers]
    with progress_bar("photos") as progress:
        count, found = measure_attention(root, split, methods, limit, progress)
    click.echo(f"{render_attention(count, found)}\n\n{read_environment()}\n{command_line()}")


def _others(wanted: bool) -> Sequence[Method]:
    """The croppers of others that are installed; says which are not."""
    from eval.methods import installed_baselines

    if not wanted:
        return ()
    found = installed_baselines("given")
    for note in found.missing:
        click.echo(f"not run: {note}", err=True)
    return found.methods

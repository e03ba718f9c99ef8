"""``python -m eval``: how good and how fast the croppers are.

Exit codes: 0 measured; 1 data that breaks its format; 2 usage; 3 no such scorer or extra; 5 the
report cannot be written; 130 interrupted. Tables go to stdout, everything else to stderr.
"""

# ruff: noqa: PLC0415 - a command imports what it needs, so that help and usage errors are quick

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cropper.errors import CropperError

if TYPE_CHECKING:
    from eval.methods import Method
    from eval.metrics import Interval
    from eval.report import Report

__all__ = ["cli"]

Progress = Callable[[int, int], None]


class _Group(click.Group):
    """Turns the project's errors into one line on stderr and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CropperError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted: nothing was reported", err=True)
            ctx.exit(130)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Measure croppers against people's crops, and the product's speed."""


def _in_folder(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    """Known before the work starts, not after it."""
    if value is not None and not value.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {value.absolute().parent}")
    return value


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
    type=click.Choice(["given", "free"]),
    default="given",
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
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_in_folder,
    help="Write everything, scores by photo included, to this file.",
)
def benchmark(
    *,
    root: Path,
    split: str,
    protocol: str,
    scorers: tuple[str, ...],
    device: str,
    limit: int | None,
    min_scale: float | None,
    strategy: str | None,
    budget: int | None,
    seed: int,
    baselines: bool,
    json_path: Path | None,
) -> None:
    """Crop quality on photos that people cropped, always beside the full frame and the centre."""
    from eval.benchmark import DEFAULT_MIN_SCALE, run_benchmark
    from eval.datasets import load_dataset
    from eval.environment import read_environment
    from eval.methods import Scored, load_scored
    from eval.report import Report, render
    from eval.summary import summarise

    min_scale = min_scale or DEFAULT_MIN_SCALE
    load = partial(
        load_scored,
        device=device,
        min_scale=min_scale,
        strategy=strategy,
        budget=budget,
        seed=seed,
    )
    methods, notes = _methods(protocol, scorers, load, baselines)
    dataset = load_dataset(root, split)
    with _progress("photos") as progress:
        result = run_benchmark(dataset, methods, protocol, limit, progress)
    for skip in result.skipped:
        click.echo(f"skipped: {skip.photo}: {skip.reason}", err=True)
    settings = {"min scale": min_scale, "seed": seed, "device": device}
    settings |= {m.name: m.config for m in methods if isinstance(m, Scored)}
    report = Report(
        result,
        summarise(result, seed=seed),
        tuple((key, str(value)) for key, value in settings.items()),
        notes,
        read_environment(),
        _command_line(),
    )
    click.echo(render(report))
    if json_path:
        _write(report, json_path)


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


def _write(report: Report, path: Path) -> None:
    from eval.report import write_json

    with _writing(path):
        write_json(report, path)


@cli.command()
@click.argument("images", nargs=-1, type=click.Path(path_type=Path))
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
    required=True,
    metavar="FILE",
    help="A held-out cropnet, as `cropper train crops --fold 0/2 --seed 1 --trunk-rate 0` makes.",
)
@click.option(
    "--localizer",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Of `cropper train localizer`, for the arms that start from it.",
)
@click.option("--arm", "only", multiple=True, metavar="NAME", help="Only this arm; repeatable.")
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Evaluations an arm and photo.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
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
    callback=_in_folder,
    help="Write the HTML report to this file.",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_in_folder,
    help="Write everything, trajectories included, to this file.",
)
def compare(
    *,
    images: tuple[Path, ...],
    root: Path | None,
    split: str,
    limit: int | None,
    scorer: str,
    judge: str,
    localizer: Path | None,
    only: tuple[str, ...],
    budget: int,
    seed: int,
    device: str,
    shown: int,
    html_path: Path | None,
    json_path: Path | None,
) -> None:
    """Search against the spatial transformer, on IMAGES or a dataset, by a held-out judge."""
    from cropper.scorers import load_scorer
    from eval.compare import CompareConfig, held_out, load_localizer_for, run_comparison
    from eval.compare_report import CompareReport, render_html, render_text, summarise_arms, to_json
    from eval.datasets import Example, load_dataset
    from eval.environment import read_environment
    from eval.report import write_text

    if bool(images) == bool(root):
        raise click.UsageError("give IMAGES or --root, one of them")
    examples = load_dataset(root, split).examples if root else tuple(map(Example, images))
    notes = held_out(scorer, judge)
    climbed = load_scorer(scorer, device)
    with _progress("photos") as progress:
        comparison = run_comparison(
            examples[:limit],
            climbed,
            load_scorer(judge, device),
            CompareConfig(budget, seed),
            localizer=load_localizer_for(climbed, localizer) if localizer else None,
            only=only,
            progress=progress,
        )
    report = CompareReport(
        comparison,
        summarise_arms(comparison, seed),
        (("scorer", scorer), *notes, ("budget", str(budget)), ("seed", str(seed))),
        read_environment(),
        shlex.join(["python", "-m", "eval", *sys.argv[1:]]),
    )
    click.echo(render_text(report))
    if json_path:
        with _writing(json_path):
            write_text(to_json(report), json_path)
    if html_path:
        with _writing(html_path):
            write_text(render_html(report, shown), html_path)


@cli.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_in_folder,
    help="Draw the cosines over the downscale into this file (.png, .svg).",
)
def slopes(*, images: tuple[Path, ...], seed: int, device: str, plot: Path | None) -> None:
    """How good gradients through resampled pixels are, by downscale, on IMAGES."""
    from eval.environment import read_environment
    from eval.report import aligned
    from eval.slopes import ESTIMATES, measure_slopes, plot_slopes

    with _progress("photos") as progress:
        found = measure_slopes(images, seed=seed, device=device, progress=progress)
    scales = sorted({(each.downscale, each.side) for each in found})
    table = [["cosine with the true slope", *(f"{d:.1f}x ({side} px)" for d, side in scales)]]
    for name in ESTIMATES:
        cells = {each.side: each.cosine for each in found if each.estimate == name}
        table.append(
            [name, *(f"{c.mean:.2f} [{c.low:.2f}, {c.high:.2f}]" for c in _in(cells, scales))]
        )
    click.echo(aligned(table))
    click.echo(f"\n{len(images)} photos, 2 crops each, seed {seed}\n{read_environment()}")
    click.echo(shlex.join(["python", "-m", "eval", *sys.argv[1:]]))
    if plot:
        with _writing(plot):
            plot_slopes(found, plot, f"convnet, {len(images)} photos, 2 crops each")


def _in(cells: dict[int, Interval], scales: list[tuple[float, int]]) -> list[Interval]:
    return [cells[side] for _, side in scales]


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        click.echo(f"error: {path} cannot be written: {error.strerror}", err=True)
        raise SystemExit(5) from error


@cli.command()
@click.argument(
    "picture", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--scorer", default="cropnet", show_default=True, metavar="NAME|FILE")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--candidates", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--repeats", type=click.IntRange(2), default=15, show_default=True)
def bench(picture: Path | None, scorer: str, device: str, candidates: int, repeats: int) -> None:
    """Time each stage of one crop; PICTURE is a synthetic 12-megapixel JPEG unless given."""
    from eval.bench import render_bench, run_bench

    report = run_bench(
        picture, scorer=scorer, device=device, candidates=candidates, repeats=repeats
    )
    click.echo(render_bench(report))


@cli.command()
@click.option(
    "--root", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--split", default="all", show_default=True, help="A split that the data has.")
@click.option("--scorer", default="cropnet", show_default=True, metavar="NAME|FILE")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N photos.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), callback=_in_folder)
def calibration(
    *, root: Path, split: str, scorer: str, device: str, limit: int | None, plot: Path | None
) -> None:
    """Whether score differences are log-odds of preference, on pairs that people voted on."""
    from eval.calibration import draw_calibration, measure_calibration, render_calibration
    from eval.datasets import load_dataset
    from eval.environment import read_environment

    dataset = load_dataset(root, split)
    with _progress("photos") as progress:
        result = measure_calibration(dataset, scorer, device, limit, progress)
    click.echo(f"{render_calibration(result)}\n\n{read_environment()}")
    if plot:
        with _writing(plot):
            draw_calibration(result, plot)


@cli.command("bench-bulk")
@click.option("--photos", type=click.IntRange(2), default=50, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--scorer", default="cropnet", show_default=True, metavar="NAME|FILE")
def bench_bulk(photos: int, rounds: int, scorer: str) -> None:
    """Folders per second, beside smartcrop.py and pyvips attention where installed."""
    from eval.bench_bulk import render_bulk_bench, run_bulk_bench

    click.echo(render_bulk_bench(run_bulk_bench(photos, rounds, scorer)))


@cli.command()
@click.option("--rounds", type=click.IntRange(1), default=200, show_default=True)
@click.option("--photos", type=click.IntRange(1), default=60, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def crash(rounds: int, photos: int, seed: int) -> None:
    """Kill `cropper bulk` at random moments and compare what comes out; exit 1 if it differs."""
    from eval.crash import render_crash, run_crash
    from eval.environment import read_environment

    with _progress("rounds") as progress:
        report = run_crash(rounds, photos, seed, progress)
    click.echo(f"{render_crash(report)}\n{read_environment()}")
    if not report.sound:
        raise SystemExit(1)


@cli.command()
@click.option("--photos", type=click.IntRange(10), default=10_000, show_default=True)
def scale(photos: int) -> None:
    """How memory and time of `cropper bulk` grow with the folder, and what a resume costs."""
    from eval.environment import read_environment
    from eval.scale import render_scale, run_scale

    with _progress("photos") as progress:
        report = run_scale(photos, progress)
    click.echo(f"{render_scale(report)}\n{read_environment()}")


@cli.command("bench-convnet")
@click.option("--network", "networks", multiple=True, default=["vgg16", "resnet50", "mobilenet_v2"],
    show_default=True, metavar="NAME", help="Of torchvision; may be repeated.")  # fmt: skip
@click.option("--side", "sides", multiple=True, type=click.IntRange(32), default=[112, 224],
    show_default=True, help="Pixels of the input; may be repeated.")  # fmt: skip
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--crops", type=click.IntRange(1), help="A repeat.  [default: 32, a GPU 8192]")
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
@click.option("--peak", type=click.FloatRange(0, min_open=True), metavar="TFLOPS",
    help="The device's limit, to show which share is reached.")  # fmt: skip
def bench_convnet_command(
    *,
    networks: tuple[str, ...],
    sides: tuple[int, ...],
    device: str,
    crops: int | None,
    repeats: int,
    peak: float | None,
) -> None:
    """Crops a second of exact scoring, a network pass for each crop."""
    from eval.bench_convnet import bench_convnet, render_bench_convnet

    speeds = bench_convnet(networks, sides, device=device, crops=crops, repeats=repeats)
    limit = None if peak is None else 1e12 * peak
    click.echo(render_bench_convnet(speeds, limit, _command_line()))


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

    with _progress("photos") as progress:
        report = run_regret(photos, progress=progress, **options)
    click.echo(render_regret(report, _command_line()))


def _command_line() -> str:
    return shlex.join(["python", "-m", "eval", *sys.argv[1:]])


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Progress | None]:
    """A bar on stderr, only where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


if __name__ == "__main__":
    cli(prog_name="python -m eval")

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

    try:
        write_json(report, path)
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

"""Time, memory, crashes and attacks: the commands named bench, crash, attack and scale."""

# ruff: noqa: PLC0415 - a command imports what it needs, so that help and usage errors are quick

from __future__ import annotations

from pathlib import Path

import click

from eval.commands.group import cli, command_line, progress_bar

__all__ = [
    "attack",
    "bench",
    "bench_against",
    "bench_bot",
    "bench_bulk",
    "bench_cluster",
    "bench_convnet_command",
    "bench_faces",
    "bench_heic",
    "bench_style",
    "bench_threads",
    "crash",
    "peaks",
    "scale",
    "web",
]


@cli.command()
@click.argument(
    "picture", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--scorer", default="cropnet", show_default=True, metavar="NAME|FILE")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--candidates", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--repeats", type=click.IntRange(2), default=15, show_default=True)
@click.option("--cold", is_flag=True, help="Fresh processes, beside smartcrop.py's command.")
def bench(
    *,
    picture: Path | None,
    scorer: str,
    device: str,
    candidates: int,
    repeats: int,
    cold: bool,
) -> None:
    """Time each stage of one crop; PICTURE is a synthetic 12-megapixel JPEG unless given."""
    from eval.bench import render_bench, run_bench
    from eval.bench_cold import render_cold, run_cold
    from eval.environment import read_environment

    if cold:
        click.echo(f"{render_cold(run_cold(picture, repeats))}\n\n{read_environment()}")
        return
    report = run_bench(
        picture, scorer=scorer, device=device, candidates=candidates, repeats=repeats
    )
    click.echo(render_bench(report))


@cli.command("bench-against")
@click.argument("commit", default="HEAD~1")
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
def bench_against(commit: str, repeats: int) -> None:
    """Processor time and memory of commands beside those of COMMIT (HEAD~1): half a minute."""
    from eval.bench_against import render_against, run_against
    from eval.environment import read_environment

    click.echo(f"{render_against(run_against(commit, repeats), commit)}\n\n{read_environment()}")


@cli.command("bench-bot")
@click.argument(
    "picture", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--scorer", default="cropnet", show_default=True, metavar="NAME|FILE")
@click.option("--repeats", type=click.IntRange(1), default=8, show_default=True)
def bench_bot(picture: Path | None, scorer: str, repeats: int) -> None:
    """Seconds of the bot's answers, its network left out; PICTURE is as that of bench."""
    from eval.bench_bot import render_bot, run_bot
    from eval.environment import read_environment

    seconds = run_bot(picture, scorer, repeats)
    click.echo(f"{render_bot(seconds)}\n\n{read_environment()}\n{command_line()}")


@cli.command("bench-bulk")
@click.option("--photos", type=click.IntRange(2), default=50, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--scorer", default="cropnet", show_default=True, metavar="NAME|FILE")
@click.option("--size", nargs=2, type=click.IntRange(64), default=(3000, 2000),
    show_default=True, metavar="WIDTH HEIGHT", help="Of the photos, px.")  # fmt: skip
@click.option("--crop", "crops", nargs=2, type=click.IntRange(16), multiple=True,
    default=[(512, 512)], show_default=True, metavar="WIDTH HEIGHT",
    help="Of the crops, px; may be repeated.")  # fmt: skip
@click.option("--stages", is_flag=True, help="Where the time of a photo goes, instead.")
def bench_bulk(
    *,
    photos: int,
    rounds: int,
    scorer: str,
    size: tuple[int, int],
    crops: tuple[tuple[int, int], ...],
    stages: bool,
) -> None:
    """Folders per second, beside smartcrop.py and pyvips attention where installed."""
    if stages:
        from eval.bench_stages import render_stages, run_stages
        from eval.environment import read_environment

        click.echo(f"{render_stages(run_stages(photos, size, crops[0]))}\n\n{read_environment()}")
        return
    from eval.bench_bulk import render_bulk_bench, run_bulk_bench

    click.echo(render_bulk_bench(run_bulk_bench(photos, rounds, scorer, size, crops)))


@cli.command("bench-cluster")
@click.option("--photos", type=click.IntRange(30), default=60, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--workers", type=click.IntRange(1, 16), default=4, show_default=True,
    help="Of Dask, on this machine, beside one.")  # fmt: skip
@click.option("--size", nargs=2, type=click.IntRange(64), default=(3000, 2000),
    show_default=True, metavar="WIDTH HEIGHT", help="Of the photos, px.")  # fmt: skip
def bench_cluster(photos: int, rounds: int, workers: int, size: tuple[int, int]) -> None:
    """What workers of Dask, and a store, cost a photo of a folder."""
    from eval.bench_cluster import render_cluster, run_cluster
    from eval.environment import read_environment

    with progress_bar("runs") as progress:
        found = run_cluster(photos, rounds, workers, size, progress)
    click.echo(f"{render_cluster(found)}\n\n{read_environment()}\n{command_line()}")


@cli.command("bench-scaling")
@click.option("--scorer", default="cropnet", show_default=True, metavar="NAME|FILE")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--repeats", type=click.IntRange(2), default=5, show_default=True)
@click.option("--largest", type=click.FloatRange(0, 1), default=1.0, show_default=True,
    help="The share of the sizes that is run, the small ones first.")  # fmt: skip
@click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write an SVG or PNG."
)
def bench_scaling(
    scorer: str, device: str, repeats: int, largest: float, plot: Path | None
) -> None:
    """How cost grows with picture size, candidates and folder size."""
    from eval.bench_scaling import plot_curves, render_scaling, run_scaling

    curves = run_scaling(scorer, repeats, largest=largest, device=device)
    click.echo(render_scaling(curves))
    if plot:
        plot_curves(curves, plot)


@cli.command("bench-serve")
@click.option("--clients", type=click.IntRange(1), default=200, show_default=True)
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=60, show_default=True)
def bench_serve(clients: int, seconds: float) -> None:
    """Latency, refusals and memory of `cropper serve` under many clients on this machine."""
    from eval.bench_serve import render_serve_bench, run_serve_bench

    click.echo(render_serve_bench(run_serve_bench(clients, seconds)))


@cli.command("bench-threads")
@click.option("--photos", type=click.IntRange(1), default=16, show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
def bench_threads(photos: int, repeats: int) -> None:
    """Processor time of commands against one thread, idle and beside busy loops."""
    from eval.bench_threads import render_threads, run_threads
    from eval.environment import read_environment

    click.echo(f"{render_threads(run_threads(photos, repeats))}\n\n{read_environment()}")


@cli.command("bench-convnet")
@click.option("--network", "networks", multiple=True, default=["vgg16", "resnet50", "mobilenet_v2"],
    show_default=True, metavar="NAME", help="Of torchvision; may be repeated.")  # fmt: skip
@click.option("--side", "sides", multiple=True, type=click.IntRange(32), default=[112, 224],
    show_default=True, help="Pixels of the input; may be repeated.")  # fmt: skip
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--crops", type=click.IntRange(1), help="A repeat.  [default: 32, a GPU 8192]")
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
def bench_convnet_command(
    *,
    networks: tuple[str, ...],
    sides: tuple[int, ...],
    device: str,
    crops: int | None,
    repeats: int,
) -> None:
    """Crops a second of exact scoring, a network pass for each crop."""
    from eval.bench_convnet import bench_convnet, render_bench_convnet

    speeds = bench_convnet(networks, sides, device=device, crops=crops, repeats=repeats)
    click.echo(render_bench_convnet(speeds, command_line()))


@cli.command()
@click.option("--rounds", type=click.IntRange(1), default=200, show_default=True)
@click.option("--photos", type=click.IntRange(1), default=60, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def crash(rounds: int, photos: int, seed: int) -> None:
    """Kill `cropper bulk` at random moments and compare what comes out; exit 1 if it differs."""
    from eval.crash import render_crash, run_crash
    from eval.environment import read_environment

    with progress_bar("rounds") as progress:
        report = run_crash(rounds, photos, seed, progress)
    click.echo(f"{render_crash(report)}\n{read_environment()}")
    if not report.sound:
        raise SystemExit(1)


@cli.command()
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=5, show_default=True,
    help="Of each attack on the service.")  # fmt: skip
@click.option("--fuzzed", type=click.IntRange(1), default=10_000, show_default=True,
    help="Damaged files.")  # fmt: skip
@click.option("--kills", type=click.IntRange(1), default=500, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def attack(seconds: float, fuzzed: int, kills: int, seed: int) -> None:
    """Attack `cropper serve` and `cropper bulk` on this machine; exit 1 if one does not hold."""
    from eval.attack import render_attacks, run_attacks
    from eval.environment import read_environment

    attacks = []
    with progress_bar("attacks") as progress:
        for found in run_attacks(seconds, fuzzed, kills, seed, progress):
            attacks.append(found)
            click.echo(f"{found.name}: {found.told}", err=True)
    click.echo(f"{render_attacks(attacks)}\n\n{read_environment()}")
    if not all(each.held for each in attacks):
        raise SystemExit(1)


@cli.command()
def peaks() -> None:
    """The memory that a decoder takes for 59 megapixels of each format, beside the estimate."""
    from eval.environment import read_environment
    from eval.peaks import render_peaks, run_peaks

    with progress_bar("photos") as progress:
        found = run_peaks(progress)
    click.echo(f"{render_peaks(found)}\n\n{read_environment()}")
    if any(each.viewed > each.viewed_most or each.encoded > each.encoded_most for each in found):
        raise SystemExit(1)


@cli.command()
@click.option("--photos", type=click.IntRange(10), default=10_000, show_default=True)
@click.option("--crops", type=click.IntRange(10),
    help="Interrupt it after so many, and start it again.  [default: all]")  # fmt: skip
def scale(photos: int, crops: int | None) -> None:
    """Memory and time of `cropper bulk` on many photos: plan, crops, the same command again."""
    from eval.environment import read_environment
    from eval.scale import render_scale, run_scale

    with progress_bar("photos") as progress:
        report = run_scale(photos, crops, progress)
    click.echo(f"{render_scale(report)}\n\n{read_environment()}")


@cli.command("bench-style")
@click.option("--backbone", default="trunk", show_default=True, metavar="NAME|FILE")
@click.option("--size", type=click.IntRange(64), default=1024, show_default=True, metavar="PX")
@click.option("--steps", type=click.IntRange(2), default=100, show_default=True)
def bench_style(backbone: str, size: int, steps: int) -> None:
    """Time, memory and costs of `cropper style`, at each size that one run goes through."""
    from eval.bench_style import render_style, run_style
    from eval.environment import read_environment

    table = render_style(run_style(backbone, size, steps))
    click.echo(f"{table}\n\n{read_environment()}\n{command_line()}")


@cli.command("bench-faces")
@click.option("--known", type=click.IntRange(1), default=5000, show_default=True, metavar="N",
    help="People who are known, by a photo each.")  # fmt: skip
@click.option("--repeats", type=click.IntRange(2), default=15, show_default=True)
def bench_faces(known: int, repeats: int) -> None:
    """Faces found, encoded and looked up a second, on drawn pixels."""
    from eval.bench_faces import measure_faces_speed, render_faces_speed
    from eval.environment import read_environment

    found = measure_faces_speed(known, repeats)
    click.echo(f"{render_faces_speed(found, known)}\n\n{read_environment()}\n{command_line()}")


@cli.command()
@click.option(
    "--site",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="What `cropper export --web` has written.",
)
@click.option("--photos", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--limit", type=click.IntRange(2), default=200, show_default=True,
    help="Photos, spread over those that are there.")  # fmt: skip
@click.option("--frames", type=click.IntRange(3), default=600, show_default=True)
@click.option("--minutes", type=click.FloatRange(0), default=0.0,
    help="Of films at least: whether memory stays flat.")  # fmt: skip
def web(site: Path, photos: Path, limit: int, frames: int, minutes: float) -> None:
    """The engine in a Chromium beside that in Python: boxes, scores, times, bytes."""
    from cropper.listing import list_pictures
    from eval.environment import read_environment
    from eval.web import render_web, run_web

    found = list_pictures([photos])
    some = found[:: max(len(found) // limit, 1)][:limit]
    with progress_bar("photos") as show:
        report = run_web(site, some, frames, minutes, show)
    click.echo(f"{render_web(report)}\n\n{read_environment()}\n{command_line()}")


@cli.command("bench-heic")
@click.option("--quality", type=click.IntRange(1, 100), default=92, show_default=True)
def bench_heic(*, quality: int) -> None:
    """What HEIC costs by x265's preset, of a synthetic photo of 10 megapixels; two minutes."""
    from eval.bench_heic import render_heic, run_heic
    from eval.environment import read_environment

    with progress_bar("presets") as progress:
        rows = run_heic(quality, progress)
    click.echo(f"{render_heic(rows)}\n\n{read_environment()}\n{command_line()}")

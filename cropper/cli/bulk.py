"""``cropper bulk`` on the shell."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from cropper.cli.completion import complete_preset
from cropper.cli.group import EXIT_CODES, main
from cropper.cli.options import (
    COUNT,
    FILE,
    NEW_FOLDER,
    bundle,
    find_options,
    method_options,
    output_options,
    style_options,
    time_limit_option,
)
from cropper.cli.values import parse_size, take_presets, take_request, take_style

if TYPE_CHECKING:
    from cropper.bulk import BulkOptions
    from cropper.bulk.console import Console

__all__ = ["bulk", "folder_options", "folder_run"]

# Those of `bulk` and `watch`, but for ``--dry-run``
folder_options = bundle(
    click.option(
        "-o",
        "--output",
        metavar="OUT_DIR|TEMPLATE",
        required=True,
        help="Folder, or a template with {dir} {stem} {ext} {rank} {aspect} below a folder. "
        "Default in a folder: {dir}/{stem}_{aspect}_{rank}{ext}, less what is the same for all.",
    ),
    click.option(
        "--aspect",
        "aspects",
        multiple=True,
        metavar="original|W:H|free",
        help="Width to height of the crops; may be repeated. Default: those of --size, else "
        "original.",
    ),
    click.option(
        "--size",
        "sizes",
        multiple=True,
        callback=parse_size,
        metavar="WxH",
        help="Exact size of crops in pixels; may be repeated. Replaces an --aspect that it has.",
    ),
    click.option(
        "--preset",
        "presets",
        shell_complete=complete_preset,
        multiple=True,
        metavar="NAME",
        help="A size by its name, from `cropper presets`; may be repeated.",
    ),
    click.option(
        "--include", multiple=True, metavar="GLOB", help="Only these, as in 'a/**/*.jpg'."
    ),
    click.option(
        "--exclude", multiple=True, metavar="GLOB", help="Not these; wins over --include."
    ),
    method_options,
    find_options,
    style_options,
    click.option(
        "--subjects",
        type=FILE,
        metavar="TABLE",
        help="CSV, TSV or JSON lines (.jsonl) with photo, keep, avoid and focus: for single "
        "photos, in place of --keep, --avoid and --focus.",
    ),
    click.option("--workers", type=COUNT, metavar="N", help="Default: one a core."),
    click.option(
        "--backend",
        type=click.Choice(["local", "dask", "ray"]),
        default="local",
        help="Where the workers are: threads here, or processes of a cluster.",
    ),
    time_limit_option(
        120.0,
        "For decoding and encoding one photo, and for each fetch and put of a URL; beyond it "
        "the photo has failed.",
    ),
    click.option(
        "--manifest",
        type=NEW_FOLDER,
        metavar="DIR",
        help="Where the record of a run lies whose OUT_DIR is a URL. Default: a folder below "
        "~/.local/state/cropper, by OUT_DIR's name.",
    ),
    click.option("--cluster", metavar="ADDRESS", help="Of a scheduler. Default: one for this run."),
    click.option(
        "--batch-size",
        type=COUNT,
        default=16,
        metavar="N",
        help="Photos that a GPU looks at together.",
    ),
    click.option(
        "--resume/--restart",
        "resume",
        default=True,
        help="Check and keep what earlier runs did, or do all of it again.",
    ),
    click.option(
        "--overlay",
        metavar="TEMPLATE",
        help="Also draw each photo's crop, runners-up and heat map of the score, below OUT_DIR, as "
        "in 'why/{dir}/{stem}.jpg'.",
    ),
    click.option("--report", metavar="FILE.html", help="Write a page with all crops and failures."),
    click.option("--sheet", metavar="FILE.jpg", help="Write a sheet of photos beside their crops."),
    click.option("--xmp", "xmp", flag_value="beside", help="Also write sidecars for raw files."),
    click.option(
        "--xmp-only", "xmp", flag_value="instead", help="Only sidecars; OUT_DIR may be IN_DIR."
    ),
    click.option(
        "--min-gain",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.0,
        show_default=False,
        metavar="P",
        help="Leave a photo alone if people would prefer its crop with a lower probability.",
    ),
    click.option("--fail-fast", is_flag=True, help="Stop at the first photo that fails."),
    output_options,
)


@main.command(
    epilog="""
\b
Examples:
  cropper bulk photos -o crops
  cropper bulk photos -o crops --aspect 1:1 --aspect 4:5 --size 512x512
  cropper bulk photos -o 'crops/{aspect}/{dir}/{stem}{ext}' --aspect 1:1 --aspect 4:5
  cropper bulk photos -o crops --preset post --preset story
  cropper bulk photos -o crops --include '*.jpg' --exclude 'raw/**' --report crops.html
  cropper bulk photos -o painted --style painting.jpg
  cropper bulk photos -o photos --xmp-only --min-gain 0.6
  cropper bulk s3://bucket/photos -o s3://bucket/crops
"""
    + EXIT_CODES
)
@click.argument("source", metavar="IN_DIR")
@folder_options
@click.option("--dry-run", is_flag=True, help="Print the plan and write nothing.")
def bulk(source: str, output: str, **options: Any) -> int:
    """Crop every photo below IN_DIR into the same tree below OUT_DIR; both may be URLs.

    Run it again after a cut or a change: only what is missing, new, changed or failed is done.
    """
    from cropper.bulk import crop_folder  # noqa: PLC0415 - slow

    with folder_run(source, output, options) as (asked, console, stop):
        report = crop_folder(source, output, asked, watcher=console, stop=stop)
    return report.exit_code


@contextlib.contextmanager
def folder_run(
    source: str, output: str, options: dict[str, Any]
) -> Iterator[tuple[BulkOptions, Console, threading.Event]]:
    """What the options of a run ask for, who tells of it, and what a signal sets."""
    from cropper.bulk import BulkOptions, each_target  # noqa: PLC0415 - slow
    from cropper.bulk.console import Console  # noqa: PLC0415

    told = {name: options.pop(name) for name in ("as_json", "quiet", "verbose")}
    aspects, sizes, presets, resume, no_enlarge = (
        options.pop(name) for name in ("aspects", "sizes", "presets", "resume", "no_enlarge")
    )
    sizes = (*sizes, *take_presets(options, presets, quiet=told["quiet"]))
    requests = each_target(aspects, sizes, take_request(options), no_enlarge=no_enlarge)
    style = take_style(options)
    asked = BulkOptions(requests, style=style, restart=not resume, **options)
    is_template = "{" in output and not os.path.isdir(output)
    folder = output.partition("{")[0].rpartition("/")[0] if is_template else output
    console = Console(source, folder or ".", requests, **told)
    try:
        with _signals() as stop:
            yield asked, console, stop
    finally:
        console.close()


@contextlib.contextmanager
def _signals() -> Iterator[threading.Event]:
    """The first SIGINT or SIGTERM asks for an end after the photos in hand, the second ends now.

    That loses no more than a kill would: those photos, which the next run does again.
    """
    stop = threading.Event()

    def handle(*_: object) -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    before = {each: signal.signal(each, handle) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)

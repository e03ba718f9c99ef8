"""``cropper watch`` on the shell."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import click

from cropper.cli.bulk import folder_options, folder_run
from cropper.cli.group import EXIT_CODES, main

__all__ = ["watch"]


@main.command(
    epilog="""
\b
Examples:
  cropper watch inbox -o crops --aspect 4:5
  cropper watch inbox -o crops --settle 10       # uploads that pause
  cropper watch inbox -o crops --once            # from cron
"""
    + EXIT_CODES
)
@click.argument("source", metavar="DIR")
@folder_options
@click.option(
    "--settle",
    type=click.FloatRange(0.1),
    default=2.0,
    metavar="SECONDS",
    help="Between two looks; a photo is taken when both find the same size and date.",
)
@click.option("--once", is_flag=True, help="Crop what rests now, and end.")
def watch(source: str, output: str, *, settle: float, once: bool, **options: Any) -> int:
    """Crop photos below DIR as they arrive, into the same tree below OUT_DIR.

    Only files that nobody writes to any more are taken. Ended by Ctrl-C or SIGTERM (exit code 130),
    it goes on where it was when it is started again.
    """
    from cropper.bulk import watch_folder  # noqa: PLC0415 - slow
    from cropper.console import say  # noqa: PLC0415

    signal.signal(signal.SIGIO, signal.SIG_IGN)  # see cropper.bulk.arrivals
    quiet = options["quiet"]
    with folder_run(source, output, options) as (asked, console, stop):
        if not quiet and not once and Path(source).is_dir():  # else that is all there is to say
            say(f"watching {source}: photos that rest for {settle:g} s; Ctrl-C ends it")
        report = watch_folder(
            source, output, asked, settle=settle, once=once, watcher=console, stop=stop
        )
    if not quiet and not once:
        say(report.summary)
    return report.exit_code

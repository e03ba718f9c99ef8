"""Processor time of whole commands by their own count of threads, against one thread.

Each command runs idle and beside one busy loop for each core, in turns: with its own count, and
with ``OMP_NUM_THREADS=1``. Threads that wait in loops show as processor time that one thread does
not take.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cropper.threads import THREADS, cores
from eval.bench import ratios_told, synthetic_photo
from eval.processes import measured

__all__ = ["ThreadUse", "render_threads", "run_threads"]

_COMMANDS = ("best", "score", "rank")


@dataclass(frozen=True)
class ThreadUse:
    """One command idle or beside busy loops; (R,) each, of runs in turns."""

    command: str
    busy: bool
    processor: tuple[float, ...]  # s, with its own count of threads
    processor_of_one: tuple[float, ...]  # s, with one
    seconds: tuple[float, ...]  # wall clock
    seconds_of_one: tuple[float, ...]


def run_threads(photos: int = 16, repeats: int = 3) -> list[ThreadUse]:
    """On ``photos`` synthetic photos. Raises ConfigError for a command that fails."""
    with tempfile.TemporaryDirectory() as folder:
        for index in range(photos):
            Path(folder, f"{index}.jpg").write_bytes(synthetic_photo(1200, 900, index))
        found = []
        for name in _COMMANDS:
            line = [sys.executable, "-m", "cropper", name]
            names = sorted(str(each) for each in Path(folder).glob("*.jpg"))
            line += [*names, "--dry-run"] if name == "best" else [folder]
            for busy in (False, True):
                with _loops(cores() if busy else 0):
                    runs = [(_run(line, None), _run(line, "1")) for _ in range(repeats + 1)]
                own, one = (np.array(each).T for each in zip(*runs[1:], strict=True))
                rows = (tuple(row.tolist()) for row in (own[0], one[0], own[1], one[1]))
                found.append(ThreadUse(name, busy, *rows))
        return found


def _run(line: Sequence[str], threads: str | None) -> tuple[float, float]:
    """Processor and wall-clock seconds of a process."""
    environment = {name: value for name, value in os.environ.items() if name != THREADS}
    environment |= {THREADS: threads} if threads else {}
    usage = measured(line, environment)
    return usage.processor, usage.seconds


@contextlib.contextmanager
def _loops(count: int) -> Iterator[None]:
    """So many processes that do nothing, as fast as they can."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for each in busy:
            each.kill()
            each.wait()


def render_threads(found: Sequence[ThreadUse]) -> str:
    """Plain text: medians, and the ratios of the runs' pairs with their range."""
    lines = [
        f"{'':24}{'processor time':>16}{'against one thread':>24}{'wall clock':>12}"
        f"{'against one thread':>24}"
    ]
    for each in found:
        name = f"{each.command}, {'beside busy loops' if each.busy else 'idle'}"
        lines.append(
            f"{name:24}{np.median(each.processor):>14.2f} s"
            f"{ratios_told(each.processor, each.processor_of_one):>24}"
            f"{np.median(each.seconds):>10.2f} s"
            f"{ratios_told(each.seconds, each.seconds_of_one):>24}"
        )
    return "\n".join(lines)

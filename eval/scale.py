"""Memory and time of a bulk run over many small photos, and of doing it again.

The command runs in a process of its own, with a scorer that costs next to nothing, so that the
figures are those of the pipeline: walk, plan, decode, search, encode, write, note.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from cropper.errors import DataError
from eval.crash import write_photos
from eval.photos import Progress
from eval.processes import memory

__all__ = ["ScaleReport", "Tenth", "render_scale", "run_scale"]


@dataclass(frozen=True)
class Tenth:
    """A tenth of the run."""

    photos: int  # done until then
    seconds: float  # since the process was started
    resident: float  # MB, its decoders included


@dataclass(frozen=True)
class ScaleReport:
    photos: int
    tenths: tuple[Tenth, ...]
    resume: float  # s, the same command again, start of the process included


def run_scale(photos: int, progress: Progress | None = None) -> ScaleReport:
    """Raises DataError where a photo fails, or the second run finds anything to do."""
    with tempfile.TemporaryDirectory(prefix="cropper-scale-") as name:
        folder = Path(name)
        write_photos(folder / "in", photos, fan=250)
        line = [sys.executable, "-m", "eval.crash", "bulk", str(folder / "in")]
        line += ["-o", str(folder / "out"), "--scorer", "quick", "--budget", "1000", "--json"]
        start = time.perf_counter()
        tenths: list[Tenth] = []
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
            assert run.stdout
            for done, _ in enumerate(run.stdout, 1):
                if done % (photos // 10) == 0:
                    tenths.append(Tenth(done, time.perf_counter() - start, memory(run.pid)))
                if progress:
                    progress(done, photos)
        if run.returncode:
            raise DataError(f"the run ended with {run.returncode}")
        start = time.perf_counter()
        again = subprocess.run(line, capture_output=True, check=False)
        resume = time.perf_counter() - start
        if again.returncode or again.stdout:
            raise DataError(f"the second run had work to do: {again.stderr.decode()[-300:]}")
    return ScaleReport(photos, tuple(tenths), resume)


def render_scale(report: ScaleReport) -> str:
    lines = ["photos  seconds  photos/s  MB resident"]
    before = Tenth(0, 0.0, 0.0)
    for tenth in report.tenths:
        rate = (tenth.photos - before.photos) / (tenth.seconds - before.seconds)
        lines.append(f"{tenth.photos:6}  {tenth.seconds:7.1f}  {rate:8.1f}  {tenth.resident:11.1f}")
        before = tenth
    lines.append(f"the same command again: {report.resume:.1f} s")
    return "\n".join(lines)

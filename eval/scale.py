"""Memory and time of a bulk run over many small photos: its plan, its crops, and going on.

The command runs in a process of its own, with a scorer that costs next to nothing, so that the
figures are those of the pipeline: walk, plan, decode, search, encode, write, note. It may be
interrupted after a part of the crops, for folders that take hours; then it is started again.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cropper.bulk.walk import MANIFEST
from cropper.errors import DataError
from eval.crash import write_photos
from eval.photos import Progress
from eval.processes import memory, processor

__all__ = ["Plan", "ScaleReport", "Tenth", "render_scale", "run_scale"]

_DIFFERENT = 250  # photos of different content
_INTERRUPTED = 130


@dataclass(frozen=True)
class Plan:
    """From the start of a process until it knows what there is to do."""

    told: float  # s until its first line
    seconds: float
    processor: float  # s
    resident: float  # MB


@dataclass(frozen=True)
class Tenth:
    """A tenth of the crops."""

    photos: int  # done until then
    seconds: float  # since the process was started
    resident: float  # MB, its decoders included


@dataclass(frozen=True)
class ScaleReport:
    photos: int
    crops: int
    plan: Plan
    manifest: float  # MB, of the plan
    tenths: tuple[Tenth, ...]
    again: Plan  # the same command again
    manifest_after: float  # MB


class _Run:
    """The command on a folder, as it is followed."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], started: float) -> None:
        self.folder, self.process, self.started = folder, process, started
        self.plan: Plan | None = None
        self.last = ""
        self._reader = threading.Thread(target=self._read, args=(process.stderr,))
        self._reader.start()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def _read(self, errors: IO[bytes]) -> None:
        told = None
        for line in errors:
            told = told or self.seconds
            self.last = line.decode()
            if self.plan is None and b" to crop" in line:
                spent = processor(self.process.pid)
                self.plan = Plan(told, self.seconds, spent, memory(self.process.pid))

    def end(self, code: int) -> Plan:
        """Raises DataError where it did not end with ``code``, or told of no plan."""
        self.process.wait()
        self._reader.join()
        if self.process.returncode != code or self.plan is None:
            raise DataError(f"the run ended with {self.process.returncode}: {self.last}")
        return self.plan


def run_scale(
    photos: int, crops: int | None = None, progress: Progress | None = None
) -> ScaleReport:
    """``photos`` files are planned and ``crops`` of them (None: all) cropped, then it is run again.

    Raises DataError where a photo fails, or a second run of all has anything to do.
    """
    crops = min(crops or photos, photos)
    is_part = crops < photos
    with tempfile.TemporaryDirectory(prefix="cropper-scale-") as name:
        folder = Path(name)
        _write(folder / "in", photos)
        tenths: list[Tenth] = []
        with _started(folder) as run:
            assert run.process.stdout
            for done, _ in enumerate(run.process.stdout, 1):
                if done == 1:
                    planned = _size(folder)
                if done % max(crops // 10, 1) == 0 and done <= crops:
                    tenths.append(Tenth(done, run.seconds, memory(run.process.pid)))
                if progress:
                    progress(min(done, crops), crops)
                if is_part and done == crops:
                    run.process.send_signal(signal.SIGINT)
            plan = run.end(_INTERRUPTED if is_part else 0)
        with _started(folder) as run:
            assert run.process.stdout
            line = run.process.stdout.readline()
            if is_part:
                run.process.send_signal(signal.SIGINT)
            elif line:
                raise DataError(f"the second run had work to do: {line.decode()}")
            run.process.stdout.read()
            again = run.end(_INTERRUPTED if is_part else 0)
        return ScaleReport(photos, crops, plan, planned, tuple(tenths), again, _size(folder))


@contextmanager
def _started(folder: Path) -> Iterator[_Run]:
    line = [sys.executable, "-m", "eval.crash", "bulk", str(folder / "in")]
    line += ["-o", str(folder / "out"), "--scorer", "quick", "--budget", "1000", "--json"]
    started = time.perf_counter()
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield _Run(folder, process, started)
        except BaseException:
            process.kill()
            raise


def _write(folder: Path, photos: int) -> None:
    """So many JPEGs of 240 x 160 px, 250 to a folder, of some hundred contents."""
    with tempfile.TemporaryDirectory(prefix="cropper-scale-") as name:
        write_photos(Path(name), min(photos, _DIFFERENT), fan=_DIFFERENT)
        contents = [path.read_bytes() for path in sorted(Path(name).rglob("*.jpg"))]
    for index in range(photos):
        path = folder / f"{index // 250:04}" / f"{index:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[index % len(contents)])


def _size(folder: Path) -> float:
    """MB of the manifest, with what is not in its main file yet."""
    files = (folder / "out" / MANIFEST).parent.glob("manifest.sqlite*")
    return sum(each.stat().st_size for each in files) / 1e6


def render_scale(report: ScaleReport) -> str:
    lines = [
        f"{report.photos} photos planned, {report.crops} cropped",
        "",
        f"{'':26}  first line  all planned  processor  MB resident  manifest",
    ]
    sizes = (report.manifest, report.manifest_after)
    names = (f"{report.photos} photos", f"again, {report.crops} done")
    for name, plan, size in zip(names, (report.plan, report.again), sizes, strict=True):
        lines.append(
            f"{name:26}  {plan.told:8.1f} s  {plan.seconds:9.1f} s  {plan.processor:7.1f} s  "
            f"{plan.resident:11.1f}  {size:5.1f} MB"
        )
    lines += ["", "cropped  seconds  photos/s  MB resident"]
    before = Tenth(0, report.plan.seconds, 0.0)
    for tenth in report.tenths:
        rate = (tenth.photos - before.photos) / (tenth.seconds - before.seconds)
        lines.append(f"{tenth.photos:7}  {tenth.seconds:7.1f}  {rate:8.1f}  {tenth.resident:11.1f}")
        before = tenth
    return "\n".join(lines)

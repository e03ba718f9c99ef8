"""Kill a bulk run at random moments, look at what lies there, go on, and compare at the end.

The command runs in processes of its own, killed with SIGKILL at a moment drawn from the length of
a whole run, start included. After each kill every file under a final name must be, byte for byte,
what an uninterrupted run writes there. When a run comes through, its tree must be the
uninterrupted one; then the next folder begins.
"""

from __future__ import annotations

import random
import runpy
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cropper.boxes import Boxes, area
from cropper.errors import DataError
from cropper.image import View, encode, from_array
from cropper.scorers import BoundScorer, ScorerSpec
from eval.photos import Progress

__all__ = ["CrashReport", "QuickScorer", "render_crash", "run_crash", "write_photos"]

_TEMPORARY = ".cropper-"  # how names of unfinished files begin


@dataclass(frozen=True)
class CrashReport:
    rounds: int  # processes that were killed, or were through before that
    killed: int
    trees: int  # runs that came through, each compared
    torn: int  # files under a final name that are not what they should be, over all rounds
    lost: int  # files that a finished tree lacks
    extra: int  # files that a finished tree has too many, unfinished ones included
    mixed: int  # files of a finished tree that hold something else
    whole: float  # s, of the uninterrupted run

    @property
    def sound(self) -> bool:
        return not (self.torn or self.lost or self.extra or self.mixed)


class QuickScorer:
    """Likes crops of 2/3 that hold the brightest part: no network, and each photo has its own."""

    spec = ScorerSpec("quick", 64, 4096, False, "for measurements of the pipeline", "none")

    def bind(self, view: View) -> BoundScorer:
        grey = view.pixels.mean(2)
        rows, columns = np.nonzero(grey >= np.quantile(grey, 0.99))
        size = np.array(view.size, dtype=np.float64)
        bright = (np.array([columns.mean(), rows.mean()]) + 0.5) / grey.shape[::-1]

        def score(boxes: Boxes) -> np.ndarray:
            off = np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 / size - bright).sum(1)
            return -np.asarray(off + np.abs(area(boxes) / size.prod() - 4 / 9))

        return BoundScorer(score, view.size, self.spec.batch_size)


def write_photos(
    folder: Path, count: int, seed: int = 0, size: tuple[int, int] = (240, 160), fan: int = 16
) -> None:
    """``count`` different JPEGs of ``size`` = (width, height) px, ``fan`` to a folder."""
    rng = np.random.default_rng(seed)
    width, height = size
    steps = np.linspace(0, 255, width)[None, :, None] * np.ones((height, 1, 3))
    for index in range(count):
        pixels = np.roll(steps, rng.integers(width), axis=1) * rng.uniform(0.3, 0.9, 3)
        y, x = rng.integers(height - 20), rng.integers(width - 20)
        pixels[y : y + 20, x : x + 20] = 255
        source = from_array(pixels.astype(np.uint8))
        path = folder / f"{index // fan:04}" / f"{index:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(source.cut((0, 0, width, height)), source, "JPEG", 85))


def run_crash(
    rounds: int = 200,
    photos: int = 60,
    seed: int = 0,
    progress: Progress | None = None,
) -> CrashReport:
    """Raises DataError where even the uninterrupted run fails."""
    rng = random.Random(seed)
    killed = trees = torn = lost = extra = mixed = 0
    with tempfile.TemporaryDirectory(prefix="cropper-crash-") as name:
        folder = Path(name)
        write_photos(folder / "in", photos, seed)
        (folder / "in/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off here")
        start = time.perf_counter()
        _finished(folder, "whole")
        whole = time.perf_counter() - start
        right = _tree(folder / "whole")
        out = 0
        for done in range(rounds):
            if progress:
                progress(done, rounds)
            process = _start(folder, f"out{out}")
            came_through = _killed_after(process, rng.uniform(0, 1.2 * whole))
            killed += not came_through
            found = _tree(folder / f"out{out}")
            torn += sum(right.get(path) != content for path, content in _final(found).items())
            if came_through or done == rounds - 1:
                _finished(folder, f"out{out}")
                found = _tree(folder / f"out{out}")
                trees += 1
                lost += len(right.keys() - found.keys())
                extra += len(found.keys() - right.keys())
                mixed += sum(found[path] != right[path] for path in found.keys() & right.keys())
                out += 1
    return CrashReport(rounds, killed, trees, torn, lost, extra, mixed, whole)


def _start(folder: Path, out: str) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "eval.crash", "bulk", str(folder / "in"), "-o", str(folder / out)]
    line += ["--scorer", "quick", "--aspect", "1:1", "--aspect", "3:2", "--top-k", "2", "-q"]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _killed_after(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """True if it came to its end before."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    return process.returncode == 1  # the broken photo's


def _finished(folder: Path, out: str) -> None:
    process = _start(folder, out)
    _, errors = process.communicate(timeout=600)
    if process.returncode != 1 or b"1 failed" not in errors:
        raise DataError(f"a run ended with {process.returncode}: {errors.decode()[-500:]}")


def _tree(folder: Path) -> dict[str, bytes]:
    """Path -> content of everything but the manifest."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != ".cropper"
    }


def _final(tree: dict[str, bytes]) -> dict[str, bytes]:
    return {path: c for path, c in tree.items() if not Path(path).name.startswith(_TEMPORARY)}


def render_crash(report: CrashReport) -> str:
    return (
        f"{report.rounds} rounds, {report.killed} killed; {report.trees} trees compared\n"
        f"torn {report.torn}, lost {report.lost}, extra {report.extra}, mixed up {report.mixed}; "
        f"an uninterrupted run took {report.whole:.1f} s"
    )


def _quick(device: str) -> QuickScorer:
    return QuickScorer()


if __name__ == "__main__":
    from cropper.scorers import register_scorer

    register_scorer("quick")(_quick)
    runpy.run_module("cropper", run_name="__main__")  # the command, which knows it from now on

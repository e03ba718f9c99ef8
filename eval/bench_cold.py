"""A fresh process for one picture, beside smartcrop.py's command on the same picture."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.bench import Timing
from eval.processes import measured

__all__ = ["ColdStart", "render_cold", "run_cold"]


@dataclass(frozen=True)
class ColdStart:
    timing: Timing
    peak: float  # resident memory, MB, largest of the runs


def run_cold(picture: Path | None = None, repeats: int = 7) -> list[ColdStart]:
    """Wall-clock time and peak memory of whole processes; the baseline where it is installed."""
    with tempfile.TemporaryDirectory() as scratch:
        source, out = Path(scratch, "photo.jpg"), str(Path(scratch, "out.jpg"))
        if picture:
            source.write_bytes(picture.read_bytes())
        else:  # elsewhere: a process inherits the peak of the one that starts it
            write = "import sys; from eval.bench import synthetic_photo as photo"
            write += "; open(sys.argv[1], 'wb').write(photo())"
            subprocess.run([sys.executable, "-c", write, str(source)], check=True)
        ours = [sys.executable, "-m", "cropper", "best", str(source), "-o", out, "-q"]
        found = []
        peer = shutil.which("smartcroppy") or shutil.which(
            "smartcroppy", path=str(Path(sys.executable).parent)
        )
        if peer:
            line = [peer, "--width", "1000", "--height", "1000", str(source), out]
            found.append(_measured("smartcrop.py", line, repeats, None))
        baseline = "smartcrop.py" if peer else None
        found.append(_measured("cropper best", [*ours, "--overwrite"], repeats, baseline))
        square = [*ours, "--overwrite", "--aspect", "1:1", "--size", "1000x1000"]
        found.append(_measured("cropper best, to 1000x1000", square, repeats, baseline))
        return found


def _measured(name: str, line: Sequence[str], repeats: int, baseline: str | None) -> ColdStart:
    first, *runs = (measured(line) for _ in range(repeats + 1))  # then the disk cache is warm
    seconds = tuple(run.seconds for run in runs)
    return ColdStart(Timing(name, seconds, baseline), max(run.peak for run in (first, *runs)))


def render_cold(found: Sequence[ColdStart]) -> str:
    medians = {each.timing.name: each.timing.median for each in found}
    lines = [f"{'fresh process':28} {'median':>8} {'quartiles':>15} {'peak':>8}  against"]
    for each in found:
        low, high = each.timing.spread
        base = each.timing.baseline
        against = f"{each.timing.median / medians[base]:.2f}x {base}" if base else ""
        row = f"{each.timing.name:28} {each.timing.median:6.2f} s {low:7.2f}-{high:.2f} s"
        lines.append(f"{row} {each.peak:5.0f} MB  {against}".rstrip())
    return "\n".join(lines)

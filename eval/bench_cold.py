"""A fresh process for one picture, beside the commands of smartcrop.py and libvips on the same.

The commands take turns. Python's find their bytecode, as after an installation, in a folder of
their own, since a source tree may have none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.bench import Timing, ratios_told
from eval.processes import measured

__all__ = ["ColdStart", "render_cold", "run_cold"]


_SMARTCROP = "smartcrop.py, to 1000x1000"


@dataclass(frozen=True)
class ColdStart:
    timing: Timing
    processor: tuple[float, ...]  # s, of each run
    peak: float  # resident memory, MB, largest of the runs


def run_cold(picture: Path | None = None, repeats: int = 7) -> list[ColdStart]:
    """Time and peak memory of whole processes; the baselines where they are installed."""
    with tempfile.TemporaryDirectory() as scratch:
        source, out = Path(scratch, "photo.jpg"), str(Path(scratch, "out.jpg"))
        if picture:
            source.write_bytes(picture.read_bytes())
        else:  # elsewhere: a process inherits the peak of the one that starts it
            write = "import sys; from eval.bench import synthetic_photo as photo"
            write += "; open(sys.argv[1], 'wb').write(photo())"
            subprocess.run([sys.executable, "-c", write, str(source)], check=True)
        lines = _lines(str(source), out)
        environment = {key: x for key, x in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = str(Path(scratch, "bytecode"))
        rounds = [
            [measured(line, environment) for line in lines.values()] for _ in range(repeats + 1)
        ]
    baseline = _SMARTCROP if _SMARTCROP in lines else None
    found = []
    for name, runs in zip(lines, zip(*rounds, strict=True), strict=True):
        warm = runs[1:]  # bytecode and disk cache are there
        timing = Timing(
            name, tuple(run.seconds for run in warm), None if name == baseline else baseline
        )
        peak = max(run.peak for run in runs)
        found.append(ColdStart(timing, tuple(run.processor for run in warm), peak))
    return found


def _lines(source: str, out: str) -> dict[str, list[str]]:
    found = {}
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if peer := shutil.which("smartcroppy", path=beside):
        found[_SMARTCROP] = [peer, "--width", "1000", "--height", "1000", source, out]
    if peer := shutil.which("vipsthumbnail"):
        found["vipsthumbnail, attention"] = [
            *(peer, source, "--size", "1000x1000", "--smartcrop", "attention", "-o", out)
        ]
    ours = [sys.executable, "-m", "cropper", "best", source, "-o", out, "-q", "--overwrite"]
    found["cropper best, to 1000x1000"] = [*ours, "--aspect", "1:1", "--size", "1000x1000"]
    found["cropper best"] = ours
    what = "import numpy, onnxruntime, PIL.Image, PIL.JpegImagePlugin"
    found["Python and its libraries"] = [sys.executable, "-c", what]
    return found


def render_cold(found: Sequence[ColdStart]) -> str:
    named = {each.timing.name: each for each in found}
    lines = [
        f"{'fresh process':28} {'median':>8} {'quartiles':>12} {'processor':>10} {'peak':>8}  "
        f"against {_SMARTCROP}"
    ]
    for each in found:
        timing, (low, high) = each.timing, each.timing.spread
        row = f"{timing.name:28} {timing.median:6.2f} s {low:7.2f}-{high:.2f}"
        row += f" {np.median(each.processor):8.2f} s {each.peak:5.0f} MB"
        if timing.baseline:
            base = named[timing.baseline]
            row += f"  {timing.median / base.timing.median:.2f} x time, processor "
            row += ratios_told(each.processor, base.processor)
        lines.append(row)
    return "\n".join(lines)

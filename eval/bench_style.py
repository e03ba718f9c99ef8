"""Time and memory of ``cropper style`` by size: whole commands on a drawn photo."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.bench import synthetic_photo
from eval.processes import Usage, measured

__all__ = ["StyleRun", "render_style", "run_style"]

_FEW, _MORE = 2, 6  # steps: what they differ by is free of the start


@dataclass(frozen=True)
class StyleRun:
    size: int  # px of the long side, of a photo of 4:3
    few: tuple[Usage, ...]
    more: tuple[Usage, ...]

    @property
    def step_seconds(self) -> tuple[float, ...]:
        """Of one step at this size, from pairs of runs."""
        pairs = zip(self.few, self.more, strict=True)
        return tuple((more.seconds - few.seconds) / (_MORE - _FEW) for few, more in pairs)


def run_style(backbone: str, sizes: Sequence[int], repeats: int = 3) -> list[StyleRun]:
    """Raises ConfigError for a command that fails."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        photo, like, out = (str(Path(folder, name)) for name in ("a.jpg", "b.jpg", "o.jpg"))
        for number, name in enumerate((photo, like)):
            Path(name).write_bytes(synthetic_photo(2000, 1500, number))
        line = [sys.executable, "-m", "cropper", "style", photo, "--like", like, "--overwrite"]
        line += ["--backbone", backbone]
        for size in sizes:
            start = str(Path(folder, "start.png"))  # as large: no coarser size comes first
            measured([*line, "--size", str(size), "--steps", "1", "-o", start])
            runs = [
                [measured(_line(line, start, out, size, steps)) for steps in (_FEW, _MORE)]
                for _ in range(repeats)
            ]
            few, more = zip(*runs, strict=True)
            found.append(StyleRun(size, few, more))
    return found


def _line(line: Sequence[str], start: str, out: str, size: int, steps: int) -> list[str]:
    """``--steps`` are of the coarsest size: each finer one takes half as many."""
    from cropper.style import StyleConfig  # noqa: PLC0415 - torch

    coarsest = steps * 2 ** (len(StyleConfig(size=size).levels()) - 1)
    return [*line, "--start", start, "--size", str(size), "--steps", str(coarsest), "-o", out]


def render_style(found: Sequence[StyleRun]) -> str:
    """Plain text: the median step with its range, and the peak."""
    lines = [f"{'long side':>10} {'a step':>9} {'range':>15} {'peak memory':>12}"]
    for each in found:
        seconds = each.step_seconds
        peak = max(usage.peak for usage in each.more) / 1000
        spread = f"{min(seconds):.2f}-{max(seconds):.2f} s"
        lines.append(f"{each.size:7} px {np.median(seconds):7.2f} s {spread:>15} {peak:9.1f} GB")
    return "\n".join(lines)

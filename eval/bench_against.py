"""Whole commands of this tree beside those of another commit: what became slower, or larger.

Both trees take turns on the same files in the same run, so that the ratios hold on any machine;
processor time is looked at, which other work on it changes least.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cropper.errors import ConfigError
from eval.bench import ratios_told, synthetic_photo
from eval.crash import write_photos
from eval.processes import Usage, measured

__all__ = ["Step", "render_against", "run_against", "write"]

_ROOT = Path(__file__).parents[1]
_PACKAGES = ("cropper", "spatial_transformer")


@dataclass(frozen=True)
class Step:
    """One command in both trees, (R,) runs in turns."""

    name: str
    here: tuple[Usage, ...]
    there: tuple[Usage, ...]


def run_against(commit: str, repeats: int = 3) -> list[Step]:
    """Raises ConfigError where there is no such commit, or a command fails."""
    with tempfile.TemporaryDirectory(prefix="cropper-against-") as name:
        folder = Path(name)
        _extract(commit, folder / "there")
        environments = [
            _environment(tree, folder / f"bytecode{number}")
            for number, tree in enumerate((_ROOT, folder / "there"))
        ]
        found = []
        for step, line in _lines(folder).items():
            runs = [
                [measured(line, environment) for environment in environments]
                for _ in range(repeats + 1)
            ]
            here, there = zip(*runs[1:], strict=True)  # then bytecode and disk cache are there
            found.append(Step(step, here, there))
        return found


def _extract(commit: str, folder: Path) -> None:
    line = ["git", "-C", str(_ROOT), "archive", commit, *_PACKAGES]
    done = subprocess.run(line, capture_output=True, check=False)
    if done.returncode:
        raise ConfigError(f"{commit}: no commit of {_ROOT}: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


def write(folder: str) -> None:
    """The photos: eight of 3000 x 2000 px, and a thousand tiny ones."""
    (few := Path(folder, "few")).mkdir()
    for index in range(8):
        (few / f"{index}.jpg").write_bytes(synthetic_photo(3000, 2000, index))
    write_photos(Path(folder, "many"), 1000, size=(32, 24), fan=250)


def _environment(tree: Path, bytecode: Path) -> dict[str, str]:
    usual = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**usual, "PYTHONPATH": str(tree), "PYTHONPYCACHEPREFIX": str(bytecode)}


def _lines(folder: Path) -> dict[str, list[str]]:
    # elsewhere: a process inherits the peak of the one that starts it
    write = f"from eval.bench_against import write; write({str(folder)!r})"
    subprocess.run([sys.executable, "-c", write], cwd=_ROOT, check=True)
    command = [sys.executable, "-P", "-m", "cropper"]  # -P: not from the current folder
    out, size = str(folder / "out"), ["--size", "512x512", "-q"]
    one = str(folder / "few" / "0.jpg")
    return {
        "best, one photo": [*command, "best", one, "-o", f"{out}.jpg", "--overwrite", *size],
        "bulk, 8 photos": [*command, "bulk", str(folder / "few"), "-o", out, "--restart", *size],
        "bulk, 1,000 planned": [
            *(*command, "bulk", str(folder / "many"), "-o", f"{out}2", "--dry-run", "-q")
        ],
    }


def render_against(found: Sequence[Step], commit: str) -> str:
    """Plain text: medians here, and the ratios of the runs' pairs with their range."""
    lines = [f"{'':22}{'processor':>10}{'against ' + commit:>26}{'peak':>9}{'against':>9}"]
    for step in found:
        here, there = (
            np.array([(each.processor, each.peak) for each in runs])
            for runs in (step.here, step.there)
        )
        spent, peak = np.median(here, 0)
        against = ratios_told(here[:, 0], there[:, 0])
        larger = np.median(here[:, 1] / there[:, 1])
        lines.append(f"{step.name:22}{spent:8.2f} s{against:>26}{peak:6.0f} MB{larger:9.2f}")
    return "\n".join(lines)

"""Where a figure was measured: versions, hardware and commit, so that it can be repeated."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Environment", "read_environment"]

_PACKAGES = ("cropper", "numpy", "pillow", "torch", "onnxruntime", "smartcrop", "pyvips")


@dataclass(frozen=True)
class Environment:
    python: str
    packages: tuple[tuple[str, str], ...]  # (name, version) of those installed
    system: str
    processor: str
    cores: int  # that this process may use
    accelerator: str | None  # None: no GPU, or torch was never needed
    commit: str | None  # of the source tree; '+' behind it: with uncommitted changes

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.packages)
        machine = f"{self.system}, {self.processor}, {self.cores} cores"
        return "\n".join(
            [
                f"{versions}, Python {self.python}, commit {self.commit or 'unknown'}",
                machine + (f", {self.accelerator}" if self.accelerator else ""),
            ]
        )


def read_environment() -> Environment:
    packages = []
    for name in _PACKAGES:
        try:
            packages.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            if name == "cropper":
                packages.append((name, "from source"))
    return Environment(
        platform.python_version(),
        tuple(packages),
        f"{platform.system()} {platform.machine()}",
        _processor(),
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        _accelerator(),
        _commit(Path(__file__).parent),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"


def _accelerator() -> str | None:
    """Asks torch only where something has loaded it: importing it takes seconds."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name())


def _commit(folder: Path) -> str | None:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != folder.resolve().parent:
            return None  # installed inside somebody else's repository
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None

"""What processes take of memory and time, by the system's own account."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cropper.errors import ConfigError

__all__ = ["Usage", "family", "measured", "memory", "processor"]


@dataclass(frozen=True)
class Usage:
    """What one process took."""

    seconds: float  # wall clock, from its start to its end
    processor: float  # s
    peak: float  # MB resident


def measured(line: Sequence[str], environment: Mapping[str, str] | None = None) -> Usage:
    """Runs a command in silence. Raises ConfigError where it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ConfigError(f"{' '.join(line)} ended with {process.returncode}")
    return Usage(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def family(pid: int) -> list[int]:
    """A process and those that it has started, and these, so far as they run."""
    found = [pid]
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = tasks.read_text("ascii").split()
        except OSError:  # it has ended
            continue
        for child in children:
            found += family(int(child))
    return found


def memory(pid: int, what: str = "VmRSS") -> float:
    """MB of a process and those that it has started: resident, or at most until now (VmHWM).

    What they share is counted for each. NaN where the system does not tell.
    """
    total = 0.0
    for each in family(pid):
        try:
            status = Path(f"/proc/{each}/status").read_text("ascii")
            total += int(status.partition(f"{what}:")[2].split()[0]) / 1000
        except (OSError, IndexError):
            continue
    return total or float("nan")


def processor(pid: int) -> float:
    """Seconds until now of a process and those that it has started, so far as they run."""
    total = 0
    for each in family(pid):
        try:
            told = Path(f"/proc/{each}/stat").read_text("ascii").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        total += int(told[11]) + int(told[12])  # of user and system
    return total / os.sysconf("SC_CLK_TCK")

"""How many cores may be used, and how many threads compute: the one place that decides it."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path, PurePosixPath

__all__ = ["THREADS", "cores", "set_threads", "threads"]

THREADS = "OMP_NUM_THREADS"  # OpenMP, OpenBLAS, MKL and torch read it when they are loaded
_WAITING = "OMP_WAIT_POLICY"


def cores() -> int:
    """That this process may use: of its affinity, and no more than its control groups' quota."""
    has_affinity = hasattr(os, "sched_getaffinity")
    count = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quota = _quota(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
    return count if quota is None else max(1, min(count, math.ceil(quota)))


def threads() -> int:
    """For one computation: OMP_NUM_THREADS, which people set to share a machine; else cores."""
    asked = os.environ.get(THREADS, "").split(",")[0].strip()  # a number for each nested level
    return int(asked) if asked.isdecimal() and int(asked) else cores()


def set_threads(count: int | None) -> None:
    """Says it to libraries that are loaded later; None leaves OMP_NUM_THREADS where it is set.

    Threads of OpenMP that wait sleep, unless OMP_WAIT_POLICY says otherwise.
    """
    if count is not None or not os.environ.get(THREADS):
        os.environ[THREADS] = str(count or cores())
    os.environ.setdefault(_WAITING, "PASSIVE")


def _quota(membership: Path, mount: Path) -> float | None:
    """Cores' worth of time in the strictest of this process's groups, of version 1 or 2."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    found: list[float] = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        place = PurePosixPath(group.lstrip("/"))
        root = mount / "cpu" if controllers else mount
        for each in (place, *place.parents):
            with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
                found.extend(_limit(root / each, version=1 if controllers else 2))
    return min(found, default=None)


def _limit(group: Path, version: int) -> list[float]:
    if version == 1:
        quota = (group / "cpu.cfs_quota_us").read_text()
        period = (group / "cpu.cfs_period_us").read_text()
    else:
        quota, period = (group / "cpu.max").read_text().split()
    without = quota.strip() in {"max", "-1"}
    return [] if without else [int(quota) / int(period)]

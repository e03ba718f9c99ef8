"""What processes take of the memory, by Linux's own account."""

from __future__ import annotations

from pathlib import Path

__all__ = ["family", "memory"]


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

"""Who asks too often. Nobody's name is needed for that, and nothing of it outlives the process."""

from __future__ import annotations

import enum
from collections import deque

__all__ = ["RateLimit", "Verdict"]

_PEOPLE = 10_000  # that are remembered before those who have left are forgotten


class Verdict(enum.Enum):
    ANSWER = enum.auto()
    BUSY = enum.auto()  # of the queue: told so
    TOO_MANY = enum.auto()  # told so, once
    SILENT = enum.auto()


class RateLimit:
    """A sliding window over each person's messages."""

    def __init__(self, most: int, seconds: float = 60.0) -> None:
        """``most`` messages within ``seconds`` are answered."""
        self.most, self.seconds = most, seconds
        self._times: dict[str, deque[float]] = {}

    def admit(self, person: str, when: float) -> Verdict:
        """Of a message at a time, s; times do not go back."""
        if len(self._times) > _PEOPLE:
            late = when - self.seconds
            self._times = {who: t for who, t in self._times.items() if t[-1] > late}
        times = self._times.setdefault(person, deque())
        while times and times[0] <= when - self.seconds:
            times.popleft()
        if len(times) > self.most:
            return Verdict.SILENT
        times.append(when)
        return Verdict.ANSWER if len(times) <= self.most else Verdict.TOO_MANY

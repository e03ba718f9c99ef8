"""What came of a run: it counts, names the failures and owns the exit code."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cropper.bulk.outcome import Failed, Outcome, PhotoState
from cropper.bulk.plan import PlannedPhoto
from cropper.bulk.prepare import Prepared

__all__ = ["BulkReport", "Ending", "Tally", "Watcher", "counted"]

_NAMED = 1000  # failures that a report holds; the manifest has them all


class Ending(enum.Enum):
    """How a run ended."""

    COMPLETE = enum.auto()
    STOPPED = enum.auto()  # by itself
    INTERRUPTED = enum.auto()  # by a signal
    NO_ROOM = enum.auto()  # the disk is full or read-only


@dataclass(frozen=True)
class BulkReport:
    """The result of ``crop_folder``."""

    done: int  # photos that were cropped by this run
    current: int  # whose crops an earlier run wrote, checked
    kept: int  # of these, with a crop that somebody changed since
    skipped: int  # whose crops would hardly be preferred
    failed: int
    waiting: int  # not reached; of a dry run, what there is to do
    files: int | None  # that a dry run would write; None for others
    reasons: tuple[tuple[str, int], ...]  # of failures, in words
    failures: tuple[tuple[str, str], ...]  # (photo, message), the first thousand
    ignored: tuple[tuple[str, int], ...]  # (why, how many) of what is no photo
    seconds: float
    ending: Ending
    ended_by: str = ""  # what ended it early, in words

    @property
    def exit_code(self) -> int:
        """0 all done, 1 some failed, 5 nothing more can be written, 130 interrupted."""
        if self.ending is Ending.INTERRUPTED:
            return 130
        if self.ending is Ending.NO_ROOM:
            return 5
        return int(self.failed > 0 or self.ending is Ending.STOPPED)

    @property
    def summary(self) -> str:
        """One line."""
        if self.files is None:
            parts = [f"{self.done} done"]
        else:
            parts = [
                f"{counted(self.waiting, 'photo')}, {counted(self.files, 'file')} would be written"
            ]
        kept = f" ({self.kept} changed since and kept)" if self.kept else ""
        parts += [f"{self.current} were done already{kept}"] * (self.current > 0)
        parts += [f"{self.skipped} skipped"] * (self.skipped > 0)
        parts += [f"{self.failed} failed ({_listed(self.reasons)})"] * (self.failed > 0)
        parts += [f"{self.waiting} not reached"] * (self.waiting > 0 and self.files is None)
        rate = (self.done + self.skipped) / self.seconds if self.seconds else 0.0
        line = f"{', '.join(parts)}; {self.seconds:.1f} s"
        line += f", {rate:.1f} photos/s" if self.done + self.skipped else ""
        line += f"; passed over: {_listed(self.ignored)}" if self.ignored else ""
        return f"{self.ended_by}: {line}" if self.ended_by else line


def counted(number: int, what: str) -> str:
    """``1 photo``, ``2 photos``."""
    return f"{number} {what}{'s' * (number != 1)}"


def _listed(counts: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts)


class Watcher:
    """Told what happens, while it happens. Does nothing; derive from it what shows."""

    def planned(self, photo: PlannedPhoto, todo: bool) -> None:
        """A dry run's photo."""

    def found(self, photos: int) -> None:
        """So many photos are in the plan, which grows."""

    def noted(self, note: str) -> None:
        """What is worth a line before the work begins, or in a dry run."""

    def started(self, prepared: Prepared) -> None:
        """The plan is made and the work begins."""

    def finished(self, outcome: Outcome) -> None:
        """A photo is done, skipped or failed."""

    def ended(self, report: BulkReport) -> None:
        """Nothing more is to come."""


class Tally:
    """Counts outcomes."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.states: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.failures: list[tuple[str, str]] = []
        for outcome in prepared.unreadable:
            self.add(outcome)

    def add(self, outcome: Outcome) -> None:
        self.states[outcome.state] += 1
        if isinstance(outcome, Failed):
            self.reasons[outcome.reason] += 1
            if len(self.failures) < _NAMED:
                self.failures.append((outcome.source, outcome.message))

    def report(self, seconds: float, ending: Ending, ended_by: str, *, dry_run: bool) -> BulkReport:
        states = self.states
        reached = states.total() - len(self.prepared.unreadable)
        return BulkReport(
            done=states[PhotoState.DONE],
            current=self.prepared.current,
            kept=self.prepared.kept,
            skipped=states[PhotoState.SKIPPED],
            failed=states[PhotoState.FAILED],
            waiting=self.prepared.todo - reached,
            files=self.prepared.files if dry_run else None,
            reasons=tuple(self.reasons.most_common()),
            failures=tuple(self.failures),
            ignored=self.prepared.ignored,
            seconds=seconds,
            ending=ending,
            ended_by=ended_by,
        )

"""What came of a run: it counts, names the failures and owns the exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cropper.bulk.outcome import DONE, FAILED, LEFT, Outcome
from cropper.bulk.plan import PlannedPhoto
from cropper.bulk.prepare import Prepared

__all__ = ["BulkReport", "Tally", "Watcher", "counted"]

_NAMED = 1000  # failures that a report holds; the manifest has them all


@dataclass(frozen=True)
class BulkReport:
    """The result of ``crop_folder``."""

    done: int  # photos that were cropped by this run
    current: int  # whose crops an earlier run wrote, checked
    kept: int  # of these, with a crop that somebody changed since
    left: int  # left alone: their crops would hardly be preferred
    failed: int
    waiting: int  # not reached; of a dry run, what there is to do
    files: int | None  # that a dry run would write; None for others
    kinds: tuple[tuple[str, int], ...]  # of failures, in words
    failures: tuple[tuple[str, str], ...]  # (photo, message), the first thousand
    skipped: tuple[tuple[str, int], ...]  # (why, how many) of what is no photo
    seconds: float
    stopped: str | None  # why it ended early
    interrupted: bool  # by a signal
    no_room: bool  # the disk is full or read-only

    @property
    def exit_code(self) -> int:
        """0 all done, 1 some failed, 5 nothing more can be written, 130 interrupted."""
        if self.interrupted:
            return 130
        if self.no_room:
            return 5
        return int(self.failed > 0 or self.stopped is not None)

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
        parts += [f"{self.left} left alone"] * (self.left > 0)
        parts += [f"{self.failed} failed ({_listed(self.kinds)})"] * (self.failed > 0)
        parts += [f"{self.waiting} not reached"] * (self.waiting > 0 and self.files is None)
        rate = (self.done + self.left) / self.seconds if self.seconds else 0.0
        line = f"{', '.join(parts)}; {self.seconds:.1f} s"
        line += f", {rate:.1f} photos/s" if self.done + self.left else ""
        line += f"; passed over: {_listed(self.skipped)}" if self.skipped else ""
        return f"{self.stopped}: {line}" if self.stopped else line


def counted(number: int, what: str) -> str:
    """``1 photo``, ``2 photos``."""
    return f"{number} {what}{'s' * (number != 1)}"


def _listed(counts: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts)


class Watcher:
    """Told what happens, while it happens. Does nothing; derive from it what shows."""

    def planned(self, photo: PlannedPhoto, todo: bool) -> None:
        """A dry run's photo."""

    def noted(self, note: str) -> None:
        """What is worth a line before the work begins, or in a dry run."""

    def started(self, prepared: Prepared) -> None:
        """The plan is made and the work begins."""

    def finished(self, outcome: Outcome) -> None:
        """A photo is done, left alone or failed."""

    def ended(self, report: BulkReport) -> None:
        """Nothing more is to come."""


class Tally:
    """Counts outcomes."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.states: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.failures: list[tuple[str, str]] = []
        for outcome in prepared.unreadable:
            self.add(outcome)

    def add(self, outcome: Outcome) -> None:
        self.states[outcome.state] += 1
        if outcome.state == FAILED:
            self.kinds[outcome.reason] += 1
            if len(self.failures) < _NAMED:
                self.failures.append((outcome.source, outcome.message))

    def report(
        self,
        seconds: float,
        stopped: str | None,
        *,
        interrupted: bool,
        no_room: bool,
        dry_run: bool,
    ) -> BulkReport:
        states = self.states
        reached = states[DONE] + states[LEFT] + states[FAILED] - len(self.prepared.unreadable)
        return BulkReport(
            done=states[DONE],
            current=self.prepared.current,
            kept=self.prepared.kept,
            left=states[LEFT],
            failed=states[FAILED],
            waiting=self.prepared.todo - reached,
            files=self.prepared.files if dry_run else None,
            kinds=tuple(self.kinds.most_common()),
            failures=tuple(self.failures),
            skipped=self.prepared.skipped,
            seconds=seconds,
            stopped=stopped,
            interrupted=interrupted,
            no_room=no_room,
        )

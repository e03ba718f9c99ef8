"""A run as people follow it: a bar on a terminal, else a line now and then; JSON on demand."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from cropper.bulk.outcome import STAYS, Cropped, Failed, Outcome
from cropper.bulk.plan import PlannedPhoto
from cropper.bulk.prepare import Prepared
from cropper.bulk.report import BulkReport, Watcher, counted
from cropper.console import print_json, print_line, say
from cropper.errors import in_shell_words, printable
from cropper.image.jpeg import DAMAGED
from cropper.request import CropRequest
from cropper.stores import as_local, shown

__all__ = ["Console"]

_EVERY = 10.0  # s between two lines where there is no terminal
_SOON = 0.5  # s between two counts of what was found, on one


class Console(Watcher):
    """Messages and progress go to standard error, JSON lines and a dry run's plan to output."""

    def __init__(
        self,
        source: str,
        output: str,
        requests: Sequence[CropRequest],
        *,
        as_json: bool,
        quiet: bool,
        verbose: bool,
    ) -> None:
        self.source, self.output = (shown(as_local(each)).rstrip("/") for each in (source, output))
        self.requests = requests
        self.as_json, self.quiet, self.verbose = as_json, quiet, verbose
        self._bar: Any = None
        self._total = self._done = self._failed = self._noted = 0
        self._start = self._told = time.monotonic()

    def planned(self, photo: PlannedPhoto, todo: bool) -> None:
        self.close()  # the bar of what was found
        source = f"{self.source}/{photo.source}"
        outputs = [f"{self.output}/{each}" for each in photo.outputs]
        if self.as_json:
            print_json({"input": source, "outputs": outputs, "done": not todo})
        else:
            line = f"{source} -> {', '.join(outputs)}{'' if todo else ' (done already)'}"
            print_line(line)

    def found(self, photos: int) -> None:
        now = time.monotonic()
        on_terminal = sys.stderr and sys.stderr.isatty()
        if self.quiet or now - self._told < (_SOON if on_terminal else _EVERY):
            return
        self._told = now
        if not on_terminal:
            self._say(f"{counted(photos, 'photo')} found")
            return
        if not self._bar:
            self._bar = _bar(None)
            self._bar.start()
        self._bar.update(0, completed=photos, rate="found")

    def noted(self, note: str) -> None:
        if not self.quiet:
            self._say(note)

    def started(self, prepared: Prepared) -> None:
        self.close()  # the bar of what was found
        self._total = prepared.todo
        self._start = self._told = time.monotonic()
        for outcome in prepared.unreadable:
            self._tell_failure(outcome)
        if self.quiet:
            return
        done = f", {prepared.current} done already" if prepared.current else ""
        self._say(f"{counted(prepared.todo, 'photo')} to crop{done}")
        if prepared.todo and sys.stderr and sys.stderr.isatty():
            self._bar = _bar(prepared.todo)
            self._bar.start()

    def finished(self, outcome: Outcome) -> None:
        self._done += 1
        if isinstance(outcome, Failed):
            self._failed += 1
            self._tell_failure(outcome)
        elif self.as_json:
            self._print_record(outcome)
        if self.verbose and isinstance(outcome, Cropped):
            self._say(_line(outcome))
        elif isinstance(outcome, Cropped) and not self.quiet:
            stays = [each for each in outcome.notes if each.endswith(STAYS) or DAMAGED in each]
            self._noted += any(each not in stays for each in outcome.notes)
            if told := [*outcome.result.people_notes, *stays]:
                verb = "" if outcome.written else "skipped; "
                self._say(f"{outcome.source}: {verb}{'; '.join(told)}")
        now = time.monotonic()
        rate = self._done / max(now - self._start, 1e-9)
        if self._bar:
            self._bar.update(0, advance=1, failed=self._failed, rate=f"{rate:.1f} photos/s")
        elif not self.quiet and now - self._told > _EVERY:
            self._told = now
            left = _duration((self._total - self._done) / rate)
            failed = f", {self._failed} failed" if self._failed else ""
            self._say(f"{self._done}/{self._total}{failed}, {rate:.1f} photos/s, {left} left")

    def ended(self, report: BulkReport) -> None:
        self.close()
        if self._noted:
            self._say(
                f"notes on {counted(self._noted, 'photo')}: `verbose` and `as_json` tell them"
            )
        if not self.quiet or report.exit_code:
            self._say(report.summary)

    def close(self) -> None:
        """Gives the terminal back."""
        if self._bar:
            self._bar.stop()
            self._bar = None

    def _tell_failure(self, outcome: Failed) -> None:
        self._say(f"error: {outcome.message}")
        if self.as_json:
            self._print_record(outcome)

    def _print_record(self, outcome: Outcome) -> None:
        record = outcome.to_dict(self.source, self.output, self.requests)
        if isinstance(outcome, Failed):
            record["error"] = in_shell_words(outcome.message)
        print_json(record)

    def _say(self, line: str) -> None:
        if self._bar:
            line = printable(f"cropper: {in_shell_words(line)}")
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            say(line)


def _bar(total: int | None) -> Any:
    from rich import progress  # noqa: PLC0415 - slow, and only for a terminal
    from rich.console import Console as Terminal  # noqa: PLC0415

    bar = progress.Progress(
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[failed]} failed"),
        console=Terminal(stderr=True),
        transient=True,
    )
    bar.add_task("photos", total=total, failed=0, rate="")
    return bar


def _line(outcome: Cropped) -> str:
    result = outcome.result
    size = "{}x{}".format(*result.source_size)
    verb = "cropped" if outcome.written else "skipped"
    x0, y0, x1, y1 = result.best.box
    place = f"{x1 - x0:.0f}x{y1 - y0:.0f}+{x0:.0f}+{y0:.0f} of {size}"
    notes = f"; {'; '.join(outcome.notes)}" if outcome.notes else ""
    return (
        f"{outcome.source}: {verb}, {place}, score {result.best.score:.2f} (full frame "
        f"{result.full_frame_score:.2f}), {result.seconds:.2f} s{notes}"
    )


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

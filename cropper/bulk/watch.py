"""``watch_folder``: runs over a folder, one after another, whenever photos have come to rest."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

from cropper.bulk.arrivals import Arrivals
from cropper.bulk.options import BulkOptions
from cropper.bulk.outcome import Failed, Outcome
from cropper.bulk.pipeline import Backend, open_backend
from cropper.bulk.prepare import Prepared
from cropper.bulk.report import BulkReport, Ending, Watcher, counted
from cropper.bulk.run import run_folder
from cropper.errors import ConfigError, NoInputError
from cropper.stores import as_local, is_url, shown

__all__ = ["SETTLE", "WatchReport", "watch_folder"]

SETTLE = 2.0  # s


@dataclass
class WatchReport:
    """What came of all runs; it grows while they go on."""

    done: int = 0
    failures: dict[str, str] = field(default_factory=dict)  # photo -> message, those of now
    ending: Ending = Ending.COMPLETE
    problem: str = ""  # why no run is possible now

    @property
    def exit_code(self) -> int:
        """As that of ``BulkReport``; a signal is 130, whenever it came."""
        codes = {Ending.INTERRUPTED: 130, Ending.NO_ROOM: 5, Ending.STOPPED: 1}
        return codes.get(self.ending, int(bool(self.failures or self.problem)))

    @property
    def summary(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return f"watched: {counted(self.done, 'photo')} done{failed}"


def watch_folder(
    source: str | Path,
    output: str | Path,
    options: BulkOptions | None = None,
    *,
    settle: float = SETTLE,
    once: bool = False,
    watcher: Watcher | None = None,
    stop: threading.Event | None = None,
) -> WatchReport:
    """Crops photos below ``source`` as they arrive, until ``stop`` is set.

    A photo is taken when two looks, ``settle`` seconds apart, find it the same. Each run is one of
    ``crop_folder`` over what is new, with its manifest, and all share one scorer; a photo that
    failed is tried again when its file changes. With ``once`` there is one run.

    Raises what ``crop_folder`` raises where the first run cannot begin, but NoInputError only for
    a folder that is not there, or with ``once``.
    """
    if not settle > 0:
        raise ConfigError(f"`settle` is in seconds, above 0, got {settle}")
    if options and options.dry_run:
        raise ConfigError("`dry_run` is of one run over a folder: leave it out")
    source = as_local(str(source))
    if is_url(source):
        raise ConfigError(f"{shown(source)}: only folders of this machine are watched: use bulk")
    if not Path(source).is_dir():
        raise NoInputError(f"no input pictures: there is no folder {source}")
    stop = stop or threading.Event()
    with contextlib.ExitStack() as stack:
        folders = Path(source), str(output)
        watch = _Watch(folders, options or BulkOptions(), watcher or Watcher(), stop, stack)
        watch.arrivals.look()
        while not stop.wait(settle):
            if watch.arrivals.look() or once:
                watch.run(once=once)
            if once:
                break
    if stop.is_set() and watch.report.ending is Ending.COMPLETE:
        watch.report.ending = Ending.INTERRUPTED
    return watch.report


class _Watch:
    """What runs share."""

    def __init__(
        self,
        folders: tuple[Path, str],
        options: BulkOptions,
        watcher: Watcher,
        stop: threading.Event,
        stack: contextlib.ExitStack,
    ) -> None:
        self.source, self.output = folders
        self.options, self.watcher, self.stop, self.stack = options, watcher, stop, stack
        self.arrivals, self.report = Arrivals(self.source), WatchReport()
        self._backend: Backend | None = None
        self._ran = False

    def run(self, *, once: bool) -> None:
        """One run; what is wrong with a later one is told, and it is tried again."""
        try:
            found = run_folder(
                self.source,
                self.output,
                self.options,
                watcher=_Counting(self.watcher, self.report),
                stop=self.stop,
                backend=self._opened,
                arrivals=self.arrivals,
            )
        except NoInputError:
            if once:
                raise
            self.arrivals.take()
        except ConfigError as error:
            if not self._ran:
                raise
            if str(error) != self.report.problem:
                self.watcher.noted(f"error: {error}")
            self.report.problem = str(error)
        else:
            self._ran, self.report.problem = True, ""
            self.report.ending = found.ending
            self.options = replace(self.options, restart=False)
            self.arrivals.take()

    def _opened(self) -> Backend:
        """Loaded when the first photo comes, and kept."""
        if self._backend is None:
            self._backend = self.stack.enter_context(
                open_backend(self.options, self.stop, self.watcher.noted)
            )
        return self._backend


class _Counting(Watcher):
    """Another watcher, which hears only of runs that have something to do; it counts."""

    def __init__(self, inner: Watcher, report: WatchReport) -> None:
        self.inner, self.report = inner, report
        self._works = False

    def noted(self, note: str) -> None:
        self.inner.noted(note)

    def started(self, prepared: Prepared) -> None:
        self._works = bool(prepared.todo or prepared.unreadable)
        for each in prepared.unreadable:
            self.report.failures[each.source] = each.message
        if self._works:
            self.inner.started(prepared)

    def finished(self, outcome: Outcome) -> None:
        if isinstance(outcome, Failed):
            self.report.failures[outcome.source] = outcome.message
        else:
            self.report.done += 1
            self.report.failures.pop(outcome.source, None)
        self.inner.finished(outcome)

    def ended(self, report: BulkReport) -> None:
        if self._works:
            self.inner.ended(report)

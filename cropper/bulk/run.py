"""``crop_folder``: plan, crop what is left to do, note each outcome, report."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from cropper.bulk.arrivals import Arrivals
from cropper.bulk.manifest import Manifest
from cropper.bulk.options import BulkOptions
from cropper.bulk.outcome import Failed, Outcome
from cropper.bulk.pipeline import Backend, open_backend
from cropper.bulk.plan import read_layout
from cropper.bulk.prepare import Prepared, prepare
from cropper.bulk.publish import check_publications, claim_publications, publish
from cropper.bulk.report import BulkReport, Ending, Tally, Watcher
from cropper.bulk.table import read_table
from cropper.bulk.trees import LocalTree, StoredTree, Tree, manifest_folder
from cropper.bulk.walk import IN_PLACE, MANIFEST
from cropper.bulk.work import PhotoJob
from cropper.errors import ConfigError, ImageWriteError, NoInputError

__all__ = ["crop_folder", "run_folder"]

_COSTLY = "each crop is painted, which takes minutes: `style_steps` and `style_size` say how many"


def crop_folder(
    source: str | Path,
    output: str | Path,
    options: BulkOptions | None = None,
    *,
    watcher: Watcher | None = None,
    stop: threading.Event | None = None,
) -> BulkReport:
    """Crops every photo below ``source`` into the same tree below ``output``.

    ``output`` is a folder or a template, as in ``out/{dir}/{stem}_{aspect}_{rank}{ext}``. Both may
    be URLs of folders in stores, as in ``s3://bucket/photos``. What an
    earlier run did with the same photo and settings is checked and kept. Setting ``stop`` ends
    the run after the photos that are being cropped; a run that ends early by itself sets it too.

    What is wrong with a photo is in the report. Raises ConfigError, before any photo is read,
    where the plan breaks a rule, NoInputError where there is no photo, MissingModelError, and
    ImageWriteError where the output folder cannot be written.
    """
    return run_folder(
        source,
        output,
        options or BulkOptions(),
        watcher=watcher or Watcher(),
        stop=stop or threading.Event(),
    )


def run_folder(
    source: str | Path,
    output: str | Path,
    options: BulkOptions,
    *,
    watcher: Watcher,
    stop: threading.Event,
    backend: Callable[[], Backend] | None = None,
    arrivals: Arrivals | None = None,
) -> BulkReport:
    """``crop_folder``, by the caller's own ``backend``, of what rests by ``arrivals`` alone."""
    if not str(source):
        raise ConfigError("the input folder's name is empty: name a folder of photos")
    run = _Run(str(source), str(output), options, watcher, stop)
    run.shared_backend, run.arrivals = backend, arrivals
    with _opened(run.manifest, options) as manifest:
        report = run.perform(manifest)
        try:
            run.publish(report, manifest)
        finally:
            run.watcher.ended(report)
    return report


class _Run:
    """One call of ``crop_folder``."""

    def __init__(
        self,
        source: str,
        output: str,
        options: BulkOptions,
        watcher: Watcher,
        stop: threading.Event,
    ) -> None:
        self.started = time.perf_counter()
        self.options, self.watcher, self.stop = options, watcher, stop
        self.layout = read_layout(source, output, options)
        self.manifest = manifest_folder(self.layout.root, options)
        check_publications(self.layout, options)
        self.settings = options.key(self.layout.template)
        self.subjects = read_table(options.subjects, options.requests[0])
        self.ending, self.ended_by = Ending.COMPLETE, ""
        self.fault: Exception | None = None  # of the watcher: raised when no worker runs any more
        self.shared_backend: Callable[[], Backend] | None = None
        self.arrivals: Arrivals | None = None
        self.all_noted = True  # the manifest knows of every file that was written

    def perform(self, manifest: Manifest) -> BulkReport:
        with contextlib.ExitStack() as stack:
            manifest.put("running", "1")
            with manifest.planning():
                prepared = self._prepare(manifest)
                backend = self._backend(prepared, stack)
                stopped = self.stop.is_set() and not self.options.dry_run
                if stopped:
                    manifest.drop_plan()
            tally = Tally(prepared)
            if isinstance(self.layout.root, StoredTree) and self.arrivals is None:
                self.watcher.noted(f"the manifest of {self.layout.root} lies in {self.manifest}")
            costly = (_COSTLY,) if self.options.style and prepared.todo else ()
            for note in (*prepared.notes, *self.subjects.notes(), *costly):
                self.watcher.noted(note)
            if self.options.dry_run:
                for photo, todo in manifest.planned():
                    self.watcher.planned(photo, todo)
            elif not stopped:
                if self.layout.in_place:
                    with contextlib.suppress(OSError):
                        (self.manifest / IN_PLACE).touch()
                self.watcher.started(prepared)
                if backend:
                    self._crop(manifest, backend, tally)
                    if not manifest.in_place:
                        what = "stopped, the output folder was moved, replaced or unmounted"
                        self._end(Ending.NO_ROOM, what)
                    if self.options.backend != "local":
                        self.layout.root.sweep()
        if self.all_noted:
            manifest.put_lenient("running", "0")
        return self._report(tally)

    def publish(self, report: BulkReport, manifest: Manifest) -> None:
        if not self.options.dry_run and not self.stop.is_set():
            publish(self.layout, self.options, report.summary, manifest)

    def _report(self, tally: Tally) -> BulkReport:
        ending, ended_by = self.ending, self.ended_by
        if self.stop.is_set() and ending is Ending.COMPLETE:
            ending, ended_by = Ending.INTERRUPTED, "interrupted"
        seconds = time.perf_counter() - self.started
        return tally.report(seconds, ending, ended_by, dry_run=self.options.dry_run)

    def _prepare(self, manifest: Manifest) -> Prepared:
        layout, options = self.layout, self.options
        if manifest.cut_off and not options.dry_run:
            layout.root.sweep()
        self._same_source(manifest)
        prepared = prepare(
            layout,
            options,
            manifest,
            self._key,
            self.stop,
            found=self.watcher.found,
            arrivals=self.arrivals,
        )
        found = prepared.todo + prepared.current + len(prepared.unreadable)
        if not found and not self.stop.is_set():
            raise NoInputError(f"no input pictures in {layout.source}: {_why(prepared)}")
        claim_publications(layout, options, manifest)
        return prepared

    def _key(self, photo: str) -> str:
        """Of the settings that one photo is cropped with."""
        return self.subjects.key(photo, self.settings)

    def _same_source(self, manifest: Manifest) -> None:
        """Photos are known by their paths, so another folder's would be taken for these."""
        here, before = self.layout.source.identity, manifest.get("source")
        if before not in (None, here) and not (self.options.restart or self.options.overwrite):
            raise ConfigError(
                f"{self.layout.root} holds crops of {before}: write to another folder, or, if "
                "that folder was moved here, add `overwrite`"
            )
        manifest.put("source", here)

    def _backend(self, prepared: Prepared, stack: contextlib.ExitStack) -> Backend | None:
        """None where there is nothing to do: a finished run loads no network."""
        if not prepared.todo or self.options.dry_run or self.stop.is_set():
            return None
        if self.shared_backend:
            return self.shared_backend()
        return stack.enter_context(open_backend(self.options, self.stop, self.watcher.noted))

    def _crop(self, manifest: Manifest, backend: Backend, tally: Tally) -> None:
        source, root = self.layout.source, self.layout.root
        if self.options.backend != "local":  # other processes have other current folders
            source, root = source.absolute(), root.absolute()
        elif isinstance(root, LocalTree):
            root = replace(root, inside=manifest.folder)
        try:
            for outcome in backend.run(self._jobs(manifest, source, root)):
                self._note(outcome, manifest, tally)
            if self.fault:
                raise self.fault
        except Exception as error:
            if self.options.backend == "local" or error is self.fault:
                raise
            self.all_noted = False
            what = f"stopped, the cluster failed: {type(error).__name__}: {error}"
            self._end(Ending.STOPPED, what)

    def _note(self, outcome: Outcome, manifest: Manifest, tally: Tally) -> None:
        """What has begun comes here also after the end was decided, to be noted if it can be."""
        tally.add(outcome)
        try:
            manifest.finish(outcome, self._key(outcome.source))
        except ImageWriteError as error:
            self.all_noted = False
            self._end(Ending.NO_ROOM, f"stopped, {error}")
        try:
            self.watcher.finished(outcome)
        except ImageWriteError as error:  # of standard output
            self._end(Ending.NO_ROOM, f"stopped, {error}")
        except Exception as error:
            self.fault, self.watcher = error, Watcher()
            self._end(Ending.STOPPED, f"stopped, {error}")
        if isinstance(outcome, Failed) and outcome.stops:
            self._end(Ending.NO_ROOM, "stopped, nothing more can be written")
        elif isinstance(outcome, Failed) and self.options.fail_fast:
            self._end(Ending.STOPPED, "stopped at the first failure")

    def _jobs(self, manifest: Manifest, source: Tree, root: Tree) -> Iterator[PhotoJob]:
        for photo in manifest.todo():
            if self.stop.is_set():
                return
            own = self.subjects.rows.get(photo.source, {})
            yield PhotoJob(photo, source, root, self.options, own)

    def _end(self, ending: Ending, what: str) -> None:
        """The first end counts."""
        if not self.stop.is_set():
            self.ending, self.ended_by = ending, what
        self.stop.set()


@contextlib.contextmanager
def _opened(root: Path, options: BulkOptions) -> Iterator[Manifest]:
    """The manifest; for a dry run a copy elsewhere, so that nothing is written."""
    if options.dry_run:
        with contextlib.ExitStack() as stack:
            with _copying(root):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cropper-")))
                (folder / MANIFEST).parent.mkdir()
                for end in ("", "-wal"):
                    with contextlib.suppress(FileNotFoundError):
                        shutil.copyfile(f"{root / MANIFEST}{end}", f"{folder / MANIFEST}{end}")
            try:
                yield stack.enter_context(Manifest(folder))
            except ConfigError as error:  # of the copy, which nobody can mend
                raise ConfigError(str(error).replace(str(folder), str(root))) from error
        return
    missing = [each for each in (root, *root.parents) if not each.exists()]
    is_new = not (root / MANIFEST).exists()
    with Manifest(root, fsync=not options.no_fsync) as manifest:
        try:
            yield manifest
        except BaseException:
            if is_new and manifest.plan == 0:  # refused before anything was planned
                manifest.discard(missing)
            raise


@contextlib.contextmanager
def _copying(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImageWriteError(
            f"{root / MANIFEST}: a dry run reads a copy of it, which cannot be made: {error}; set "
            "TMPDIR to a folder with room for it"
        ) from error


def _why(prepared: Prepared) -> str:
    counts = ", ".join(f"{count} {what}" for what, count in prepared.ignored)
    return f"passed over {counts}" if counts else "it is empty"

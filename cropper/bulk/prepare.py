"""The plan of a run: every photo with its outputs, checked, and told from what is done already."""

from __future__ import annotations

import functools
import os
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from cropper.bulk.arrivals import Arrivals
from cropper.bulk.manifest import Manifest, PriorOutcome
from cropper.bulk.options import BulkOptions
from cropper.bulk.outcome import Cropped, Failed
from cropper.bulk.plan import Layout, PlannedPhoto
from cropper.bulk.user_edits import UserEdits
from cropper.errors import ConfigError
from cropper.image import FileId

__all__ = ["Prepared", "prepare"]

_LONGEST_NAME = 255  # bytes; of one folder or file


@dataclass(frozen=True)
class Prepared:
    todo: int  # photos to crop
    files: int  # that these will get
    current: int  # photos whose crops are there and right
    unreadable: tuple[Failed, ...]  # folders and links
    ignored: tuple[tuple[str, int], ...]  # (why, how many) of what is no photo
    kept: int  # photos among ``current`` with a crop that somebody edited
    notes: tuple[str, ...]  # about edited crops and damaged rows, for people to read


@dataclass(frozen=True)
class Current:
    """There is nothing to do for a photo."""

    outcome: Cropped  # with the signatures that its files have now


@dataclass(frozen=True)
class Redo:
    """A photo is to be cropped, all but some outputs."""

    kept: tuple[str, ...] = ()  # that somebody edited


def prepare(
    layout: Layout,
    options: BulkOptions,
    manifest: Manifest,
    key: Callable[[str], str],
    stop: threading.Event,
    *,
    found: Callable[[int], None],
    arrivals: Arrivals | None = None,
) -> Prepared:
    """Writes the plan into the manifest, in a transaction that the caller begins and ends.

    ``key`` is that of the settings of a photo, as the manifest keeps it. ``found`` is told how many
    photos there are until now. By ``arrivals`` photos
    that do not rest keep their names and wait, and what failed is tried again when it changes.
    Raises ConfigError where an output would replace another, a source, or, without ``overwrite``,
    a file that no earlier run wrote.
    """
    plan = _Plan(layout, options, manifest, key, arrivals)
    if options.restart:
        manifest.forget()
    for entry in layout.source.walk(options.include, options.exclude):
        if stop.is_set():
            break
        if entry.ignored:
            plan.ignored[entry.ignored] += 1
        elif entry.problem:
            plan.fail(
                entry.path, "unreadable", f"{layout.source.named(entry.path)}: {entry.problem}"
            )
        else:
            plan.add(layout.plan(entry.path))
            found(plan.todo + plan.current)
    return plan.made()


class _Plan:
    """Grows photo by photo."""

    def __init__(
        self,
        layout: Layout,
        options: BulkOptions,
        manifest: Manifest,
        key: Callable[[str], str],
        arrivals: Arrivals | None,
    ) -> None:
        self.layout, self.manifest, self.key, self.arrivals = layout, manifest, key, arrivals
        self.outputs = _Outputs(layout, options.overwrite)
        self.edits = UserEdits(layout.root, options.overwrite)
        self.ignored: Counter[str] = Counter()
        self.unreadable: list[Failed] = []
        self.todo = self.files = self.current = 0

    def fail(self, path: str, reason: str, message: str) -> None:
        if self.arrivals and self.arrivals.was_told(path):
            return
        error = "ImageReadError" if reason == "unreadable" else "ImageWriteError"
        failure = Failed(path, error, reason, message)
        self.manifest.add_failure(failure)
        self.unreadable.append(failure)

    def add(self, photo: PlannedPhoto) -> None:
        manifest, arrivals, source = self.manifest, self.arrivals, photo.source
        if too_long := self.outputs.too_long(photo):
            self.fail(source, "name too long", too_long)
            return
        photo = replace(photo, present=self.outputs.claimed(photo, manifest))
        if arrivals and not arrivals.rests(source):
            self.ignored["still arriving"] += 1
            return
        prior, settings = manifest.prior(source), self.key(source)
        if arrivals and arrivals.was_tried(source) and _has_failed(prior, settings):
            manifest.add(photo, current=True)
            return
        match _decision(photo, self.layout, prior, settings, self.edits):
            case Current(outcome):
                if prior and outcome != prior.outcome:
                    manifest.refresh(source, outcome)
                manifest.add(photo, current=True)
                self.current += 1
            case Redo(kept):
                photo = photo.without(kept)
                manifest.add(photo, current=False)
                self.todo += 1
                self.files += len(photo.outputs)

    def made(self) -> Prepared:
        return Prepared(
            self.todo,
            self.files,
            self.current,
            tuple(self.unreadable),
            tuple(sorted(self.ignored.items())),
            self.edits.kept,
            (*self.edits.notes(), *_about_damage(self.manifest)),
        )


def _has_failed(prior: PriorOutcome | None, settings: str) -> bool:
    return bool(prior and prior.settings == settings and isinstance(prior.outcome, Failed))


def _about_damage(manifest: Manifest) -> list[str]:
    if not manifest.damaged:
        return []
    return [f"{manifest.path}: {manifest.damaged} damaged rows; their photos are done again"]


class _Outputs:
    """What may not be written to."""

    def __init__(self, layout: Layout, overwrite: bool) -> None:
        self.layout, self.overwrite = layout, overwrite
        # photos come folder by folder, so few folders are asked about again
        self.check_folder = functools.lru_cache(maxsize=64)(self._check_folder)

    def too_long(self, photo: PlannedPhoto) -> str | None:
        """What is wrong with a photo that has an output whose name no file system takes."""
        for output in photo.outputs:
            longest = max(len(os.fsencode(name)) for name in output.split(os.sep))
            if longest > _LONGEST_NAME:
                path = self.layout.source.named(photo.source)
                return f"{path}: {output} is too long a name: rename it, or change `output`"
        return None

    def claimed(self, photo: PlannedPhoto, manifest: Manifest) -> tuple[tuple[str, FileId], ...]:
        """Takes the names of a photo's outputs; those that are there and may be replaced."""
        there = {
            output: self.check(output, own=manifest.claim(output, photo.source))
            for output in photo.outputs
        }
        return tuple((output, file) for output, file in there.items() if file)

    def check(self, output: str, *, own: bool) -> FileId | None:
        """The file that is there and may be replaced; ``own``: an earlier run wrote it."""
        self.check_folder(os.path.dirname(output))
        there = self.layout.root.look(output)
        if there and not own and not self.overwrite:
            raise ConfigError(
                f"{self.layout.root.named(output)} exists and no earlier run wrote it: use "
                "`overwrite`, or write elsewhere with `output`"
            )
        return there

    def _check_folder(self, folder: str) -> None:
        """Through a link, or with the input below the output folder, it may hold sources."""
        source, root = self.layout.source, self.layout.root
        if root.lies_in(source, folder) and not self.layout.in_place:
            raise ConfigError(
                f"{root.named(folder)} lies inside the input folder {source}: "
                "crops could replace sources; write elsewhere with `output`"
            )


def _decision(
    photo: PlannedPhoto,
    layout: Layout,
    prior: PriorOutcome | None,
    settings: str,
    edits: UserEdits,
) -> Current | Redo:
    """From what an earlier run did to what this one does, an edited output being as good as kept.

    not seen before ------------------------------------------> Redo()
    failed, other settings, or the source is another file -----> Redo()
    the same source, an output missing or torn ----------------> Redo(edited outputs)
    the same source, every output as it was written or edited -> Current(newer signatures)
    """
    if prior is None:
        return Redo()
    outcome = prior.outcome
    now = {each.path: layout.root.recheck(each.path, each.signature) for each in outcome.written}
    others = [x for x in outcome.written if now[x.path] is None and x.path in photo.outputs]
    edited = tuple(edits.among(others))
    source = None
    if prior.settings == settings and isinstance(outcome, Cropped):
        source = layout.source.recheck(photo.source, outcome.signature, follow=True)
    is_current = source is not None and all(now[path] or path in edited for path in now)
    edits.add(edited, kept=source is not None, done=is_current)
    if source is None or not isinstance(outcome, Cropped):
        return Redo()
    if not is_current:
        return Redo(edited)
    written = tuple(replace(x, signature=now[x.path] or x.signature) for x in outcome.written)
    return Current(replace(outcome, signature=source, written=written))

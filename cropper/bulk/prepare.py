"""The plan of a run: every photo with its outputs, checked, and told from what is done already."""

from __future__ import annotations

import functools
import os
import stat
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cropper.bulk.manifest import Known, Manifest
from cropper.bulk.options import BulkOptions
from cropper.bulk.outcome import FAILED, Outcome
from cropper.bulk.plan import Layout, PlannedPhoto
from cropper.bulk.retouched import Changes
from cropper.bulk.signature import recheck
from cropper.bulk.walk import walk
from cropper.errors import ConfigError

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    todo: int  # photos to crop
    files: int  # that these will get
    current: int  # photos whose crops are there and right
    unreadable: tuple[Outcome, ...]  # folders and links
    skipped: tuple[tuple[str, int], ...]  # (why, how many) of what is no photo
    kept: int  # photos among ``current`` with a crop that somebody changed
    notes: tuple[str, ...]  # about changed crops, for people to read


def prepare(
    layout: Layout,
    options: BulkOptions,
    manifest: Manifest,
    settings: str,
    stop: threading.Event,
) -> Prepared:
    """Writes the plan into the manifest, in a transaction that the caller begins and ends.

    Raises ConfigError where an output would replace another, a source, or, without ``overwrite``,
    a file that no earlier run wrote.
    """
    outputs = _Outputs(layout, options.overwrite)
    skipped: Counter[str] = Counter()
    unreadable: list[Outcome] = []
    changes = Changes(layout.root, options.overwrite)
    todo = files = current = 0
    if options.restart:
        manifest.forget()
    for entry in walk(layout.source, options.include, options.exclude):
        if stop.is_set():
            break
        if entry.skipped:
            skipped[entry.skipped] += 1
        elif entry.problem:
            message = f"{layout.source / entry.path}: {entry.problem}"
            failure = Outcome(
                entry.path, FAILED, kind="ImageReadError", reason="unreadable", message=message
            )
            manifest.add_failure(failure)
            unreadable.append(failure)
        else:
            photo = layout.plan(entry.path)
            for output in photo.outputs:
                outputs.check(output, own=manifest.claim(output, photo.source))
            is_current, kept = _is_current(photo, layout, manifest, settings, changes)
            photo = photo.without(kept)
            manifest.add(photo, current=is_current)
            current += is_current
            todo += not is_current
            files += 0 if is_current else len(photo.outputs)
    return Prepared(
        todo,
        files,
        current,
        tuple(unreadable),
        tuple(sorted(skipped.items())),
        changes.kept,
        changes.notes(),
    )


class _Outputs:
    """What may not be written to."""

    def __init__(self, layout: Layout, overwrite: bool) -> None:
        self.layout, self.overwrite = layout, overwrite
        self.source = layout.source.resolve()
        # photos come folder by folder, so few folders are asked about again
        self.check_folder = functools.lru_cache(maxsize=64)(self._check_folder)

    def check(self, output: str, *, own: bool) -> None:
        """``own``: an earlier run wrote it."""
        self.check_folder(os.path.dirname(output))
        path = self.layout.root / output
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigError(f"{path}: not a place for a file: {error.strerror}") from error
        if stat.S_ISDIR(mode):
            raise ConfigError(f"{path} is a folder, where a crop would go: name crops with -o")
        if stat.S_ISLNK(mode):
            raise ConfigError(
                f"{path} is a link, where a crop would go: remove it, or write elsewhere with -o"
            )
        if not own and not self.overwrite:
            raise ConfigError(
                f"{path} exists and no earlier run wrote it: use --overwrite, or write elsewhere "
                "with -o"
            )

    def _check_folder(self, folder: str) -> None:
        """Through a link, or with the input below the output folder, it may hold sources."""
        real = Path(os.path.realpath(self.layout.root / folder))
        if real.is_relative_to(self.source) and not self.layout.in_place:
            raise ConfigError(
                f"{self.layout.root / folder} lies inside the input folder {self.layout.source}: "
                "crops could replace sources; write elsewhere with -o"
            )


def _is_current(
    photo: PlannedPhoto, layout: Layout, manifest: Manifest, settings: str, changes: Changes
) -> tuple[bool, Sequence[str]]:
    """Whether there is nothing to do for it, and else what is not to be written again.

    Keeps newer signatures of the same content.
    """
    known = manifest.known(photo.source)
    if not known:
        return False, ()
    checked, kept = _checked(photo, layout, known, settings, changes)
    if checked is None:
        return False, kept
    if checked != known.outcome:
        manifest.refresh(photo.source, checked)
    return True, ()


def _checked(
    photo: PlannedPhoto, layout: Layout, known: Known, settings: str, changes: Changes
) -> tuple[Outcome | None, Sequence[str]]:
    """The outcome with signatures of now, if source and outputs are what they were when it was
    done with these settings; else None. An output that somebody changed is as good as one kept.

    Beside it, such outputs of an unchanged source.
    """
    outcome = known.outcome
    now = {each.path: recheck(layout.root / each.path, each.signature) for each in outcome.written}
    others = [x for x in outcome.written if now[x.path] is None and x.path in photo.outputs]
    changed = changes.among(others)
    source = None
    if known.settings == settings and outcome.state != FAILED and outcome.signature:
        source = recheck(layout.source / photo.source, outcome.signature, follow=True)
    is_current = source is not None and all(now[path] or path in changed for path in now)
    changes.add(changed, kept=source is not None, done=is_current)
    if not is_current:
        return None, changed if source else ()
    written = tuple(replace(x, signature=now[x.path] or x.signature) for x in outcome.written)
    return replace(outcome, signature=source, written=written), changed

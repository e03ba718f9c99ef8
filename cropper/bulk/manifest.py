"""What is planned, done and failed in an output folder: one SQLite file, one writer.

Why SQLite: a million names must be compared for collisions and looked up without being held in
memory, what belongs together must change together, and the file lock keeps a second run out and
is dropped by the system however the first one dies. It is in WAL mode, where a commit costs an
append and a killed process loses nothing that was committed; a power cut may take the last
commits, after which those files are simply done again. With the exclusive lock there is no shared
memory file, so that it also works on network file systems that lock files.

Paths are stored as the bytes that the file system has, since they need not be UTF-8.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cropper.bulk.outcome import Failed, Outcome, PhotoState, outcome_from_json
from cropper.bulk.plan import PlannedCrop, PlannedPhoto
from cropper.bulk.walk import MANIFEST
from cropper.errors import ConfigError, ImageWriteError
from cropper.image import FileId, file_id, make_folder
from cropper.image.files import LOSES

__all__ = ["THE_REPORT", "Manifest", "PriorOutcome"]

THE_REPORT = "the report"  # in the place of a photo, as what an output is for
_VERSION = 1
_PAGE = 256  # rows read at once
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS photos (
    source BLOB PRIMARY KEY NOT NULL,
    plan INTEGER NOT NULL,      -- number of the last run that found it
    planned TEXT NOT NULL,      -- crops, sidecar, overlay
    state TEXT NOT NULL,        -- one of PhotoState
    settings TEXT NOT NULL,     -- key of those that it was done with
    outcome TEXT                -- what happened to it, JSON
);                              -- by rowid: else a row of 1 kB takes a page of 4 to itself
CREATE TABLE IF NOT EXISTS outputs (
    key BLOB PRIMARY KEY,       -- equal for names that one file may answer to
    path BLOB NOT NULL,
    source BLOB NOT NULL,
    plan INTEGER NOT NULL,
    written INTEGER NOT NULL    -- whether any run wrote it, and did not only plan to
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class PriorOutcome:
    """What earlier runs did with a photo."""

    settings: str
    outcome: Outcome


class Manifest:
    """The state of one output folder. Threads may share it. Close it, or use ``with``."""

    def __init__(self, root: Path, *, fsync: bool = True) -> None:
        """Opens or makes the manifest of ``root`` and locks it.

        Raises ConfigError where another run holds it or it is broken, ImageWriteError where it
        cannot be written.
        """
        self.root = root
        path = root / MANIFEST
        make_folder(path.parent)
        self._open(str(path), "NORMAL" if fsync else "OFF")
        self.folder, self._file = _id_of(root), _id_of(path)

    @property
    def in_place(self) -> bool:
        """Whether the folder and the file are still what was opened: not moved, nor unmounted."""
        return (_id_of(self.root), _id_of(Path(self.path))) == (self.folder, self._file)

    def _open(self, path: str, synchronous: str) -> None:
        self._lock = threading.Lock()
        self.path = path
        try:
            self._db = sqlite3.connect(
                path, timeout=0, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={synchronous}")
            self._db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute("COMMIT")
            version = self.get("version") or str(_VERSION)
            self.put("version", version)
        except sqlite3.Error as error:
            raise self._explained(error) from error
        if version != str(_VERSION):
            raise ConfigError(
                f"{path} is of version {version}, this cropper writes {_VERSION}: use the "
                "cropper that wrote it, or another output folder"
            )
        self.plan = self._last_plan()
        self.cut_off = self.get("running") == "1"  # then planned names may have been written to
        self.damaged = 0  # rows that were read and say nothing

    def _last_plan(self) -> int:
        """Its number; raises ConfigError where that is none."""
        number = self.get("plan") or "0"
        if not number.isdigit():
            raise self._explained(sqlite3.DatabaseError(f"its last plan is {number!r}"))
        return int(number)

    def _run(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Raises ImageWriteError where the disk is full, ConfigError for a broken file."""
        with self._lock:
            try:
                return self._db.execute(statement, values)
            except sqlite3.Error as error:
                raise self._explained(error) from error

    def _explained(self, error: sqlite3.Error) -> ConfigError | ImageWriteError:
        text = str(error)
        if "locked" in text:
            return ConfigError(
                f"another run is writing to {self.root}: wait for it, or use another folder"
            )
        if getattr(error, "sqlite_errorname", "").endswith("_FSYNC"):
            return ImageWriteError(f"{self.path}: not written: {LOSES}")
        if isinstance(error, sqlite3.OperationalError) and "schema" not in text:
            return ImageWriteError(f"{self.path}: cannot be written: {text}")
        return ConfigError(
            f"{self.path} is broken ({text}): delete it, then run with `overwrite` to replace the "
            "crops that it listed"
        )

    def __enter__(self) -> Manifest:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def get(self, key: str) -> str | None:
        row = self._run("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else None

    def put(self, key: str, value: str) -> None:
        self._run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def put_lenient(self, key: str, value: str) -> None:
        """``put`` where nothing is lost if the disk is full."""
        with contextlib.suppress(ImageWriteError):
            self.put(key, value)

    def discard(self, folders: Sequence[Path]) -> None:
        """Removes a manifest that was never used, with its folder and those that were made."""
        self._db.close()
        for end in ("", "-wal", "-journal"):
            Path(f"{self.path}{end}").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            for folder in (Path(self.path).parent, *folders):
                folder.rmdir()

    @contextlib.contextmanager
    def planning(self) -> Iterator[None]:
        """A plan is there in full, or not at all: where the block raises or drops it.

        After it the planned names are this run's own, also if it is killed.
        """
        self._run("BEGIN")
        self.plan += 1
        self.put("plan", str(self.plan))
        try:
            yield
        except BaseException:
            self.drop_plan()
            raise
        if self._db.in_transaction:
            self._run("COMMIT")
            self._run("PRAGMA wal_checkpoint(TRUNCATE)")

    def drop_plan(self) -> None:
        """Inside ``planning``: as if it had not begun."""
        if self._db.in_transaction:
            self._run("ROLLBACK")
        self.plan = self._last_plan()

    def claim(self, output: str, source: str) -> bool:
        """Takes a name for a source's output in this plan.

        Returns whether a file of that name is a run's own. Raises ConfigError where the plan has
        given it to another source.
        """
        row = self._run(
            "SELECT path, source, plan, written FROM outputs WHERE key = ?", (_key(output),)
        ).fetchone()
        if row and row[2] == self.plan:
            raise ConfigError(_collision(os.fsdecode(row[1]), source, output))
        same = bool(row) and row[0] == os.fsencode(output)
        written = same and bool(row[3])
        self._run(
            "INSERT OR REPLACE INTO outputs VALUES (?, ?, ?, ?, ?)",
            (_key(output), os.fsencode(output), os.fsencode(source), self.plan, written),
        )
        return written or (same and self.cut_off)

    def own(self, output: str) -> None:
        """A claimed name has been written to."""
        self._run("UPDATE outputs SET written = 1 WHERE key = ?", (_key(output),))

    def prior(self, source: str) -> PriorOutcome | None:
        row = self._run(
            "SELECT settings, outcome FROM photos WHERE source = ?", (os.fsencode(source),)
        ).fetchone()
        outcome = self._outcome(row[1]) if row and row[1] is not None else None
        return PriorOutcome(row[0], outcome) if outcome else None

    def _outcome(self, text: str) -> Outcome | None:
        """None where a row is damaged: what is not known to be done is done again."""
        try:
            return outcome_from_json(text)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            self.damaged += 1
            return None

    def add(self, photo: PlannedPhoto, *, current: bool) -> None:
        """A photo of this plan: ``current`` if there is nothing left to do for it."""
        crops = [(crop.target, crop.rank, crop.path) for crop in photo.crops]
        planned = json.dumps([crops, photo.sidecar, photo.overlay, photo.present])
        source = os.fsencode(photo.source)
        if current:
            self._run(
                "UPDATE photos SET plan = ?, planned = ? WHERE source = ?",
                (self.plan, planned, source),
            )
        else:
            self._run(
                "INSERT OR REPLACE INTO photos VALUES (?, ?, ?, 'todo', '', NULL)",
                (source, self.plan, planned),
            )

    def add_failure(self, outcome: Failed) -> None:
        """What the walk found and could not read."""
        self._run(
            "INSERT OR REPLACE INTO photos VALUES (?, ?, '[[], null, null, []]', ?, '', ?)",
            (os.fsencode(outcome.source), self.plan, PhotoState.FAILED, outcome.to_json()),
        )

    def refresh(self, source: str, outcome: Outcome) -> None:
        """Keeps newer signatures of files whose content is what it was."""
        self._run(
            "UPDATE photos SET outcome = ? WHERE source = ?",
            (outcome.to_json(), os.fsencode(source)),
        )

    def forget(self) -> None:
        """Everything is to be done again; which outputs are its own it still knows."""
        self._run("DELETE FROM photos")

    def todo(self) -> Iterator[PlannedPhoto]:
        """What this plan has left to do, by name; while it runs, photos may be finished."""
        for source, planned in self._pages("state = 'todo'", "planned"):
            yield _photo(source, planned)

    def planned(self) -> Iterator[tuple[PlannedPhoto, bool]]:
        """Every photo of this plan, and whether there is anything to do for it."""
        for source, planned in self._pages("state != 'failed'", "planned"):
            yield _photo(source, planned), self.prior(source) is None

    def outcomes(self) -> Iterator[Outcome]:
        """What happened to the photos of this plan, by any run."""
        for _, text in self._pages("outcome IS NOT NULL", "outcome"):
            if outcome := self._outcome(text):
                yield outcome

    def finish(self, outcome: Outcome, settings: str) -> None:
        """Raises ImageWriteError where the disk is full."""
        for each in outcome.written:
            self.own(each.path)
        self._run(
            "UPDATE photos SET state = ?, settings = ?, outcome = ? WHERE source = ?",
            (outcome.state, settings, outcome.to_json(), os.fsencode(outcome.source)),
        )

    def _pages(self, condition: str, column: str) -> Iterator[tuple[str, str]]:
        last = b""
        while True:
            rows = self._run(
                f"SELECT source, {column} FROM photos WHERE plan = ? AND {condition} "
                "AND source > ? ORDER BY source LIMIT ?",
                (self.plan, last, _PAGE),
            ).fetchall()
            if not rows:
                return
            for source, value in rows:
                yield os.fsdecode(source), value
            last = rows[-1][0]


def _id_of(path: Path) -> FileId | None:
    try:
        return file_id(path.stat())
    except OSError:
        return None


def _photo(source: str, planned: str) -> PlannedPhoto:
    crops, sidecar, overlay, present = json.loads(planned)
    there = tuple((path, (device, inode)) for path, (device, inode) in present)
    return PlannedPhoto(
        source, tuple(PlannedCrop(*crop) for crop in crops), sidecar, overlay, there
    )


def _collision(first: str, second: str, output: str) -> str:
    """What to do about two outputs of one name."""
    if first == second:
        return (
            f"more than one file of {first} would be written to {output}: add {{aspect}} to "
            "`output`, or a folder to `overlay`"
        )
    line = f"{first} and {second} would both be written to {output} (where case does not count): "
    if output.endswith(".xmp"):
        return line + "sidecars have their photos' names, so leave one out with `exclude`"
    if second == THE_REPORT:
        return line + "give it another name"
    return line + "use {stem}, {ext}, {dir} and {rank} in `output`, or leave one out with `exclude`"


def _key(output: str) -> bytes:
    return os.fsencode(unicodedata.normalize("NFC", output).casefold())

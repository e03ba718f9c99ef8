"""``subjects``: a table with what to keep, avoid and focus on, a row a photo.

Comma- or tab-separated text with a header; ``photo`` is a path relative to the input folder, the
others are written as on the shell and may be missing or empty::

    photo,keep,avoid,focus
    trip/a.jpg,"120,80,200,200;largest",,
    trip/b.jpg,,"0,.9,1,.1",".5,.3"

Or JSON lines, where the name ends in ``.jsonl``: an object a photo, with the same names and texts.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from cropper.errors import ConfigError
from cropper.parsing import parse_box, parse_kept, parse_point
from cropper.request import CropFields, CropRequest

__all__ = ["SubjectTable", "read_table"]

_COLUMNS = {"keep", "avoid", "focus"}

_Line = tuple[int, Callable[[], Mapping[str | None, Any]]]  # its number, and its cells


@dataclass
class SubjectTable:
    """What the rows say, by photo; the empty one where there is no table."""

    rows: Mapping[str, CropFields] = field(default_factory=dict)
    unused: set[str] = field(default_factory=set)  # photos that nobody asked about yet

    def key(self, photo: str, settings: str) -> str:
        """The key of the settings of one photo, from that of all."""
        self.unused.discard(photo)
        row = self.rows.get(photo)
        return hashlib.sha256(f"{settings}{row}".encode()).hexdigest()[:32] if row else settings

    def notes(self) -> list[str]:
        """Which rows name no photo of the folder, for people to read."""
        if not self.unused:
            return []
        names = sorted(self.unused)
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return [f"`subjects` has rows of photos that are not there: {', '.join(names[:3])}{more}"]


def read_table(path: Path | None, request: CropRequest) -> SubjectTable:
    """Raises ConfigError, which names the line, for a row that does not go with ``request``."""
    if path is None:
        return SubjectTable()
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"`subjects`: {path} cannot be read: {error}") from error
    lines = _json_lines(text) if path.suffix.lower() == ".jsonl" else _cells(path, text)
    rows: dict[str, CropFields] = {}
    for number, read in lines:
        try:
            photo, row = _row(read(), request)
            if photo in rows:
                raise ConfigError(f"{photo} has a row already")
        except ConfigError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
        rows[photo] = row
    return SubjectTable(rows, set(rows))


def _cells(path: Path, text: str) -> Iterator[_Line]:
    header = text.partition("\n")[0]
    delimiter = "\t" if "\t" in header else ","
    lines = csv.DictReader(text.splitlines(), delimiter=delimiter, strict=True)
    try:
        names = lines.fieldnames or []
        if "photo" not in names or set(names) - _COLUMNS - {"photo"}:
            raise ConfigError(
                f"{path}: the header has photo and any of keep, avoid and focus, got {header!r}"
            )
        for cells in lines:
            yield lines.line_num, partial(dict, cells)
    except csv.Error as error:  # mostly a quote that is not closed
        raise ConfigError(f"{path}, line {lines.line_num + 1}: {error}") from error


def _json_lines(text: str) -> Iterator[_Line]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, partial(_object, line)


def _object(line: str) -> Mapping[str | None, Any]:
    """Raises ConfigError for anything but an object of the table's names and texts."""
    try:
        found = json.loads(line)
    except (RecursionError, ValueError) as error:
        raise ConfigError(f"it is no JSON: {error}") from error
    if not isinstance(found, dict) or "photo" not in found or found.keys() - _COLUMNS - {"photo"}:
        raise ConfigError(
            f"it is an object with photo and any of keep, avoid and focus, got {line[:60]}"
        )
    for name, value in found.items():
        if not isinstance(value, str | None):
            raise ConfigError(f"{name} is a text, written as on the shell, got {value!r}")
    return found


def _row(cells: Mapping[str | None, Any], request: CropRequest) -> tuple[str, CropFields]:
    if None in cells:
        raise ConfigError("it has more cells than the header: quote cells with commas")
    texts = {name: (text or "").strip() for name, text in cells.items()}
    photo = str(PurePosixPath(texts.pop("photo")))
    if photo == ".":
        raise ConfigError("it names no photo")
    row = CropFields()
    if kept := texts.get("keep"):
        people = {person.name: person for person in request.people}
        row["keep"] = parse_kept((part.strip() for part in kept.split(";")), people or None)
    if avoided := texts.get("avoid"):
        row["avoid"] = tuple(parse_box(part) for part in avoided.split(";"))
    if focus := texts.get("focus"):
        row["focus"] = parse_point(focus)
    replace(request, **row)  # checks them
    return photo, row

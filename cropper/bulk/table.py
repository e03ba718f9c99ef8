"""``subjects``: a table with what to keep, avoid and focus on, a row a photo.

Comma- or tab-separated text with a header; ``photo`` is a path relative to the input folder, the
others are written as on the shell and may be missing or empty::

    photo,keep,avoid,focus
    trip/a.jpg,"120,80,200,200;largest",,
    trip/b.jpg,,"0,.9,1,.1",".5,.3"
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from cropper.errors import ConfigError
from cropper.request import CropFields, CropRequest, parse_box, parse_kept, parse_point

__all__ = ["SubjectTable", "read_table"]

_COLUMNS = {"keep", "avoid", "focus"}


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
    header = text.partition("\n")[0]
    lines = csv.DictReader(text.splitlines(), delimiter="\t" if "\t" in header else ",")
    names = lines.fieldnames or []
    if "photo" not in names or set(names) - _COLUMNS - {"photo"}:
        raise ConfigError(
            f"{path}: the header has photo and any of keep, avoid and focus, got {header!r}"
        )
    rows: dict[str, CropFields] = {}
    for cells in lines:
        try:
            photo, row = _row(cells, request)
        except ConfigError as error:
            raise ConfigError(f"{path}, line {lines.line_num}: {error}") from error
        if photo in rows:
            raise ConfigError(f"{path}, line {lines.line_num}: {photo} has a row already")
        rows[photo] = row
    return SubjectTable(rows, set(rows))


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

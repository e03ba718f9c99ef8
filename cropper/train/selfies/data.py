"""Selfies with labels, from three formats, to one record each.

- Posts: a CSV table with the columns ``image, likes, followers, tags, posted_at`` and optionally
  ``user``; ``posted_at`` is an ISO date, ``image`` a path within the folder of images.
- UCF Selfie (Kalayeh et al. 2015) as published: ``selfie_dataset.txt``, a line a picture, the name
  without .jpg and a popularity first, and ``images/``.
- Two folders, ``good/`` and ``bad/``.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropper.errors import DataError
from cropper.listing import is_picture_name
from cropper.train.selfies.likes import OUT, LabelRules, Posts, halves, label_posts
from cropper.train.selfies.summary import summarise_labels

__all__ = ["Selfies", "read_folders", "read_posts", "read_ucf", "split_by_user", "with_pictures"]

_COLUMNS = ("image", "likes", "followers", "tags", "posted_at")
_UCF_FIELDS = 38  # name, popularity, 36 attributes


@dataclass(frozen=True)
class Selfies:
    """Labelled pictures, (N,) each."""

    paths: tuple[Path, ...]
    label: NDArray[np.int8]  # 1 liked, 0 not
    user: NDArray[np.int64]  # whose it is; a number of its own where that is not known
    summary: str  # how the labels came about, for people
    facts: dict[str, Any]  # the same, in short, for the checkpoint's header
    face: NDArray[np.float64] | None = None  # (N, 4), ``faces`` has it; None: not looked for

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, rows: NDArray[np.intp]) -> Selfies:
        return Selfies(
            tuple(self.paths[row] for row in rows),
            self.label[rows],
            self.user[rows],
            self.summary,
            self.facts,
            None if self.face is None else self.face[rows],
        )


def read_posts(table: Path, images: Path, rules: LabelRules | None = None) -> Selfies:
    """Posts, labelled by likes. Raises DataError for a table that breaks its format."""
    rules = rules or LabelRules()
    columns, users = _read_table(table)
    posts = _to_posts(table, columns)
    labels = label_posts(posts, rules)
    kept = np.flatnonzero(labels.label != OUT)
    names = columns["image"]
    user = np.unique(users, return_inverse=True)[1] if users else np.arange(len(posts))
    return Selfies(
        tuple(images / names[row] for row in kept),
        labels.label[kept],
        np.asarray(user, dtype=np.int64)[kept],
        summarise_labels(posts, labels, rules.group),
        {"format": "posts", **labels.to_dict()},
    )


def _read_table(table: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Columns by name, and the users, none where the table has no such column."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = [name.strip() for name in next(rows, [])]
            missing = [name for name in _COLUMNS if name not in header]
            if missing:
                raise DataError(
                    f"{table} has no column {missing[0]!r}: a table of posts has the columns "
                    f"{', '.join(_COLUMNS)} and optionally user"
                )
            body = []
            for row in rows:
                if len(row) != len(header):
                    if not row:
                        continue
                    raise DataError(
                        f"{table}, line {rows.line_num}: {len(row)} fields for {len(header)} "
                        "columns: quote fields that hold commas"
                    )
                body.append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table} cannot be read as a table of posts: {error}") from error
    if not body:
        raise DataError(f"{table} has no post: a table has a line a post below its header")
    columns = dict(zip(header, (list(column) for column in zip(*body, strict=True)), strict=True))
    return columns, columns.get("user", [])


def _to_posts(table: Path, columns: dict[str, list[str]]) -> Posts:
    numbers = {}
    for name in ("likes", "followers", "tags"):
        try:
            numbers[name] = np.array(columns[name]).astype(np.int64)
        except (ValueError, OverflowError):
            numbers[name] = np.array(_each(table, name, columns[name], int), dtype=np.int64)
        if numbers[name].min() < 0:
            row = int(np.argmin(numbers[name]))
            raise DataError(f"{table}, post {row + 1}: {name} is a count, got {numbers[name][row]}")
    days = [text.strip()[:10] for text in columns["posted_at"]]
    try:
        posted = np.array(days, dtype="datetime64[D]")
    except ValueError:
        _each(table, "posted_at", days, date.fromisoformat)
        raise
    if np.isnat(posted).any():
        row = int(np.argmax(np.isnat(posted)))
        raise DataError(f"{table}, post {row + 1}: posted_at is empty: give a date, as 2015-10-25")
    return Posts(numbers["likes"], numbers["followers"], numbers["tags"], posted)


def _each(table: Path, name: str, values: list[str], kind: Any) -> list[Any]:
    """The slow way, which knows where it fails."""
    found = []
    for row, value in enumerate(values, 1):
        try:
            found.append(kind(value))
        except ValueError as error:
            raise DataError(f"{table}, post {row}: {name} is {value!r}: {error}") from error
    return found


def read_ucf(root: Path, drop_middle: float = 0.0) -> Selfies:
    """UCF Selfie: popularity is a score that knows the audience, so the whole set is one group."""
    table = root / "selfie_dataset.txt"
    names, popularity = [], []
    try:
        for number, line in enumerate(table.read_text("utf-8").splitlines(), 1):
            fields = line.split()
            if not fields:
                continue
            if len(fields) != _UCF_FIELDS:
                raise DataError(
                    f"{table}, line {number}: {_UCF_FIELDS} fields are expected, got {len(fields)}"
                )
            names.append(fields[0])
            popularity.append(float(fields[1]))
    except (OSError, ValueError) as error:
        raise DataError(f"{table} cannot be read as UCF Selfie: {error}") from error
    if not names:
        raise DataError(f"{table} lists no picture")
    values = np.array(popularity)
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise DataError(f"{table}: the popularity of {names[row]} is {values[row]}")
    label = halves(values, np.zeros(len(values), dtype=np.int64), drop_middle)
    kept = np.flatnonzero(label != OUT)
    counts = {"pictures": len(names), "positive": int((label == 1).sum())}
    counts["negative"] = len(kept) - counts["positive"]
    summary = (
        f"{len(names):10,} pictures\n{len(kept) - len(names):10,} in the middle or tied across "
        f"it\n{len(kept):10,} labelled: {counts['positive']:,} positive, "
        f"{counts['negative']:,} negative\npopularity from {values.min():.2f} to "
        f"{values.max():.2f}, {np.median(values):.2f} in the middle"
    )
    paths = tuple(root / "images" / f"{names[row]}.jpg" for row in kept)
    return Selfies(paths, label[kept], kept, summary, {"format": "UCF Selfie", **counts})


def read_folders(root: Path) -> Selfies:
    """``good/`` and ``bad/``; every picture is a user of its own."""
    paths: list[Path] = []
    labels: list[int] = []
    for name, label in (("good", 1), ("bad", 0)):
        folder = root / name
        found = sorted(path for path in folder.rglob("*") if is_picture_name(path))
        if not found:
            raise DataError(f"{folder} holds no picture: put the {name} ones there")
        paths += found
        labels += [label] * len(found)
    positive = sum(labels)
    return Selfies(
        tuple(paths),
        np.array(labels, dtype=np.int8),
        np.arange(len(paths)),
        f"{len(paths):10,} pictures: {positive:,} good, {len(paths) - positive:,} bad",
        {"format": "folders", "positive": positive, "negative": len(paths) - positive},
    )


def with_pictures(selfies: Selfies) -> Selfies:
    """Those whose file is there; the others are counted. Raises DataError where none is."""
    there = [row for row, path in enumerate(selfies.paths) if path.is_file()]
    missing = len(selfies) - len(there)
    if not missing:
        return selfies
    first = next(path for path in selfies.paths if not path.is_file())
    if not there:
        raise DataError(f"none of {missing} pictures is there, the first is {first}")
    found = selfies.take(np.array(there, dtype=np.intp))
    lines = f"{-missing:10,} whose picture is not there, as {first}\n{len(found):10,} left"
    facts = found.facts | {"without a picture": missing}
    return replace(found, summary=f"{found.summary}\n\n{lines}", facts=facts)


def split_by_user(
    user: NDArray[np.int64], share: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(N,) -> rows to train on, rows to validate on: about ``share`` of the users, at least one.

    No user is on both sides, so a network that knows faces gains nothing by it. Raises DataError
    where there is only one user.
    """
    names = np.unique(user)
    if len(names) < 2:
        raise DataError("a split by user needs two users, got one: leave the user column out")
    count = min(max(round(share * len(names)), 1), len(names) - 1)
    chosen = np.random.default_rng(seed).permutation(names)[:count]
    held_out = np.isin(user, chosen)
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)

"""``score``, ``rank`` and ``map`` without their shell: options in, exit code out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from cropper.console import print_line, say
from cropper.errors import ConfigError, NoInputError
from cropper.finder import CropFinder
from cropper.listing import list_pictures
from cropper.rank.layout import embed, grid_for, need, on_grid
from cropper.rank.sheet import TileSheet, columns_for, fitted, pick_continuum, squared
from cropper.rank.stream import ScoredPhoto, UnreadablePhoto, read_ahead, score_pictures
from cropper.render import check_no_input, check_output, write_picture

__all__ = [
    "Failures",
    "MapOptions",
    "RankOptions",
    "ScoreOptions",
    "counted",
    "map_pictures",
    "rank",
    "score",
]

Progress = Callable[[int, int], None]
T = TypeVar("T")
_TOP = 100  # pictures on a sheet


@dataclass(frozen=True)
class ScoreOptions:
    scorer: str = "selfie"
    device: str = "auto"
    as_json: bool = False


@dataclass(frozen=True)
class RankOptions(ScoreOptions):
    sheet: Path | None = None
    worst: bool = False  # from the worst up
    continuum: tuple[int, int] | None = None  # (rows, columns) from the best to the worst
    top: int | None = None  # of a sheet without continuum; None: _TOP
    tile: int = 128  # px
    quality: int = 90
    overwrite: bool = False


@dataclass(frozen=True)
class MapOptions(ScoreOptions):
    output: Path = Path("map.jpg")
    limit: int = 5000  # pictures, evenly spread over those there are
    tile: int = 64  # px
    seed: int = 0
    quality: int = 90
    overwrite: bool = False


def score(inputs: Sequence[str], options: ScoreOptions, progress: Progress | None = None) -> int:
    """Print each picture's score as it is known."""
    paths = list_pictures(inputs)
    finder = CropFinder(options.scorer, options.device)
    failures = Failures(options.as_json)
    for found in counted(score_pictures(paths, finder), len(paths), progress):
        if isinstance(found, UnreadablePhoto):
            failures.add(found)
        elif not print_line(_line(found, options.as_json)):
            break  # nobody reads the rest
    return failures.end(len(paths))


def rank(inputs: Sequence[str], options: RankOptions, progress: Progress | None = None) -> int:
    """Print all pictures in order, or lay a part of them on a contact sheet."""
    if options.sheet is not None:
        check_output(options.sheet, overwrite=options.overwrite)
        check_no_input(options.sheet, inputs)
    elif options.continuum or options.top is not None:
        given = "continuum" if options.continuum else "top"
        raise ConfigError(f"`{given}` is of a contact sheet: add `sheet=FILE`")
    if options.continuum and options.worst:
        raise ConfigError("a continuum shows best and worst: leave `worst` out")
    paths = list_pictures(inputs)
    finder = CropFinder(options.scorer, options.device)
    failures = Failures(options.as_json)
    found: list[ScoredPhoto] = []
    for each in counted(score_pictures(paths, finder), len(paths), progress):
        if isinstance(each, UnreadablePhoto):
            failures.add(each)
        else:
            found.append(each)
    if not found:
        raise NoInputError(f"none of {len(paths)} pictures could be read")
    found.sort(key=lambda each: (each.score if options.worst else -each.score, str(each.path)))
    if options.sheet is None:
        for each in found:
            print_line(_line(each, options.as_json))
    else:
        _write_sheet(found, options, options.sheet, failures)
    return failures.end(len(paths))


def _write_sheet(
    found: Sequence[ScoredPhoto], options: RankOptions, target: Path, failures: Failures
) -> None:
    """Pictures are read again for their tiles, so that a ranking keeps names and scores alone."""
    if options.continuum:
        rows = pick_continuum(len(found), *options.continuum)
        columns = max(len(row) for row in rows)
    else:
        shown = min(options.top or _TOP, len(found))
        columns = columns_for(shown)
        rows = [range(at, min(at + columns, shown)) for at in range(0, shown, columns)]
    canvas = TileSheet(len(rows), columns, options.tile)
    places = [(row, column) for row, part in enumerate(rows) for column in range(len(part))]
    chosen = [found[index] for part in rows for index in part]
    paths = [each.path for each in chosen]
    views = read_ahead(paths, lambda image: image.view(2 * options.tile))
    lines = []
    for (row, column), each, (_, view) in zip(places, chosen, views, strict=True):
        if isinstance(view, UnreadablePhoto):  # gone since it was scored
            failures.add(view)
            continue
        canvas.put(row, column, fitted(view, options.tile))
        record = {"row": row, "column": column, "score": each.score, "path": str(each.path)}
        lines.append(json.dumps(record) if options.as_json else _line(each, False))
    write_picture(canvas.pixels, target, options.quality, overwrite=options.overwrite)
    for line in lines:  # after the sheet: who reads them may leave early
        print_line(line)
    say(f"wrote {target}: {len(chosen)} of {len(found)} pictures")


def map_pictures(
    inputs: Sequence[str], options: MapOptions, progress: Progress | None = None
) -> int:
    """Lay pictures that the scorer's network sees alike side by side."""
    check_output(options.output, overwrite=options.overwrite)
    for package in ("sklearn", "scipy"):  # rather now than after the work
        need(package)
    paths = list_pictures(inputs)
    check_no_input(options.output, inputs)
    if len(paths) > options.limit:
        chosen = np.linspace(0, len(paths) - 1, options.limit).round().astype(int)
        say(f"{options.limit} of {len(paths)} pictures, evenly spread: see `limit`")
        paths = [paths[index] for index in chosen]
    finder = CropFinder(options.scorer, options.device)
    failures = Failures(options.as_json)
    features, tiles, shown = [], [], []
    views = read_ahead(paths, finder.scorer.spec.view)
    for path, view in counted(views, len(paths), progress):
        if isinstance(view, UnreadablePhoto):
            failures.add(view)
            continue
        features.append(finder.describe(view))
        tiles.append(squared(view, options.tile))
        shown.append(path)
    if not shown:
        raise NoInputError(f"none of {len(paths)} pictures could be read")
    say(f"laying out {len(shown)} pictures")
    points = embed(np.stack(features), options.seed)
    rows, columns = grid_for(len(shown))
    canvas, lines = TileSheet(rows, columns, options.tile), []
    for (row, column), tile, path in zip(
        on_grid(points, rows, columns).tolist(), tiles, shown, strict=True
    ):
        canvas.put(row, column, tile)
        lines.append(json.dumps({"row": row, "column": column, "path": str(path)}))
    write_picture(canvas.pixels, options.output, options.quality, overwrite=options.overwrite)
    for line in lines if options.as_json else []:
        print_line(line)
    say(f"wrote {options.output}: {len(shown)} pictures on {rows} x {columns} cells")
    return failures.end(len(paths))


class Failures:
    """Counts bad files, tells of each, and owns the exit code."""

    def __init__(self, as_json: bool, field: str = "path") -> None:
        """``field`` of a JSON record is the file's name."""
        self.as_json, self.field, self.count = as_json, field, 0

    def add(self, failed: UnreadablePhoto) -> None:
        self.count += 1
        say(f"error: {failed.reason}")
        if self.as_json:
            print_line(json.dumps({self.field: str(failed.path), "error": failed.reason}))

    def end(self, total: int) -> int:
        if self.count:
            say(f"{self.count} of {total} failed")
        return 1 if self.count else 0


def counted(items: Iterable[T], total: int, progress: Progress | None) -> Iterator[T]:
    """The items; each is counted when it has been used."""
    for done, item in enumerate(items, 1):
        yield item
        if progress:
            progress(done, total)


def _line(found: ScoredPhoto, as_json: bool) -> str:
    if as_json:
        width, height = found.size
        return json.dumps(
            {"path": str(found.path), "score": found.score, "width": width, "height": height}
        )
    return f"{found.score:9.4f}  {found.path}"

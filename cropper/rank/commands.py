"""``score``, ``rank`` and ``map`` without their shell: options in, exit code out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cropper.console import print_line, say
from cropper.errors import ConfigError
from cropper.finder import CropFinder
from cropper.rank.layout import embed, grid_for, need, on_grid
from cropper.rank.sheet import SheetOptions, TileSheet, columns_for, fitted, pick_continuum, squared
from cropper.rank.stream import Pictures, Progress, ScoredPhoto
from cropper.render import check_no_input, check_output, write_picture

__all__ = ["MapOptions", "RankOptions", "ScoreOptions", "map_pictures", "rank", "score"]

_TOP = 100  # pictures on a sheet


@dataclass(frozen=True)
class ScoreOptions:
    scorer: str = "selfie"
    device: str = "auto"
    as_json: bool = False


@dataclass(frozen=True)
class RankOptions(ScoreOptions, SheetOptions):
    sheet: Path | None = None
    worst: bool = False  # from the worst up
    continuum: tuple[int, int] | None = None  # (rows, columns) from the best to the worst
    top: int | None = None  # of a sheet without continuum; None: _TOP
    tile: int = 128  # px


@dataclass(frozen=True)
class MapOptions(ScoreOptions, SheetOptions):
    output: Path = Path("map.jpg")
    limit: int = 5000  # pictures, evenly spread over those there are
    tile: int = 64  # px
    seed: int = 0


def score(inputs: Sequence[str], options: ScoreOptions, progress: Progress | None = None) -> int:
    """Print each picture's score as it is known."""
    pictures = Pictures(inputs, options.as_json, progress)
    for found in pictures.scored(CropFinder(options.scorer, options.device)):
        if not print_line(_line(found, options.as_json)):
            break  # nobody reads the rest
    return pictures.end()


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
    pictures = Pictures(inputs, options.as_json, progress)
    found = [*pictures.scored(CropFinder(options.scorer, options.device))]
    pictures.check(found)
    found.sort(key=lambda each: (each.score if options.worst else -each.score, str(each.path)))
    if options.sheet is None:
        for each in found:
            print_line(_line(each, options.as_json))
    else:
        _write_sheet(found, options, options.sheet, pictures)
    return pictures.end()


def _write_sheet(
    found: Sequence[ScoredPhoto], options: RankOptions, target: Path, pictures: Pictures
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
    chosen = {
        found[index].path: (row, column, found[index])
        for row, part in enumerate(rows)
        for column, index in enumerate(part)
    }
    lines = []
    for path, view in pictures.seen_again(chosen, lambda image: image.view(2 * options.tile)):
        row, column, each = chosen[path]
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
    pictures = Pictures(inputs, options.as_json, progress)
    check_no_input(options.output, inputs)
    if (count := len(pictures.paths)) > options.limit:
        chosen = np.linspace(0, count - 1, options.limit).round().astype(int)
        say(f"{options.limit} of {count} pictures, evenly spread: see `limit`")
        pictures.paths = [pictures.paths[index] for index in chosen]
    finder = CropFinder(options.scorer, options.device)
    features, tiles, shown = [], [], []
    for path, view in pictures.seen(finder.scorer.spec.view):
        features.append(finder.describe(view))
        tiles.append(squared(view, options.tile))
        shown.append(path)
    pictures.check(shown)
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
    return pictures.end()


def _line(found: ScoredPhoto, as_json: bool) -> str:
    if as_json:
        width, height = found.size
        return json.dumps(
            {"path": str(found.path), "score": found.score, "width": width, "height": height}
        )
    return f"{found.score:9.4f}  {found.path}"

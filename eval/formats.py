"""Parsers of the annotation formats: files on disk -> entries as written, one a photo.

    folder  annotations.json, a list of {image, split, box or boxes, pairs}, beside images/;
            boxes are xyxy in [0, 1] of the upright photo, pairs are [a, b, votes a, votes b]
    FCDB    cropping_training_set.json and cropping_testing_set.json ({url, flickr_photo_id,
            crop}), ranking_annotation.json ({url, crops: [{crop_0, crop_1, vote_for_0,
            vote_for_1}]}); a crop is x, y, width, height in px (Chen et al., WACV 2017)
    FLMS    a *.json that maps a file name to [[x1, y1, x2, y2], ...] in px (Fang et al., 2014)
    GAICD   images/ and annotations/*.txt, perhaps with a folder a split; a line is
            ``y1 x1 y2 x2 MOS`` in px, MOS -2 is invalid (Zeng et al., CVPR 2019)

FCDB's published sliding windows hold the human crop itself; nothing here reads them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from cropper.annotations import ANNOTATIONS, read_annotations
from cropper.boxes import Boxes
from cropper.errors import DataError

__all__ = ["ALL", "FORMATS", "Format", "LabelledPhoto", "Pairs", "Rated"]

ALL = "all"  # the split that holds every photo
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}


@dataclass(frozen=True)
class Pairs:
    """P comparisons of two crops of one photo by several people."""

    a: Boxes  # (P, 4)
    b: Boxes  # (P, 4)
    votes_a: NDArray[np.float64]  # (P,) how many preferred a
    votes_b: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.a)


@dataclass(frozen=True)
class Rated:
    """M crops of one photo, each with its mean opinion score."""

    boxes: Boxes  # (M, 4)
    mos: NDArray[np.float64]  # (M,) higher is better

    def __len__(self) -> int:
        return len(self.mos)


@dataclass(frozen=True)
class LabelledPhoto:
    """One photo as annotated: xyxy boxes, in px or in fractions of the photo, not yet checked."""

    name: str  # what the annotations call the photo
    where: str  # file and entry, for messages
    photo: Path | None  # None: not on disk
    pixels: bool  # the unit of every box
    size: tuple[int, int] | None = None  # (width, height) px, where the annotations say
    boxes: Boxes = field(default_factory=lambda: np.empty((0, 4)))
    pairs: Pairs | None = None
    rated: Rated | None = None


class Format(NamedTuple):
    shape: str  # one line for those who bring another
    recognise: Callable[[Path], bool]
    read: Callable[[Path, str], Iterator[LabelledPhoto]]  # root, split


# --- the folder format


def _is_folder(root: Path) -> bool:
    return (root / ANNOTATIONS).is_file()


def _read_folder(root: Path, split: str) -> Iterator[LabelledPhoto]:
    path = root / ANNOTATIONS
    entries = read_annotations(path)
    _check_split(split, {str(entry["split"]) for entry in entries if "split" in entry}, path)
    for entry in entries:
        if split not in (ALL, entry.get("split")):
            continue
        name = _value(entry, "image", path)
        where = f"{path}, {name}"
        photo = root / "images" / str(name)
        width, height = entry.get("width"), entry.get("height")
        size = (width, height) if isinstance(width, int) and isinstance(height, int) else None
        drawn = entry.get("boxes", [entry["box"]] if "box" in entry else [])
        yield LabelledPhoto(
            str(name),
            where,
            photo if photo.is_file() else None,
            pixels=False,
            size=size,
            boxes=_rows(drawn, 4, "a box is [x0, y0, x1, y1]", where),
            pairs=_pairs(entry.get("pairs", []), where),
        )


# --- FCDB

_FCDB_CROPS = {"train": "cropping_training_set.json", "test": "cropping_testing_set.json"}
_FCDB_PAIRS = "ranking_annotation.json"


def _is_fcdb(root: Path) -> bool:
    return any((root / name).is_file() for name in (*_FCDB_CROPS.values(), _FCDB_PAIRS))


def _read_fcdb(root: Path, split: str) -> Iterator[LabelledPhoto]:
    """Pairs go with the split that drew a crop on their photo; the rest are in ALL only."""
    known = {key for key, name in _FCDB_CROPS.items() if (root / name).is_file()}
    _check_split(split, known, root)
    photos: dict[str, dict[str, Any]] = {}  # by file name: it tells Flickr's sizes apart
    crops: dict[str, Boxes] = {}
    for key in sorted(known) if split == ALL else [split]:
        path = root / _FCDB_CROPS[key]
        for entry in read_annotations(path):
            name = _url_name(entry, path)
            photos[name] = entry
            drawn = [_value(entry, "crop", path)]
            crops[name] = _xywh(_rows(drawn, 4, "a crop is [x, y, w, h]", f"{path}, {name}"))
    pairs: dict[str, Pairs | None] = {}
    path = root / _FCDB_PAIRS
    for entry in read_annotations(path) if path.is_file() else []:
        name = _url_name(entry, path)
        if split == ALL or name in photos:
            photos.setdefault(name, entry)
            pairs[name] = _fcdb_pairs(_value(entry, "crops", path), f"{path}, {name}")
    index = _PhotoIndex(root, ("", "images", "data"))
    for name, entry in photos.items():
        yield LabelledPhoto(
            name,
            f"{root}, {name}",
            index.find(name) or index.by_id(str(entry.get("flickr_photo_id", ""))),
            pixels=True,
            boxes=crops.get(name, np.empty((0, 4))),
            pairs=pairs.get(name),
        )


def _url_name(entry: dict[str, Any], path: Path) -> str:
    return PurePosixPath(urlsplit(str(_value(entry, "url", path))).path).name


def _fcdb_pairs(rows: Any, where: str) -> Pairs | None:
    keys = ("crop_0", "crop_1", "vote_for_0", "vote_for_1")
    if not isinstance(rows, list):
        raise DataError(f"{where}: 'crops' is a list of pairs, got {rows!r:.200}: correct it")
    found = _pairs([[_value(row, key, where) for key in keys] for row in rows], where)
    return found and Pairs(_xywh(found.a), _xywh(found.b), found.votes_a, found.votes_b)


def _xywh(boxes: Boxes) -> Boxes:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


# --- FLMS


def _is_flms(root: Path) -> bool:
    return any(_flms_files(root))


def _flms_files(root: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(root.glob("*.json")):
        data = _json(path)
        if isinstance(data, dict) and data and all(isinstance(v, list) for v in data.values()):
            yield path, data


def _read_flms(root: Path, split: str) -> Iterator[LabelledPhoto]:
    """A box with a negative coordinate or no area marks a crop that was not drawn: dropped."""
    _check_split(split, set(), root)
    index = _PhotoIndex(root, ("", "images", "image", "data"))
    for path, data in _flms_files(root):
        for name, rows in data.items():
            where = f"{path}, {name}"
            boxes = _rows(rows, 4, "a box is [x1, y1, x2, y2]", where)
            drawn = (boxes >= 0).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
            yield LabelledPhoto(name, where, index.find(name), pixels=True, boxes=boxes[drawn])


# --- GAICD


def _is_gaicd(root: Path) -> bool:
    return (root / "images").is_dir() and any((root / "annotations").rglob("*.txt"))


def _read_gaicd(root: Path, split: str) -> Iterator[LabelledPhoto]:
    home = root / "annotations"
    known = {path.parent.name for path in home.glob("*/*.txt")}
    _check_split(split, known, home)
    for folder in ["", *sorted(known)] if split == ALL else [split]:
        index = _PhotoIndex(root / "images", (folder, ""))
        for path in sorted((home / folder).glob("*.txt")):
            lines = [line.split() for line in path.read_text("utf-8", "replace").splitlines()]
            rows = _rows(
                [line for line in lines if line], 5, "a line is 'y1 x1 y2 x2 MOS'", str(path)
            )
            rows = rows[rows[:, 4] != -2]  # -2: the annotators' mark for an invalid crop
            rated = Rated(rows[:, [1, 0, 3, 2]], rows[:, 4]) if len(rows) else None
            yield LabelledPhoto(
                path.stem, str(path), index.find(path.stem), pixels=True, rated=rated
            )


# --- shared


class _PhotoIndex:
    """Photos by name, by name without its ending, and by Flickr's number in front of it."""

    def __init__(self, root: Path, folders: Iterable[str]) -> None:
        self._names: dict[str, Path] = {}
        self._ids: dict[str, Path] = {}
        for folder in folders:
            home = root / folder
            for path in sorted(home.iterdir()) if home.is_dir() else []:
                if path.suffix.lower() in IMAGE_SUFFIXES:
                    self._names.setdefault(path.name, path)
                    self._names.setdefault(path.stem, path)
                    self._ids.setdefault(path.stem.split("_")[0], path)

    def find(self, name: str) -> Path | None:
        name = PurePosixPath(name).name
        return self._names.get(name) or self._names.get(PurePosixPath(name).stem)

    def by_id(self, number: str) -> Path | None:
        return self._ids.get(number)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not readable JSON ({error}): fetch the file again") from error


def _value(entry: Any, key: str, where: Path | str) -> Any:
    if not isinstance(entry, dict) or key not in entry:
        raise DataError(f"{where}: every entry has {key!r}, got {entry!r:.200}: correct the entry")
    return entry[key]


def _rows(rows: Any, width: int, rule: str, where: str) -> NDArray[np.float64]:
    """-> (N, width) float64, also for no rows."""
    try:
        if not len(rows):
            return np.empty((0, width))
        array = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.ndim != 2 or array.shape[1] != width:
        raise DataError(f"{where}: {rule}, got {rows!r:.200}: correct the entry")
    return array


def _pairs(rows: Any, where: str) -> Pairs | None:
    """Rows of box a, box b, votes for a, votes for b; None for no row."""
    rule = "a pair is [box a, box b, votes a, votes b]"
    try:
        flat = [[*a, *b, votes_a, votes_b] for a, b, votes_a, votes_b in rows]
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: {rule}, got {rows!r:.200}: correct the entry") from error
    table = _rows(flat, 10, rule, where)
    return Pairs(table[:, :4], table[:, 4:8], table[:, 8], table[:, 9]) if len(table) else None


def _check_split(split: str, known: set[str], where: Path) -> None:
    if split != ALL and split not in known:
        raise DataError(
            f"{where} has {'the splits ' + ', '.join(sorted(known)) if known else 'no splits'}, "
            f"got {split!r}: ask for {'one of them or for ' if known else ''}{ALL!r}"
        )


FORMATS = {
    "folder": Format("annotations.json beside images/", _is_folder, _read_folder),
    "FCDB": Format(
        "cropping_training_set.json, cropping_testing_set.json or ranking_annotation.json, "
        "photos beside them, in images/ or in data/",
        _is_fcdb,
        _read_fcdb,
    ),
    "GAICD": Format("annotations/*.txt beside images/", _is_gaicd, _read_gaicd),
    # last, for it takes any mapping
    "FLMS": Format(
        "a .json of {file name: [[x1, y1, x2, y2], ...]}, photos beside it or in images/",
        _is_flms,
        _read_flms,
    ),
}

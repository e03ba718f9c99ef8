"""Pairs of photos that are of one person or of two, as people say: how well distances tell.

The file is CSV with the columns ``first``, ``second`` and ``same`` (1 or 0), paths below a folder.
Whose a photo is, is told by the folder that it lies in, for intervals over people.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from cropper.errors import CropperError, DataError, extra
from cropper.identity import RATE, SeenFace, farthest
from cropper.identity.config import NUMBERS
from cropper.identity.descriptor import aligned, misfit
from cropper.identity.known import the_face
from cropper.identity.verification import FacePairs
from cropper.image import load_image
from eval.photos import Progress, counted

__all__ = ["Verified", "draw_roc", "measure_pairs", "render_pairs"]

_RATES = (1e-3, 1e-2, 1e-1)
_SMALL, _DARK = 60.0, 70.0  # px of a face's height; level of its mean
_TURNED = 0.03  # of ``misfit``: the half that is more so, of photos of crowds


@dataclass(frozen=True)
class _Photo:
    seen: SeenFace
    level: float  # mean of the aligned face


@dataclass(frozen=True)
class Verified:
    pairs: FacePairs
    unread: int  # pairs of which one photo shows no face that can be read
    groups: dict[str, np.ndarray]  # name -> which pairs (M,)


def measure_pairs(table: Path, root: Path, progress: Progress | None = None) -> Verified:
    """Raises DataError for a table that breaks its format, or without pairs of both kinds."""
    rows = _read(table)
    photos: dict[str, _Photo | None] = {}
    names = sorted({name for first, second, _ in rows for name in (first, second)})
    for name in counted(names, progress):
        photos[name] = _photo(root / name)
    read = [(a, b) for a, b, _ in rows if photos[a] and photos[b]]
    people = {name: number for number, name in enumerate(sorted({_person(n) for n in names}))}
    both = [(photos[a], photos[b]) for a, b in read]
    encodings = np.array([[x.seen.encoding for x in two if x] for two in both], np.float64)
    pairs = FacePairs(
        np.linalg.norm(np.diff(encodings.reshape(-1, 2, NUMBERS), axis=1), axis=(1, 2)),
        np.array([people[_person(a)] for a, _ in read], np.intp),
        np.array([people[_person(b)] for _, b in read], np.intp),
    )
    if not pairs.same.any() or pairs.same.all():
        raise DataError(f"{table}: it takes pairs of one person and pairs of two that can be read")
    each = [[x for x in two if x] for two in both]
    groups = {
        f"a face below {_SMALL:g} px": [
            min(x.seen.face.height for x in two) < _SMALL for two in each
        ],
        "a face turned away": [max(misfit(x.seen.face) for x in two) > _TURNED for two in each],
        f"a face below level {_DARK:g}": [min(x.level for x in two) < _DARK for two in each],
    }
    told = {name: np.array(member, dtype=bool) for name, member in groups.items()}
    return Verified(pairs, len(rows) - len(read), told)


def render_pairs(found: Verified) -> str:
    """Plain text."""
    pairs, limit = found.pairs, farthest(RATE)
    low, high = pairs.interval("auc")
    less, more = pairs.interval("accuracy", limit)
    same = int(pairs.same.sum())
    lines = [
        f"{same} pairs of one person, {len(pairs.same) - same} of two; {found.unread} not read",
        f"AUC {pairs.auc():.4f} [{low:.4f}, {high:.4f}], over people",
        f"right at a distance of {limit:.3f}: {pairs.accuracy(limit):.1%} [{less:.1%}, {more:.1%}]",
        f"{'false accepts':>16}{'accepted':>10}",
    ]
    lines += [f"{rate:16g}{pairs.tar_at(rate):10.1%}" for rate in _RATES]
    for name, member in found.groups.items():
        own = FacePairs(pairs.distances[member], pairs.first[member], pairs.second[member])
        if own.same.any() and not own.same.all():
            lines.append(f"{name}: AUC {own.auc():.4f}, {len(own.same)} pairs")
    return "\n".join(lines)


def draw_roc(found: Verified, path: Path) -> None:
    """The share of one person's pairs that is accepted, against that of two people's."""
    with extra("plot"):
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    far, tar = found.pairs.roc()
    least = 0.5 / (~found.pairs.same).sum()  # half a pair, where a logarithm has no zero
    axes.step(np.append(least, far.clip(least)), np.append(0, tar), where="post")
    axes.set(
        xscale="log", xlabel="false accepts", ylabel="accepted", xlim=(least, 1), ylim=(0, 1.02)
    )
    figure.savefig(path)


def _read(table: Path) -> list[tuple[str, str, bool]]:
    try:
        lines = csv.DictReader(table.read_text("utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{table} cannot be read: {error}") from error
    if not {"first", "second", "same"} <= {*(lines.fieldnames or ())}:
        raise DataError(f"{table} has no columns first, second and same")
    found = []
    for number, line in enumerate(lines, 2):
        first, second, same = ((line[name] or "").strip() for name in ("first", "second", "same"))
        if same not in ("0", "1"):
            raise DataError(f"{table}, line {number}: same is 0 or 1, got {same!r}")
        if (_person(first) == _person(second)) != (same == "1"):
            raise DataError(
                f"{table}, line {number}: photos of one person lie in one folder, of two in two"
            )
        found.append((first, second, same == "1"))
    return found


def _person(name: str) -> str:
    return str(PurePosixPath(name).parent)


def _photo(path: Path) -> _Photo | None:
    try:
        image = load_image(path)
        seen = the_face(image)
    except CropperError:
        return None
    chip = aligned(image.view(max(image.size)), [seen.face])
    return _Photo(seen, float(chip.mean()))

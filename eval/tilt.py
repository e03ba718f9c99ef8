"""How well a tilt is found and undone: photos turned by known angles, beside the photos themselves.

A photo that people publish is taken for level, which it is not quite: its own tilt is part of every
error here, of the best method too. Turned windows are encoded anew. The frame that was turned away
is known too, so a crop of the tilted window is judged by its IoU with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Boxes
from cropper.image import SourceImage, View, load_image
from cropper.image.per_view import PerView
from cropper.report import LabelledCrop, ReportedPhoto, draw_sheet
from cropper.statistics import Interval, bootstrap
from cropper.tilt import LONG_SIDE, find_tilt
from cropper.train.tilt import photos_of, turned_window
from cropper.turn import Tilt, Turn
from eval.photos import Progress, of_readable, of_split
from eval.quads import quad_iou

__all__ = [
    "FOUND",
    "Angle",
    "TiltResult",
    "draw_worst",
    "found_by_kind",
    "frame_overlap",
    "hough",
    "level_frame",
    "look_again",
    "measure_tilt",
    "render_kinds",
    "render_tilt",
    "straighten",
    "surer",
    "surest_guess",
    "try_turns",
    "turned_views",
]

Floats = NDArray[np.float64]
Angle = Callable[[View], float]  # the angle by which a method turns a photo, 0 where it does not

FOUND = 10.0  # degrees by which photos are turned, at most
_QUALITY = 90
_TILTED = 2.0  # degrees from which on a photo ought to be turned
_LEFT = 0.5  # degrees by which a level photo may be turned and still counts as left alone
_WORST = 50  # turns on a sheet
_TILTS: PerView[Tilt] = PerView()


@dataclass(frozen=True)
class TiltResult:
    """What one method did, with 95 % intervals over photos."""

    method: str
    turned: Interval  # share of the tilted photos, by 2 degrees or more, that it turns
    within: Interval | None  # share of these that are within a degree; None: it turned none
    median: float  # error of these, degrees
    error: Interval  # mean over all turned photos, whether it turned them or not, degrees
    apart: float  # median error of how far apart it finds a photo and the same photo turned
    left: Interval  # share of the photos themselves that it leaves within half a degree
    wins: (
        Interval  # share of the turned photos whose level frame it meets better than upright boxes
    )


def straighten(view: View) -> float:
    """What ``straighten`` does."""
    return _tilt(view).turned


def surer(probability: float) -> Angle:
    """What it would do with another probability from which on it turns."""

    def angle(view: View) -> float:
        tilt = _tilt(view)
        return 0.0 if tilt.is_level or tilt.probability < probability else tilt.angle

    return angle


def surest_guess(view: View) -> float:
    """The network's likeliest angle, however sure it is."""
    return _tilt(view).angle


def _tilt(view: View) -> Tilt:
    """Looked for once, whichever methods ask."""
    return _TILTS.get(view, find_tilt)


def look_again(view: View) -> float:
    """The same, of the photo turned by it, on top: a cascade of two passes."""
    first = surest_guess(view)
    turn = Turn(view.size, first)
    frame = turn.fit(np.array([[0.0, 0.0, *view.size]]))[0]
    return first + surest_guess(view.warp(np.array(turn.corners(frame))))


def hough(view: View) -> float:
    """The direction of the longest lines near level and upright, by scikit-image's Hough transform.

    The median over line segments, weighted by their length.
    """
    from skimage import feature, transform  # noqa: PLC0415 - a baseline, which may be missing

    grey = view.pixels @ np.array([0.299, 0.587, 0.114]) / 255
    edges: Any = feature.canny(grey, 1.5)  # type: ignore[no-untyped-call]
    long = max(grey.shape) // 10
    lines = transform.probabilistic_hough_line(edges, 10, long, 3, rng=0)  # type: ignore[no-untyped-call]
    if not lines:
        return 0.0
    ends = np.array(lines, dtype=np.float64)
    along = ends[:, 1] - ends[:, 0]
    degrees = (np.degrees(np.arctan2(along[:, 1], along[:, 0])) + 45) % 90 - 45
    near = np.abs(degrees) <= FOUND * 1.5
    if not near.any():
        return 0.0
    length = np.hypot(*along.T)[near]
    order = np.argsort(degrees[near])
    middle = np.searchsorted(length[order].cumsum(), length.sum() / 2)
    return float(degrees[near][order][middle])


@dataclass(frozen=True)
class Trial:
    """One photo, by T turns and M methods."""

    kind: str  # the name of its folder
    truth: Floats  # (T,) degrees
    turned: Floats  # (T, M) degrees by which methods turn the turned photo
    better: Floats  # (T, M): whether the level frame is met better than without
    level: Floats  # (M,) degrees by which they turn the photo itself


def try_turns(
    root: Path,
    split: str,
    methods: Sequence[tuple[str, Angle]],
    *,
    turns: int = 2,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Trial]:
    """The photos of a split that can be read, turned ``turns`` times each, and what methods do.

    Raises DataError where there is none.
    """

    def tried(index: int, path: Path) -> Trial:
        rng = np.random.default_rng([seed, index])
        return _tried(path.parent.name, load_image(path), methods, turns, rng)

    return of_split(root, split, tried, limit=limit, progress=progress)


def measure_tilt(trials: Sequence[Trial], methods: Sequence[tuple[str, Angle]]) -> list[TiltResult]:
    """What each method did."""
    return [_found(name, trials, index) for index, (name, _) in enumerate(methods)]


def found_by_kind(trials: Sequence[Trial], index: int) -> list[tuple[int, TiltResult]]:
    """What one method did to the photos of each folder: how many they are, and that."""
    kinds = sorted({each.kind for each in trials})
    parts = [[each for each in trials if each.kind == kind] for kind in kinds]
    return [(len(part), _found(part[0].kind, part, index)) for part in parts]


def draw_worst(
    root: Path,
    split: str,
    *,
    turns: int = 2,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> NDArray[np.uint8]:
    """(H, W, 3): the turns of ``try_turns`` that ``straighten`` makes worst, the worst first.

    Each with the frame that it would cut, beside what it would cut.
    """

    def misses(index: int, path: Path) -> list[tuple[float, ReportedPhoto]]:
        rng = np.random.default_rng([seed, index])
        views = list(turned_views(load_image(path), turns, rng))
        return [
            (abs(tilt - truth), _reported(view, f"{path.parent.name}/{path.name}", truth, tilt))
            for truth, view in views
            if (tilt := straighten(view))
        ]

    photos = of_readable(photos_of(root, split)[:limit], misses, progress)
    worst = sorted(chain.from_iterable(photos), key=lambda miss: -miss[0])[:_WORST]
    return np.asarray(draw_sheet([reported for _, reported in worst], columns=5))


def _reported(view: View, name: str, truth: float, tilt: float) -> ReportedPhoto:
    turn = Turn(view.size, tilt)
    crop = turn.crop(turn.fit(np.array([[0.0, 0.0, *view.size]]))[0], 0.0)
    name = f"{name}, {_tilt(view).probability:.0%} sure"
    crops = (LabelledCrop(f"tilted {truth:+.1f}, found {tilt:+.1f}", crop),)
    return ReportedPhoto(name, view, view.size, crops, 0.0, None, skipped=False, seconds=0.0)


def turned_views(
    photo: SourceImage, turns: int, rng: np.random.Generator, long_side: int = LONG_SIDE
) -> Iterator[tuple[float, View]]:
    """The photo turned by so many angles, degrees within ``FOUND``; its views have a long side."""
    for angle in rng.uniform(-FOUND, FOUND, turns).tolist():
        yield angle, turned_window(photo, angle, 1.0, _QUALITY, rng, long_side=long_side)


def _tried(
    kind: str,
    photo: SourceImage,
    methods: Sequence[tuple[str, Angle]],
    turns: int,
    rng: np.random.Generator,
) -> Trial:
    own = photo.view(LONG_SIDE)
    level = [method(own) for _, method in methods]
    truth, turned, better = [], [], []
    for angle, view in turned_views(photo, turns, rng):
        found = [method(view) for _, method in methods]
        without = _overlap(view, 0.0, angle)
        truth.append(angle)
        turned.append(found)
        better.append([_overlap(view, each, angle) > without for each in found])
    return Trial(
        kind, np.array(truth), np.array(turned), np.array(better, np.float64), np.array(level)
    )


def _overlap(view: View, angle: float, truth: float) -> float:
    """IoU with the level frame, of the largest crop that is turned by ``angle``.

    Not turned, it is the upright box of the level frame's own size, which no other betters.
    """
    height, width = view.pixels.shape[:2]
    own = Turn((width, height), angle)
    box = own.fit(np.array([[0.0, 0.0, width, height]])) if angle else level_frame(own.size, truth)
    return frame_overlap(np.array(own.corners(box[0])), own.size, truth)


def level_frame(size: tuple[int, int], truth: float) -> Boxes:
    """(1, 4): the largest of a photo that looks tilted by ``truth``, in the turned photo."""
    return Turn(size, truth).fit(np.array([[0.0, 0.0, *size]]))


def frame_overlap(corners: Floats, size: tuple[int, int], truth: float) -> float:
    """IoU of a crop (4, 2), px of the tilted photo, with the level frame."""
    level = Turn(size, truth).in_turned(corners)
    return float(quad_iou(level, level_frame(size, truth))[0])


def _found(name: str, trials: Sequence[Trial], index: int) -> TiltResult:
    """Of one method; shares of turns are pooled over turns and resampled by photo."""
    truth = np.stack([each.truth for each in trials])  # (P, T)
    turned = np.stack([each.turned[:, index] for each in trials])
    level = np.array([each.level[index] for each in trials])
    error = np.abs(turned - truth)
    tilted = np.abs(truth) >= _TILTED
    acted = tilted & (turned != 0)
    return TiltResult(
        name,
        _pooled(acted, tilted),
        _pooled(error <= 1, acted) if acted.any() else None,
        float(np.median(error[acted])) if acted.any() else math.nan,
        bootstrap(error.mean(1)),
        float(np.median(np.abs(turned - level[:, None] - truth))),
        bootstrap(np.abs(level) <= _LEFT),
        bootstrap([each.better[:, index].mean() for each in trials]),
    )


def _pooled(hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> Interval:
    """The share of ``hits`` (P, T) among some turns."""
    count = among.sum(1)
    return bootstrap((hits & among).sum(1) / np.maximum(count, 1), count)


def render_tilt(trials: Sequence[Trial], found: Sequence[TiltResult]) -> str:
    """Plain text."""
    photos, turns = len(trials), len(trials[0].truth)
    lines = [
        f"{photos} photos, each turned {turns} times by up to {FOUND:.0f} degrees, and as they are",
        f"{'':28}{'turned, of those':>20}{'of these within':>22}{'median':>8}"
        f"{'mean error':>20}{'of the':>12}{'level ones':>20}{'level frame':>20}",
        f"{'':28}{'tilted by 2 or more':>20}{'a degree':>22}{'error':>8}"
        f"{'of all':>20}{'difference':>12}{'left alone':>20}{'met better':>20}",
    ]
    return "\n".join([*lines, *map(_row, found)])


def render_kinds(kinds: Sequence[tuple[int, TiltResult]]) -> str:
    """What one method did to each kind, in the columns of the table."""
    named = [replace(each, method=f"{each.method}, {count} photos") for count, each in kinds]
    return "\n".join(map(_row, named))


def _row(found: TiltResult) -> str:
    within = f"{found.within:.0%}" if found.within else "-"
    turned, left, wins = (f"{x:.0%}" for x in (found.turned, found.left, found.wins))
    return (
        f"{found.method:28}{turned:>20}{within:>22}{found.median:>8.2f}"
        f"{f'{found.error:.2f}':>20}{found.apart:>12.2f}{left:>20}{wins:>20}"
    )

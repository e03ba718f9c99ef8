"""How well a tilt is found and undone: photos turned by known angles, beside the photos themselves.

A photo that people publish is taken for level, which it is not quite: its own tilt is part of every
error here, of the best method too. Turned windows are encoded anew. The frame that was turned away
is known too, so a crop of the tilted window is judged by its IoU with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropper.errors import DataError
from cropper.image import SourceImage, View, load_image
from cropper.statistics import Interval, bootstrap
from cropper.tilt import LONG_SIDE, find_tilt
from cropper.train.tilt import photos_of, turned_window
from cropper.turn import Turn
from eval.photos import Progress, of_readable
from eval.quads import quad_iou

__all__ = [
    "Angle",
    "TiltResult",
    "hough",
    "look_again",
    "measure_tilt",
    "render_tilt",
    "straighten",
    "surest_guess",
]

Floats = NDArray[np.float64]
Angle = Callable[[View], float]  # the angle by which a method turns a photo, 0 where it does not

_MOST = 10.0  # degrees
_QUALITY = 90
_TILTED = 2.0  # degrees from which on a photo ought to be turned
_LEFT = 0.5  # degrees by which a level photo may be turned and still counts as left alone


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
    return find_tilt(view).turned


def surest_guess(view: View) -> float:
    """The network's likeliest angle, however sure it is."""
    return find_tilt(view).angle


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
    near = np.abs(degrees) <= _MOST * 1.5
    if not near.any():
        return 0.0
    length = np.hypot(*along.T)[near]
    order = np.argsort(degrees[near])
    middle = np.searchsorted(length[order].cumsum(), length.sum() / 2)
    return float(degrees[near][order][middle])


def measure_tilt(
    root: Path,
    split: str,
    methods: Sequence[tuple[str, Angle]],
    *,
    turns: int = 2,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[int, list[TiltResult]]:
    """The photos of a split that can be read, turned ``turns`` times each, and what methods do.

    Raises DataError where there is none.
    """
    paths = photos_of(root, split)[:limit]

    def tried(index: int, path: Path) -> _Trial:
        return _tried(load_image(path), methods, turns, np.random.default_rng([seed, index]))

    trials = of_readable(paths, tried, progress)
    if not trials:
        raise DataError(f"{root}: no photo of split {split!r} can be read: name another folder")
    return len(trials), [_found(name, trials, index) for index, (name, _) in enumerate(methods)]


@dataclass(frozen=True)
class _Trial:
    """One photo, by T turns and M methods."""

    truth: Floats  # (T,) degrees
    turned: Floats  # (T, M) degrees by which methods turn the turned photo
    better: Floats  # (T, M): whether the level frame is met better than without
    level: Floats  # (M,) degrees by which they turn the photo itself


def _tried(
    photo: SourceImage,
    methods: Sequence[tuple[str, Angle]],
    turns: int,
    rng: np.random.Generator,
) -> _Trial:
    own = photo.view(LONG_SIDE)
    level = [method(own) for _, method in methods]
    truth = rng.uniform(-_MOST, _MOST, turns)
    turned, better = [], []
    for angle in truth:
        view = turned_window(photo, angle, 1.0, _QUALITY, rng)
        found = [method(view) for _, method in methods]
        without = _overlap(view, 0.0, angle)
        turned.append(found)
        better.append([_overlap(view, each, angle) > without for each in found])
    return _Trial(truth, np.array(turned), np.array(better, np.float64), np.array(level))


def _overlap(view: View, angle: float, truth: float) -> float:
    """IoU with the level frame, of the largest crop that is turned by ``angle``.

    Not turned, it is the upright box of the level frame's own size, which no other betters.
    """
    height, width = view.pixels.shape[:2]
    level, own = Turn((width, height), truth), Turn((width, height), angle)
    frame = level.fit(np.array([[0.0, 0.0, width, height]]))
    box = own.fit(np.array([[0.0, 0.0, width, height]])) if angle else frame
    corners = level.in_turned(np.array(own.corners(box[0])))
    return float(quad_iou(corners, frame)[0])


def _found(name: str, trials: Sequence[_Trial], index: int) -> TiltResult:
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


def render_tilt(photos: int, turns: int, found: Sequence[TiltResult]) -> str:
    """Plain text."""
    lines = [
        f"{photos} photos, each turned {turns} times by up to {_MOST:.0f} degrees, and as they are",
        f"{'':28}{'turned, of those':>20}{'of these within':>22}{'median':>8}"
        f"{'mean error':>20}{'of the':>12}{'level ones':>20}{'level frame':>20}",
        f"{'':28}{'tilted by 2 or more':>20}{'a degree':>22}{'error':>8}"
        f"{'of all':>20}{'difference':>12}{'left alone':>20}{'met better':>20}",
    ]
    for each in found:
        within = _share(each.within) if each.within else "-"
        error = f"{each.error.mean:.2f} [{each.error.low:.2f}, {each.error.high:.2f}]"
        lines.append(
            f"{each.method:28}{_share(each.turned):>20}{within:>22}{each.median:>8.2f}"
            f"{error:>20}{each.apart:>12.2f}{_share(each.left):>20}{_share(each.wins):>20}"
        )
    return "\n".join(lines)


def _share(x: Interval) -> str:
    return f"{x.mean:.0%} [{x.low:.0%}, {x.high:.0%}]"

"""How often a photo that lies on a side, or on its head, is set upright, and an upright one is not.

A photo that people publish is taken for upright. It is turned by each number of quarters, and what
a method says is right where it undoes that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropper.faces import FaceFinder
from cropper.image import View, load_image
from cropper.orientation import find_orientation
from cropper.statistics import Interval, bootstrap
from eval.photos import Progress, of_split

__all__ = [
    "OrientationResult",
    "by_faces",
    "likeliest",
    "measure_orientation",
    "orient",
    "render_orientation",
]

Quarters = Callable[[View], int]  # by which a method turns a photo clockwise

_LONG_SIDE = 512  # px of the views that methods are given


@dataclass(frozen=True)
class OrientationResult:
    """What one method did, with 95 % intervals over photos."""

    method: str
    upright: Interval  # share of the photos that lie on a side or on their head, set upright
    wrong: Interval  # share of these that are turned, and not upright then
    left: Interval  # share of the upright photos that are left as they are


def orient(view: View) -> int:
    """What ``orient`` does."""
    return find_orientation(view).turned


def likeliest(view: View) -> int:
    """The network's likeliest orientation, however sure it is."""
    return find_orientation(view).quarters


def by_faces() -> Quarters:
    """The turn in which YuNet's scores of faces have the largest sum; none without a face."""
    finder = FaceFinder()

    def quarters(view: View) -> int:
        turns = (_turned(view, number) for number in range(4))
        scores = [sum(face.score for face in finder.find(turn)) for turn in turns]
        return int(np.argmax(scores))

    return quarters


def _turned(view: View, quarters: int) -> View:
    """Clockwise."""
    size = view.size[::-1] if quarters % 2 else view.size
    return View(np.ascontiguousarray(np.rot90(view.pixels, -quarters)), size)


def measure_orientation(
    root: Path,
    split: str,
    methods: Sequence[tuple[str, Quarters]],
    *,
    limit: int | None = None,
    progress: Progress | None = None,
) -> tuple[int, list[OrientationResult]]:
    """The photos of a split that can be read, each in its four turns, and what methods do.

    Raises DataError where there is none.
    """

    def tried(_: int, path: Path) -> list[list[int]]:
        view = load_image(path).view(_LONG_SIDE)
        turns = [_turned(view, quarters) for quarters in range(4)]
        return [[method(turn) for turn in turns] for _, method in methods]

    rows = of_split(root, split, tried, limit=limit, progress=progress)
    done = np.array(rows)  # (photos, methods, 4)
    return len(rows), [_found(name, done[:, i]) for i, (name, _) in enumerate(methods)]


def _found(name: str, done: NDArray[np.int64]) -> OrientationResult:
    """Of one method: (photos, 4), by how many quarters it turned each turn of each photo."""
    upright = (done + np.arange(4)) % 4 == 0
    lying, turned = upright[:, 1:], done[:, 1:] != 0
    return OrientationResult(
        name,
        bootstrap(lying.mean(1)),
        bootstrap((turned & ~lying).mean(1)),
        bootstrap(upright[:, 0].astype(float)),
    )


def render_orientation(photos: int, found: Sequence[OrientationResult]) -> str:
    """Plain text."""
    head = f"{'':28}{'lying ones set upright':>26}{'turned wrongly':>26}{'upright ones left':>26}"
    lines = [f"{photos} photos, as they are and turned by one, two and three quarters", head]
    for each in found:
        shares = (each.upright, each.wrong, each.left)
        lines.append(f"{each.method:28}" + "".join(f"{f'{x:.1%}':>26}" for x in shares))
    return "\n".join(lines)

"""What a cheap search loses against an exhaustive one, with the same scorer.

On each photo the exhaustive grid of the whole picture is scored once. The search under test then
asks the same scorer, with less evaluations; its regret is how much lower its crop scores than the
grid's best. Scores have no unit, so a regret is in standard deviations of the photo's own grid,
and as the share of the grid's crops that are better. A search that ends between the grid's crops
can be better than all of them: then its regret is below 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Boxes, iou
from cropper.errors import DataError, ImageReadError
from cropper.finder import CropFinder
from cropper.image import load_image
from cropper.listing import list_pictures
from cropper.search import Objective, SearchConfig, search
from cropper.space import CropSpace, crop_spaces
from cropper.statistics import Interval, bootstrap
from eval.environment import Environment, read_environment
from eval.photos import Progress, counted

__all__ = ["PhotoRegret", "RegretReport", "measure_photo", "render_regret", "run_regret"]


@dataclass(frozen=True)
class PhotoRegret:
    """One search on one photo."""

    deviations: float  # score of the grid's best less that of the search, in the grid's deviations
    better: float  # share of the grid's crops that score higher than the search's
    overlap: float  # IoU of the two crops
    evaluations: int


@dataclass(frozen=True)
class RegretReport:
    scorer: str
    aspect: str
    grid: int  # crops of the exhaustive grid, the median over photos
    photos: int
    unreadable: tuple[str, ...]
    searches: tuple[tuple[str, tuple[PhotoRegret, ...]], ...]  # by name
    environment: Environment


def run_regret(
    photos: Sequence[str | Path],
    *,
    scorer: str = "convnet",
    device: str = "auto",
    aspect: str = "original",
    limit: int = 100,
    grid: int = 2000,
    budgets: Sequence[int] = (100, 200, 500),
    strategy: str = "halving",
    seed: int = 0,
    progress: Progress | None = None,
) -> RegretReport:
    """``limit`` photos, spread evenly over those there are. Raises DataError where none is read."""
    paths = list_pictures(photos)
    chosen = np.unique(np.linspace(0, len(paths) - 1, min(limit, len(paths))).round().astype(int))
    finder = CropFinder(scorer, device)
    configs = [SearchConfig(strategy, budget, seed=seed) for budget in budgets]
    found: list[list[PhotoRegret]] = []
    sizes, unreadable = [], []
    for index in counted(chosen.tolist(), progress):
        try:
            image = load_image(paths[index])
            objective = finder.bind(image)
        except ImageReadError as error:
            unreadable.append(str(error))
            continue
        spaces = crop_spaces(image.size, aspect)
        row, size = measure_photo(objective, spaces, configs, grid)
        found.append(row)
        sizes.append(size)
    if not found:
        raise DataError(f"none of {len(chosen)} photos could be read; the first: {unreadable[0]}")
    names = [f"{config.strategy} {config.budget}" for config in configs]
    return RegretReport(
        finder.scorer.spec.name,
        aspect,
        int(np.median(sizes)),
        len(found),
        tuple(unreadable),
        tuple((name, tuple(row[i] for row in found)) for i, name in enumerate(names)),
        read_environment(),
    )


def measure_photo(
    objective: Objective,
    spaces: Sequence[CropSpace],
    configs: Sequence[SearchConfig],
    grid: int,
) -> tuple[list[PhotoRegret], int]:
    """The regret of each search, and the size of the grid that it is held against."""
    scored: list[NDArray[np.float64]] = []

    def recorded(boxes: Boxes) -> NDArray[np.float64]:
        scores = np.asarray(objective(boxes), dtype=np.float64)
        scored.append(scores)
        return scores

    best = search(recorded, spaces, SearchConfig("grid", grid)).best
    scores = np.concatenate(scored)
    spread = max(float(scores.std()), 1e-12)
    row = []
    for config in configs:
        result = search(objective, spaces, replace(config, top_k=1))
        row.append(
            PhotoRegret(
                (best.score - result.best.score) / spread,
                float((scores > result.best.score + 1e-6 * spread).mean()),
                float(iou(np.array([best.box]), np.array([result.best.box]))[0, 0]),
                result.evaluations,
            )
        )
    return row, len(scores)


def render_regret(report: RegretReport, command: str) -> str:
    """Plain text: a row a search, with intervals over photos."""
    lines = [
        f"{report.scorer}, aspect {report.aspect}, {report.photos} photos, "
        f"exhaustive grid of {report.grid} crops",
        "",
        f"{'search':14}{'evaluations':>12}{'regret, sd of the grid':>28}{'95 % of photos':>16}"
        f"{'better crops':>14}{'IoU with the best':>19}",
    ]
    for name, row in report.searches:
        lost = _interval(row, lambda photo: photo.deviations)
        most = np.quantile([photo.deviations for photo in row], 0.95)
        better = np.mean([photo.better for photo in row])
        overlap = _interval(row, lambda photo: photo.overlap)
        evaluations = np.median([photo.evaluations for photo in row])
        lines.append(
            f"{name:14}{evaluations:12.0f}"
            f"{f'{lost:+.3f}':>28}"
            f"{f'< {most:.2f}':>16}{f'{better:.2%}':>14}{overlap.mean:19.3f}"
        )
    lines += [
        "",
        "[95 % bootstrap interval over photos]; better crops: share of the grid's crops that score",
        "higher than the search's, the mean over photos.",
    ]
    lines += [f"unreadable: {reason}" for reason in report.unreadable]
    return "\n".join([*lines, str(report.environment), command])


def _interval(row: Sequence[PhotoRegret], of: Callable[[PhotoRegret], float]) -> Interval:
    return bootstrap(np.array([of(photo) for photo in row]))

"""A picture and a scorer in, its best crops out: load, bind, search, snap to whole pixels."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Boxes, Crop, distinct, snap
from cropper.errors import ConfigError
from cropper.image import SourceImage, View, load_image
from cropper.result import CropResult
from cropper.scorers import (
    DEFAULT_SCORER,
    BatchScorer,
    BoundScorer,
    Describes,
    Scorer,
    ScorerSpec,
    load_scorer,
)
from cropper.search import Objective, Progress, SearchConfig, search
from cropper.space import CropSpace, crop_spaces

__all__ = [
    "COSTLY_BUDGET",
    "CropFinder",
    "ScoreMap",
    "centred",
    "find_best_crop",
    "search_config",
    "usual_search",
]

COSTLY_BUDGET = 500  # evaluations where each is a network pass, whose score is rugged
# Else, for one aspect and for all: crops as good as a grid's of 10,000 (docs/benchmarks.md)
_BUDGET, _FREE_BUDGET = 300, 1000


@dataclass(frozen=True)
class ScoreMap:
    """How good the best crop centred at each place is."""

    scores: NDArray[np.float64]  # (rows, columns) over the whole picture; NaN: no crop fits there
    aspect: float  # of these crops


def usual_search(spec: ScorerSpec, aspect: str | float = "original") -> SearchConfig:
    """What ``find`` does where nothing is asked for but an aspect."""
    cheap = _FREE_BUDGET if aspect == "free" else _BUDGET
    return SearchConfig("halving", COSTLY_BUDGET if spec.costly else cheap)


def search_config(
    spec: ScorerSpec,
    aspect: str | float,
    *,
    strategy: str | None = None,
    budget: int | None = None,
    seed: int = 0,
    top_k: int = 1,
) -> SearchConfig:
    """What suits scorer and aspect where ``strategy`` or ``budget`` is None. Raises SearchError.

    A grid is exhaustive, and random draws are blind: both get the budget of ``SearchConfig``,
    unless each candidate costs a network pass.
    """
    base = usual_search(spec, aspect)
    if strategy not in (None, base.strategy) and not spec.costly:
        base = SearchConfig()
    return replace(
        base,
        strategy=strategy or base.strategy,
        budget=budget or base.budget,
        seed=seed,
        top_k=top_k,
    )


class CropFinder:
    """Finds crops with one scorer, loaded once.

    >>> CropFinder().find("photo.jpg", aspect="1:1").best.box  # doctest: +SKIP
    """

    def __init__(self, scorer: str | Scorer = DEFAULT_SCORER, device: str = "auto") -> None:
        self.scorer = load_scorer(scorer, device) if isinstance(scorer, str) else scorer

    def bind(self, image: SourceImage) -> Objective:
        """The objective of one picture, without gradients."""
        return self.bind_view(self.scorer.spec.view(image))

    def bind_view(self, view: View) -> Objective:
        """The same, for a picture that is already decoded at the scorer's size."""
        return self.bind_views([view])[0]

    def bind_views(self, views: Sequence[View]) -> list[Objective]:
        """The objective of each picture; a scorer that can do several at once does."""
        with _no_grad():
            if isinstance(self.scorer, BatchScorer):
                return [_without_gradients(bound) for bound in self.scorer.bind_all(views)]
            return [_without_gradients(self.scorer.bind(view)) for view in views]

    def describe(self, view: View) -> NDArray[np.float32]:
        """What the scorer's network makes of a whole picture before it judges: (D,).

        Raises ConfigError for a scorer that has no such features.
        """
        if not isinstance(self.scorer, Describes):
            raise ConfigError(
                f"{self.scorer.spec.name} has no features of a whole picture: use a scorer that "
                "runs a network on each crop, as selfie"
            )
        with _no_grad():
            return self.scorer.describe(view)

    def find(
        self,
        image: SourceImage | str | Path | bytes | BinaryIO,
        *,
        aspect: str | float = "original",
        min_scale: float = 0.5,
        max_scale: float = 1.0,
        config: SearchConfig | None = None,
        progress: Progress | None = None,
        objective: Objective | None = None,
    ) -> CropResult:
        """The best crops of a picture, best first, as whole-pixel boxes of the upright source.

        ``aspect`` is ``original``, ``free``, ``W:H`` or a number (width / height); scales are
        fractions of the largest box of that aspect. Each box is scored again as it will be cut.
        ``objective`` is what ``bind`` gave for this picture, for several aspects of one picture.
        Raises what ``load_image``, ``crop_spaces`` and ``search`` raise.
        """
        started = time.perf_counter()
        if not isinstance(image, SourceImage):
            image = load_image(image)
        spaces = crop_spaces(image.size, aspect, min_scale, max_scale)
        objective = objective or self.bind(image)
        found = search(
            objective, spaces, config or usual_search(self.scorer.spec, aspect), progress
        )
        whole = [0.0, 0.0, float(image.size[0]), float(image.size[1])]
        boxes = snap(np.array([crop.box for crop in found.crops]), image.size)
        boxes = distinct(boxes)  # in a tiny picture two crops may round to one
        scores = objective(np.concatenate([boxes, centred(boxes, image.size), [whole]]))
        order = np.argsort(-scores[: len(boxes)], kind="stable")
        crops = [Crop.of(boxes[i], scores[i]) for i in order]
        return CropResult(
            source_size=image.size,
            search=replace(found, crops=tuple(crops)),
            full_frame_score=float(scores[-1]),
            centre_score=float(scores[len(boxes) + order[0]]),
            calibrated=self.scorer.spec.calibrated,
            scorer=self.scorer.spec.name,
            seconds=time.perf_counter() - started,
        )

    def score_map(
        self,
        image: SourceImage,
        aspect: float,
        scales: Sequence[float] = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
        columns: int = 48,
        objective: Objective | None = None,
    ) -> ScoreMap:
        """The best score over ``scales`` at each of about ``columns`` by as many square places.

        ``objective`` is what ``bind`` gave for this picture, if it was bound before.
        """
        width, height = image.size
        rows = max(round(columns * height / width), 1)
        largest = CropSpace(image.size, aspect).largest
        xs, ys = (np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows
        places = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)  # row by row
        half = np.array(scales)[:, None] * largest / 2  # (S, 2)
        slack = 1e-9 + 0.5 / np.array([columns, rows])  # a place stands for its whole cell
        fits = ((places >= half[:, None] - slack) & (places <= 1 - half[:, None] + slack)).all(2)
        which, where = np.nonzero(fits)
        centres = np.clip(places[where], half[which], 1 - half[which])
        boxes = np.concatenate([centres - half[which], centres + half[which]], 1)
        size = np.array(image.size * 2, dtype=np.float64)
        scores = np.full(fits.shape, -np.inf)
        scores[fits] = (objective or self.bind(image))(np.clip(boxes, 0, 1) * size)
        best = scores.max(0)
        return ScoreMap(np.where(np.isfinite(best), best, np.nan).reshape(rows, columns), aspect)


def find_best_crop(
    image: SourceImage | str | Path | bytes | BinaryIO,
    *,
    scorer: str | Scorer = DEFAULT_SCORER,
    aspect: str | float = "original",
    device: str = "auto",
    config: SearchConfig | None = None,
) -> CropResult:
    """One picture, one call; for many pictures make one CropFinder."""
    return CropFinder(scorer, device).find(image, aspect=aspect, config=config)


def _without_gradients(bound: BoundScorer) -> Objective:
    def objective(boxes: Boxes) -> NDArray[np.float64]:
        with _no_grad():
            return bound(boxes)

    return objective


def centred(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """(N, 4) -> (N, 4): boxes of the same sides, moved to the middle of a picture of ``size``."""
    sides = boxes[:, 2:] - boxes[:, :2]
    low = (np.array(size) - sides) / 2
    return np.concatenate([low, low + sides], axis=1)


def _no_grad() -> AbstractContextManager[object]:
    """Gradients off, where torch is there to have any."""
    torch = sys.modules.get("torch")
    return torch.no_grad() if torch else nullcontext()

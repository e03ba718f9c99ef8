"""How good the best crop around each place of a photo is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cropper.canvas import Size
from cropper.search import Objective
from cropper.space import CropSpace

__all__ = ["SCALES", "ScoreMap", "score_map"]

SCALES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of the crops that are tried


@dataclass(frozen=True)
class ScoreMap:
    """How good the best crop centred at each place is."""

    scores: NDArray[np.float64]  # (rows, columns) over the whole photo; NaN: no crop fits there
    aspect: float  # of these crops


def score_map(
    objective: Objective, size: Size, aspect: float, scales: Sequence[float], columns: int
) -> ScoreMap:
    """The best score over ``scales`` at each of about ``columns`` by as many square places."""
    width, height = size
    rows = max(round(columns * height / width), 1)
    largest = CropSpace(size, aspect).largest
    xs, ys = (np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows
    places = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)  # row by row
    half = np.array(scales)[:, None] * largest / 2  # (S, 2)
    slack = 1e-9 + 0.5 / np.array([columns, rows])  # a place stands for its whole cell
    fits = ((places >= half[:, None] - slack) & (places <= 1 - half[:, None] + slack)).all(2)
    which, where = np.nonzero(fits)
    centres = np.clip(places[where], half[which], 1 - half[which])
    boxes = np.concatenate([centres - half[which], centres + half[which]], 1)
    limits = np.array(size * 2, dtype=np.float64)
    scores = np.full(fits.shape, -np.inf)
    scores[fits] = objective(np.clip(boxes, 0, 1) * limits)
    best = scores.max(0)
    return ScoreMap(np.where(np.isfinite(best), best, np.nan).reshape(rows, columns), aspect)

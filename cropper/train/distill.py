"""Teachers' beliefs for pictures that nobody has judged, and for those that somebody has.

Several trained scorers together know more than one (Hinton et al. 2015), and the crop of largest
expected overlap with their belief is better than the one that they score best. Both are written
down here as targets: for each picture a distribution over boxes, from which any box's expected IoU
follows. One network then learns them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Boxes
from cropper.errors import CropperError
from cropper.image import View, load_image
from cropper.scorers import BoundScorer, Scorer
from cropper.scorers.cropnet.config import input_size
from cropper.scorers.header import read_header
from cropper.scorers.loading import scorer_at
from cropper.search import SearchConfig, search
from cropper.space import crop_spaces
from cropper.train.data import Belief, Judged

__all__ = ["DistillConfig", "Teacher", "teach"]

_NO_PAIRS, _NO_VOTES = np.empty((0, 2, 4)), np.empty((0, 2))


@dataclass(frozen=True)
class DistillConfig:
    sharpness: float = 3.0  # of a belief: softmax(sharpness * score before calibration)
    trust: float = 0.5  # share of the expert's box in the belief, where there is one
    free: int = 1500  # boxes that a belief of free aspect is over
    given: int = 400  # boxes that a belief of one aspect is over
    windows: int = 1  # parts of each judged picture, as pictures of their own
    seed: int = 0


@dataclass(frozen=True)
class Teacher:
    scorer: Scorer
    calibration: float  # what its scores were multiplied by, to be log-odds

    @classmethod
    def read(cls, path: Path) -> Teacher:
        return cls(scorer_at(path), float(read_header(path).get("calibration", 1.0)))


def teach(
    judged: Sequence[Judged],
    photos: Sequence[Path],
    teachers: Sequence[Teacher],
    pixels: int,
    *,
    config: DistillConfig | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Judged]:
    """Judged pictures, windows of them and photos, each with the beliefs of the teachers.

    ``pixels`` is the area that pictures are kept at. Photos that cannot be read are left out.
    """
    config = config or DistillConfig()
    rng = np.random.default_rng(config.seed)
    total = len(judged) * (1 + config.windows) + len(photos)
    taught: list[Judged] = []

    def add(item: Judged, aspect: float, trust: float) -> None:
        taught.append(_believed(item, aspect, trust, teachers, config))
        if progress:
            progress(len(taught), total)

    aspects = [_aspect(item) for item in judged]
    for item, aspect in zip(judged, aspects, strict=True):
        add(_resized(item, pixels), aspect, config.trust)
        for _ in range(config.windows):
            add(_resized(_window(item, rng), pixels), aspects[rng.integers(len(aspects))], 0.0)
    for path in photos:
        try:
            image = load_image(path)
            view = image.view(max(image.size))
        except CropperError:
            total -= 1
            continue
        whole = np.array([[0.0, 0.0, 1.0, 1.0]])
        item = Judged(path, image.size, view.pixels, whole, _NO_PAIRS, _NO_VOTES)
        add(_resized(item, pixels), aspects[rng.integers(len(aspects))], 0.0)
    return taught


def _aspect(item: Judged) -> float:
    width, height = (item.expert[0, 2:] - item.expert[0, :2]) * item.size
    return float(width / height)


def _window(item: Judged, rng: np.random.Generator) -> Judged:
    """A part of 0.45 to 0.9 of the picture's area, anywhere, of about its aspect."""
    side = math.sqrt(rng.uniform(0.45, 0.9))
    stretch = np.exp(rng.uniform(-0.15, 0.15) * np.array([1, -1]))
    sides = np.minimum(side * stretch, 1.0)
    low = rng.uniform(0, 1 - sides)
    height, width = item.pixels.shape[:2]
    x0, y0 = (low * [width, height]).astype(int)
    x1, y1 = ((low + sides) * [width, height]).astype(int)
    shape = (round(sides[0] * item.size[0]), round(sides[1] * item.size[1]))
    part = np.ascontiguousarray(item.pixels[y0:y1, x0:x1])
    return replace(item, size=shape, pixels=part, pairs=_NO_PAIRS, votes=_NO_VOTES)


def _resized(item: Judged, pixels: int) -> Judged:
    return replace(
        item, pixels=View(item.pixels, item.size).resized(*input_size(item.size, pixels))
    )


def _believed(
    item: Judged, aspect: float, trust: float, teachers: Sequence[Teacher], config: DistillConfig
) -> Judged:
    """With ``trust`` 0 the teachers' best crop stands where the expert's would."""
    view = View(item.pixels, item.size)
    bound = [(teacher.scorer.bind(view), teacher.calibration) for teacher in teachers]
    free = _belief(bound, item.size, "free", config.free, config.sharpness)
    given = _belief(bound, item.size, aspect, config.given, config.sharpness)
    if trust:
        beliefs = (free.mixed(item.expert, trust), given.mixed(item.expert, trust))
        return replace(item, beliefs=beliefs)
    best = free.boxes[free.expected_overlap(free.boxes).argmax()]
    return replace(item, expert=best[None], beliefs=(free, given), aspect=_relative(aspect, item))


def _relative(aspect: float, item: Judged) -> float:
    """Width / height in pixels -> of normalised boxes."""
    return aspect * item.size[1] / item.size[0]


def _belief(
    bound: Sequence[tuple[BoundScorer, float]],
    size: tuple[int, int],
    aspect: float | str,
    count: int,
    sharpness: float,
) -> Belief:
    asked: list[Boxes] = []

    def record(boxes: Boxes) -> NDArray[np.float64]:
        asked.append(boxes)
        return np.zeros(len(boxes))

    search(record, crop_spaces(size, aspect, 0.5), SearchConfig(budget=count))
    boxes = np.concatenate(asked)
    scores = np.mean([score(boxes) / factor for score, factor in bound], axis=0)
    weights = np.exp(sharpness * (scores - scores.max()))
    kept = weights > 1e-3  # of the best: the rest adds nothing but time
    return Belief(boxes[kept] / np.array(size * 2), weights[kept] / weights[kept].sum())

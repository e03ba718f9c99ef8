"""Human crop judgments in memory: pictures at the network's input size, and candidates for them.

Folder format: ``DIR/annotations.json``, a list of ``{image, split, box, pairs}``, and
``DIR/images/``. ``box`` is the expert's crop, xyxy normalised; a pair is ``[box a, box b, votes a,
votes b]``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from cropper.annotations import ANNOTATIONS, read_annotations
from cropper.boxes import Boxes, as_boxes, iou
from cropper.errors import CropperError, DataError
from cropper.image import load_image
from cropper.scorers.cropnet.config import input_size

__all__ = ["Belief", "Judged", "candidates", "digest_of", "load_judged", "overlap"]


@dataclass(frozen=True)
class Belief:
    """A distribution over boxes: where the best crop might be."""

    boxes: Boxes  # (R, 4) normalised
    weights: NDArray[np.float64]  # (R,); their sum is 1

    def expected_overlap(self, boxes: Boxes) -> NDArray[np.float64]:
        """(N, 4) -> (N,): the expectation of the IoU with the best crop."""
        expected: NDArray[np.float64] = iou(boxes, self.boxes) @ self.weights
        return expected

    def mixed(self, expert: Boxes, trust: float) -> Belief:
        """With the share ``trust`` on the expert's box (1, 4)."""
        weights = np.append(self.weights * (1 - trust), trust)
        return Belief(np.concatenate([self.boxes, expert]), weights)


@dataclass(frozen=True)
class Judged:
    """One picture with what people said of its crops."""

    path: Path
    size: tuple[int, int]  # (width, height), px
    pixels: NDArray[np.uint8]  # (H, W, 3) at the network's input size
    expert: Boxes  # (1, 4) normalised
    pairs: Boxes  # (P, 2, 4) normalised
    votes: NDArray[np.float64]  # (P, 2)
    beliefs: tuple[Belief, Belief] | None = None  # of teachers: aspect free, aspect given
    aspect: float | None = None  # normalised, of the given list; None: that of the expert's box
    fixations: NDArray[np.float64] | None = None  # (F, 2) normalised, where people looked


def load_judged(
    root: Path,
    split: str,
    pixels: int,
    limit: int | None = None,
    fold: tuple[int, int] = (0, 1),
) -> list[Judged]:
    """Every readable picture of ``split``, scaled to about ``pixels`` in area.

    ``fold`` = (k, n) takes the k-th of n disjoint parts of the split, k from 0. Raises DataError
    for a broken annotation file and for a picture that cannot be read.
    """
    path = root / ANNOTATIONS
    remedy = "give `data` the folder that holds annotations.json and images/"
    entries = read_annotations(path, ("image", "split", "box"), remedy)
    entries = [entry for entry in entries if entry["split"] == split]
    if not entries:
        raise DataError(f"{path} has no picture of split {split!r}: check the 'split' fields")
    part = entries[fold[0] :: fold[1]][:limit]
    jobs = (joblib.delayed(_load)(root, entry, pixels) for entry in part)
    items: list[Judged] = joblib.Parallel(-1, "threading")(jobs)
    return items


def digest_of(items: Sequence[Judged]) -> str:
    """SHA-256 over names and judgments: which pictures, and what was said of them."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(item.path.name.encode())
        for values in (item.expert, item.pairs, item.votes, item.fixations):
            digest.update(b"" if values is None else values.tobytes())
    return digest.hexdigest()


def _load(root: Path, entry: dict[str, object], pixels: int) -> Judged:
    path = root / "images" / str(entry["image"])
    try:
        image = load_image(path)
        width, height = input_size(image.size, pixels)
        view = image.view(max(image.size)).resized(width, height)
        expert = np.array(entry["box"], dtype=np.float64).reshape(1, 4)
        rows: Any = entry.get("pairs") or []
        pairs = np.array([[a, b] for a, b, _, _ in rows], dtype=np.float64).reshape(-1, 2, 4)
        votes = np.array([[va, vb] for *_, va, vb in rows], dtype=np.float64).reshape(-1, 2)
        _check(np.concatenate([expert, pairs.reshape(-1, 4)]), votes)
    except (KeyError, TypeError, ValueError, CropperError) as error:
        raise DataError(f"{path}: {error}") from error
    return Judged(path, image.size, view, expert, pairs, votes)


def _check(boxes: Boxes, votes: NDArray[np.float64]) -> None:
    as_boxes(boxes)
    if boxes.min() < 0 or boxes.max() > 1:
        raise DataError("boxes are normalised to [0, 1] by the picture's width and height")
    if (votes < 0).any() or (votes.sum(1) <= 0).any():
        raise DataError("a pair has at least one vote, and none below 0")


def candidates(item: Judged, count: int, given: bool, rng: np.random.Generator) -> Boxes:
    """``count`` normalised boxes to rank by their overlap with the expert's.

    Half lie anywhere, half near the expert's box, so that the list has both easy and hard
    neighbours. With ``given``, all have the expert's aspect; else aspects are free, and the whole
    picture is one of them.
    """
    x0, y0, x1, y1 = item.expert[0]
    near = count // 2
    aspect = (x1 - x0) / (y1 - y0) if item.aspect is None or not given else item.aspect
    log_aspect = np.full(count, math.log(aspect))  # normalised
    if not given:
        picture = math.log(item.size[0] / item.size[1])
        log_aspect[near:] = rng.uniform(-math.log(2), math.log(2), count - near) - picture
        log_aspect[:near] += rng.normal(0, 0.2, near)
    log_area = np.full(count, math.log((x1 - x0) * (y1 - y0)))
    largest = -np.abs(log_aspect)  # log area of the largest box of each aspect
    log_area[:near] += rng.normal(0, 0.25, near)
    log_area[near:] = largest[near:] + 2 * rng.uniform(math.log(0.4), 0, count - near)
    log_area = np.minimum(log_area, largest)
    half = np.exp(np.stack([log_area + log_aspect, log_area - log_aspect], 1) / 2) / 2
    centres = rng.uniform(half, 1 - half)
    spread = rng.normal(0, 0.1, (near, 2))
    centres[:near] = np.array([x0 + x1, y0 + y1]) / 2 + spread * 2 * half[:near]
    centres = np.clip(centres, half, 1 - half)
    boxes = np.concatenate([centres - half, centres + half], 1)
    if not given:
        boxes[-1] = (0.0, 0.0, 1.0, 1.0)
    inside: Boxes = np.clip(boxes, 0.0, 1.0)
    return inside


def overlap(item: Judged, boxes: Boxes, given: bool) -> NDArray[np.float64]:
    """(N, 4) -> (N,): IoU with the expert's box, or what teachers expect of it."""
    if item.beliefs is not None:
        return item.beliefs[given].expected_overlap(boxes)
    return iou(boxes, item.expert)[:, 0]

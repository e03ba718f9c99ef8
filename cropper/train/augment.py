"""A judged picture, seen a little differently each epoch.

A window that holds the expert's box stands for the photo that might have been taken: the expert's
crop is still the best one in it, at another place and share of the frame. Light and colour vary,
and so does the network's input size. The head is mirror-invariant and the trunk is not, so
pictures are mirrored too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Boxes
from cropper.image import View
from cropper.scorers.cropnet.config import input_size
from cropper.train.data import Judged

__all__ = ["Augment", "Drawn", "draw", "render"]


@dataclass(frozen=True)
class Augment:
    window: float = 0.5  # probability of a window; otherwise the whole picture
    colour: float = 0.2  # brightness, contrast and saturation change by up to this share
    scale: float = 0.25  # the input's area changes by up to this share
    mirror: float = 0.5  # probability of the mirror image


@dataclass(frozen=True)
class Drawn:
    """What chance chose for one picture."""

    window: NDArray[np.float64]  # (4,) normalised; holds the expert's box
    size: tuple[int, int]  # (width, height) of the network's input
    colour: tuple[float, float, float]  # factors of brightness, contrast, saturation
    mirror: bool


def draw(item: Judged, augment: Augment, pixels: int, rng: np.random.Generator) -> Drawn:
    """``pixels`` is the input's area without the change of scale."""
    whole = np.array([0.0, 0.0, 1.0, 1.0])
    if rng.random() < augment.window and item.beliefs is None:  # beliefs are of the whole
        window = whole + rng.uniform(0, 1, 4) * (item.expert[0] - whole)
    else:
        window = whole
    shape = (window[2:] - window[:2]) * item.size
    area = pixels * (1 + augment.scale * rng.uniform(-1, 1))
    size = input_size((max(round(shape[0]), 1), max(round(shape[1]), 1)), int(area))
    brightness, contrast, saturation = 1 + augment.colour * rng.uniform(-1, 1, 3)
    colour = (float(brightness), float(contrast), float(saturation))
    return Drawn(window, size, colour, bool(rng.random() < augment.mirror))


def render(item: Judged, drawn: Drawn) -> Judged:
    """The picture in its window; pairs with a box outside the window are left out."""
    height, width = item.pixels.shape[:2]
    x0, y0, x1, y1 = np.round(drawn.window * [width, height, width, height]).astype(int)
    part = np.ascontiguousarray(item.pixels[y0:y1, x0:x1])
    pixels = View(part, (x1 - x0, y1 - y0)).resized(*drawn.size)
    window = np.array([x0 / width, y0 / height, x1 / width, y1 / height])
    inside = (
        (item.pairs[..., :2] >= window[:2] - 0.01) & (item.pairs[..., 2:] <= window[2:] + 0.01)
    ).all((1, 2))
    shape = (window[2:] - window[:2]) * item.size
    seen = replace(
        item,
        size=(max(round(shape[0]), 1), max(round(shape[1]), 1)),
        pixels=_coloured(pixels, drawn.colour),
        expert=_within(item.expert, window),
        pairs=_within(item.pairs[inside], window),
        votes=item.votes[inside],
        fixations=None if item.fixations is None else _points_within(item.fixations, window),
    )
    return _mirrored(seen) if drawn.mirror else seen


def _mirrored(item: Judged) -> Judged:
    pixels = np.ascontiguousarray(item.pixels[:, ::-1])
    beliefs = item.beliefs
    if beliefs is not None:
        free, given = (replace(each, boxes=_flip(each.boxes)) for each in beliefs)
        beliefs = (free, given)
    fixations = item.fixations
    if fixations is not None:
        fixations = fixations * [-1, 1] + [1, 0]
    return replace(
        item,
        pixels=pixels,
        expert=_flip(item.expert),
        pairs=_flip(item.pairs),
        beliefs=beliefs,
        fixations=fixations,
    )


def _flip(boxes: Boxes) -> Boxes:
    flipped: Boxes = boxes[..., [2, 1, 0, 3]] * [-1, 1, -1, 1] + [1, 0, 1, 0]
    return flipped


def _within(boxes: Boxes, window: NDArray[np.float64]) -> Boxes:
    """(..., 4) normalised to the picture -> normalised to the window."""
    low, sides = np.tile(window[:2], 2), np.tile(window[2:] - window[:2], 2)
    moved: Boxes = np.clip((boxes - low) / sides, 0.0, 1.0)
    return moved


def _points_within(points: NDArray[np.float64], window: NDArray[np.float64]) -> NDArray[np.float64]:
    """(F, 2) normalised to the picture -> those in the window, normalised to it."""
    moved = (points - window[:2]) / (window[2:] - window[:2])
    return np.asarray(moved[((moved >= 0) & (moved <= 1)).all(1)])


def _coloured(pixels: NDArray[np.uint8], colour: tuple[float, float, float]) -> NDArray[np.uint8]:
    brightness, contrast, saturation = colour
    values = pixels.astype(np.float32) * brightness
    values = (values - values.mean()) * contrast + values.mean()
    grey = values.mean(axis=2, keepdims=True)
    values = grey + (values - grey) * saturation
    changed: NDArray[np.uint8] = values.round().clip(0, 255).astype(np.uint8)
    return changed

"""Where people look, learned beside which crops they like: what a photo is of.

Two tasks on photos whose viewers' eyes were followed. The density of their fixations is read from
the map that crops are sampled from; and windows of one size are ranked by the share of the
fixations that they keep, by the head that ranks crops.

Folder format: ``DIR/annotations.json``, a list of ``{image, split, fixations}``; ``image`` is a
path in ``DIR``, a fixation is ``[viewer, x, y, ...]``, normalised, in order of time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cropper.annotations import ANNOTATIONS, fixations_of, read_annotations, share_kept
from cropper.boxes import Boxes
from cropper.errors import CropperError, DataError
from cropper.image import load_image
from cropper.scorers.cropnet.config import STRIDE, input_size
from cropper.scorers.cropnet.network import CropNet, PhotoFeatures
from cropper.scorers.trunk import normalise_pixels
from cropper.train.data import Judged
from cropper.train.losses import density_loss, list_loss

__all__ = ["bind_all", "fixation_density", "gaze_loss", "load_watched", "weigh_gaze", "windows"]

_LISTS, _WINDOWS = 2, 24  # of windows for each photo, and windows in a list
_TEMPERATURE = 0.1  # of the target over the share of fixations kept
_SPREAD = 1.0  # cells of the map; the standard deviation around each fixation
_WEIGHTS = (8.0, -2.5)  # of the share of fixations that a box keeps, and of its area, in a score


def load_watched(root: Path, split: str, pixels: int, limit: int | None = None) -> list[Judged]:
    """Every photo of ``split``, scaled to about ``pixels`` in area.

    The box that holds all fixations stands for the expert's: augmentation keeps it in the picture.
    Raises DataError for a broken annotation file and for a photo that cannot be read.
    """
    path = root / ANNOTATIONS
    remedy = "give `gaze` the folder that holds annotations.json and the photos that it names"
    entries = read_annotations(path, ("image", "split", "fixations"), remedy)
    entries = [entry for entry in entries if entry["split"] == split][:limit]
    if not entries:
        raise DataError(f"{path} has no photo of split {split!r}: check the 'split' fields")
    jobs = (joblib.delayed(_load)(root, entry, pixels) for entry in entries)
    found: list[Judged] = joblib.Parallel(-1, "threading")(jobs)
    return [item for item in found if item.fixations is not None and len(item.fixations)]


def _load(root: Path, entry: dict[str, object], pixels: int) -> Judged:
    path = root / str(entry["image"])
    try:
        image = load_image(path)
        seen = fixations_of(entry)[:, 1:]
    except (CropperError, ValueError, TypeError) as error:
        raise DataError(f"{path}: {error}") from error
    view = image.view(max(image.size)).resized(*input_size(image.size, pixels))
    pairs, votes = np.empty((0, 2, 4)), np.empty((0, 2))
    return Judged(path, image.size, view, _around(seen), pairs, votes, fixations=seen)


def _around(seen: NDArray[np.float64]) -> Boxes:
    """(F, 2) -> (1, 4): the box that holds them, a tenth of the picture wide and high at least."""
    low, high = seen.min(0, initial=1.0), seen.max(0, initial=0.0)
    low, high = np.minimum(low, (low + high) / 2 - 0.05), np.maximum(high, (low + high) / 2 + 0.05)
    box: Boxes = np.clip([[*low, *high]], 0.0, 1.0)
    return box


def bind_all(net: CropNet, items: Sequence[Judged]) -> list[PhotoFeatures]:
    """Features of pictures of one input shape, with gradients."""
    pixels = torch.stack([torch.from_numpy(item.pixels) for item in items])
    return net.bind(normalise_pixels(pixels.to(next(net.parameters()).device)))


def gaze_loss(net: CropNet, items: Sequence[Judged], rng: np.random.Generator) -> Tensor:
    """The mean over photos of one input shape: density, and lists of windows."""
    bound = bind_all(net, items)
    total = torch.zeros((), device=bound[0].context.device)
    for item, features in zip(items, bound, strict=True):
        seen = item.fixations
        if seen is None or not len(seen):
            continue
        found = features.gaze
        assert found is not None
        rows, columns = found.shape
        target = torch.from_numpy(fixation_density(seen, (columns, rows))).to(found)
        total = total + density_loss(found, target)
        lists = [windows(item.size, _WINDOWS, rng) for _ in range(_LISTS)]
        boxes = torch.from_numpy(np.concatenate(lists)).to(found)
        scores = net.score(features, boxes).view(_LISTS, _WINDOWS)
        for own, each in zip(scores, lists, strict=True):
            share = torch.from_numpy(share_kept(seen, each)).to(found)
            total = total + list_loss(own, share, _TEMPERATURE) / _LISTS
    return total / len(items)


@torch.no_grad()
def weigh_gaze(net: CropNet) -> None:
    """Lets the gaze that a box keeps count in its score, after training and before calibration.

    Not learned: of a photo that it was trained on, the network knows the gaze too well.
    """
    if net.config.gaze:
        net.head.gaze_weights.copy_(torch.tensor(_WEIGHTS))


def fixation_density(fixations: NDArray[np.float64], cells: tuple[int, int]) -> NDArray[np.float64]:
    """(F, 2) -> (rows, columns), sum 1: Gaussians on a map of ``cells`` = (columns, rows).

    Pixel i of the map lies on pixel 16 i of the network's input.
    """
    across, down = (_hills(fixations[:, axis], cells[axis]) for axis in (0, 1))
    density = down.T @ across
    return np.asarray(density / density.sum())


def _hills(places: NDArray[np.float64], cells: int) -> NDArray[np.float64]:
    """(F,) -> (F, cells)."""
    pixels = STRIDE * (cells - 1) + 1
    centres = (places * pixels - 0.5) / STRIDE
    return np.asarray(np.exp(-(((centres[:, None] - np.arange(cells)) / _SPREAD) ** 2) / 2))


def windows(size: tuple[int, int], count: int, rng: np.random.Generator) -> Boxes:
    """(count, 4) normalised: windows of one shape and one size anywhere in a picture of ``size``.

    Shapes lie between 1:2 and 2:1. Half of the lists are of the largest window of their shape, as
    when a shape is asked for; the others go down to .6 of its sides.
    """
    aspect = rng.uniform(-math.log(2), math.log(2)) - math.log(size[0] / size[1])
    sides = np.minimum(1.0, np.exp([aspect, -aspect])) * (1 - 0.4 * max(rng.uniform(-1, 1), 0))
    corners = rng.uniform(0, 1 - sides, (count, 2))
    inside: Boxes = np.clip(np.concatenate([corners, corners + sides], 1), 0.0, 1.0)
    return inside

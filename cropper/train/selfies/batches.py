"""Labelled pictures as a network's input, each epoch a little differently.

What a network is trained on is read by the scorer's own preprocessing, so that a score in training
is the score of the same picture in use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cropper.errors import ImageReadError
from cropper.image import load_image
from cropper.scorers.base import seen
from cropper.scorers.convnet import Preprocessing
from cropper.train.selfies.data import Selfies
from cropper.train.selfies.placing import Placing

__all__ = ["Batch", "Vary", "loader"]

_TRIES = 16  # at a crop whose face stays where it is


@dataclass(frozen=True)
class Vary:
    """How much a picture changes from epoch to epoch.

    A picture keeps its label only while its face stays in its place; where that is known, more
    may be cut away.
    """

    crop: float = 0.1  # of each side that may be cut away
    framed_crop: float = 0.2  # the same, of pictures whose face has a known place
    mirror: float = 0.5  # probability of the mirror image
    seed: int = 0
    epoch: int = 0
    placing: Placing | None = None


@dataclass(frozen=True)
class Batch:
    crops: Tensor  # (N, 3, side, side), normalised
    rows: Tensor  # (N,) of the Selfies
    unreadable: tuple[str, ...]  # pictures that were left out


class _Pictures(Dataset[tuple[Tensor, int] | str]):
    """Row -> its input, or the reason why it cannot be read."""

    def __init__(
        self, selfies: Selfies, preprocessing: Preprocessing, long_side: int, vary: Vary | None
    ) -> None:
        self.selfies, self.preprocessing = selfies, preprocessing
        self.long_side, self.vary = long_side, vary

    def __getitem__(self, row: int) -> tuple[Tensor, int] | str:
        try:
            view = seen(load_image(self.selfies.paths[row]), self.long_side)
        except ImageReadError as error:
            return str(error)
        levels = self.preprocessing.levels(torch.from_numpy(view.pixels))
        box, mirror = _draw(row, self.vary)
        crop = self.preprocessing.read(levels, torch.tensor([box]))[0]
        return crop.flip(2) if mirror else crop, row


def _draw(row: int, vary: Vary | None) -> tuple[list[float], bool]:
    """A box, normalised, and whether to mirror; the same for one seed, epoch and row."""
    if vary is None:
        return [0.0, 0.0, 1.0, 1.0], False
    rng = np.random.default_rng((vary.seed, vary.epoch, row))
    placing = vary.placing
    if placing is None or np.isnan(placing.face[row, 0]):
        return _drawn(rng, vary.crop, vary.mirror)
    for _ in range(_TRIES):
        box, mirror = _drawn(rng, vary.framed_crop, vary.mirror)
        if placing.stays(row, box, mirror):
            return box, mirror
    return _draw(row, None)


def _drawn(rng: np.random.Generator, crop: float, mirror: float) -> tuple[list[float], bool]:
    sides = 1 - rng.uniform(0, crop, 2)
    low = rng.uniform(0, 1, 2) * (1 - sides)
    return [*low.tolist(), *(low + sides).tolist()], bool(rng.random() < mirror)


def _collate(items: list[tuple[Tensor, int] | str]) -> Batch:
    read = [item for item in items if not isinstance(item, str)]
    crops = torch.stack([crop for crop, _ in read]) if read else torch.empty(0)
    return Batch(
        crops,
        torch.tensor([row for _, row in read], dtype=torch.int64),
        tuple(item for item in items if isinstance(item, str)),
    )


def loader(
    selfies: Selfies,
    preprocessing: Preprocessing,
    *,
    long_side: int,
    order: NDArray[np.intp],
    batch: int,
    workers: int,
    vary: Vary | None = None,
) -> DataLoader[tuple[Tensor, int] | str]:
    """Batches of the rows in ``order``; without ``vary`` each picture is seen as it is."""
    return DataLoader(
        _Pictures(selfies, preprocessing, long_side, vary),
        batch_size=batch,
        sampler=order.tolist(),
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=torch.cuda.is_available(),
    )

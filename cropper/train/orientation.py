"""Training of the orientation network: photos and their quarter turns, and nobody's judgment.

Photos that people publish are upright. Windows of them are as often tall as wide, whatever the
photo is, so that the shape of a picture does not tell how it was turned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import joblib
import numpy as np
import torch
import torch.nn.functional as F
from joblib.externals.loky import get_reusable_executor
from numpy.typing import NDArray
from torch import Tensor, nn

from cropper.errors import DataError
from cropper.image import View, load_image, make_folder
from cropper.orientation import CHANNELS, GRID, features_of_turns
from cropper.scorers import WEIGHTS
from cropper.scorers.checkpoint import save_scorer, trunk_digest
from cropper.train.fit import descend_in_batches
from cropper.train.tilt import photos_of

__all__ = ["OrientationConfig", "OrientationNet", "drawn_window", "train_orientation"]

_LONG_SIDE = 448  # px of a photo whose windows are read
_FLOOR = 0.05  # of a feature's spread


@dataclass(frozen=True)
class OrientationConfig:
    windows: int = 3  # a photo
    smallest: float = 0.75  # side of a window, of the largest of its aspect
    longest: float = 1.8  # aspect of a window, or its inverse
    channels: int = 16  # a cell
    hidden: int = 32
    dropout: float = 0.3
    smoothing: float = 0.02  # of labels: some photos are published as they are not upright
    epochs: int = 2
    batch_size: int = 32
    rate: float = 1e-3
    weight_decay: float = 0.05
    seed: int = 0


class OrientationNet(nn.Module):
    """Features -> how upright a picture looks; ``orientation.OrientationFinder`` in torch."""

    mean: Tensor
    spread: Tensor

    def __init__(self, config: OrientationConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.register_buffer("mean", torch.zeros(CHANNELS))
        self.register_buffer("spread", torch.ones(CHANNELS))
        self.cell = nn.Linear(CHANNELS, config.channels)
        self.hidden = nn.Linear(config.channels * GRID**2, config.hidden)
        self.out = nn.Linear(config.hidden, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(N, CHANNELS, GRID, GRID) -> (N,)."""
        x = (features.flatten(2).transpose(1, 2) - self.mean) / self.spread
        x = F.relu(self.cell(x)).transpose(1, 2).flatten(1)
        x = F.relu(self.hidden(F.dropout(x, self.dropout, self.training)))
        out: Tensor = self.out(F.dropout(x, self.dropout, self.training))[:, 0]
        return out


def drawn_window(
    view: View, config: OrientationConfig, tall: bool, rng: np.random.Generator
) -> View:
    """A window of a view, drawn in aspect, size and place; ``tall`` or wide."""
    height, width = view.pixels.shape[:2]
    aspect = math.exp(rng.uniform(0, math.log(config.longest)) * (-1 if tall else 1))
    side = rng.uniform(config.smallest, 1.0)
    wide = max(round(side * min(width, height * aspect)), 1)
    high = max(round(side * min(height, width / aspect)), 1)
    x, y = rng.integers(width - wide + 1), rng.integers(height - high + 1)
    pixels = np.ascontiguousarray(view.pixels[y : y + high, x : x + wide])
    return View(pixels, (wide, high))


def _features_of(path: Path, config: OrientationConfig, index: int) -> NDArray[np.float16]:
    """(windows, 4, CHANNELS, GRID, GRID)."""
    rng = np.random.default_rng([config.seed, index])
    view = load_image(path).view(_LONG_SIDE)
    windows = [
        drawn_window(view, config, (index + number) % 2 == 0, rng)
        for number in range(config.windows)
    ]
    return np.stack([features_of_turns(each) for each in windows]).astype(np.float16)


def train_orientation(
    folders: Sequence[Path],
    out: Path,
    config: OrientationConfig | None = None,
    *,
    limit: int | None = None,
    log: Callable[[str], None] = print,
) -> None:
    """Writes ``orientation.safetensors`` into ``out`` from all photos below ``folders``.

    Of a folder with ``annotations.json``, from its split ``train``. Raises DataError for fewer
    windows than make a batch, and what ``load_image`` raises.
    """
    config = config or OrientationConfig()
    photos = [path for folder in folders for path in photos_of(folder, "train")][:limit]
    if len(photos) * config.windows < config.batch_size:
        raise DataError(f"{len(photos)} photos are too few to train on: name folders with more")
    make_folder(out)  # rather now than after the work
    log(f"reading {config.windows} windows of each of {len(photos)} photos, each turned four ways")
    net = _fitted(torch.from_numpy(_read(photos, config, log)), config, log)
    trunk = WEIGHTS / "cropnet.safetensors"
    header = {
        "kind": "orientation",
        "licence": "Apache-2.0",
        "config": asdict(config),
        "photos": len(photos),
        "trunk": {"file": trunk.name, "sha256": trunk_digest(trunk)},
    }
    save_scorer(net, header, out / "orientation.safetensors")


def _read(
    photos: Sequence[Path], config: OrientationConfig, log: Callable[[str], None]
) -> NDArray[np.float16]:
    """(windows, 4, CHANNELS, GRID, GRID) of all photos."""
    parallel = joblib.Parallel(-1, return_as="generator")
    work = parallel(joblib.delayed(_features_of)(each, config, i) for i, each in enumerate(photos))
    found, tenth = [], max(len(photos) // 10, 1)
    for number, each in enumerate(work, 1):
        found.append(each)
        if number % tenth == 0:
            log(f"{number} of {len(photos)} photos")
    get_reusable_executor().shutdown()  # of the workers, which hold half a GB each
    return np.concatenate(found)


def _fitted(
    features: Tensor, config: OrientationConfig, log: Callable[[str], None]
) -> OrientationNet:
    """To (windows, 4, CHANNELS, GRID, GRID), of which the first of each four is upright."""
    torch.manual_seed(config.seed)
    net = OrientationNet(config)
    some = features[:: max(len(features) // 2000, 1)].float()
    net.mean.copy_(some.mean((0, 1, 3, 4)))
    net.spread.copy_(some.std((0, 1, 3, 4)) + _FLOOR)
    optimiser = torch.optim.AdamW(net.parameters(), config.rate, weight_decay=config.weight_decay)
    upright = torch.zeros(config.batch_size, dtype=torch.long)

    def loss(rows: Tensor) -> Tensor:
        batch = features[rows].float()
        if torch.rand(()) < 0.5:
            batch = mirrored(batch)
        odds = net(batch.flatten(0, 1)).view(-1, 4)
        return F.cross_entropy(odds, upright, label_smoothing=config.smoothing)

    descend_in_batches(
        loss,
        optimiser,
        len(features),
        batch_size=config.batch_size,
        epochs=config.epochs,
        rate=config.rate,
        log=log,
    )
    return net


def mirrored(features: Tensor) -> Tensor:
    """About those of the mirrored photo: turns to the right are then turns to the left."""
    return features[:, [0, 3, 2, 1]].flip(-1)

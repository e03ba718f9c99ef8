"""``cropper train crops --model convnet``: a head that judges a crop by its own pixels alone.

The trunk is the one inside a trained CropNet, frozen, so the features of a fixed set of crops are
computed once and the head trains in seconds. The checkpoint holds the head alone and names the
trunk's file, so that two scorers share one trunk in the package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cropper.image import make_folder
from cropper.sampling import pyramid, sample_boxes
from cropper.scorers.checkpoint import save_scorer, trunk_digest, trunk_from
from cropper.scorers.convnet import Preprocessing, TrunkClassifier
from cropper.scorers.loading import resolve_device
from cropper.scorers.trunk import normalise_pixels
from cropper.train.data import Judged, candidates, load_judged, overlap
from cropper.train.fit import descend, keep_best, told_of
from cropper.train.losses import list_loss, pair_loss

__all__ = ["ConvNetConfig", "train_convnet"]

_BATCH = 16  # pictures a step
PREPROCESSING = Preprocessing(side=161, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@dataclass(frozen=True)
class ConvNetConfig:
    epochs: int = 40
    free: int = 32  # crops of free aspect a picture
    given: int = 16  # crops of the expert's aspect a picture
    temperature: float = 0.1
    rate: float = 1e-3
    weight_decay: float = 1e-2
    pixels: int = 204_800  # area of the picture that crops are read from
    seed: int = 0
    fold: tuple[int, int] = (0, 1)  # (k, n): the k-th of n parts of ``train``


@dataclass(frozen=True)
class _CropFeatures:
    """The crops of one photo as features, in lists and pairs."""

    lists: list[tuple[Tensor, Tensor]]  # features (N, 448), overlaps (N,)
    pairs: Tensor  # (P, 2, 448)
    votes: Tensor  # (P, 2)


def train_convnet(
    data: Path,
    trunk: Path,
    out: Path,
    config: ConvNetConfig | None = None,
    *,
    device: str = "auto",
    limit: int | None = None,
    log: Callable[[str], None] = print,
) -> float:
    """Train on ``train``, choose the epoch on ``val``, write ``out / convnet.safetensors``.

    ``trunk`` is a CropNet checkpoint, to lie beside the result. Returns the mean IoU on ``val`` of
    the best-scored crop of each list.
    """
    config = config or ConvNetConfig()
    make_folder(out)
    torch.manual_seed(config.seed)
    net = TrunkClassifier().to(resolve_device(device)).to(memory_format=torch.channels_last)
    net.trunk.load_state_dict(trunk_from(trunk))
    rng = np.random.default_rng(config.seed)
    seen: dict[str, list[_CropFeatures]] = {}
    for split, fold in (("train", config.fold), ("val", (0, 1))):
        items = load_judged(data, split, config.pixels, limit, fold)
        heard = told_of(items, f"{split}: crops of {{}} pictures seen", log)
        seen[split] = [_look(net, item, config, rng) for item in heard]
    optimiser = torch.optim.AdamW(
        net.head.parameters(), config.rate, weight_decay=config.weight_decay
    )
    header = {
        "kind": "convnet",
        "name": "convnet",
        "summary": "a network pass for each crop, as in 2015; trained on FCDB",
        "licence": "Apache-2.0",
        "long_side": 640,
        "batch_size": 32,
        "backbone": "trunk",
        "preprocessing": PREPROCESSING.to_dict(),
        "trunk": {"file": trunk.name, "sha256": trunk_digest(trunk)},
    }

    return keep_best(
        config.epochs,
        optimiser,
        train_epoch=lambda _: _epoch(net, seen["train"], config, optimiser, rng),
        validate=lambda: _validate(net, seen["val"]),
        save=lambda: save_scorer(net, header, out / "convnet.safetensors", leave_out="trunk."),
        log=log,
        told=lambda score: f"val IoU of the top crop {score:.4f}",
    )


@torch.no_grad()
def _look(
    net: TrunkClassifier, item: Judged, config: ConvNetConfig, rng: np.random.Generator
) -> _CropFeatures:
    device = next(net.parameters()).device
    levels = pyramid(normalise_pixels(torch.from_numpy(item.pixels).to(device)))
    size = (PREPROCESSING.side, PREPROCESSING.side)

    def features(boxes: NDArray[np.float64]) -> Tensor:
        where = torch.from_numpy(boxes).float().to(device)
        chunks = torch.split(where, 16)
        return torch.cat([net.features(sample_boxes(levels, chunk, size)) for chunk in chunks])

    lists = []
    for count, given in ((config.free, False), (config.given, True)):
        boxes = candidates(item, count, given, rng)
        overlaps = torch.from_numpy(overlap(item, boxes, given)).float().to(device)
        lists.append((features(boxes), overlaps))
    flat = item.pairs.reshape(-1, 4)
    pairs = features(flat).reshape(-1, 2, sum(net.trunk.channels)) if len(flat) else torch.empty(0)
    return _CropFeatures(lists, pairs, torch.from_numpy(item.votes).float().to(device))


def _epoch(
    net: TrunkClassifier,
    photos: list[_CropFeatures],
    config: ConvNetConfig,
    optimiser: torch.optim.Optimizer,
    rng: np.random.Generator,
) -> float:
    losses = []
    order = rng.permutation(len(photos))
    for start in range(0, len(order), _BATCH):
        parts = []
        for index in order[start : start + _BATCH]:
            item = photos[index]
            for features, overlaps in item.lists:
                parts.append(list_loss(net.head(features)[:, 0], overlaps, config.temperature))
            if len(item.pairs):
                parts.append(pair_loss(net.head(item.pairs)[..., 0], item.votes))
        losses.append(descend(torch.stack(parts).mean(), optimiser))
    return float(np.mean(losses))


@torch.no_grad()
def _validate(net: TrunkClassifier, photos: list[_CropFeatures]) -> float:
    tops = [
        overlaps[net.head(features)[:, 0].argmax()].item()
        for item in photos
        for features, overlaps in item.lists
    ]
    return float(np.mean(tops))

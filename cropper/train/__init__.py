"""Training: datasets, losses, loops. Only the command line imports it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cropper.errors import ConfigError, MissingModelError
from cropper.scorers import WEIGHTS
from cropper.train.augment import Augment
from cropper.train.convnet import ConvNetConfig, train_convnet
from cropper.train.crops import CropsConfig, train_crops
from cropper.train.soup import train_soup

__all__ = [
    "ConvNetConfig",
    "CropsConfig",
    "train_convnet",
    "train_crops",
    "train_from_crops",
    "train_soup",
]


def train_from_crops(
    model: str,
    data: Path,
    trunk: Path | None,
    out: Path,
    *,
    epochs: int | None = None,
    seed: int = 0,
    fold: tuple[int, int] = (0, 1),
    trunk_rate: float | None = None,
    gaze: Path | None = None,
    teachers: Sequence[Path] = (),
    photos: Path | None = None,
    augment: bool = True,
    runs: int = 1,
    limit: int | None = None,
    device: str = "auto",
    log: Callable[[str], None] = print,
) -> None:
    """Train ``cropnet`` or ``convnet`` by its recipe; ``trunk`` None is the usual start.

    ``fold`` (k, n) trains on the k-th of n parts of the data. ``trunk_rate``, ``gaze``,
    ``teachers``, ``photos`` and ``augment`` are cropnet's alone. ``gaze`` is a folder of photos
    with fixations, learned beside. With ``teachers`` (cropnet checkpoints) it goes on from the
    first of them and learns what all of them believe together.
    ``runs`` of one start are averaged.
    """
    if trunk is None:
        usual = data.parent / "weights" / "mobilenet_v2_imagenet.safetensors"
        trunk = usual if model == "cropnet" else WEIGHTS / "cropnet.safetensors"
    if not trunk.is_file():
        raise MissingModelError(f"no weights to start from at {trunk}: give `trunk=FILE`")
    changed: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
    if model == "cropnet":
        if trunk_rate is not None:
            changed["trunk_rate"] = trunk_rate
        if not augment:
            changed["augment"] = Augment(0, 0, 0, 0)
        config = CropsConfig(seed=seed, fold=fold, gaze=str(gaze) if gaze else None)
        if photos and not teachers:
            raise ConfigError("`photos` are for teachers to judge: add `teacher`, or leave it out")
        if teachers:
            config = config.distilled(tuple(map(str, teachers)), str(photos) if photos else None)
        config = replace(config, **changed)
        if (out / ("run-0" if runs == 1 else "last.pt")).exists():
            held = "several runs" if runs == 1 else "a single run"
            raise ConfigError(f"{out} holds the training of {held}: give another `out`")
        if runs == 1:
            train_crops(data, trunk, out, config, device=device, limit=limit, log=log)
        else:
            train_soup(data, trunk, out, config, runs, device=device, limit=limit, log=log)
    else:
        if trunk_rate is not None or gaze or teachers or photos or not augment or runs != 1:
            raise ConfigError(
                "`trunk_rate`, `gaze`, `teacher`, `photos`, `no_augment` and `runs` are "
                "cropnet's: convnet leaves its trunk as it is"
            )
        recipe = replace(ConvNetConfig(seed=seed, fold=fold), **changed)
        train_convnet(data, trunk, out, recipe, device=device, limit=limit, log=log)
    log(f"wrote {out / model}.safetensors")

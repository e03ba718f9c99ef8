"""``cropper train localizer``: a learned transformer for one CropNet.

The scorer's features of every picture are computed once. Then two phases over the same batches:
first the head copies what a search found (distillation), then it climbs the score itself, averaged
over small warps, by backprop through the scorer, with the distillation loss as a leash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cropper.boxes import Boxes, normalise
from cropper.errors import ConfigError
from cropper.image import make_folder
from cropper.sampling import theta_from_boxes
from cropper.scorers import load_scorer
from cropper.scorers.affine import on_torch
from cropper.scorers.checkpoint import module_digest
from cropper.scorers.cropnet.network import CropNet, CropNetScorer, PhotoFeatures
from cropper.search import SearchConfig, search
from cropper.space import crop_spaces
from cropper.train.data import Judged, load_judged
from cropper.train.fit import descend, keep_best, told_of
from spatial_transformer.affine import PARAMS, AffineCrop
from spatial_transformer.localizer import (
    Localizer,
    LocalizerConfig,
    asked_of,
    features_of,
    save_localizer,
    within,
)

__all__ = ["LocalizeConfig", "train_localizer"]

Log = Callable[[str], None]
_BATCH = 32  # pictures
_ASKED = ("original", "free")


@dataclass(frozen=True)
class LocalizeConfig:
    epochs: int = 40  # the first half copies the search, the second climbs the score
    budget: int = 300  # evaluations of the search that is copied
    rate: float = 1e-3
    weight_decay: float = 3e-2
    leash: float = 4.0  # weight of the distillation loss while climbing
    warps: int = 2  # antithetic pairs that a score is averaged over
    spread: float = 0.02  # of these warps, in shares of the crop's side
    min_scale: float = 0.6
    seed: int = 0


@dataclass(frozen=True)
class _Lesson:
    """One picture, asked for one aspect."""

    features: PhotoFeatures
    grids: Tensor
    context: Tensor
    asked: Tensor
    space: AffineCrop
    found: Tensor  # (6,) params of the search's best crop
    unit: tuple[float, float]  # mean and spread of the score over random crops


def train_localizer(
    data: Path,
    out: Path,
    scorer: str = "cropnet",
    config: LocalizeConfig | None = None,
    *,
    device: str = "auto",
    limit: int | None = None,
    log: Log = print,
) -> float:
    """Train on ``train``, choose the epoch on ``val``, write ``out / localizer.safetensors``.

    Returns the mean score on ``val``, in spreads above a random crop of the picture. Raises
    ConfigError for a scorer that is no CropNet.
    """
    config = config or LocalizeConfig()
    judge = on_torch(load_scorer(scorer, device))
    if not isinstance(judge, CropNetScorer):
        raise ConfigError(f"a localizer reads CropNet's features: {scorer} has none")
    make_folder(out)
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    lessons = {
        split: _lessons(
            judge, load_judged(data, split, judge.net.config.pixels, limit), config, log
        )
        for split in ("train", "val")
    }
    shape = judge.net.config
    net = Localizer(LocalizerConfig(shape.channels, shape.hidden)).to(judge.device)
    optimiser = torch.optim.AdamW(net.parameters(), config.rate, weight_decay=config.weight_decay)
    searched = _mean_score(judge.net, lessons["val"], [each.found for each in lessons["val"]])

    def train_epoch(epoch: int) -> float:
        climbing = epoch > config.epochs // 2
        step = partial(descend, optimiser=optimiser)
        return _epoch(net, judge.net, lessons["train"], config, step, climbing=climbing, rng=rng)

    def save() -> None:
        digest = module_digest(judge.net)
        save_localizer(net, judge.spec.name, digest, out / "localizer.safetensors")

    return keep_best(
        config.epochs,
        optimiser,
        train_epoch=train_epoch,
        validate=lambda: _validate(net, judge.net, lessons["val"]),
        save=save,
        log=log,
        told=lambda score: (
            f"val score {score:.3f} spreads above a random crop (the search's {searched:.3f})"
        ),
    )


@torch.no_grad()
def _lessons(
    scorer: CropNetScorer, items: list[Judged], config: LocalizeConfig, log: Log
) -> list[_Lesson]:
    lessons = []
    shape = LocalizerConfig(scorer.net.config.channels, scorer.net.config.hidden)
    for item in told_of(items, "{} pictures searched", log):
        features = scorer.net.look(item.pixels[None])[0]
        grids, context = features_of(features, shape)
        for aspect in _ASKED:
            space = AffineCrop.of(item.size, aspect, config.min_scale)
            boxes = _searched(scorer.net, features, space, aspect, config.budget)
            found = space.from_boxes(boxes)
            drawn = space.theta(space.sample(32, np.random.default_rng(config.seed)))
            scores = scorer.net.score_affine(features, drawn.to(context))
            unit = (scores.mean().item(), max(scores.std().item(), 1e-3))
            asked = asked_of(space).to(context)
            lessons.append(_Lesson(features, grids, context, asked, space, found[0], unit))
    return lessons


def _searched(
    net: CropNet, features: PhotoFeatures, space: AffineCrop, aspect: str, budget: int
) -> Boxes:
    """(1, 4) px: what the search for this aspect likes best."""

    def objective(boxes: Boxes) -> Boxes:
        theta = theta_from_boxes(torch.from_numpy(normalise(boxes, space.size)))
        return net.score_affine(features, theta.to(features.context)).double().cpu().numpy()

    spaces = crop_spaces(space.size, aspect, space.min_scale)
    best = search(objective, spaces, SearchConfig("halving", budget)).best
    return np.array([best.box])


def _epoch(
    net: Localizer,
    judge: CropNet,
    lessons: list[_Lesson],
    config: LocalizeConfig,
    step: Callable[[Tensor], float],
    *,
    climbing: bool,
    rng: np.random.Generator,
) -> float:
    net.train()
    losses = []
    order = rng.permutation(len(lessons))
    for start in range(0, len(order), _BATCH):
        batch = [lessons[index] for index in order[start : start + _BATCH]]
        answers = _answers(net, batch)
        parts = []
        for lesson, params in zip(batch, answers, strict=True):
            part = _distance(lesson, params)
            if climbing:
                part = config.leash * part - _robust(judge, lesson, params, config, rng)
            parts.append(part)
        losses.append(step(torch.stack(parts).mean()))
    return float(np.mean(losses))


def _answers(net: Localizer, batch: list[_Lesson]) -> list[Tensor]:
    """A (1, 6) of unprojected params each."""
    grids, context, asked = (
        torch.stack([getattr(lesson, name) for lesson in batch])
        for name in ("grids", "context", "asked")
    )
    raw = net(grids, context, asked).double()
    return [within(raw[i : i + 1], lesson.space) for i, lesson in enumerate(batch)]


def _distance(lesson: _Lesson, params: Tensor) -> Tensor:
    """Of unprojected params, so that there is a way back from outside the bounds."""
    weights = params.new_tensor([2.0, 4.0, 4.0, 2.0, 4.0, 4.0])
    gap = (params[0] - lesson.found.to(params)) * weights
    return torch.nn.functional.smooth_l1_loss(gap, torch.zeros_like(gap), beta=0.2)


def _robust(
    judge: CropNet,
    lesson: _Lesson,
    params: Tensor,
    config: LocalizeConfig,
    rng: np.random.Generator,
) -> Tensor:
    """The score in spreads, averaged over small warps."""
    half = rng.normal(0, config.spread, (config.warps, PARAMS))
    moves = torch.from_numpy(np.concatenate([half, -half])).to(params)
    around = lesson.space.move(params.expand(len(moves), -1), moves)
    theta = lesson.space.theta(around).to(lesson.context)
    mean, spread = lesson.unit
    return (judge.score_affine(lesson.features, theta).mean() - mean) / spread


@torch.no_grad()
def _validate(net: Localizer, judge: CropNet, lessons: list[_Lesson]) -> float:
    net.eval()
    return _mean_score(judge, lessons, [answer[0] for answer in _answers(net, lessons)])


@torch.no_grad()
def _mean_score(judge: CropNet, lessons: list[_Lesson], params: list[Tensor]) -> float:
    scores = []
    for lesson, each in zip(lessons, params, strict=True):
        theta = lesson.space.theta(each[None]).to(lesson.context)
        mean, spread = lesson.unit
        scores.append((judge.score_affine(lesson.features, theta).item() - mean) / spread)
    return float(np.mean(scores))

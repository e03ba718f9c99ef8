"""``cropper train crops``: CropNet from expert boxes and pair votes.

The recipe, top to bottom: judged pictures, augmented anew each epoch; MobileNetV2 frozen up to
stride 8 and trained with the head above it; lists of candidates ranked by their overlap with the
expert's box, and pairs by votes; beside them, where people look, if a folder of gaze is given. The
weights that are kept are an exponential moving average at the end, when the rates have come down to
zero: ``val`` chooses nothing, so that its figures can be believed.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cropper.errors import ConfigError
from cropper.image import make_folder
from cropper.scorers.checkpoint import load_trainable, load_trunk, module_digest, save_scorer
from cropper.scorers.cropnet.network import CropNet, CropNetConfig
from cropper.scorers.header import read_header
from cropper.scorers.loading import resolve_device
from cropper.train.augment import Augment, Drawn, draw, render
from cropper.train.calibrate import calibrate
from cropper.train.curve import plot_crops
from cropper.train.data import Judged, candidates, digest_of, load_judged, overlap
from cropper.train.distill import DistillConfig, Teacher, teach
from cropper.train.fit import descend, fit, load_state, save_state, set_rates
from cropper.train.gaze import bind_all, gaze_loss, load_watched, weigh_gaze
from cropper.train.losses import list_loss, pair_loss
from cropper.train.validation import Validation, validate

__all__ = ["CropsConfig", "header_of", "train_crops"]

Log = Callable[[str], None]


@dataclass(frozen=True)
class CropsConfig:
    epochs: int = 10
    batch: int = 8  # pictures
    free: int = 64  # candidates of free aspect in a list
    given: int = 32  # candidates of the expert's aspect in a list
    temperature: float = 0.1  # of the target over IoU
    trunk_rate: float = 1e-4  # AdamW, above stride 8; 0 leaves the trunk as it is
    head_rate: float = 5e-4
    weight_decay: float = 1e-2
    average: float = 0.995  # decay of the moving average, a step
    seed: int = 0  # of the head's first weights
    order: int = 0  # of everything drawn in training; runs of one seed can be averaged
    fold: tuple[int, int] = (0, 1)  # (k, n): the k-th of n parts of ``train``, for held-out judges
    augment: Augment = field(default_factory=Augment)
    gaze: str | None = None  # folder of photos with fixations, half as many in each batch
    gaze_weight: float = 0.5  # of its loss
    start: str | None = None  # a cropnet checkpoint to go on from; None: the trunk and a new head
    teachers: tuple[str, ...] = ()  # checkpoints whose beliefs are learned beside the judgments
    photos: str | None = None  # folder of pictures that only the teachers judge

    def distilled(self, teachers: tuple[str, ...], photos: str | None) -> CropsConfig:
        """The recipe for learning from ``teachers``: on from the first, shorter and slower."""
        return replace(
            self,
            epochs=3,
            trunk_rate=5e-5,
            head_rate=2.5e-4,
            start=teachers[0],
            teachers=teachers,
            photos=photos,
        )


def train_crops(
    data: Path,
    trunk: Path,
    out: Path,
    config: CropsConfig | None = None,
    *,
    net_config: CropNetConfig | None = None,
    device: str = "auto",
    limit: int | None = None,
    log: Log = print,
) -> Validation:
    """Train on ``train`` of ``data``, validate on ``val``, write ``out / cropnet.safetensors``.

    Continues from ``out / last.pt`` where a run of the same recipe, start and data was cut off, and
    raises ConfigError for one of another. ``limit`` takes that many pictures of each split. Returns
    the validation of the weights written.
    """
    config = config or CropsConfig()
    make_folder(out)
    torch.manual_seed(config.seed)
    net = CropNet(replace(net_config or CropNetConfig(), gaze=bool(config.gaze)))
    if config.start:
        _go_on(net, Path(config.start))
    else:
        load_trunk(net.trunk, trunk)
    net = net.to(resolve_device(device)).to(memory_format=torch.channels_last)  # faster on a CPU
    enlarged = 2 * net.config.pixels  # a window is a part, shown at the size of the whole
    train = load_judged(data, "train", enlarged, limit, config.fold)
    val = load_judged(data, "val", net.config.pixels, limit)
    watched = load_watched(Path(config.gaze), "train", enlarged, limit) if config.gaze else []
    run = _Run(net, config, out, log, train=train, val=val, watched=watched)
    fit(run)
    run.finish()
    return run.validation


def _go_on(net: CropNet, start: Path) -> None:
    """From a checkpoint of the same tasks; raises ConfigError for one of others."""
    learned = bool(read_header(start).get("config", {}).get("gaze"))
    if learned and not net.config.gaze:
        raise ConfigError(f"{start} was trained with gaze: give `gaze` to go on from it")
    if net.config.gaze and not learned:
        raise ConfigError(f"{start} was trained without gaze: leave `gaze` out, or start anew")
    load_trainable(net, start)
    if net.config.gaze:
        net.head.gaze_weights.zero_()  # they come back after training


def _taught(
    judged: list[Judged], net: CropNetConfig, config: CropsConfig, log: Log
) -> list[Judged]:
    teachers = [Teacher.read(Path(path)) for path in config.teachers]
    photos = sorted(Path(config.photos).rglob("*.jpg")) if config.photos else []
    log(f"{len(teachers)} teachers judge {len(judged)} pictures, parts of them and {len(photos)}")

    def progress(done: int, total: int) -> None:
        if done % 200 == 0:
            log(f"taught {done}/{total}")

    pixels = int(net.pixels * (1 + config.augment.scale))
    return teach(
        judged, photos, teachers, pixels, config=DistillConfig(seed=config.seed), progress=progress
    )


class _Run:
    """The state of one training: network, its average, optimiser, epoch."""

    def __init__(
        self,
        net: CropNet,
        config: CropsConfig,
        out: Path,
        log: Log,
        *,
        train: list[Judged],
        val: list[Judged],
        watched: list[Judged],
    ) -> None:
        self.net, self.config, self.out, self.log = net, config, out, log
        self.train, self.val, self.watched = train, val, watched
        self.recipe = {  # what a run that goes on has to share
            **asdict(config),
            "net": net.config.to_dict(),
            "data": digest_of([*train, *val, *watched]),
            "from": module_digest(net),
        }
        self.average = copy.deepcopy(net).eval()
        net.trunk.freeze_below()
        if config.trunk_rate == 0:  # no backward pass through what stays as it is
            net.trunk.requires_grad_(False)
        above = [p for p in net.trunk.parameters() if p.requires_grad]
        groups = [
            {"params": above, "lr": config.trunk_rate},
            {"params": list(net.head.parameters()), "lr": config.head_rate},
        ]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
        self.rates = [config.trunk_rate, config.head_rate]
        self.epoch, self.steps = 0, 0
        self.validation = Validation(0.0, 0.0)  # of the last epoch
        self.weights = out / "cropnet.safetensors"
        self.rows: list[dict[str, float]] = []  # of the log
        self.started = time.perf_counter()
        self.loss = math.nan

    @property
    def done(self) -> bool:
        return self.epoch >= self.config.epochs

    def train_epoch(self) -> None:
        rng = np.random.default_rng((self.config.seed + self.config.order, self.epoch))
        torch.manual_seed(int(rng.integers(2**31)))  # of dropout: a resumed run draws the same
        batches = self._batches(self.train, rng, self.config.batch)
        watched = cycle(self._batches(self.watched, rng, max(self.config.batch // 2, 1)) or [[]])
        losses = []
        self.net.train()
        for number, (batch, beside) in enumerate(zip(batches, watched, strict=False)):
            done = (self.epoch + number / len(batches)) / self.config.epochs
            set_rates(self.optimiser, self.rates, done)
            loss = self._loss([render(item, drawn) for item, drawn in batch], rng)
            if beside:
                seen = [render(item, drawn) for item, drawn in beside]
                loss = loss + self.config.gaze_weight * gaze_loss(self.net, seen, rng)
            losses.append(descend(loss, self.optimiser, self.net.parameters()))
            self.steps += 1
            self._update_average()
        self.loss = float(np.mean(losses))
        self.epoch += 1

    def _batches(
        self, items: list[Judged], rng: np.random.Generator, size: int
    ) -> list[list[tuple[Judged, Drawn]]]:
        """A shuffled epoch in batches of at most ``size``, each of one input shape."""
        groups: dict[tuple[int, int], list[tuple[Judged, Drawn]]] = {}
        for index in rng.permutation(len(items)):
            drawn = draw(items[index], self.config.augment, self.net.config.pixels, rng)
            groups.setdefault(drawn.size, []).append((items[index], drawn))
        batches = [
            group[i : i + size] for group in groups.values() for i in range(0, len(group), size)
        ]
        return [batches[i] for i in rng.permutation(len(batches))]

    def _loss(self, items: list[Judged], rng: np.random.Generator) -> Tensor:
        bound = bind_all(self.net, items)
        device = bound[0].context.device
        total = torch.zeros((), device=device)
        for item, features in zip(items, bound, strict=True):
            lists = [
                candidates(item, self.config.free, False, rng),
                candidates(item, self.config.given, True, rng),
            ]
            boxes = np.concatenate([*lists, item.pairs.reshape(-1, 4)])
            scores = self.net.score(features, torch.from_numpy(boxes).float().to(device))
            start = 0
            for given, boxes_of_list in enumerate(lists):
                target = overlap(item, boxes_of_list, bool(given))
                overlaps = torch.from_numpy(target).float().to(device)
                part = scores[start : start + len(overlaps)]
                total = total + list_loss(part, overlaps, self.config.temperature)
                start += len(overlaps)
            if len(item.pairs):
                votes = torch.from_numpy(item.votes).float().to(device)
                total = total + pair_loss(scores[start:].reshape(-1, 2), votes)
        return total / len(items)

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.config.average, (1 + self.steps) / (10 + self.steps))
        for mean, value in zip(self.average.parameters(), self.net.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)

    def finish_epoch(self) -> None:
        """Validate, log, checkpoint."""
        validation = self.validation = validate(self.average, self.val)
        now = time.perf_counter()
        seconds = now - self.started + (self.rows[-1]["seconds"] if self.rows else 0.0)
        self.started = now
        row = {"epoch": self.epoch, "loss": self.loss, **asdict(validation), "seconds": seconds}
        self.rows.append(row)
        self.log(
            f"epoch {self.epoch}/{self.config.epochs}: loss {self.loss:.4f}, val IoU "
            f"given {validation.given:.4f}, free {validation.free:.4f}, {seconds:.0f} s"
        )
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": self.epoch,
            "steps": self.steps,
            "validation": asdict(validation),
            "rows": self.rows,
        }
        save_state(self.out / "last.pt", self.recipe, state)
        self._write_log()

    def finish(self) -> None:
        """Write what a finished run leaves, also where it was finished before."""
        net = copy.deepcopy(self.average)
        if net.config.gaze:  # else it is the network that was validated last
            weigh_gaze(net)
            self.validation = validate(net, self.val)
        if not self.weights.exists():
            header = header_of(net.config, self.config) | {"calibration": calibrate(net, self.val)}
            save_scorer(net, header, self.weights)
        self._write_log()
        plot_crops(self.out / "log.jsonl", self.out / "curve.png", self.log)
        found = self.validation
        self.log(f"the weights written: val IoU given {found.given:.4f}, free {found.free:.4f}")

    def _write_log(self) -> None:
        lines = "".join(json.dumps(row) + "\n" for row in self.rows)
        (self.out / "log.jsonl").write_text(lines, "utf-8")

    def resume(self) -> None:
        if state := load_state(self.out / "last.pt", self.recipe):
            self._restore(state)
        if self.config.teachers and not self.done:
            self.train = _taught(self.train, self.net.config, self.config, self.log)
        beside = f" and {len(self.watched)} with fixations" if self.watched else ""
        self.log(f"{len(self.train)} pictures{beside} to train on, {len(self.val)} to validate on")

    def _restore(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch, self.steps = state["epoch"], state["steps"]
        self.validation, self.rows = Validation(**state["validation"]), state["rows"]
        self.log(f"continuing after epoch {self.epoch}")


def header_of(config: CropNetConfig, recipe: CropsConfig) -> dict[str, Any]:
    """What a checkpoint of a CropNet says of itself."""
    fold, parts = recipe.fold
    return {
        "kind": "cropnet",
        "name": "cropnet",
        "summary": "shared features, thousands of boxes a picture; trained on human crops",
        "licence": "Apache-2.0",
        "long_side": 352,  # a 12-megapixel JPEG is then decoded at an eighth
        "batch_size": 4096,
        "calibrated": True,
        "config": config.to_dict(),
        # what a judge of another scorer's crops should not share with it
        "trained": {
            "seed": recipe.seed,
            "fold": f"{fold}/{parts}",
            "trunk": "tuned" if recipe.trunk_rate else "frozen",
            "gaze": bool(recipe.gaze),
        },
    }

"""``cropper train selfies``: a classifier of what gets likes, fine-tuned as in 2015.

Any torchvision classifier, or the package's own trunk, with one logit for "liked". The weights
that are kept are those of the epoch with the best AUC on users that were held out, in the half
precision in which they are stored, so that a score in training is the score in use.

Where enough pictures have a face, the score has two parts: the log-odds of the face's place, and
the network's taste, which learns what these leave unexplained. The report tells them apart.
"""

from __future__ import annotations

import copy
import hashlib
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cropper.errors import ConfigError, CropperError, DataError
from cropper.image import make_folder
from cropper.scorers.base import LEAST_SIDE
from cropper.scorers.checkpoint import save_scorer
from cropper.scorers.loading import resolve_device
from cropper.train.curve import plot_curve
from cropper.train.fit import descend, fit, json_of, load_state, save_state, set_rates
from cropper.train.selfies.batches import Batch, Vary, loader
from cropper.train.selfies.data import Selfies, split_by_user
from cropper.train.selfies.faces import look_for_faces
from cropper.train.selfies.placing import learn_placing
from cropper.train.selfies.quality import Part, Quality, measure, measure_parts
from cropper.train.selfies.start import Start, preprocessing_for, start_from

__all__ = ["SelfiesConfig", "train_selfies", "write_labels"]

Log = Callable[[str], None]
_TELL_EVERY = 10.0  # seconds
_PARTS = {"place": "the face's place alone", "taste": "the network's taste alone"}


@dataclass(frozen=True)
class SelfiesConfig:
    backbone: str = "vgg16"  # torchvision's name, or 'trunk'
    weights: str = "own"  # 'own', 'none' or a file
    side: int = 224  # px of the network's input
    epochs: int = 4
    batch: int = 32  # pictures a step
    rate: float = 5e-5  # AdamW, of what was loaded
    fresh_rate: float = 5e-4  # of what starts at random
    weight_decay: float = 1e-2
    dropout: bool = False  # the network's own; training was better without, in 2015 too
    val_share: float = 0.1  # of the users, held out
    crop: float = 0.1  # of each side may be cut away in training
    geometry: bool = True  # the place of the largest face is a part of the score
    name: str = "selfies"
    licence: str = "that of the pictures that it was trained on"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.val_share < 1:
            raise ConfigError(f"val-share is between 0 and 1, got {self.val_share}")
        if self.side < 16:
            raise ConfigError(f"side is at least 16 px, got {self.side}")

    @property
    def long_side(self) -> int:
        """Of the view that crops are read from: half the picture's side still has its detail."""
        return max(2 * self.side, LEAST_SIDE) if self.geometry else 2 * self.side


def train_selfies(
    selfies: Selfies,
    out: Path,
    config: SelfiesConfig | None = None,
    *,
    device: str = "auto",
    workers: int | None = None,
    log: Log = print,
) -> Quality:
    """Train, and write ``out / NAME.safetensors``, ``report.json``, ``log.jsonl``, ``curve.png``.

    Continues from ``out / last.pt`` where a run of the same config on the same pictures was cut
    off. Returns the quality of the weights written, on the users held out.
    """
    config = config or SelfiesConfig()
    preprocessing_for(config.backbone, config.side)  # a wrong side is told before any work
    write_labels(selfies, out)
    log(selfies.summary)
    if config.geometry and selfies.face is None:
        selfies = look_for_faces(selfies, log, config.long_side)
    torch.manual_seed(config.seed)
    start = start_from(config.backbone, config.weights, config.dropout)
    if config.weights != "none":
        log(f"{config.backbone} from {start.origin}; at random: {', '.join(start.fresh) or 'none'}")
    where = resolve_device(device)
    if workers is None:
        workers = min(os.cpu_count() or 1, 16) if where.type == "cuda" else 0
    run = _Run(start, selfies, out, config, device=where, workers=workers, log=log)
    fit(run)
    assert run.best is not None
    plot_curve(out / "log.jsonl", out / "curve.png", run.best, log)
    return run.best


def write_labels(selfies: Selfies, out: Path) -> None:
    """``out / labels.txt``: the summary of the labels."""
    make_folder(out)
    (out / "labels.txt").write_text(selfies.summary + "\n", "utf-8")


class _Run:
    """The state of one training."""

    def __init__(
        self,
        start: Start,
        selfies: Selfies,
        out: Path,
        config: SelfiesConfig,
        *,
        device: torch.device,
        workers: int,
        log: Log,
    ) -> None:
        self.net = start.module.to(device).to(memory_format=torch.channels_last)
        self.origin, self.selfies, self.out, self.config = start.origin, selfies, out, config
        self.device, self.workers, self.log = device, workers, log
        self.preprocessing = preprocessing_for(config.backbone, config.side)
        self.train_rows, self.val_rows = split_by_user(selfies.user, config.val_share, config.seed)
        self.placing = None
        if config.geometry:
            assert selfies.face is not None
            found = int(np.isfinite(selfies.face[:, 0]).sum())
            label = selfies.label
            self.placing = learn_placing(selfies.face, label, self.train_rows, config.seed)
            few = "" if self.placing else ": too few to say where it belongs"
            log(f"{found} of {len(selfies)} pictures have a face{few}")
        named = dict(self.net.named_parameters())
        fresh = set(start.fresh)
        groups = [
            {"params": [p for n, p in named.items() if n not in fresh], "lr": config.rate},
            {"params": [p for n, p in named.items() if n in fresh], "lr": config.fresh_rate},
        ]
        self.rates = [float(group["lr"]) for group in groups]  # type: ignore[arg-type]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
        self.epoch = 0
        self.loss = math.nan
        self.best: Quality | None = None
        self.unreadable: set[str] = set()
        self.started = time.perf_counter()

    @property
    def done(self) -> bool:
        return self.epoch >= self.config.epochs

    def train_epoch(self) -> None:
        config = self.config
        order = np.random.default_rng((config.seed, self.epoch)).permutation(self.train_rows)
        torch.manual_seed(config.seed + self.epoch)  # of dropout: a resumed run draws the same
        vary = Vary(config.crop, seed=config.seed, epoch=self.epoch, placing=self.placing)
        self.net.train()
        losses, seen, told = [], 0, time.perf_counter()
        for batch in self._batches(order, vary):
            seen += len(batch.rows) + len(batch.unreadable)
            if len(batch.rows) < min(2, len(order)):
                continue  # batch norm has nothing to normalise by
            done = (self.epoch + seen / len(order)) / config.epochs
            set_rates(self.optimiser, self.rates, done)
            losses.append(self._step(batch))
            if time.perf_counter() - told > _TELL_EVERY:
                told = time.perf_counter()
                self.log(
                    f"epoch {self.epoch + 1}/{config.epochs}: {seen}/{len(order)} pictures, "
                    f"loss {np.mean(losses[-50:]):.4f}"
                )
        if not losses:
            raise DataError(f"no picture could be read; the first: {min(self.unreadable)}")
        self.loss = float(np.mean(losses))
        if not math.isfinite(self.loss):
            raise CropperError("the loss is no longer a number: lower `rate`")
        self.epoch += 1

    def _step(self, batch: Batch) -> float:
        rows = batch.rows.numpy()
        label = torch.from_numpy(self.selfies.label[rows]).float().to(self.device)
        logits = self._logits(self.net, batch.crops)
        if self.placing:
            logits = logits + torch.from_numpy(self.placing.odds[rows]).to(logits)
        loss = F.binary_cross_entropy_with_logits(logits, label)
        return descend(loss, self.optimiser, self.net.parameters())

    def _batches(self, order: NDArray[np.intp], vary: Vary | None) -> Any:
        batches = loader(
            self.selfies,
            self.preprocessing,
            long_side=self.config.long_side,
            order=order,
            batch=self.config.batch,
            workers=self.workers,
            vary=vary,
        )
        for batch in batches:
            for reason in batch.unreadable:
                if reason not in self.unreadable:
                    self.unreadable.add(reason)
                    self.log(f"left out: {reason}")
            yield batch

    def _logits(self, net: nn.Module, crops: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N,). On a GPU in mixed precision: bfloat16 needs no loss scaling."""
        crops = crops.to(self.device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, self.device.type == "cuda"):
            answer = net(crops)
        logits: Tensor = answer if isinstance(answer, Tensor) else answer[0]  # auxiliary heads
        return logits.flatten().float()

    def finish_epoch(self) -> None:
        """Validate the weights as they would be stored; keep them if they are the best so far."""
        stored = _as_stored(self.net)
        quality, parts = self._validate(stored)
        if self.best is None or not quality.auc <= self.best.auc:
            self.best = quality
            path = self.out / f"{self.config.name}.safetensors"
            save_scorer(stored, self._header(quality, parts), path)
            (self.out / "report.json").write_text(
                json_of(self._report(quality, parts), indent=1) + "\n", "utf-8"
            )
        seconds = time.perf_counter() - self.started
        row = {"epoch": self.epoch, "loss": self.loss, "val_loss": quality.loss}
        row |= {"accuracy": quality.accuracy, "auc": quality.auc, "seconds": seconds}
        row |= {f"{name}_auc": part.alone.auc for name, part in parts.items()}
        with (self.out / "log.jsonl").open("w" if self.epoch == 1 else "a") as file:
            file.write(json_of(row) + "\n")
        self.log(
            f"epoch {self.epoch}/{self.config.epochs}: loss {self.loss:.4f}, held-out users: loss "
            f"{quality.loss:.4f}, accuracy {quality.accuracy:.3f}, AUC {quality.auc:.3f} "
            f"[{quality.auc_low:.3f}, {quality.auc_high:.3f}], calibration error "
            f"{quality.calibration_error:.3f}, {seconds:.0f} s"
        )
        for name, part in parts.items():
            self.log(f"  {_PARTS[name]}: {part}")
        state: dict[str, Any] = {"epoch": self.epoch, "best": self.best.to_dict()}
        if self.epoch < self.config.epochs:  # nothing to continue after the last
            state |= {"net": self.net.state_dict(), "optimiser": self.optimiser.state_dict()}
        save_state(self.out / "last.pt", self._recipe(), state)

    @torch.no_grad()
    def _validate(self, net: nn.Module) -> tuple[Quality, dict[str, Part]]:
        """The whole score, and its parts where it has two."""
        net.eval()
        logits, rows = [], []
        for batch in self._batches(self.val_rows, None):
            if len(batch.rows):
                logits.append(self._logits(net, batch.crops).cpu())
                rows.append(batch.rows)
        if not rows:
            raise DataError(f"no held-out picture could be read: {min(self.unreadable)}")
        which = torch.cat(rows).numpy()
        scores = torch.cat(logits).numpy().astype(np.float64)
        label, user = self.selfies.label[which], self.selfies.user[which]
        if self.placing is None:
            return measure(scores, label, user), {}
        odds = self.placing.odds[which]
        parts = measure_parts({"place": odds, "taste": scores}, label, user)
        return measure(scores + odds, label, user), parts

    def _header(self, quality: Quality, parts: dict[str, Part]) -> dict[str, Any]:
        config = self.config
        framed = {"geometry": self.placing.geometry.to_dict()} if self.placing else {}
        return framed | {
            "kind": "selfie" if self.placing else "convnet",
            "name": config.name,
            "summary": f"{config.backbone}: would the picture get more likes than others like it",
            "licence": config.licence,
            "long_side": config.long_side,
            "batch_size": 4096,
            "backbone": config.backbone,
            "preprocessing": self.preprocessing.to_dict(),
            "classes": {
                "positive": "more likes than most posts of as large an audience",
                "negative": "fewer likes than most posts of as large an audience",
            },
            "data": self.selfies.facts,
            "validation": {"held out": "users", **quality.to_dict(), "parts": _told(parts)},
            "start": self.origin,
        }

    def _report(self, quality: Quality, parts: dict[str, Part]) -> dict[str, Any]:
        return {
            "config": asdict(self.config),
            "data": self.selfies.facts,
            "train": len(self.train_rows),
            "held_out": quality.to_dict(),
            "parts": _told(parts),
            "unreadable": sorted(self.unreadable),
        }

    def _recipe(self) -> dict[str, Any]:
        digest = hashlib.sha256()
        for path, label in zip(self.selfies.paths, self.selfies.label, strict=True):
            digest.update(f"{path} {label}\n".encode())
        return asdict(self.config) | {"pictures": digest.hexdigest()}

    def resume(self) -> None:
        state = load_state(self.out / "last.pt", self._recipe())
        if state is None:
            return
        self.epoch = state["epoch"]
        self.best = Quality.from_dict(state["best"])
        if "net" in state:
            self.net.load_state_dict(state["net"])
            self.optimiser.load_state_dict(state["optimiser"])
        self.log(f"continuing after epoch {self.epoch}")


def _told(parts: dict[str, Part]) -> dict[str, Any]:
    return {name: part.to_dict() for name, part in parts.items()}


def _as_stored(net: nn.Module) -> nn.Module:
    """A copy with the weights rounded as a checkpoint rounds them."""
    stored = copy.deepcopy(net)
    for value in stored.state_dict().values():
        if value.is_floating_point():
            value.copy_(value.half())
    return stored

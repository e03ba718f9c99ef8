"""Crops a second of exact scoring: a network pass for each crop, as the convnet scorer does it.

The networks start at random; speed does not depend on what they have learned. The share of the
limit (``eval.limits``) says what is left.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from cropper.errors import ConfigError
from cropper.image import View
from cropper.scorers import ScorerSpec
from cropper.scorers.convnet import ConvNetScorer, build_backbone
from cropper.scorers.loading import resolve_device
from cropper.space import CropSpace
from cropper.train.selfies.start import preprocessing_for
from eval.environment import Environment, read_environment
from eval.limits import Work, measure_rates, work_of

__all__ = ["NETWORKS", "SIDES", "NetworkSpeed", "bench_convnet", "render_bench_convnet"]

NETWORKS = ("vgg16", "resnet50", "mobilenet_v2")
SIDES = (112, 224)  # px
_VIEW = 448  # px of the synthetic picture that crops are read from


@dataclass(frozen=True)
class NetworkSpeed:
    name: str
    side: int  # px
    batch: int  # crops at once, as found by the scorer
    work: Work  # of a crop
    limit: float  # seconds a crop, at least
    seconds: tuple[float, ...]  # a crop, of each repeat: reading it and the pass
    network_seconds: tuple[float, ...]  # a crop, of the pass alone

    @property
    def crops_per_second(self) -> float:
        return 1 / statistics.median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """Slowest and fastest repeat, crops a second."""
        return 1 / max(self.seconds), 1 / min(self.seconds)

    @property
    def flops_per_second(self) -> float:
        return self.work.flops * self.crops_per_second

    @property
    def share(self) -> float:
        """Of the limit that is reached."""
        return self.limit * self.crops_per_second


def bench_convnet(
    networks: Sequence[str] = NETWORKS,
    sides: Sequence[int] = SIDES,
    *,
    device: str = "auto",
    crops: int | None = None,
    repeats: int = 3,
) -> tuple[NetworkSpeed, ...]:
    """Every network at every side. ``crops`` None is 32 on a CPU and 8192 on a GPU."""
    if repeats < 1:
        raise ConfigError(f"repeats are at least 1, got {repeats}")
    where = resolve_device(device)
    crops = crops or (32 if where.type == "cpu" else 8192)
    return tuple(_speed(name, side, where, crops, repeats) for name in networks for side in sides)


@torch.no_grad()
def _speed(name: str, side: int, device: torch.device, crops: int, repeats: int) -> NetworkSpeed:
    torch.manual_seed(0)
    module = build_backbone(name).requires_grad_(False).eval()
    spec = ScorerSpec(name, _VIEW, crops, True, "", "")
    preprocessing = preprocessing_for(name, side)
    work = work_of(module, side)
    scorer = ConvNetScorer(module, preprocessing, spec, device)
    pixels = np.random.default_rng(0).integers(0, 255, (_VIEW, _VIEW, 3)).astype(np.uint8)
    bound = scorer.bind(View(pixels, (_VIEW, _VIEW)))
    space = CropSpace((_VIEW, _VIEW), 1.0)
    boxes = space.boxes(space.sample(crops, np.random.default_rng(0)))
    bound(boxes)  # warm-up: the batch size is found, libraries choose their kernels
    seconds, network_seconds = [], []
    batch = scorer.batch.size or crops
    inputs = torch.zeros(min(batch, crops), 3, side, side, device=device, dtype=scorer.dtype)
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    for _ in range(repeats):
        start = time.perf_counter()
        bound(boxes)  # its scores come back as NumPy arrays, so a GPU is done by then
        seconds.append((time.perf_counter() - start) / crops)
        network_seconds.append(_pass(scorer.module, inputs))
    limit = measure_rates(device, scorer.dtype).limit(work, scorer.dtype)
    return NetworkSpeed(name, side, batch, work, limit, tuple(seconds), tuple(network_seconds))


def _pass(module: nn.Module, inputs: Tensor) -> float:
    """Seconds a crop."""
    start = time.perf_counter()
    module(inputs).sum().item()
    return (time.perf_counter() - start) / len(inputs)


def render_bench_convnet(speeds: Sequence[NetworkSpeed], command: str) -> str:
    """Plain text."""
    environment: Environment = read_environment()
    head = (
        f"{'network':14}{'side':>5}{'batch':>7}{'GFLOP':>8}{'crops/s':>10}{'slowest-fastest':>20}"
    )
    head += f"{'pass alone':>12}{'GFLOP/s':>10}{'of the limit':>14}"
    lines = [head]
    for speed in speeds:
        low, high = speed.spread
        alone = 1 / statistics.median(speed.network_seconds)
        row = f"{speed.name:14}{speed.side:5}{speed.batch:7}{speed.work.flops / 1e9:8.2f}"
        row += f"{speed.crops_per_second:10.1f}{f'{low:.1f}-{high:.1f}':>20}{alone:12.1f}"
        row += f"{speed.flops_per_second / 1e9:10.0f}{speed.share:14.1%}"
        lines.append(row)
    lines += [
        "",
        "crops/s: reading the crops and the pass, the median of the repeats.",
        "limit: the operations at the rate of a large matrix product, or the bytes of all layers",
        "at that of a large copy, whichever takes longer; both measured in this run.",
    ]
    return "\n".join([*lines, str(environment), command])

"""Small networks and photos for the tests of scorers."""

from __future__ import annotations

import functools

import torch
from skimage import data
from torch import nn

from cropper import BoundScorer, CropSpace, Scorer, ScorerSpec, View, from_array, load_scorer
from cropper.boxes import Boxes
from cropper.scorers.cropnet.network import CropNetConfig

torch.set_num_threads(1)  # the work is small, and threads on shared cores wait for each other

TINY = CropNetConfig(pixels=9409, fused=16, channels=4, hidden=16)


SPEC = ScorerSpec("stub", 64, 32, False, "for tests", "CC0-1.0")


HEADER = {
    "kind": "cropnet",
    "name": "tiny",
    "summary": "for tests",
    "licence": "CC0-1.0",
    "long_side": 128,
    "batch_size": 64,
    "config": TINY.to_dict(),
}


def alive(module: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights under which signals neither die nor explode, biases included."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, weights in module.named_parameters():
            if name.endswith("bias"):
                weights.normal_(0, 0.1)
            elif weights.ndim >= 2 and "rod" not in name:
                nn.init.kaiming_normal_(weights)
                weights.mul_(0.7)
    return module.eval()


def boxes_of(size: tuple[int, int], aspect: float = 1.0, stride: float = 0.25) -> Boxes:
    space = CropSpace(size, aspect)
    return space.boxes(space.grid(stride))


@functools.lru_cache(maxsize=1)
def cropnet() -> Scorer:
    return load_scorer("cropnet", "cpu")


@functools.lru_cache(maxsize=1)
def coffee() -> View:
    return from_array(data.coffee()).view(512)


@functools.lru_cache(maxsize=1)
def bound_coffee() -> BoundScorer:
    with torch.no_grad():
        return cropnet().bind(coffee())

"""A small VGG with known weights, for style transfer without a download."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from cropper.style import load_backbone
from cropper.style.backbone import Vgg

_WIDTHS = {"1": (8, 8), "2": (12, 12), "3": (16, 16), "4": (16, 16)}


def small_vgg_weights(seed: int = 0) -> dict[str, Tensor]:
    """Four blocks of two convolutions; random features tell textures too (Ustyuzhaninov 2016)."""
    generator = torch.Generator().manual_seed(seed)
    weights, before = {}, 3
    for block, widths in _WIDTHS.items():
        for place, width in enumerate(widths, 1):
            name = f"conv{block}_{place}"
            kernels = torch.randn(width, before, 3, 3, generator=generator)
            weights[f"{name}.weight"] = kernels * (2 / (9 * before)) ** 0.5
            weights[f"{name}.bias"] = torch.zeros(width)
            before = width
    return weights


def small_vgg_file(folder: Path, seed: int = 0) -> Path:
    path = folder / "small.safetensors"
    save_file(small_vgg_weights(seed), path)
    return path


def small_vgg(folder: Path) -> Vgg:
    found = load_backbone(small_vgg_file(folder))
    assert isinstance(found, Vgg)
    return found

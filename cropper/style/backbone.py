"""Networks whose features tell content and style: VGG (Simonyan and Zisserman 2014), or the trunk.

Pixels go in as (1, 3, H, W), RGB in [0, 1]; features come out by the names of their layers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Protocol
from urllib.error import URLError

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from cropper.errors import MissingModelError
from cropper.scorers import load_scorer
from cropper.scorers.trunk import Trunk, trunk_of

__all__ = ["BACKBONES", "Backbone", "TrunkBackbone", "Vgg", "load_backbone"]

BACKBONES = ("vgg19", "vgg16", "trunk")
_CONVOLUTION = re.compile(r"conv[1-5]_[1-4]\.weight")
_CAFFE_MEAN = (103.939, 116.779, 123.68)  # of blue, green, red
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Backbone(Protocol):
    """A network, not trained any more."""

    layers: tuple[str, ...]  # from the pixels on
    style_layers: tuple[str, ...]  # that are compared unless others are asked for
    content_layer: str

    def __call__(self, pixels: Tensor, wanted: Collection[str]) -> dict[str, Tensor]:
        """(1, 3, H, W) -> the features (1, C, h, w) of each layer wanted."""
        ...


class Vgg(nn.Module):
    """3 x 3 convolutions with ReLU, 2 x 2 maxima between their blocks.

    ``weights`` are by name, ``conv1_1.weight`` and ``conv1_1.bias`` on, of VGG16 or VGG19 up to any
    layer. Raises ValueError for others.
    """

    def __init__(self, weights: Mapping[str, Tensor], prepare: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layers = tuple(sorted(name[:7] for name in weights if _CONVOLUTION.fullmatch(name)))
        if not self.layers or self.layers[0] != "conv1_1":
            raise ValueError("no layer conv1_1")
        for name in self.layers:
            for part in ("weight", "bias"):
                self.register_buffer(_flat(name, part), weights[f"{name}.{part}"].float())
        self.prepare = prepare
        self.style_layers = tuple(name for name in self.layers if name.endswith("_1"))
        self.content_layer = "conv4_2" if "conv4_2" in self.layers else self.layers[-1]
        self(torch.zeros(1, 3, 32, 32), self.layers)  # raises RuntimeError where sides do not match

    def forward(self, pixels: Tensor, wanted: Collection[str]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        x = self.prepare(pixels)
        for block, names in itertools.groupby(self.layers, key=lambda name: name[4]):
            x = x if block == "1" else F.max_pool2d(x, 2)
            for name in names:
                if len(found) == len(set(wanted)):
                    return found
                weight, bias = (self.get_buffer(_flat(name, part)) for part in ("weight", "bias"))
                x = F.relu(F.conv2d(x, weight, bias, padding=1))
                if name in wanted:
                    found[name] = x
        return found


class TrunkBackbone:
    """The package's own MobileNetV2, of the scorer ``convnet``: small, and not made for this."""

    style_layers: tuple[str, ...] = ("block0", "block2", "block4", "block7", "block11")
    content_layer = "block7"

    def __init__(self, trunk: Trunk) -> None:
        self.blocks, self.layers = list(trunk.float().features), trunk.layers

    def __call__(self, pixels: Tensor, wanted: Collection[str]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        # Enlarged, so that the stem's stride of 2 treats all pixels alike: else it leaves a grid
        x = F.interpolate(pixels * 2 - 1, scale_factor=2, mode="bilinear")
        for name, block in zip(self.layers, self.blocks, strict=True):
            if len(found) == len(set(wanted)):
                break
            x = block(x)
            if name in wanted:
                found[name] = x
        return found


def load_backbone(name: str | Path) -> Backbone:
    """One of BACKBONES, or a .safetensors file of a VGG in Caffe's layout.

    Such a file has ``conv1_1.weight``, ``conv1_1.bias`` and so on, for blue, green and red in 0 to
    255 less ImageNet's means. Raises MissingModelError.
    """
    if str(name) == "trunk":
        trunk, _ = trunk_of(load_scorer("convnet", "cpu"))
        return TrunkBackbone(trunk.requires_grad_(False))
    if str(name) in BACKBONES:
        return Vgg(_fetched(str(name)), _normalised)
    path = Path(name)
    try:
        return Vgg(load_file(path), _as_in_caffe)
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        raise MissingModelError(
            f"{path} holds no VGG network: {error}; `backbone` is one of {', '.join(BACKBONES)}, "
            "or a .safetensors file with conv1_1.weight, conv1_1.bias and so on"
        ) from error


def _fetched(name: str) -> dict[str, Tensor]:
    """Torchvision's ImageNet weights, which it keeps once it has fetched them."""
    from torchvision import models  # noqa: PLC0415 - slow, and only for these

    try:
        network = models.get_model(name, weights="IMAGENET1K_V1")
    except (URLError, OSError, RuntimeError) as error:
        raise MissingModelError(
            f"the weights of {name} could not be fetched: {error}; use `backbone=trunk`, or give "
            "a file with `backbone=FILE`"
        ) from error
    return _named(network.features)


def _named(features: Iterable[nn.Module]) -> dict[str, Tensor]:
    """Torchvision's convolutions under the names of the paper: they count from each pooling on."""
    weights: dict[str, Tensor] = {}
    block = place = 1
    for layer in features:
        if isinstance(layer, nn.MaxPool2d):
            block, place = block + 1, 1
        elif isinstance(layer, nn.Conv2d):
            assert layer.bias is not None
            weights[f"conv{block}_{place}.weight"] = layer.weight.detach()
            weights[f"conv{block}_{place}.bias"] = layer.bias.detach()
            place += 1
    return weights


def _flat(name: str, part: str) -> str:
    return f"{name}_{part}"  # a buffer's name has no dot


def _as_in_caffe(pixels: Tensor) -> Tensor:
    return pixels.flip(1) * 255 - pixels.new_tensor(_CAFFE_MEAN)[:, None, None]


def _normalised(pixels: Tensor) -> Tensor:
    mean, std = (pixels.new_tensor(each)[:, None, None] for each in (_IMAGENET_MEAN, _IMAGENET_STD))
    return (pixels - mean) / std

"""The origin's exact method (Karpathy 2015): a classifier looks at every candidate crop.

Any module (N, 3, S, S) -> (N,) or (N, 1) logits will do; higher is better. Each crop is resampled,
antialiased, to the network's square input, so a crop that is not square is squashed, as in the
origin. One network pass for each crop makes this costly: search by ``halving``.

Channels last runs the package's trunk three times faster on a CPU; a GPU works in half precision.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cropper.boxes import Boxes, normalise
from cropper.errors import ConfigError, MissingModelError
from cropper.image import View
from cropper.sampling import Pyramid, pyramid, sample_affine, sample_boxes
from cropper.scorers.affine import JUDGED, BoundAffine, BoundPixels, Reading
from cropper.scorers.auto_batch import AutoBatch
from cropper.scorers.base import BoundScorer, ScorerSpec
from cropper.scorers.checkpoint import load_weights
from cropper.scorers.cuda_graphs import upload
from cropper.scorers.trunk import Trunk, input_size

__all__ = ["ConvNetScorer", "Preprocessing", "TrunkClassifier", "build_backbone", "load"]

_STRIDES = (8, 16, 32)  # of the trunk's taps
_CELLS = 7  # a side, where a crop's features are read from the whole picture's
_USUAL_SCALE = 0.75  # of a crop: the whole picture is shown to the trunk this much larger


@dataclass(frozen=True)
class Preprocessing:
    """How the network wants its pixels; travels with the weights."""

    side: int  # px of the square input
    mean: tuple[float, float, float]  # of RGB in [0, 1]
    std: tuple[float, float, float]
    detail: int | None = None  # px a side that a crop is read at, then enlarged; None: side

    def to_dict(self) -> dict[str, object]:
        return asdict(self)

    def normalised(self, pixels: Tensor) -> Tensor:
        """(H, W, 3) uint8, or floats from 0 to 255 -> (3, H, W) as the network wants them."""
        values = (pixels if pixels.is_floating_point() else pixels.float()).movedim(2, 0) / 255
        mean, std = values.new_tensor(self.mean), values.new_tensor(self.std)
        return (values - mean[:, None, None]) / std[:, None, None]

    def levels(self, pixels: Tensor) -> Pyramid:
        """(H, W, 3) uint8 -> what crops are read from."""
        return pyramid(self.normalised(pixels))

    def read(self, levels: Pyramid, boxes: Tensor) -> Tensor:
        """(N, 4) normalised xyxy -> (N, 3, side, side), the network's input."""
        return self.enlarged(sample_boxes(levels, boxes, self.read_size))

    @property
    def read_size(self) -> tuple[int, int]:
        """(height, width) at which a crop is read."""
        detail = self.detail or self.side
        return detail, detail

    def enlarged(self, crops: Tensor) -> Tensor:
        """Crops as they are read -> (N, 3, side, side)."""
        if self.read_size[0] == self.side:
            return crops
        return F.interpolate(crops, (self.side, self.side), mode="bilinear", align_corners=False)


class TrunkClassifier(nn.Module):
    """The package's trunk on one crop, its features averaged, a head."""

    def __init__(self, hidden: int = 64, bands: int = 1, mirrored: bool = False) -> None:
        """``hidden`` 0 makes the head linear; ``bands`` of the crop, one below the other, are
        averaged apart, so that the head can tell where in the crop something is; ``mirrored``
        takes the mean with the mirror image, at twice the work."""
        super().__init__()
        self.trunk = Trunk()
        self.bands, self.mirrored = bands, mirrored
        width = sum(Trunk.channels) * bands
        self.head = (
            nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1))
            if hidden
            else nn.Linear(width, 1)
        )

    def features(self, crops: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N, 448 * bands): the means of the three taps."""
        taps = self.trunk(crops)
        return torch.cat([F.adaptive_avg_pool2d(t, (self.bands, 1)).flatten(1) for t in taps], 1)

    def forward(self, crops: Tensor) -> Tensor:
        features = self.features(crops)
        if self.mirrored:
            features = (features + self.features(crops.flip(3))) / 2
        out: Tensor = self.head(features)
        return out


def build_backbone(name: str, **head: Any) -> nn.Module:
    """``trunk`` is the package's own network, with what ``head`` says; any other name is a
    torchvision classifier."""
    if name == "trunk":
        return TrunkClassifier(**head)
    import torchvision  # noqa: PLC0415 - 3 s, and only this line needs it

    try:
        module: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=1)
    except ValueError as error:
        raise MissingModelError(
            f"no backbone {name!r}: use 'trunk' or one of torchvision.models.list_models()"
        ) from error
    return module


def load(
    header: dict[str, Any], path: Path, spec: ScorerSpec, device: torch.device
) -> ConvNetScorer:
    """The scorer in a checkpoint, on ``device``."""
    module = build_backbone(header["backbone"], **header.get("head", {}))
    load_weights(module, path, header)
    return ConvNetScorer(module, Preprocessing(**header["preprocessing"]), spec, device)


class ConvNetScorer:
    """Scores each crop by a forward pass of ``module`` over its pixels."""

    def __init__(
        self,
        module: nn.Module,
        preprocessing: Preprocessing,
        spec: ScorerSpec,
        device: torch.device | str = "cpu",
        batch: int | None = None,
    ) -> None:
        """``batch`` is the crops in one pass; None finds what the device takes."""
        self.device = torch.device(device)
        self.dtype = torch.float16 if self.device.type == "cuda" else torch.float32
        self.module = module.to(self.device).to(memory_format=torch.channels_last).eval()
        self.module.to(self.dtype)
        self.preprocessing = preprocessing
        self.spec = replace(spec, device=self.device.type)
        self.batch = AutoBatch(self.device, batch)

    @property
    def trunk(self) -> Trunk | None:
        """The package's, where that is the backbone."""
        return self.module.trunk if isinstance(self.module, TrunkClassifier) else None

    @property
    def trunk_pixels(self) -> int:
        """Area at which a whole picture is as sharp as crops are to the trunk."""
        return int((self.preprocessing.side / _USUAL_SCALE) ** 2)

    def pixels(self, view: View) -> Tensor:
        """(3, H, W) as the network wants them."""
        return self.preprocessing.normalised(upload(view.pixels, self.device))

    def bind_affine(self, view: View) -> BoundAffine:
        return _AffineCrops(self, self.pixels(view), view.size)

    def bind_pixels(self, view: View) -> BoundPixels:
        def score(pixels: Tensor, theta: Tensor) -> Tensor:
            seen = self.preprocessing.normalised(pixels.to(self.device))
            return _AffineCrops(self, seen, view.size)(theta)

        return BoundPixels(view.pixels, score)

    def bind(self, view: View) -> BoundScorer:
        levels = pyramid(self.pixels(view))

        def forward(boxes: Tensor) -> Tensor:
            crops = self.preprocessing.read(levels, boxes).to(self.dtype)
            crops = crops.contiguous(memory_format=torch.channels_last)
            logits: Tensor = self.module(crops)
            return logits.flatten()

        def score(boxes: Boxes) -> NDArray[np.floating]:
            where = torch.from_numpy(normalise(boxes, view.size)).to(self.device, torch.float32)
            logits = self.batch.run(forward, where)
            if self.dtype is torch.float16 and not torch.isfinite(logits).all():
                self.dtype = torch.float32  # a sum was too large for half precision
                self.module.to(self.dtype)
                logits = self.batch.run(forward, where)
            return np.asarray(logits.detach().float().cpu().numpy())

        return BoundScorer(score, view.size, self.spec.batch_size)

    def describe(self, view: View) -> NDArray[np.float32]:
        """(D,): what reaches the last layer, of the whole picture; fc7 for a VGG, as in 2015."""
        seen: list[Tensor] = []

        def keep(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen.append(inputs[0])

        layers = [m for m in self.module.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        handle = layers[-1].register_forward_pre_hook(keep)
        try:
            whole = view.whole
            self.bind(view)(whole)
        finally:
            handle.remove()
        values = seen[-1]
        if values.ndim == 4:  # a convolution is the last layer
            values = values.mean((2, 3))
        return np.asarray(values[0].detach().float().cpu().numpy())


class _AffineCrops:
    """The objective of one picture over theta: a network pass for each crop.

    With ``Reading.features`` the trunk looks once at the whole picture, about as sharply as it
    looks at a crop, and a crop's features are read from there. That is not the judged score, since
    convolutions then see across the crop's edge, but a smooth stand-in for its slope.
    """

    reads_pixels = True
    mirror_invariant = False

    def __init__(self, scorer: ConvNetScorer, pixels: Tensor, size: tuple[int, int]) -> None:
        self.scorer, self.size = scorer, size
        self.levels = pyramid(pixels)

    def __call__(self, theta: Tensor, reading: Reading = JUDGED) -> Tensor:
        chunks = torch.split(theta.to(self.levels.levels[0]), self.scorer.spec.batch_size)
        look = self._by_features if reading.features else self._by_pixels
        return torch.cat([look(chunk, reading) for chunk in chunks])

    def _by_pixels(self, theta: Tensor, reading: Reading) -> Tensor:
        preprocessing = self.scorer.preprocessing
        crops = sample_affine(_read(self.levels, reading), theta, preprocessing.read_size)
        logits: Tensor = self.scorer.module(preprocessing.enlarged(crops).to(self.scorer.dtype))
        return logits.flatten().to(crops)

    def _by_features(self, theta: Tensor, reading: Reading) -> Tensor:
        means = []
        taps = self._taps
        module = self.scorer.module
        assert isinstance(module, TrunkClassifier)
        for tap, scale in taps:
            read = sample_affine(_read(tap, reading), theta * scale, (_CELLS, _CELLS))
            means.append(F.adaptive_avg_pool2d(read, (module.bands, 1)).flatten(1))
        logits: Tensor = module.head(torch.cat(means, 1).to(self.scorer.dtype))
        return logits.flatten().float()

    @cached_property
    def _taps(self) -> list[tuple[Pyramid, Tensor]]:
        """The whole picture's taps, and what brings theta to the pixels of each."""
        module = self.scorer.module
        if not isinstance(module, TrunkClassifier):
            raise ConfigError(
                "reading from features takes the backbone 'trunk', whose taps are known: choose "
                "another method"
            )
        pixels = self.levels.levels[0]
        width, height = input_size(self.size, self.scorer.trunk_pixels)
        whole = torch.eye(2, 3).to(pixels)[None]
        taps = []
        with torch.no_grad():
            picture = sample_affine(self.levels, whole, (height, width))
            seen = module.trunk(picture.to(self.scorer.dtype))
            for stride, tap in zip(_STRIDES, seen, strict=True):
                cells = pixels.new_tensor([tap.shape[-1], tap.shape[-2]])
                scale = (stride * (cells - 1) + 1) / (stride * cells)
                taps.append((pyramid(tap[0].float()), scale[:, None]))
        return taps


def _read(levels: Pyramid, reading: Reading) -> Pyramid:
    """The levels that a reading may use."""
    kept = levels.levels[min(reading.coarse, len(levels.levels) - 1) :]
    return Pyramid(kept if reading.antialias else kept[:1])

"""The origin's exact method (Karpathy 2015): a classifier looks at every candidate crop.

Any module (N, 3, S, S) -> (N,) or (N, 1) logits will do; higher is better. Each crop is resampled,
antialiased, to the network's square input, so a crop that is not square is squashed, as in the
origin. One network pass for each crop makes this costly: search by ``halving``.

Channels last is the fastest layout of all networks that were tried, on a CPU and on a GPU; a GPU
works in half precision.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cropper.boxes import Boxes, normalise
from cropper.errors import MissingModelError
from cropper.image import View
from cropper.sampling import Pyramid, pyramid, sample_boxes
from cropper.scorers.base import BoundScorer, ScorerSpec
from cropper.scorers.batching import AutoBatch
from cropper.scorers.trunk import Trunk

__all__ = ["ConvNetScorer", "Preprocessing", "TrunkClassifier", "build_backbone"]


@dataclass(frozen=True)
class Preprocessing:
    """How the network wants its pixels; travels with the weights."""

    side: int  # px of the square input
    mean: tuple[float, float, float]  # of RGB in [0, 1]
    std: tuple[float, float, float]
    detail: int | None = None  # px a side that a crop is read at, then enlarged; None: side

    def to_dict(self) -> dict[str, object]:
        return asdict(self)

    def levels(self, pixels: Tensor) -> Pyramid:
        """(H, W, 3) uint8 -> what crops are read from, normalised."""
        values = pixels.movedim(2, 0).float() / 255
        mean, std = values.new_tensor(self.mean), values.new_tensor(self.std)
        return pyramid((values - mean[:, None, None]) / std[:, None, None])

    def read(self, levels: Pyramid, boxes: Tensor) -> Tensor:
        """(N, 4) normalised xyxy -> (N, 3, side, side), the network's input."""
        detail = self.detail or self.side
        crops = sample_boxes(levels, boxes, (detail, detail))
        if detail == self.side:
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
        self.spec = spec
        self.batch = AutoBatch(self.device, batch)

    def bind(self, view: View) -> BoundScorer:
        levels = self.preprocessing.levels(torch.from_numpy(view.pixels).to(self.device))

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
            whole = np.array([[0.0, 0.0, *map(float, view.size)]])
            self.bind(view)(whole)
        finally:
            handle.remove()
        values = seen[-1]
        if values.ndim == 4:  # a convolution is the last layer
            values = values.mean((2, 3))
        return np.asarray(values[0].detach().float().cpu().numpy())

"""The origin's exact method (Karpathy 2015): a classifier looks at every candidate crop.

Any module (N, 3, S, S) -> (N,) or (N, 1) logits will do; higher is better. Each crop is resampled,
antialiased, to the network's square input, so a crop that is not square is squashed, as in the
origin. One network pass for each crop makes this costly: search by ``halving``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cropper.boxes import Boxes, normalise
from cropper.errors import MissingModelError
from cropper.image import View
from cropper.sampling import pyramid, sample_boxes
from cropper.scorers.base import BoundScorer, ScorerSpec
from cropper.scorers.trunk import Trunk

__all__ = ["ConvNetScorer", "Preprocessing", "TrunkClassifier", "build_backbone"]


@dataclass(frozen=True)
class Preprocessing:
    """How the network wants its pixels; travels with the weights."""

    side: int  # px of the square input
    mean: tuple[float, float, float]  # of RGB in [0, 1]
    std: tuple[float, float, float]

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


class TrunkClassifier(nn.Module):
    """The package's trunk on one crop, its features averaged, a two-layer head."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.head = nn.Sequential(
            nn.Linear(sum(Trunk.channels), hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def features(self, crops: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N, 448): the means of the three taps."""
        return torch.cat([tap.mean((2, 3)) for tap in self.trunk(crops)], 1)

    def forward(self, crops: Tensor) -> Tensor:
        out: Tensor = self.head(self.features(crops))
        return out


def build_backbone(name: str) -> nn.Module:
    """``trunk`` is the package's own network; any other name is a torchvision classifier."""
    if name == "trunk":
        return TrunkClassifier()
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
    ) -> None:
        # channels_last runs depthwise convolutions 3 times faster on a CPU
        self.module = module.to(device).to(memory_format=torch.channels_last).eval()
        self.preprocessing = preprocessing
        self.spec = spec
        self.device = torch.device(device)

    def bind(self, view: View) -> BoundScorer:
        pixels = torch.from_numpy(view.pixels).to(self.device).movedim(2, 0).float() / 255
        mean = pixels.new_tensor(self.preprocessing.mean)[:, None, None]
        std = pixels.new_tensor(self.preprocessing.std)[:, None, None]
        levels = pyramid((pixels - mean) / std)
        size = (self.preprocessing.side, self.preprocessing.side)

        def score(boxes: Boxes) -> NDArray[np.floating]:
            where = torch.from_numpy(normalise(boxes, view.size)).to(pixels)
            logits = self.module(sample_boxes(levels, where, size))
            return np.asarray(logits.flatten().detach().float().cpu().numpy())

        return BoundScorer(score, view.size, self.spec.batch_size)

"""The origin's exact method (Karpathy 2015): a classifier looks at every candidate crop.

Any module (N, 3, S, S) -> (N,) or (N, 1) logits will do; higher is better. Each crop is resampled,
antialiased, to the network's square input, so a crop that is not square is squashed, as in the
origin. One network pass for each crop makes this costly: search by ``halving``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cropper.boxes import Boxes, normalise
from cropper.errors import ConfigError, MissingModelError
from cropper.image import View
from cropper.sampling import Pyramid, pyramid, sample_affine, sample_boxes
from cropper.scorers.affine import JUDGED, BoundAffine, Reading
from cropper.scorers.base import BoundScorer, ScorerSpec
from cropper.scorers.trunk import Trunk, input_size

__all__ = ["ConvNetScorer", "Preprocessing", "TrunkClassifier", "build_backbone"]

_STRIDES = (8, 16, 32)  # of the trunk's taps
_CELLS = 7  # a side, where a crop's features are read from the whole picture's
_USUAL_SCALE = 0.75  # of a crop: the whole picture is shown to the trunk this much larger


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

    def pixels(self, view: View) -> Tensor:
        """(3, H, W) as the network wants them."""
        pixels = torch.from_numpy(view.pixels).to(self.device).movedim(2, 0).float() / 255
        mean = pixels.new_tensor(self.preprocessing.mean)[:, None, None]
        std = pixels.new_tensor(self.preprocessing.std)[:, None, None]
        return (pixels - mean) / std

    def bind_affine(self, view: View) -> BoundAffine:
        return _AffineCrops(self, self.pixels(view), view.size)

    def bind(self, view: View) -> BoundScorer:
        pixels = self.pixels(view)
        levels = pyramid(pixels)
        size = (self.preprocessing.side, self.preprocessing.side)

        def score(boxes: Boxes) -> NDArray[np.floating]:
            where = torch.from_numpy(normalise(boxes, view.size)).to(pixels)
            logits = self.module(sample_boxes(levels, where, size))
            return np.asarray(logits.flatten().detach().float().cpu().numpy())

        return BoundScorer(score, view.size, self.spec.batch_size)


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
        side = self.scorer.preprocessing.side
        crops = sample_affine(_read(self.levels, reading), theta, (side, side))
        logits: Tensor = self.scorer.module(crops)
        return logits.flatten()

    def _by_features(self, theta: Tensor, reading: Reading) -> Tensor:
        means = []
        for tap, scale in self._taps:
            read = sample_affine(_read(tap, reading), theta * scale, (_CELLS, _CELLS))
            means.append(read.mean((2, 3)))
        module = self.scorer.module
        assert isinstance(module, TrunkClassifier)
        logits: Tensor = module.head(torch.cat(means, 1))
        return logits.flatten()

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
        area = int((self.scorer.preprocessing.side / _USUAL_SCALE) ** 2)
        width, height = input_size(self.size, area)
        whole = torch.eye(2, 3).to(pixels)[None]
        taps = []
        with torch.no_grad():
            picture = sample_affine(self.levels, whole, (height, width))
            for stride, tap in zip(_STRIDES, module.trunk(picture), strict=True):
                cells = pixels.new_tensor([tap.shape[-1], tap.shape[-2]])
                scale = (stride * (cells - 1) + 1) / (stride * cells)
                taps.append((pyramid(tap[0]), scale[:, None]))
        return taps


def _read(levels: Pyramid, reading: Reading) -> Pyramid:
    """The levels that a reading may use."""
    kept = levels.levels[min(reading.coarse, len(levels.levels) - 1) :]
    return Pyramid(kept if reading.antialias else kept[:1])

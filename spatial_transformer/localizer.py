"""The learned transformer: from a picture's features to an affine crop, in one pass.

A small head on the features that CropNet's trunk computes for its boxes anyway. It answers for the
picture and for its mirror image, and the two answers' mean is mirror-invariant, as the scorer is.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from cropper.errors import ConfigError, MissingModelError
from cropper.sampling import sample_affine
from cropper.scorers import WEIGHTS, Scorer
from cropper.scorers.affine import BoundAffine, on_torch
from cropper.scorers.checkpoint import module_digest, save_scorer
from cropper.scorers.cropnet.network import BoundCropNet, CropNetScorer, PhotoFeatures
from cropper.scorers.header import read_header
from spatial_transformer.affine import PARAMS, AffineCrop

__all__ = [
    "Localizer",
    "LocalizerConfig",
    "features_of",
    "load_localizer",
    "localizer_for",
    "save_localizer",
]

# Rotation, shear and centre x turn their sign in the mirror; log scale, y and log aspect keep it
_MIRROR = (1.0, -1.0, 1.0, 1.0, -1.0, -1.0)


@dataclass(frozen=True)
class LocalizerConfig:
    channels: int = 16  # of the scorer's map
    context: int = 192  # of the scorer's summary of the picture
    grid: int = 8  # samples of the map, a side
    hidden: int = 96
    dropout: float = (
        0.3  # in training alone: a thousand pictures, and as many weights a hidden unit
    )


class Localizer(nn.Module):
    """Features of a picture and the bounds of a space -> params (N, 6) of that space."""

    def __init__(self, config: LocalizerConfig | None = None) -> None:
        super().__init__()
        self.config = config or LocalizerConfig()
        inputs = self.config.channels * self.config.grid**2 + self.config.context + 3
        self.head = nn.Sequential(
            nn.Linear(inputs, self.config.hidden),
            nn.ReLU(),
            nn.Dropout(self.config.dropout),
            nn.Linear(self.config.hidden, PARAMS),
        )
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)  # the first answer is the start of every bound's middle
        nn.init.zeros_(last.bias)

    def forward(self, grids: Tensor, context: Tensor, asked: Tensor) -> Tensor:
        """(N, channels, grid, grid), (N, context), (N, 3) -> (N, 6) raw, 0 in the middle.

        ``asked`` is the picture's log aspect, the crop's base aspect relative to it, and 1 where
        the aspect is free.
        """
        shared = torch.cat([context, asked], 1)
        answer: Tensor = self.head(torch.cat([grids.flatten(1), shared], 1))
        other: Tensor = self.head(torch.cat([grids.flip(3).flatten(1), shared], 1))
        return (answer + other * other.new_tensor(_MIRROR)) / 2

    def params(self, bound: BoundAffine, space: AffineCrop) -> Tensor:
        """(1, 6) float64. Raises ConfigError for a scorer without CropNet's features."""
        if not isinstance(bound, BoundCropNet):
            raise ConfigError("a localizer reads CropNet's features: use it with cropnet")
        with torch.no_grad():
            grids, context = features_of(bound.features, self.config)
            raw = self(grids[None], context[None], asked_of(space).to(grids)[None])
        return space.project(within(raw.double().cpu(), space))


def features_of(features: PhotoFeatures, config: LocalizerConfig) -> tuple[Tensor, Tensor]:
    """(channels, grid, grid) and (context,) of one picture."""
    whole = torch.eye(2, 3).to(features.context)[None]
    return sample_affine(features.maps, whole, (config.grid, config.grid))[0], features.context


def asked_of(space: AffineCrop) -> Tensor:
    """(3,): what the head has to know of a space."""
    own = math.log(space.size[0] / space.size[1])
    free = space.log_aspect[0] < space.log_aspect[1]
    return torch.tensor([own, math.log(space.aspect) - own, float(free)])


def within(raw: Tensor, space: AffineCrop) -> Tensor:
    """(N, 6) raw answers -> (N, 6) params within the bounds, smoothly; differentiable.

    An answer in [-1, 1] spans the bounds of scale and centre, so that both ends can be reached;
    rotation, shear and aspect are in units of 0.1.
    """
    low, high = math.log(space.min_scale), math.log(space.max_scale)
    scale = (low + high) / 2 + raw[:, :1] * (high - low) / 2
    centre = 0.5 + raw[:, 1:3] / 2
    return torch.cat([scale, centre, 0.1 * raw[:, 3:]], 1)


def save_localizer(net: Localizer, scorer: str, digest: str, path: Path) -> None:
    """``digest`` is that of the scorer's weights, since the head reads no other's features."""
    header = {
        "kind": "localizer",
        "scorer": scorer,
        "scorer_sha256": digest,
        "licence": "Apache-2.0",
        "config": asdict(net.config),
    }
    save_scorer(net, header, path)


def load_localizer(path: Path, digest: str) -> Localizer:
    """Raises MissingModelError where there is none, or one for other weights than ``digest``."""
    header = read_header(path, "make a localizer with `cropper train localizer`")
    if header.get("kind") != "localizer":
        raise MissingModelError(
            f"{path} holds a {header.get('kind')!r}: train a localizer with "
            "`cropper train localizer`"
        )
    if header["scorer_sha256"] != digest:
        raise MissingModelError(
            f"{path} was trained on another scorer's features than this one's: train it again with "
            "`cropper train localizer`"
        )
    net = Localizer(LocalizerConfig(**header["config"]))
    net.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    net.requires_grad_(False)
    return net.eval()


def localizer_for(scorer: Scorer, path: Path | None = None) -> Localizer:
    """The localizer of a scorer's features, on its device; None is the package's own.

    Raises ConfigError for a scorer that is no CropNet, and what ``load_localizer`` raises.
    """
    judged = on_torch(scorer)
    if not isinstance(judged, CropNetScorer):
        raise ConfigError("a localizer reads CropNet's features: use it with cropnet")
    net = load_localizer(path or WEIGHTS / "localizer.safetensors", module_digest(judged.net))
    return net.to(judged.device)

"""CropNet: one trunk pass for a picture, then thousands of boxes through a small head.

After GAIC (Zeng et al. 2019): a box is judged by the features inside it (RoI), by those that it
cuts away (RoD), and by its place and shape. Two things differ. The RoD term is folded: what a
hidden unit takes from the whole picture's grid is computed once for the picture, and a box only
says which share of each cell it leaves outside. And the head is mirror-invariant by construction:
each hidden unit is ``relu(s + a) + relu(s - a)`` with ``s`` from the mirror-symmetric and ``a``
from the antisymmetric part of its input, which is the unit on the crop plus the unit on the
mirrored crop at the price of one. The trunk sees a picture and its mirror image from the same side
(``seen_mirrored``), so a mirrored picture gets the mirrored crop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cropper.boxes import Boxes, normalise
from cropper.image import View
from cropper.sampling import Pyramid, equal_area_boxes, pyramid, sample_affine, sample_boxes
from cropper.scorers.affine import JUDGED, BoundAffine, BoundPixels, Reading
from cropper.scorers.base import BoundScorer, Scorer, ScorerSpec
from cropper.scorers.checkpoint import load_weights
from cropper.scorers.cropnet.config import STRIDE, CropNetConfig, input_size, seen_mirrored
from cropper.scorers.cuda_graphs import Forward, Replayed, upload
from cropper.scorers.trunk import Trunk, normalise_pixels

__all__ = [
    "BoundCropNet",
    "BoxHead",
    "CropNet",
    "CropNetConfig",
    "CropNetScorer",
    "PhotoFeatures",
    "load",
]


@dataclass(frozen=True)
class PhotoFeatures:
    """What the head needs of one picture, computed once."""

    maps: Pyramid  # of (channels, h, w) at stride 16
    cells: Tensor  # (2, rod * rod, hidden): what each cell would add if left outside; s and a
    context: Tensor  # (hidden,): what the picture as a whole adds
    aspect: float  # log of width / height
    gaze: Tensor | None  # (h, w): log density of fixations over the cells of the map, sum 1


class CropNet(nn.Module):
    """Trunk, neck and head. ``bind`` a picture, then ``score`` boxes of it."""

    def __init__(self, config: CropNetConfig | None = None) -> None:
        super().__init__()
        self.config = config or CropNetConfig()
        self.trunk = Trunk()
        self.head = BoxHead(self.config)

    def look(
        self, pixels: NDArray[np.uint8], forward: Forward | None = None
    ) -> list[PhotoFeatures]:
        """(B, 32 h + 1, 32 w + 1, 3) -> features of each picture, on the network's device.

        ``forward`` stands in for ``self.features``.
        """
        images = normalise_pixels(upload(pixels, self.head.rod.device))
        return self.seen(images, [seen_mirrored(each) for each in pixels], forward)

    def seen(
        self, images: Tensor, mirrored: Sequence[bool], forward: Forward | None = None
    ) -> list[PhotoFeatures]:
        """(B, 3, 32 h + 1, 32 w + 1) in [-1, 1] -> features of each picture.

        Those that are ``mirrored`` are turned round for the trunk, and what it sees is turned back.
        """
        where = torch.tensor(mirrored, device=images.device)[:, None, None, None]
        fused, pooled = (forward or self.features)(torch.where(where, images.flip(3), images))
        return self._bound(torch.where(where, fused.flip(3), fused), pooled)

    def bind(self, images: Tensor) -> list[PhotoFeatures]:
        """(B, 3, 32 h + 1, 32 w + 1) in [-1, 1] -> features of each photo, not mirrored."""
        return self._bound(*self.features(images))

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) -> the fused maps (B, channels, h, w) and the means (B, 320).

        The trunk in its own precision, everything after it in that of the head.
        """
        own = self.trunk(images.to(self.trunk.dtype))
        fine, middle, coarse = (tap.to(images.dtype) for tap in own)
        return self.head.fuse((fine, middle, coarse)), coarse.mean((2, 3))

    def _bound(self, fused: Tensor, pooled: Tensor) -> list[PhotoFeatures]:
        return [self.head.bind(*each) for each in zip(fused, pooled, strict=True)]

    def score(self, features: PhotoFeatures, boxes: Tensor) -> Tensor:
        """(N, 4) normalised xyxy -> (N,) logits."""
        logits: Tensor = self.head(features, boxes)
        return logits

    def score_affine(
        self, features: PhotoFeatures, theta: Tensor, reading: Reading = JUDGED
    ) -> Tensor:
        """(N, 2, 3) -> (N,) logits, those of ``score`` where theta is upright.

        Inside, the turned crop is read; place, shape and what is cut away are those of the upright
        box of its centre, width and area, since that is all that the head was trained on.
        """
        return self.head.affine(features, theta, reading)


class BoxHead(nn.Module):
    """Everything after the trunk."""

    gaze_weights: Tensor  # (2,), with config.gaze: of what _gaze_kept gives, in a score

    def __init__(self, config: CropNetConfig) -> None:
        super().__init__()
        self.config = config
        self.taps = nn.ModuleList(nn.Conv2d(c, config.fused, 1) for c in Trunk.channels)
        self.reduce = nn.Conv2d(config.fused, config.channels, 1)
        middle, sides = config.channels * config.roi, config.roi // 2
        self.roi_even = nn.Linear(middle * (config.roi - sides), config.hidden)
        self.roi_odd = nn.Linear(middle * sides, config.hidden, bias=False)
        self.rod = nn.Parameter(
            torch.randn(config.channels, config.rod, config.rod, config.hidden)
            / (config.channels * config.rod**2) ** 0.5
        )
        self.geometry_even = nn.Linear(8, config.hidden, bias=False)
        self.geometry_odd = nn.Linear(1, config.hidden, bias=False)
        self.context = nn.Linear(Trunk.channels[2], config.hidden, bias=False)
        self.out = nn.Sequential(
            nn.Linear(config.hidden, config.hidden // 2),
            nn.ReLU(),
            nn.Linear(config.hidden // 2, 1),
        )
        if config.gaze:
            self.gaze = nn.Conv2d(config.channels, 1, 1)
            self.register_buffer("gaze_weights", torch.zeros(2))

    def fuse(self, taps: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Three taps -> (B, channels, h, w) at stride 16, aligned on the stride-16 pixels."""
        fine, middle, coarse = (conv(tap) for conv, tap in zip(self.taps, taps, strict=True))
        fine = F.avg_pool2d(fine, 3, 2, padding=1, count_include_pad=False)
        coarse = F.interpolate(coarse, middle.shape[-2:], mode="bilinear", align_corners=True)
        out: Tensor = self.reduce(F.relu(fine + middle + coarse))
        return out

    def bind(self, fused: Tensor, pooled: Tensor) -> PhotoFeatures:
        """(channels, h, w) and (320,) of one picture -> its features."""
        maps = pyramid(fused)
        whole = fused.new_tensor([[0.0, 0.0, 1.0, 1.0]])
        size = (self.config.rod, self.config.rod)
        grid = sample_boxes(maps, _to_map(whole, fused), size)[0]  # (channels, rod, rod)
        mirrored = self.rod.flip(2)
        parts = torch.stack([self.rod + mirrored, self.rod - mirrored]) / 2
        cells = torch.einsum("cij,pcijh->pijh", grid, parts).flatten(1, 2)
        aspect = torch.log(torch.tensor((fused.shape[-1] - 1) / max(fused.shape[-2] - 1, 1)))
        gaze = self.density(fused) if self.config.gaze else None
        return PhotoFeatures(maps, cells, self.context(pooled), float(aspect), gaze)

    def density(self, fused: Tensor) -> Tensor:
        """(channels, h, w) -> (h, w): the log density of fixations over the cells of the map."""
        logits = self.gaze(fused[None])[0, 0]
        return F.log_softmax(logits.flatten(), 0).view_as(logits)

    def forward(self, features: PhotoFeatures, boxes: Tensor) -> Tensor:
        """(N, 4) normalised xyxy -> (N,) logits."""
        size = (self.config.roi, self.config.roi)
        roi = sample_boxes(features.maps, _to_map(boxes, features.maps.levels[0]), size)
        return self._judge(features, roi, boxes)

    def affine(self, features: PhotoFeatures, theta: Tensor, reading: Reading) -> Tensor:
        """(N, 2, 3) -> (N,) logits."""
        size = (self.config.roi, self.config.roi)
        levels = features.maps.levels[min(reading.coarse, len(features.maps.levels) - 1) :]
        maps = Pyramid(levels if reading.antialias else levels[:1])
        roi = sample_affine(maps, theta * _map_scale(theta, features.maps.levels[0]), size)
        shape = (math.exp(features.aspect), 1.0)
        return self._judge(features, roi, equal_area_boxes(theta, shape))

    def _judge(self, features: PhotoFeatures, roi: Tensor, boxes: Tensor) -> Tensor:
        """(N, channels, roi, roi) read in the crops and their (N, 4) boxes -> (N,) logits."""
        sides = self.config.roi // 2
        mirrored = roi.flip(3)
        even = torch.cat([roi[..., :sides] + mirrored[..., :sides], roi[..., sides : sides + 1]], 3)
        odd = roi[..., :sides] - mirrored[..., :sides]
        symmetric, antisymmetric = _geometry(boxes, features.aspect)
        outside = _outside(boxes, self.config.rod)  # (N, rod * rod)
        s = self.roi_even(even.flatten(1)) + self.geometry_even(symmetric)
        s = s + outside @ features.cells[0] + features.context
        a = self.roi_odd(odd.flatten(1)) + self.geometry_odd(antisymmetric)
        a = a + outside @ features.cells[1]
        hidden = F.dropout(F.relu(s + a) + F.relu(s - a), self.config.dropout, self.training)
        out: Tensor = self.out(hidden).squeeze(1)
        if features.gaze is not None:
            out = out + _gaze_kept(features.gaze.exp(), boxes) @ self.gaze_weights
        return out


def _to_map(boxes: Tensor, fused: Tensor) -> Tensor:
    """Boxes normalised to the picture -> normalised to the map, whose pixel i lies on 16 i."""
    cells = boxes.new_tensor([fused.shape[-1], fused.shape[-2]] * 2)
    pixels = STRIDE * (cells - 1) + 1  # the input's sides
    return (boxes * pixels + (STRIDE - 1) / 2) / (STRIDE * cells)


def _map_scale(theta: Tensor, fused: Tensor) -> Tensor:
    """(2, 1): what ``_to_map`` does to coordinates in [-1, 1]."""
    cells = theta.new_tensor([fused.shape[-1], fused.shape[-2]])
    return ((STRIDE * (cells - 1) + 1) / (STRIDE * cells))[:, None]


def _geometry(boxes: Tensor, aspect: float) -> tuple[Tensor, Tensor]:
    """Place and shape, (N, 8) that a mirror keeps and (N, 1) whose sign it turns."""
    x0, y0, x1, y1 = boxes.unbind(1)
    width, height = x1 - x0, y1 - y0
    off = (x0 + x1) - 1
    shape = torch.log(width / height) + aspect
    kept = [y0, 1 - y1, width, height, width * height, off.abs(), shape, shape.abs()]
    return torch.stack(kept, 1), off[:, None]


def _outside(boxes: Tensor, cells: int) -> Tensor:
    """(N, 4) -> (N, cells * cells): the share of each cell of the picture that a box cuts away."""
    across, down = _covered(boxes, cells, cells)
    return 1 - (down[:, :, None] * across[:, None, :]).flatten(1)


def _covered(boxes: Tensor, columns: int, rows: int) -> tuple[Tensor, Tensor]:
    """(N, 4) -> (N, columns), (N, rows): the share of each column and row that a box covers."""
    found = []
    for axis, cells in enumerate((columns, rows)):
        edges = torch.arange(cells, dtype=boxes.dtype, device=boxes.device) / cells
        low = torch.maximum(boxes[:, axis, None], edges)
        high = torch.minimum(boxes[:, axis + 2, None], edges + 1 / cells)
        found.append((high - low).clamp_min(0) * cells)
    return found[0], found[1]


def _gaze_kept(density: Tensor, boxes: Tensor) -> Tensor:
    """(h, w), (N, 4) -> (N, 2): the share of fixations that a box keeps, and its area."""
    across, down = _covered(_to_map(boxes, density), *density.shape[::-1])
    share = ((down @ density) * across).sum(1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return torch.stack([share, area], 1)


def load(header: dict[str, Any], path: Path, spec: ScorerSpec, device: torch.device) -> Scorer:
    """The scorer in a checkpoint, on ``device``."""
    net = CropNet(CropNetConfig(**header["config"]))
    load_weights(net, path, header)
    return CropNetScorer(net, spec, device)


@dataclass(frozen=True)
class BoundCropNet:
    """The objective of one picture over theta; every reading is one of its feature map."""

    net: CropNet
    features: PhotoFeatures
    size: tuple[int, int]
    reads_pixels: bool = False
    mirror_invariant: bool = True

    def __call__(self, theta: Tensor, reading: Reading = JUDGED) -> Tensor:
        theta = theta.to(self.features.context)
        return self.net.score_affine(self.features, theta, reading)


class CropNetScorer:
    """CropNet as a scorer: features in ``bind``, boxes in the objective."""

    def __init__(
        self,
        net: CropNet,
        spec: ScorerSpec,
        device: torch.device | str = "cpu",
        precision: torch.dtype | None = None,
    ) -> None:
        """``precision`` is the trunk's; None is half on a GPU, single on a CPU.

        Half (fp16) and not bf16, since ReLU6 bounds what is stored: on 34 photos the scores are
        off by at most .007, and by .19 in bf16, where their standard deviation is 1.2.
        """
        self.device = torch.device(device)
        # channels_last runs the depthwise convolutions 3 times faster on a CPU
        self.net = net.to(device).to(memory_format=torch.channels_last).eval()
        self._forward = Replayed(self.net.features)
        self.net.trunk.to(precision or (torch.float16 if self.device.type == "cuda" else None))
        self.spec = replace(spec, device=self.device.type)

    @property
    def trunk(self) -> Trunk:
        return self.net.trunk

    @property
    def trunk_pixels(self) -> int:
        """Area of what the trunk reads."""
        return self.net.config.pixels

    def bind(self, view: View) -> BoundScorer:
        return self.bind_all([view])[0]

    def bind_all(self, views: Sequence[View]) -> list[BoundScorer]:
        """One pass of the trunk for all views that share an input size."""
        groups: dict[tuple[int, int], list[int]] = {}
        for index, view in enumerate(views):
            groups.setdefault(input_size(view.size, self.net.config.pixels), []).append(index)
        bound: dict[int, BoundScorer] = {}
        for size, members in groups.items():
            pixels = np.stack([views[index].resized(*size) for index in members])
            found = self.net.look(pixels, self._forward)
            for index, features in zip(members, found, strict=True):
                bound[index] = self._bound(features, views[index].size)
        return [bound[index] for index in range(len(views))]

    def _bound(self, features: PhotoFeatures, size: tuple[int, int]) -> BoundScorer:
        def score(boxes: Boxes) -> NDArray[np.floating]:
            where = torch.from_numpy(normalise(boxes, size)).to(self.device, torch.float32)
            return np.asarray(self.net.score(features, where).detach().cpu().numpy())

        return BoundScorer(score, size, self.spec.batch_size)

    def bind_affine(self, view: View) -> BoundAffine:
        width, height = input_size(view.size, self.net.config.pixels)
        features = self.net.look(view.resized(width, height)[None], self._forward)[0]
        return BoundCropNet(self.net, features, view.size)

    def bind_pixels(self, view: View) -> BoundPixels:
        """The trunk looks from the side that ``view`` is seen from, whatever the pixels become."""
        own = view.resized(*input_size(view.size, self.net.config.pixels))
        side = seen_mirrored(own)

        def score(pixels: Tensor, theta: Tensor) -> Tensor:
            images = normalise_pixels(pixels.to(self.device))[None]
            return BoundCropNet(self.net, self.net.seen(images, [side])[0], view.size)(theta)

        return BoundPixels(own, score)

"""How well a CropNet crops pictures that people cropped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from cropper.boxes import Boxes, iou
from cropper.scorers.cropnet.network import CropNet, PhotoFeatures
from cropper.search import SearchConfig, search
from cropper.space import crop_spaces
from cropper.train.data import Judged

__all__ = ["Validation", "validate"]


@dataclass(frozen=True)
class Validation:
    """Mean IoU with the expert's box, by the search that users run."""

    given: float  # the expert's aspect is given
    free: float

    @property
    def mean(self) -> float:
        return (self.given + self.free) / 2


@torch.no_grad()
def validate(net: CropNet, items: list[Judged], budget: int = 1000) -> Validation:
    """The mean over pictures; ``net`` is in its evaluation mode."""
    device = next(net.parameters()).device
    overlaps = []
    for item in items:
        features = net.look(item.pixels[None])[0]
        size = np.array(item.size * 2, dtype=np.float64)

        def objective(
            boxes: Boxes, size: Boxes = size, features: PhotoFeatures = features
        ) -> Boxes:
            where = torch.from_numpy(boxes / size).float().to(device)
            return net.score(features, where).cpu().numpy().astype(np.float64)

        width, height = item.expert[0, 2:] - item.expert[0, :2]
        aspect = float(width * item.size[0] / (height * item.size[1]))
        row = []
        for asked in (aspect, "free"):
            spaces = crop_spaces(item.size, asked, min_scale=0.6)
            best = search(objective, spaces, SearchConfig(budget=budget)).best
            row.append(iou(np.array([best.box]) / size, item.expert)[0, 0])
        overlaps.append(row)
    given, free = np.mean(overlaps, axis=0)
    return Validation(float(given), float(free))

"""CropNet's numbers, and the input size that it wants: shared by both of its backends.

Without torch, so that the CPU backend can be used where there is none.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cropper.scorers.header import check_whole

__all__ = ["MEAN_PIXEL", "STAGES", "STRIDE", "TAPS", "CropNetConfig", "input_size", "seen_mirrored"]

MEAN_PIXEL = 127.5  # TensorFlow's preprocessing: RGB / 127.5 - 1
STRIDE = 16  # of the fused feature map
# MobileNetV2: (expansion, channels, repeats, stride) of its stages, table 2 of Sandler et al. 2018
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_BOUNDS = {"pixels": (1024, 1 << 21), "fused": (1, 4096), "channels": (1, 4096), "roi": (1, 64)}
_BOUNDS |= {"rod": (1, 64), "hidden": (2, 1 << 14)}
TAPS = {6: 32, 13: 96, 17: 320}  # block whose output is used -> its channels; strides 8, 16, 32


@dataclass(frozen=True)
class CropNetConfig:
    pixels: int = 60_000  # area of the trunk's input, as 300 x 200; more is slower and no better
    fused: int = 64  # channels where the three taps meet
    channels: int = 16  # of the map that boxes are sampled from; GAIC found 8 enough
    roi: int = 7  # grid inside the box
    rod: int = 8  # grid over the whole photo
    hidden: int = 192
    dropout: float = 0.2  # of the hidden layer, in training alone
    gaze: bool = False  # where people look is read from the map, and counts in the score

    def __post_init__(self) -> None:
        """Raises ValueError, since a header may say anything."""
        for name, (least, most) in _BOUNDS.items():
            check_whole(name, getattr(self, name), least, most)
        if not isinstance(self.dropout, int | float) or not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is in [0, 1), got {self.dropout!r:.40}")
        if not isinstance(self.gaze, bool):
            raise ValueError(f"gaze is true or false, got {self.gaze!r:.40}")

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    @property
    def head_multiply_adds(self) -> int:
        """Of the head's layers for one candidate, what reading its features takes left out."""
        first = self.channels * self.roi**2 + 2 * self.rod**2 + 9
        half = self.hidden // 2
        return self.hidden * (first + half) + half


@lru_cache(4096)
def input_size(size: tuple[int, int], pixels: int) -> tuple[int, int]:
    """(width, height) of the network's input for a photo of ``size``: sides of 32 k + 1 px.

    Among the sizes near ``pixels`` in area, the one that distorts the aspect least; an area twice
    off counts like a distortion of 1.4.
    """
    aspect = math.log(size[0] / size[1])
    sides = range(33, 1058, 32)
    cost = {
        (w, h): abs(math.log(w / h) - aspect) + 0.5 * abs(math.log(w * h / pixels))
        for w in sides
        for h in sides
    }
    return min(cost, key=lambda key: cost[key])


def seen_mirrored(pixels: NDArray[np.uint8]) -> bool:
    """Whether the trunk is given the mirror image of an input (H, W, 3): where its right is bright.

    A photo and its mirror image are then the same input to the trunk, which is no more
    mirror-invariant than its training made it. In whole numbers, so that no rounding decides.
    """
    columns = pixels.sum(0, dtype=np.int64).sum(1)
    return bool(columns @ (2 * np.arange(len(columns)) - len(columns) + 1) > 0)

"""Faces to test with: scikit-image's astronaut, and its 100 strangers of 25 x 25 px, enlarged."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

STRANGERS = (31, 44, 46, 83, 93)  # whose faces are far from each other's


@lru_cache(1)
def _strangers() -> np.ndarray:
    return data.lfw_subset()[:100]


def astronaut() -> np.ndarray:
    """(512, 512, 3), one face of 115 px."""
    return data.astronaut()


def stranger(index: int, side: int = 200, around: int = 60) -> np.ndarray:
    """A grey face, ``side`` px, with as much as ``around`` beside it: (H, W, 3)."""
    small = Image.fromarray((255 * _strangers()[index]).astype(np.uint8))
    grey = np.array(small.resize((side, side), Image.Resampling.BICUBIC))
    grey = np.pad(grey, around, mode="edge")
    return np.repeat(grey[..., None], 3, 2)


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)
    return path


def side_by_side(*pictures: np.ndarray) -> np.ndarray:
    """All as high as the highest, with grey below."""
    height = max(len(each) for each in pictures)
    padded = [
        np.pad(each, ((0, height - len(each)), (0, 0), (0, 0)), constant_values=127)
        for each in pictures
    ]
    return np.concatenate(padded, 1)


def known_folder(root: Path, *, strangers: int = 2) -> Path:
    """A folder a person: ann, who is the astronaut, and strangers called s31 and so on."""
    save(root / "ann" / "mirrored.png", astronaut()[:, ::-1])
    for index in STRANGERS[:strangers]:
        save(root / f"s{index}" / "one.png", stranger(index))
    return root

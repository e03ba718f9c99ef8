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


def another_view(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same face turned, moved, lit from a side, coarser and partly hidden."""
    side = len(face)
    scale, angle = rng.uniform(0.85, 1.15), rng.uniform(-12, 12)
    picture = Image.fromarray(face).rotate(angle, Image.Resampling.BICUBIC)
    size = round(side * scale)
    picture = picture.resize((size, size), Image.Resampling.BICUBIC)
    coarse = rng.integers(60, 200)
    picture = picture.resize((coarse, coarse), Image.Resampling.BOX)
    values = np.array(picture.resize((size, size), Image.Resampling.BICUBIC), np.float64)
    ramp = np.linspace(-1, 1, size)
    light = rng.uniform(-0.5, 0.5) * ramp[:, None] + rng.uniform(-0.7, 0.7) * ramp
    values = 255 * (values / 255) ** rng.uniform(0.6, 1.7) * (1 + light[..., None])
    values += rng.normal(0, 6, values.shape)
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def identity_folder(root: Path, people: int, photos: int, seed: int = 0) -> Path:
    """A folder a person with views of one face each, as ``cropper train faces`` takes it."""
    rng = np.random.default_rng(seed)
    for person in range(people):
        for number in range(photos):
            save(root / f"p{person:02}" / f"{number}.png", another_view(stranger(person), rng))
    return root

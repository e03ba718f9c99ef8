"""Tiny datasets in every format that ``eval`` reads, with synthetic photos."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cropper.image import View

SIZE = (120, 80)  # (width, height) of a photo, unless told
PIXELS = np.array(SIZE * 2, dtype=np.float64)

# In px of a photo of SIZE. The pairs: two of equal area, one that is not.
CROP = [12, 8, 96, 72]
PAIRS = [
    ([0, 0, 60, 40], [60, 40, 120, 80], 4, 1),
    ([30, 20, 90, 60], [0, 40, 60, 80], 5, 0),
    ([0, 0, 120, 80], [0, 0, 60, 40], 3, 2),
]


def photo(path: Path, size: tuple[int, int] = SIZE, seed: int = 0) -> Path:
    """Dark noise with a bright disc right of the middle."""
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 90, (height, width, 3), dtype=np.uint8)
    y, x = np.mgrid[:height, :width]
    pixels[np.hypot(x - 0.65 * width, y - 0.4 * height) < height / 5] = 250
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def fractions(box: Sequence[float]) -> list[float]:
    return (np.array(box) / PIXELS).round(5).tolist()


def xywh(box: Sequence[float]) -> list[float]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def write_json(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), "utf-8")
    return path


def folder(root: Path, count: int = 4, **more: Any) -> Path:
    """One expert crop and voted pairs a photo; the last photo is of split 'val'."""
    entries = []
    for index in range(count):
        name = f"{index}.png"
        photo(root / "images" / name, seed=index)
        pairs = [[fractions(a), fractions(b), m, n] for a, b, m, n in PAIRS]
        split = "val" if index == count - 1 else "train"
        sides = {"width": 1200, "height": 800}  # annotated before the photos were made smaller
        entries.append(
            {"image": name, "split": split, "box": fractions(CROP), "pairs": pairs, **sides, **more}
        )
    write_json(root / "annotations.json", entries)
    return root


def crowd(root: Path, count: int = 3) -> Path:
    """Three human crops a photo, two of them of one aspect, in the folder format."""
    boxes = [fractions(box) for box in (CROP, [0, 0, 42, 32], [0, 0, 80, 80])]
    entries = [{"image": f"{i}.png", "split": "val", "boxes": boxes} for i in range(count)]
    for index in range(count):
        photo(root / "images" / f"{index}.png", seed=index)
    write_json(root / "annotations.json", entries)
    return root


def fcdb(root: Path) -> Path:
    """Two training photos, one found by its number, a test photo, one in the ranking alone."""
    urls = {number: f"https://example.org/9/{number}_abc_b.png?x=1" for number in (1, 2, 3, 4, 5)}
    crops = [{"url": urls[n], "flickr_photo_id": n, "crop": xywh(CROP)} for n in (1, 2, 3, 4)]
    write_json(root / "cropping_training_set.json", [crops[0], crops[1], crops[3]])
    write_json(root / "cropping_testing_set.json", [crops[2]])
    voted = [
        {"crop_0": xywh(a), "crop_1": xywh(b), "vote_for_0": m, "vote_for_1": n}
        for a, b, m, n in PAIRS
    ]
    ranked = [{"url": urls[n], "flickr_photo_id": n, "crops": voted} for n in (1, 3, 5)]
    write_json(root / "ranking_annotation.json", ranked)
    photo(root / "1_abc_b.png")
    photo(root / "images" / "2.png")
    photo(root / "data" / "3_abc_b.png")  # 4 is not on disk
    photo(root / "data" / "5_abc_b.png")
    return root


def flms(root: Path, entries: Mapping[str, Any] | None = None) -> Path:
    drawn = [CROP, [-1, -1, -1, -1], [60, 40, 121, 80]]
    write_json(root / "flms.json", entries or {"a.png": drawn, "b.png": [CROP], "c.png": [CROP]})
    photo(root / "images" / "a.png")
    photo(root / "b.png")
    return root


def gaicd(root: Path, folders: Sequence[str] = ("train", "test")) -> Path:
    """Twelve rated crops a photo, one of them invalid; a higher score the further right."""
    for index, folder_name in enumerate(folders):
        photo(root / "images" / folder_name / f"p{index}.png", seed=index)
        lines = [f"10 {x} 60 {x + 60} {1 + x / 20:.2f}" for x in range(0, 55, 5)]
        lines.append("0 0 80 120 -2")
        path = root / "annotations" / folder_name / f"p{index}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", "utf-8")
    return root


def front(angle: float = 0.0, size: tuple[int, int] = (400, 300)) -> View:
    """Windows on a wall, tilted clockwise by ``angle``: every pixel the mean of 4 x 4 samples."""
    width, height = size
    y, x = np.mgrid[: height * 4, : width * 4] / 4
    y, x, turn = y - height / 2, x - width / 2, np.radians(angle)
    right, down = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    wall = np.full(x.shape, 170.0)
    wall[(right % 64 > 20) & (right % 64 < 48) & (down % 72 > 16) & (down % 72 < 52)] = 60
    grey = wall.reshape(height, 4, width, 4).mean((1, 3)).round().astype(np.uint8)
    return View(grey[..., None].repeat(3, 2), size)

"""A small folder of judged photos, and small recipes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from cropper.scorers.cropnet.network import CropNetConfig
from cropper.scorers.trunk import Trunk
from cropper.train import CropsConfig, train_crops
from cropper.train.data import Judged

torch.set_num_threads(1)  # the work is small, and threads on shared cores wait for each other

TINY = CropNetConfig(pixels=9409, fused=32, channels=8, hidden=64)


WHOLE = np.array([0.0, 0.0, 1.0, 1.0])


SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def judged(draw: Any) -> Judged:
    size = draw(st.tuples(st.integers(20, 900), st.integers(20, 900)))
    w, h = draw(st.floats(0.15, 1)), draw(st.floats(0.15, 1))
    x, y = draw(st.floats(0, 1)) * (1 - w), draw(st.floats(0, 1)) * (1 - h)
    expert = np.clip([[x, y, x + w, y + h]], 0, 1)
    pixels = np.zeros((97, 97, 3), np.uint8)
    return Judged(Path("x"), size, pixels, expert, np.empty((0, 2, 4)), np.empty((0, 2)))


def subject_photo(rng: np.random.Generator) -> tuple[NDArray[np.uint8], list[float]]:
    """Dim noise with a bright subject; the expert's box is around the subject, with a margin."""
    width, height = (int(side) for side in rng.choice([(120, 120), (150, 100), (100, 150)]))
    pixels = rng.integers(20, 70, (height, width, 3), dtype=np.uint8)
    w, h = rng.uniform(0.3, 0.5, 2) * (width, height)
    x, y = rng.uniform(0.1, 0.9, 2) * (width - w, height - h)
    x0, y0, x1, y1 = (round(float(edge)) for edge in (x, y, x + w, y + h))
    pixels[y0:y1, x0:x1] = (240, 220, 90)
    margin = 0.2
    box = [(x - margin * w) / width, (y - margin * h) / height]
    box += [(x + (1 + margin) * w) / width, (y + (1 + margin) * h) / height]
    return pixels, np.clip(box, 0, 1).tolist()


def write_folder(root: Path, train: int, val: int, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    entries = []
    for index in range(train + val):
        pixels, box = subject_photo(rng)
        name = f"{index:03}.png"
        Image.fromarray(pixels).save(root / "images" / name)
        worse = [0.0, 0.0, 0.5, 0.5] if box[0] + box[2] > 1 else [0.5, 0.5, 1.0, 1.0]
        split = "train" if index < train else "val"
        entries.append({"image": name, "split": split, "box": box, "pairs": [[box, worse, 5, 0]]})
    (root / "annotations.json").write_text(json.dumps(entries))
    return root


def write_trunk(path: Path, seed: int = 0) -> Path:
    """A trunk of random weights under which signals neither die nor explode."""
    torch.manual_seed(seed)
    trunk = Trunk()
    with torch.no_grad():
        for weights in trunk.parameters():
            if weights.ndim == 4:
                torch.nn.init.kaiming_normal_(weights)
    save_file(trunk.state_dict(), path)
    return path


@dataclass(frozen=True)
class Start:
    """What a training begins with."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def few(self) -> Path:
        """Photos for what shows on any."""
        return self.folder / "few"

    @property
    def trunk(self) -> Path:
        return self.folder / "trunk.safetensors"


@dataclass(frozen=True)
class Trained:
    """One training that several tests look at."""

    start: Start
    config: CropsConfig
    untrained: float  # mean IoU on val
    trained: float
    log: list[str]

    @property
    def folder(self) -> Path:
        """Where it was written, beside what it began with."""
        return self.start.folder

    @property
    def out(self) -> Path:
        return self.folder / "out"


def ignore(line: str) -> None:
    pass


SHORT = CropsConfig(epochs=2, batch=4, free=16, given=8, head_rate=2e-3, average=0.9)


def short_run(
    start: Start,
    out: Path,
    seed: int = 0,
    log: Callable[[str], None] = ignore,
    net_config: CropNetConfig = TINY,
) -> Path:
    config = replace(SHORT, seed=seed)
    train_crops(
        start.few, start.trunk, out, config, net_config=net_config, device="cpu", limit=6, log=log
    )
    return out

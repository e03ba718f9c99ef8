"""How long it takes to find faces, to encode them and to look them up among known people."""

from __future__ import annotations

import numpy as np

from cropper.faces import FaceFinder
from cropper.identity import Gallery
from cropper.identity.config import NUMBERS, SIDE
from cropper.identity.descriptor import Descriptor
from cropper.image import View
from cropper.person import Person
from eval.bench import times

__all__ = ["measure_faces_speed", "render_faces_speed"]

_FACES = 32


def measure_faces_speed(known: int, repeats: int = 15) -> dict[str, tuple[float, ...]]:
    """What is done -> seconds of each repeat, for one photo or one face."""
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (960, 1280, 3), dtype=np.uint8)
    finder, descriptor = FaceFinder(long_sides=(448, 1280)), Descriptor()
    chips = rng.integers(0, 256, (_FACES, SIDE, SIDE, 3), dtype=np.uint8)
    rows = rng.normal(0, 0.1, (known, NUMBERS))
    gallery = Gallery([Person(str(n), (tuple(row),)) for n, row in enumerate(rows.tolist())])
    asked = rng.normal(0, 0.1, (_FACES, NUMBERS)).astype(np.float32)
    return {
        "a photo of 1280 px searched for faces": times(
            lambda: finder.find(View(photo, (1280, 960))), repeats
        ),
        "a face encoded": _each(times(lambda: descriptor.encode(chips), repeats)),
        "a face looked up": _each(times(lambda: gallery.distances(asked), repeats)),
    }


def _each(seconds: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(each / _FACES for each in seconds)


def render_faces_speed(found: dict[str, tuple[float, ...]], known: int) -> str:
    """Plain text: medians with their range."""
    lines = [f"{known} known people"]
    for name, seconds in found.items():
        low, middle, high = 1e3 * np.quantile(np.array(seconds), (0, 0.5, 1))
        lines.append(
            f"{name:40}{middle:9.3f} ms [{low:.3f}, {high:.3f}]{1e3 / middle:10.0f} a second"
        )
    return "\n".join(lines)

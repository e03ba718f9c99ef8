"""What a scorer of selfies has come to like, by changing one thing at a time in real pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cropper.image import View
from cropper.image.toning import toned_pixels
from cropper.tone import FILTERS, Tone

__all__ = ["CHANGES", "Effect", "probe"]

Pixels = NDArray[np.uint8]  # (H, W, 3)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """The mean change of the score, with a normal 95 % interval over pictures."""

    change: str
    mean: float
    low: float
    high: float


def _with(tone: Tone) -> Callable[[Pixels], Pixels]:
    return lambda pixels: toned_pixels(pixels, tone)


def _part(pixels: Pixels, low: tuple[float, float], high: tuple[float, float]) -> Pixels:
    """From ``low`` to ``high``, each (y, x) in parts of the picture."""
    height, width = pixels.shape[:2]
    rows = slice(round(low[0] * height), max(round(high[0] * height), 1))
    columns = slice(round(low[1] * width), max(round(high[1] * width), 1))
    return np.ascontiguousarray(pixels[rows, columns])


def _bordered(pixels: Pixels) -> Pixels:
    edge = max(pixels.shape[0] // 8, 1)
    return np.pad(pixels, ((edge, edge), (edge, edge), (0, 0)), constant_values=255)


def _blurred(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    small = View(pixels, (width, height)).resized(max(width // 2, 1), max(height // 2, 1))
    return View(small, (width, height)).resized(width, height)


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "darker by 40 %": _with(Tone(brightness=0.6)),
    "brighter by 30 %": _with(Tone(brightness=1.3)),
    "black and white": _with(FILTERS["black-and-white"]),
    "faded": _with(FILTERS["fade"]),
    "warmer": _with(FILTERS["warm"]),
    "lower contrast": _with(FILTERS["low-contrast"]),
    "colours stronger by 60 %": _with(Tone(saturation=1.6)),
    "head larger: the middle 70 %": lambda p: _part(p, (0.15, 0.15), (0.85, 0.85)),
    "the top 15 % cut away": lambda p: _part(p, (0.15, 0.0), (1.0, 1.0)),
    "the bottom 15 % cut away": lambda p: _part(p, (0.0, 0.0), (0.85, 1.0)),
    "upside down": lambda p: p[::-1].copy(),
    "a white border": _bordered,
    "half the resolution": _blurred,
}


def probe(
    score: Callable[[Sequence[Pixels]], Floats], pictures: Sequence[Pixels]
) -> tuple[Effect, ...]:
    """``score`` maps pictures to (N,) scores."""
    before = score(pictures)
    effects = []
    for name, change in CHANGES.items():
        gain = score([change(picture) for picture in pictures]) - before
        error = 1.96 * float(gain.std(ddof=1)) / len(gain) ** 0.5
        mean = float(gain.mean())
        effects.append(Effect(name, mean, mean - error, mean + error))
    return tuple(effects)

"""A painting that nobody has to be asked for: strokes along a swirling field, in a few colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["drawn_painting"]

_COLOURS = (
    (18, 32, 84),
    (30, 84, 156),
    (74, 158, 178),
    (226, 196, 92),
    (242, 152, 40),
    (190, 66, 36),
)
_GRAIN = 3  # px: the width of a stroke
_STROKE = 16  # px to either side
_WAVES = 5


def drawn_painting(side: int, seed: int = 0) -> NDArray[np.uint8]:
    """(side, side, 3), sRGB: noise smeared along a field (line integral convolution)."""
    rng = np.random.default_rng(seed)
    angle = np.pi * _smooth(side, rng)
    along = np.stack([np.sin(angle), np.cos(angle)])
    grains = rng.random((side // _GRAIN + 1,) * 2).repeat(_GRAIN, 0).repeat(_GRAIN, 1)
    strokes = np.zeros((side, side))
    for way in (-1, 1):
        place = np.indices((side, side)).astype(np.float64)
        for _ in range(_STROKE):
            y, x = place.round().astype(int).clip(0, side - 1)
            strokes += grains[y, x]
            place += way * along[:, y, x]
    strokes = (strokes - strokes.mean()) / strokes.std()
    mixed = 2.5 + 1.2 * _smooth(side, rng) + 0.35 * strokes
    colour = np.array(_COLOURS)[mixed.round().astype(int).clip(0, len(_COLOURS) - 1)]
    lit = (colour * (1 + 0.22 * strokes[..., None])).clip(0, 255)
    return np.asarray(lit, np.uint8)


def _smooth(side: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Waves of a third of the picture and more, about -2 to 2."""
    y, x = np.indices((side, side)) / side
    waves = rng.uniform(-3, 3, (_WAVES, 2)) * 2 * np.pi
    phases = rng.uniform(0, 2 * np.pi, _WAVES)
    terms = [np.cos(a * y + b * x + c) for (a, b), c in zip(waves, phases, strict=True)]
    return np.asarray(np.sum(terms, 0) / np.sqrt(_WAVES / 2))

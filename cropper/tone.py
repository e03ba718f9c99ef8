"""Photographic filters as numbers: what the tones of a crop become, and a border around it.

Values are in [0, 1], encoded as the picture's own colour space has them (sRGB or its like), not
linear light. A tone is a curve for each channel behind a change of saturation: monotone, within
[0, 1], and the same for every pixel.

>>> parse_filter("fade:0.5").tone.changes
{'saturation': 0.9, 'fade': 0.1}
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropper.canvas import Place, Size
from cropper.errors import ConfigError

__all__ = ["BEST", "FILTERS", "LUMA", "RANGES", "Filter", "Tone", "framed", "parse_filter"]

Values = NDArray[np.floating[Any]]

BEST = "best"  # the filter that is searched for
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in a grey; Rec. 601, as in JPEG
RANGES: Mapping[str, tuple[float, float]] = {
    "brightness": (0.5, 1.5),
    "contrast": (0.5, 1.5),
    "saturation": (0.0, 2.0),
    "warmth": (-0.5, 0.5),
    "fade": (0.0, 0.5),
    "border": (0.0, 0.25),
}
_TINTS = (1.0, 0.0, -1.0)  # what warmth does to red, green and blue


@dataclass(frozen=True, kw_only=True)
class Tone:
    """How a picture's tones change. As it is made without arguments, nothing changes.

    Raises ConfigError for a number outside its range in RANGES.
    """

    brightness: float = 1.0  # factor of all values
    contrast: float = 1.0  # factor of the distance to middle grey
    saturation: float = 1.0  # factor of the distance to the grey of the same luma
    warmth: float = 0.0  # more red and less blue in the middle tones; black and white stay
    fade: float = 0.0  # what black becomes; white stays
    border: float = 0.0  # white around the picture, in shares of its width and of its height

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"{name} of a tone is from {low:g} to {high:g}, got {value}")

    @property
    def changes(self) -> dict[str, float]:
        """The numbers that change anything, by name."""
        return {name: value for name, value in asdict(self).items() if value != _NEUTRAL[name]}

    @property
    def has_curves(self) -> bool:
        """Whether the tones of a picture change, of a grey one too."""
        return bool(self.changes.keys() & {"brightness", "contrast", "fade"})

    @property
    def has_colour(self) -> bool:
        """Whether colours change beyond their curves; of a grey picture nothing does."""
        return bool(self.changes.keys() & {"saturation", "warmth"})

    def at_strength(self, strength: float) -> Tone:
        """Each number this far from where it changes nothing; 0 is no change, 1 this tone."""
        part = {
            name: round(_mixed(_NEUTRAL[name], value, strength), 6)
            for name, value in asdict(self).items()
        }
        return Tone(**part)

    def of_grey(self, values: Values) -> Values:
        """The curve of a grey picture, any shape, [0, 1] to [0, 1]; NaN stays."""
        return self._curve(values, 0.0)

    def of_colours(self, values: Values) -> Values:
        """(..., 3) red, green and blue, [0, 1] to [0, 1]."""
        if self.saturation != 1:
            grey = (values @ np.array(LUMA, dtype=values.dtype))[..., None]
            values = np.clip(grey + self.saturation * (values - grey), 0, 1)
        bands = [self._curve(values[..., band], tint) for band, tint in enumerate(_TINTS)]
        return np.stack(bands, -1)

    @property
    def matrix(self) -> tuple[float, ...]:
        """Of the saturation: 3 rows of 4, red, green, blue and 1 to each of the colours."""
        grey = (1 - self.saturation) * np.array(LUMA)
        rows = np.column_stack([self.saturation * np.eye(3) + grey, np.zeros(3)])
        return tuple(rows.ravel().tolist())

    def table(self, *, grey: bool = False) -> list[int]:
        """The curves of 8 bits: 256 levels each of red, green and blue, or of grey alone."""
        levels = np.arange(256) / 255
        curves = [self._curve(levels, tint) for tint in ((0.0,) if grey else _TINTS)]
        found: list[int] = np.rint(np.concatenate(curves) * 255).astype(int).tolist()
        return found

    def _curve(self, values: Values, tint: float) -> Values:
        """Monotone for every tone in its ranges."""
        if self.brightness != 1:
            values = np.clip(values * self.brightness, 0, 1)
        if self.contrast != 1:
            values = np.clip(0.5 + self.contrast * (values - 0.5), 0, 1)
        if self.warmth * tint:
            values = values + self.warmth * tint * values * (1 - values)
        return self.fade + (1 - self.fade) * values if self.fade else values


_NEUTRAL: dict[str, float] = asdict(Tone())

FILTERS: Mapping[str, Tone] = {
    "fade": Tone(fade=0.2, saturation=0.8),
    "black-and-white": Tone(saturation=0.0),
    "warm": Tone(warmth=0.3),
    "low-contrast": Tone(contrast=0.7),
    "border": Tone(border=0.08),
}


@dataclass(frozen=True)
class Filter:
    """A tone by its name, and what a judge made of it where it was searched for."""

    name: str  # of FILTERS, or best
    tone: Tone
    gain: float | None = None  # of the judge's score, of best; 0 where nothing was better

    @property
    def changes_grey(self) -> bool:
        """Whether a picture without colours changes too."""
        return self.tone.has_curves or self.tone.border > 0

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON fields."""
        return {"name": self.name, "tone": self.tone.changes, "gain": self.gain}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Filter:
        """What ``to_dict`` gave."""
        return cls(record["name"], Tone(**record["tone"]), record["gain"])


def parse_filter(text: str) -> Filter:
    """``NAME``, or ``NAME:STRENGTH`` with a strength from 0 to 1; ``best`` is yet to be found.

    Raises ConfigError for what is neither.
    """
    name, colon, share = text.partition(":")
    if text == BEST:
        return Filter(BEST, Tone())
    try:
        strength = float(share) if colon else 1.0
    except ValueError:
        strength = math.nan
    if name not in FILTERS or not 0 <= strength <= 1:
        raise ConfigError(
            f"`filter` is {BEST} or one of {', '.join(FILTERS)}, with a strength from 0 to 1 where "
            f"less of it is wanted, as in fade:0.5; got {text!r}"
        )
    return Filter(name, FILTERS[name].at_strength(strength))


def framed(border: float, own: Size, size: Size | None = None) -> tuple[Size, Place]:
    """The size of a picture with its border, and the place of what is inside, xyxy.

    ``own`` is the picture's size, which it keeps unless ``size`` is that of the whole. The border
    has the same share of either side, so that what is inside keeps its shape.
    """
    if size is None:
        x, y = (round(side * border) for side in own)
        size = (own[0] + 2 * x, own[1] + 2 * y)
    else:
        x, y = (min(round(side * border / (1 + 2 * border)), (side - 1) // 2) for side in size)
    return size, (x, y, size[0] - x, size[1] - y)


def _mixed(start: float, end: float, share: float) -> float:
    return start + share * (end - start)

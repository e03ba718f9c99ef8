"""A tone of one pixel, a step after the other, in plain floats."""

from __future__ import annotations

from cropper.tone import Tone


def tone_of_pixel(pixel: tuple[int, ...], tone: Tone) -> list[float]:
    """Red, green, blue, 0 to 255, to the same before rounding."""
    red, green, blue = (level / 255 for level in pixel)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    return [_band(value, grey, tint, tone) for value, tint in ((red, 1), (green, 0), (blue, -1))]


def _band(value: float, grey: float, tint: int, tone: Tone) -> float:
    value = _within(grey + tone.saturation * (value - grey))
    value = _within(tone.brightness * value)
    value = _within(0.5 + tone.contrast * (value - 0.5))
    value += tone.warmth * tint * value * (1 - value)
    return 255 * (tone.fade + (1 - tone.fade) * value)


def _within(value: float) -> float:
    return min(max(value, 0.0), 1.0)

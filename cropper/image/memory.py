"""How much memory a picture will take, by its header: an estimate from above.

Bytes a pixel, beyond the file's own; ``python -m eval peaks`` holds them against what is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from cropper.image.header import Header

__all__ = ["MOST_BYTES", "Output", "needed"]

_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2}  # of Pillow's modes; all others have _WIDE
_WIDE = 4
_SEEN = {"WEBP": 24, "AVIF": 14, "HEIF": 14, "GIF": 10, "JPEG": 10}  # decoded, and made a view
_SEEN_MODES = {"1": 2, "L": 2, "I;16": 6, "RGB": 8, "F": 10, "I": 10}
_SEEN_ELSE = 16  # what has alpha or a palette is converted
_CODECS = {"WEBP": 24, "AVIF": 28, "HEIF": 28}  # of an encoder and the crop that it is given
_COPIES = 4  # of a crop, the encoder's and the file's own, for all other formats
MOST_BYTES = 32  # of a pixel that is decoded and encoded, as a rule


@dataclass(frozen=True)
class Output:
    """A crop that is to be encoded."""

    format: str | None  # None: that of its photo
    pixels: float = 0  # at most, where it may have more than its photo
    changed: bool = False  # by a filter, or laid on a canvas


def needed(header: Header, output: Output | None = None) -> int:
    """Bytes that decoding takes, with a view, and with a crop that is encoded."""
    pixels = header.size[0] * header.size[1]
    stored = _STORED.get(header.mode, _WIDE)
    seen = _SEEN.get(header.format) or _SEEN_MODES.get(header.mode, _SEEN_ELSE)
    decoding = pixels * (seen + 2 * header.deep)
    if output is None:
        return int(decoding)
    codec = _CODECS.get(output.format or header.format, _COPIES * stored)
    codec += 2 * _WIDE * output.changed
    return int(max(decoding, pixels * stored + max(pixels, output.pixels) * codec))

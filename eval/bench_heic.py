"""x265's presets for HEIC: processor time, size and distance from the photo."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass

import numpy as np

from cropper.errors import MissingExtraError
from cropper.image import load_image
from cropper.image.header import plugin_of
from eval.bench import synthetic_photo
from eval.photos import Progress, counted
from eval.report import aligned

__all__ = ["PRESETS", "HeicRow", "render_heic", "run_heic"]

PRESETS = ("ultrafast", "superfast", "veryfast", "medium", "slow")
_SIZE = (3648, 2736)  # px, 10 megapixels


@dataclass(frozen=True)
class HeicRow:
    preset: str
    seconds: float  # of processors
    kilobytes: float
    decibels: float  # peak signal to noise, RGB


def run_heic(quality: int = 92, progress: Progress | None = None) -> list[HeicRow]:
    """Raises MissingExtraError without pillow-heif."""
    if plugin_of("HEIF") is None:
        raise MissingExtraError("HEIC is written by an extra: pip install 'cropper[heic]'")
    photo = load_image(synthetic_photo(*_SIZE)).cut((0, 0, *_SIZE))
    expected = np.asarray(photo, dtype=np.float64)
    rows = []
    for preset in counted(PRESETS, progress):
        buffer, started = io.BytesIO(), time.process_time()
        photo.save(buffer, "HEIF", quality=quality, enc_params={"preset": preset})
        seconds = time.process_time() - started
        shown = load_image(buffer.getvalue()).cut((0, 0, *_SIZE))
        error = float(((np.asarray(shown, dtype=np.float64) - expected) ** 2).mean())
        decibels = 10 * np.log10(255**2 / error)
        rows.append(HeicRow(preset, seconds, len(buffer.getvalue()) / 1000, float(decibels)))
    return rows


def render_heic(rows: list[HeicRow]) -> str:
    table = [["preset", "processor s", "kB", "dB"]]
    table += [
        [each.preset, f"{each.seconds:.1f}", f"{each.kilobytes:.0f}", f"{each.decibels:.2f}"]
        for each in rows
    ]
    return aligned(table)

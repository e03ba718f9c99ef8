"""The overlay that shows a crop, its runners-up and the score over position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cropper.boxes import Crop
from cropper.finder import CropFinder
from cropper.image import SourceImage, View, from_array
from cropper.image.toning import toned
from cropper.render import cut
from cropper.result import CropResult

__all__ = ["SIDE", "cropped", "draw_overlay", "explain"]

# Dark blue, teal, yellow: equal steps in lightness, legible to colour-blind eyes
_COLOURS = np.array(
    [[48, 18, 92], [33, 113, 140], [60, 180, 117], [250, 230, 60]], dtype=np.float64
)
_HEAT = 0.4  # opacity of the heat map
_DIM = 0.45  # brightness of what is cut away
SIDE = 1200  # px


def explain(finder: CropFinder, source: SourceImage, result: CropResult) -> Image.Image:
    """Why this crop: it and its runners-up over the score of the best crop at each place."""
    best = result.best
    heat = finder.score_map(source, best.width / best.height)
    return draw_overlay(source.view(SIDE), result.crops, heat.scores)


def cropped(view: View, crop: Crop, side: int) -> Image.Image:
    """The crop as it is written, its filter and what is around it too, from the view's pixels.

    RGB, its long side ``side`` px.
    """
    source = from_array(view.pixels)
    scale = np.array(source.size) / np.array(view.size)
    corners = np.clip(np.array(crop.quad) * scale, 0, source.size)
    (width, height), _ = crop.layout()
    shrink = side / max(width, height)
    size = (max(round(width * shrink), 1), max(round(height * shrink), 1))
    return cut(source, replace(crop, corners=tuple(map(tuple, corners.tolist()))), size)


def draw_overlay(
    view: View, crops: Sequence[Crop], heat: NDArray[np.float64] | None = None
) -> Image.Image:
    """The view with the best crop bright and framed, runners-up as thin frames, heat beneath.

    The best crop has the tones of its filter.

    Turned crops are drawn by their corners over the boxes around them.

    The heat is (rows, columns) over the view, from the lowest value (dark) to the highest (yellow);
    where it is NaN the view stays as it is.
    """
    height, width = view.pixels.shape[:2]
    scale = np.array([width / view.size[0], height / view.size[1]] * 2)
    canvas = _filtered(view, crops[0], scale[:2]).astype(np.float64)
    if heat is not None:
        canvas = _with_heat(canvas, heat)
    frames = [np.array(crop.box) * scale for crop in crops]
    x0, y0 = np.floor(frames[0][:2]).astype(int)
    x1, y1 = np.ceil(frames[0][2:]).astype(int)
    shown = canvas * _DIM
    shown[y0:y1, x0:x1] = canvas[y0:y1, x0:x1]
    picture = Image.fromarray(shown.round().astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    line = max(round(max(width, height) / 250), 2)
    for frame in frames[1:]:
        _frame(draw, frame, line, (150, 200, 255))
    _frame(draw, frames[0], 2 * line, (255, 255, 255))
    for crop in crops:
        corners = [(x * scale[0], y * scale[1]) for x, y in crop.corners or ()]
        if not corners:
            continue
        for colour, extra in (((0, 0, 0), 2), ((255, 210, 60), 0)):
            draw.line([*corners, corners[0]], fill=colour, width=line + extra)
    return picture


def _filtered(view: View, crop: Crop, scale: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The view's pixels, those of the crop with its filter."""
    if not crop.filter:
        return view.pixels
    picture = Image.fromarray(view.pixels)
    inside = Image.new("1", picture.size)
    ImageDraw.Draw(inside).polygon([tuple(point * scale) for point in np.array(crop.quad)], fill=1)
    picture.paste(toned(picture, crop.filter.tone), mask=inside)
    return np.asarray(picture)


def _frame(
    draw: ImageDraw.ImageDraw, box: NDArray[np.float64], line: int, colour: tuple[int, int, int]
) -> None:
    """A frame inside its box, with a dark edge so that it shows on white."""
    x0, y0, x1, y1 = (float(edge) for edge in box)
    corners = (x0, y0, max(x1 - 1, x0), max(y1 - 1, y0))
    draw.rectangle(corners, outline=(0, 0, 0), width=line + 1)
    draw.rectangle(corners, outline=colour, width=line)


def _with_heat(canvas: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(scores)
    if not known.any():
        return canvas
    low, high = scores[known].min(), scores[known].max()
    level = np.where(known, (scores - low) / max(high - low, 1e-12), 0.0)
    height, width = canvas.shape[:2]
    smooth = _enlarge(level, (width, height), Image.Resampling.BILINEAR)
    alpha = _HEAT * _enlarge(known.astype(np.float64), (width, height), Image.Resampling.NEAREST)
    steps = np.linspace(0, 1, len(_COLOURS))
    colour = np.stack([np.interp(smooth, steps, _COLOURS[:, c]) for c in range(3)], -1)
    mixed: NDArray[np.float64] = canvas * (1 - alpha[..., None]) + colour * alpha[..., None]
    return mixed


def _enlarge(
    values: NDArray[np.float64],
    size: tuple[int, int],
    filter: Image.Resampling,  # noqa: A002
) -> NDArray[np.float64]:
    picture = Image.fromarray(values.astype(np.float32)).resize(size, filter)
    return np.asarray(picture, dtype=np.float64)

"""Crops in the manner of one painting, for all crops of a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Crop
from cropper.canvas import Size
from cropper.decoders import Room
from cropper.image import from_array, load_image
from cropper.style.backbone import load_backbone
from cropper.style.config import CropStyle, Progress
from cropper.style.descent import DescentStep, memory_of, transfer
from cropper.style.memory import available_memory

__all__ = ["Painter"]


class Painter:
    """Holds the painting and the network; threads share it, as many at once as memory is for."""

    def __init__(
        self, style: CropStyle, max_mpixels: float = 200, progress: Progress = nullcontext
    ) -> None:
        """Raises MissingModelError, ConfigError for layers, and what ``load_image`` raises."""
        self.style, self._progress = style, progress
        self._like = load_image(style.like, max_mpixels=max_mpixels)
        self._like.view(style.config.size)  # which tells of broken pixels now
        self._backbone = load_backbone(style.backbone)
        style.config.check_layers(self._backbone.layers)
        self._memory = available_memory()
        self._room = Room(self._memory, math.inf)

    def size_of(self, crop: Crop, size: Size | None) -> Size:
        """(width, height) px of the picture of a crop: ``size`` where that is asked for.

        Else as the crop is in the source, its own long side no longer than the style's.
        """
        if size:
            return size
        (width, height), (x0, y0, x1, y1) = crop.layout()
        scale = min(1.0, self.style.config.size / max(x1 - x0, y1 - y0))
        return max(round(width * scale), 1), max(round(height * scale), 1)

    def paint(
        self,
        pixels: NDArray[np.uint8],
        notes: list[str],
        check: Callable[[], None] = lambda: None,
    ) -> NDArray[np.uint8]:
        """(H, W, 3), sRGB -> the same, painted; ``notes`` gets what it came to.

        ``check`` is called at each step and while memory is waited for; what it raises ends that.
        Raises what ``transfer`` raises.
        """
        config, size = self.style.config, (pixels.shape[1], pixels.shape[0])
        needed = memory_of(self._backbone, config, size)
        last: DescentStep | None = None
        with self._room.taken(needed, check), self._progress() as show:
            source = from_array(pixels, "the crop")
            steps = transfer(source, self._like, self._backbone, config, memory=self._memory)
            for last in steps:
                check()
                if show:
                    show(last.number, last.total, last.told)
        assert last is not None, "there is one step at least"
        height, width = last.pixels.shape[:2]
        told = f"painted like {self.style.like.name}: {last.told}"
        if (width, height) == size:
            notes.append(told)
            return last.pixels
        enlarged = f"enlarged from {width}x{height} px, a larger `style_size` has finer strokes"
        notes.append(f"{told}; {enlarged}")
        return np.array(from_array(last.pixels).cut((0, 0, width, height), size))

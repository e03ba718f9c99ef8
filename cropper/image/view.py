"""What a scorer sees of a picture: its pixels at the scorer's size, read whole or in part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cropper.boxes import Boxes
from cropper.image.pixels import resample, transform

__all__ = ["View"]


@dataclass(frozen=True)
class View:
    """What a scorer sees of a picture."""

    pixels: NDArray[np.uint8]  # (H, W, 3), sRGB, upright, contiguous
    size: tuple[int, int]  # (width, height) of the upright source, px; boxes are in these units

    @property
    def whole(self) -> Boxes:
        """(1, 4): the box that is all of it."""
        return np.array([[0.0, 0.0, *self.size]])

    @property
    def is_plain(self) -> bool:
        """Whether it is of one colour."""
        first = self.pixels[0, 0]
        return bool((self.pixels[0] == first).all() and (self.pixels == first).all())

    def resized(self, width: int, height: int) -> NDArray[np.uint8]:
        """(height, width, 3): the whole view at a network's input size, antialiased."""
        picture = Image.fromarray(self.pixels)
        return np.array(picture.resize((width, height), Image.Resampling.BICUBIC))

    def warp(self, corners: NDArray[np.float64]) -> View:
        """The parallelogram with these corners (4, 2), px of the source, read into a view as large.

        Corners are as in ``SourceImage.warp``, and may lie outside: edge pixels go on there.
        """
        height, width = self.pixels.shape[:2]
        return View(self.read(corners, (width, height)), self.size)

    def read(self, corners: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
        """The same, averaged to ``size`` = (width, height): (height, width, 3)."""
        rows, columns = self.pixels.shape[:2]
        points = corners * (np.array([columns, rows]) / self.size)
        low = np.floor(points.min(0)).astype(int) - 1  # bicubic looks a pixel further
        high = np.ceil(points.max(0)).astype(int) + 1
        x = np.clip(np.arange(low[0], high[0]), 0, columns - 1)
        y = np.clip(np.arange(low[1], high[1]), 0, rows - 1)
        sides = np.linalg.norm(points[[1, 3]] - points[0], axis=1)
        full = (max(size[0], round(sides[0])), max(size[1], round(sides[1])))
        around = Image.fromarray(self.pixels[y[:, None], x])
        read = transform(around, points - low, full)
        return np.array(read if full == size else resample(read, size))

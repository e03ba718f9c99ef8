"""Picture file -> pixels: what a scorer sees, and crops from the full resolution.

Boxes are xyxy, float, half-open pixel edges of the upright source. A file is read once and decoded
as late as it can be: a JPEG for a view is scaled down by its decoder and never decoded in full
where that serves. A decoded original is kept, for the crops that follow. Threads may share a
SourceImage.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageFile

from cropper.boxes import as_boxes, clip
from cropper.errors import BoxError, ConfigError, ImageReadError
from cropper.image.colour import to_srgb
from cropper.image.deep_tiff import deep_picture, unread_kind
from cropper.image.frames import part_of_canvas, to_animation
from cropper.image.header import Header, color_key, in_memory, open_picture, reading
from cropper.image.jpeg import DAMAGED, decode_jpeg
from cropper.image.linear import resample_linear
from cropper.image.pixels import (
    Span,
    eight_bits,
    little_endian,
    on_clear,
    over_white,
    resample,
    span_of,
    transform,
)
from cropper.image.upright import to_stored, turned, upright
from cropper.image.view import View

__all__ = ["MAX_PIXELS", "SourceImage"]

_SLACK = 1e-6  # px; what float arithmetic may put a box outside, or off whole pixels
MAX_PIXELS = 1 << 30  # of a crop
# What a JPEG's scaled decode keeps beyond a crop's size: with less, its error comes near to that
# of encoding the crop at quality 92 (41 dB at 1.25, 36 dB at 1)
_SPARE = 1.25
_Box = tuple[float, float, float, float]


class SourceImage:
    """A picture that was read and checked. ``open_photo`` and its like make them."""

    def __init__(
        self,
        name: str,
        header: Header,
        data: bytes = b"",
        *,
        strict: bool = False,
    ) -> None:
        """A JPEG whose data is damaged raises at its first decode where that is ``strict``."""
        self.name = name
        self.header = header
        self._data = data
        self._picture: Image.Image | None = None  # decoded in full, as stored: not yet upright
        self._expected: Image.Image | None = None  # scaled by a JPEG's decoder, for crops to come
        self._expected_box: _Box | None = None  # of it, that is the picture
        self._span = header.span
        self._strict = strict
        self._damage: str | None = None  # that a decode has met

    @classmethod
    def of(cls, name: str, picture: Image.Image) -> SourceImage:
        """A picture that is decoded already, with its profile and its EXIF."""
        source = cls(name, in_memory(picture))
        source._picture = source._cleaned(picture)
        return source

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright picture, px."""
        return self.header.size

    @property
    def format(self) -> str:
        """JPEG, PNG, WEBP, GIF, TIFF, BMP, AVIF, HEIF; MEMORY where there was no file."""
        return self.header.format

    @property
    def notes(self) -> tuple[str, ...]:
        """What was ignored or lost in reading so far, for people to read."""
        if not self._damage:
            return self.header.notes
        told = f"{DAMAGED} ({self._damage}): parts may be grey or shifted; `strict` refuses it"
        return (*self.header.notes, told)

    @property
    def span(self) -> Span | None:
        """Black and white of grey with more than 8 bits, None for other pictures."""
        if self._span is None and self.header.mode.startswith(("I", "F")):
            with reading(self.name, self.format):
                self._span = span_of(self._decoded())
        return self._span

    def turn(self, quarters: int) -> None:
        """From now on what is upright is ``quarters`` quarter turns clockwise from what it was.

        As if its EXIF had said so: sizes, boxes, views and crops are of the turned picture.
        """
        orientation = turned(self.header.orientation, quarters)
        size = self.size[::-1] if quarters % 2 else self.size
        self.header = replace(self.header, orientation=orientation, size=size)

    def expect(self, sizes: Sequence[tuple[int, int]]) -> None:
        """Crops will be cut to ``sizes`` (width, height): a JPEG is decoded for them right away.

        Views are then made of this decode too, which saves a second one; they differ by rounding.
        Raises ImageReadError for broken pixels.
        """
        if self.format == "JPEG" and self._picture is None:
            full = self.stored_size(self.size)  # half of all crops are nearly as large
            enough = max(_enough(self.stored_size(size), full, full) for size in sizes)
            with reading(self.name, self.format):
                image, box = self._no_smaller_than(enough)
            if box:
                self._expected, self._expected_box = image, box

    def view(self, long_side: int, spare: float = 1.0) -> View:
        """The whole picture with the long side at ``long_side`` px, never enlarged.

        For callers that scale it again: where a JPEG's decoder gives up to ``spare`` times as much,
        that is left as it is. Alpha is laid on white. Raises ImageReadError for broken pixels.
        """
        long_side = _at_least_one("long_side", long_side)
        scale = min(1.0, long_side / max(self.size))
        width, height = (max(1, round(side * scale)) for side in self.size)
        span = self.span
        stored = self.stored_size((width, height))
        with reading(self.name, self.format):
            image, box = self._no_smaller_than(stored)
            if image.mode in ("I", "F"):
                image = eight_bits(image, span)
            if box and image is self._expected:
                image, box = _reduced(image, box, long_side)
            if box != (0, 0, *image.size) or max(image.size) > spare * long_side:
                image = resample(image, stored, box)
            small = self._upright(image)
            small = over_white(to_srgb(eight_bits(small, span), self.header.icc))
            return View(np.array(small), self.size)

    def cut(
        self, box: ArrayLike, size: tuple[int, int] | None = None, *, linear: bool = False
    ) -> Image.Image:
        """``box`` from the full resolution, upright, in the source's colours.

        Without ``size`` the box is whole pixels and these are copied, mode and palette kept. With
        ``size`` = (width, height) px, exactly the box is averaged to exactly that size, enlarged
        where need be; palette and 1-bit pictures become RGB, RGBA or L, and a JPEG may be scaled
        down by its decoder before. With ``linear`` it is not, and light is averaged. Raises
        BoxError for a box that is not inside the picture or not whole, ImageReadError for broken
        pixels.
        """
        inside = _box_inside(box, self.size)
        if size is None:
            with reading(self.name, self.format):
                return self._upright(self._decoded().crop(self._as_stored(_whole(inside))))
        width, height = (_at_least_one("a side of the crop", side) for side in size)
        if width * height > MAX_PIXELS:
            raise ConfigError(f"a crop has at most {MAX_PIXELS} px, got {width} x {height}")
        stored = self.stored_size((width, height))
        with reading(self.name, self.format):
            if linear:
                whole, place = self._decoded(), self._as_stored(inside)
                return self._upright(resample_linear(whole, stored, place, self.header.icc))
            image, part = self._scaled_for(stored, self._as_stored(inside))
            small = resample(image, stored, part)
            if self.format == "JPEG":
                small.info = {}  # a scaled one was not cleaned
            return self._upright(small)

    def _scaled_for(self, size: tuple[int, int], box: _Box) -> tuple[Image.Image, _Box]:
        """The stored picture with enough pixels for ``box`` in ``size``, and the box in it."""
        full = self.stored_size(self.size)
        image, whole = self._no_smaller_than(
            _enough(size, (box[2] - box[0], box[3] - box[1]), full)
        )
        if whole is None:
            return image, box
        x, y = (whole[2] - whole[0]) / full[0], (whole[3] - whole[1]) / full[1]
        return image, (box[0] * x, box[1] * y, box[2] * x, box[3] * y)

    def stored_points(self, points: ArrayLike) -> NDArray[np.float64]:
        """(N, 2) px -> (N, 2) px of the picture as it is stored, before its orientation."""
        return to_stored(points, self.stored_size(self.size), self.header.orientation)

    def warp(
        self, corners: ArrayLike, size: tuple[int, int], *, linear: bool = False
    ) -> Image.Image:
        """A parallelogram from the full resolution, upright, as a picture of ``size``.

        ``corners`` (4, 2) px are where the output's top left, top right, bottom right and bottom
        left lie. It is read once, by bicubic interpolation; where ``size`` is smaller than the
        parallelogram, that is done at its own size and averaged down, with ``linear`` as light.
        Palette and 1-bit pictures become RGB, RGBA or L. Raises BoxError for corners outside of the
        picture.
        """
        points = np.asarray(corners, dtype=np.float64)
        outside = np.maximum(-points, points - np.array(self.size))
        if points.shape != (4, 2) or not np.isfinite(points).all() or outside.max() > _SLACK:
            raise BoxError(
                f"a warped crop has four corners within (0, 0, {self.size[0]}, {self.size[1]}), "
                f"got {points.tolist()}"
            )
        width, height = (_at_least_one("a side of the crop", side) for side in size)
        own = [float(np.linalg.norm(points[end] - points[0])) for end in (1, 3)]
        full = (max(width, round(own[0])), max(height, round(own[1])))
        if full[0] * full[1] > MAX_PIXELS:
            raise ConfigError(f"a crop has at most {MAX_PIXELS} px, got {width} x {height}")
        with reading(self.name, self.format):
            read = transform(self._upright(self._decoded()), points, full)
            if full == (width, height):
                return read
            if linear:
                return resample_linear(read, (width, height), (0, 0, *full), self.header.icc)
            return resample(read, (width, height))

    def _no_smaller_than(self, size: tuple[int, int]) -> tuple[Image.Image, _Box | None]:
        """The stored picture in at least ``size``, and the box of it that is the picture."""
        if self._picture is None and self.format == "JPEG":
            if self._expected and all(np.array(self._expected.size) >= size):
                return self._expected, self._expected_box
            opened = open_picture(self._data, "JPEG")
            full = opened.size
            drafted = opened.draft(None, size)
            image = self._from_jpeg(opened)
            if drafted and image.size != full:
                return image, drafted[1]
            self._picture = self._cleaned(image)
        return self._decoded(), None

    def _decoded(self) -> Image.Image:
        if self._picture is None and self.format == "TIFF" and unread_kind(self._data):
            self._picture = self._cleaned(deep_picture(self._data))
        elif self._picture is None:
            opened = open_picture(self._data, self.format)
            part = part_of_canvas(opened)
            if self.format == "JPEG":
                image = self._from_jpeg(opened)
            else:
                to_animation(opened)
                opened.load()
                image = on_clear(opened, part) if part else opened
            self._picture = self._cleaned(image)
        assert self._picture
        return self._picture

    def _from_jpeg(self, opened: ImageFile.ImageFile) -> Image.Image:
        image, self._damage = decode_jpeg(opened, self._data)
        if self._damage and self._strict:
            raise ImageReadError(
                f"{self.name}: {DAMAGED} ({self._damage}); copy or download it again, or leave "
                "`strict` out",
                "damaged",
            )
        return image

    def _cleaned(self, image: Image.Image) -> Image.Image:
        """Checked against the header; without the file's metadata, which encoders pick up."""
        width, height = image.size if self.header.orientation < 5 else image.size[::-1]
        if (width, height) != self.size:
            raise ImageReadError(
                f"{self.name}: its header says {self.size}, its pixels are {(width, height)}; "
                "save it anew in an image editor"
            )
        key = color_key(self.header, self._data, image)
        if image.mode.startswith("I;16"):
            image = little_endian(image)
        image.info = {} if key is None else {"transparency": key}
        return image

    def stored_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of something upright -> before its orientation, and the other way."""
        return size if self.header.orientation < 5 else size[::-1]

    def _as_stored(self, box: _Box) -> _Box:
        """A box of the upright picture as one of the stored picture."""
        if self.header.orientation == 1:
            return box
        ends = self.stored_points([box[:2], box[2:]])
        (x0, y0), (x1, y1) = ends.min(0).tolist(), ends.max(0).tolist()
        return (x0, y0, x1, y1)

    def _upright(self, image: Image.Image) -> Image.Image:
        return upright(image, self.header.orientation)


def _enough(
    size: tuple[int, int], box: tuple[float, float], full: tuple[int, int]
) -> tuple[int, int]:
    """The scale that a decode needs for a box of that width and height in ``size``, as its size."""
    share = min(_SPARE * max(size[0] / box[0], size[1] / box[1]), 1.0)
    return math.ceil(full[0] * share), math.ceil(full[1] * share)


def _reduced(image: Image.Image, box: _Box, long_side: int) -> tuple[Image.Image, _Box]:
    """Averaged to no less than ``long_side`` by a whole factor, as a decoder would."""
    factor = max(max(image.size) // long_side, 1)
    x0, y0, x1, y1 = (edge / factor for edge in box)
    return image.reduce(factor), (x0, y0, x1, y1)


def _at_least_one(what: str, value: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise ConfigError(f"{what} is a whole number of pixels from 1 up, got {value!r}")
    return number


def _box_inside(box: ArrayLike, size: tuple[int, int]) -> _Box:
    boxes = as_boxes(box)
    if len(boxes) != 1:
        raise BoxError(f"one box is cut at a time, got {len(boxes)}")
    inside = clip(boxes, size)
    if np.abs(inside - boxes).max() > _SLACK:
        raise BoxError(f"a box lies within (0, 0, {size[0]}, {size[1]}), got {boxes[0].tolist()}")
    x0, y0, x1, y1 = inside[0].tolist()
    return (x0, y0, x1, y1)


def _whole(box: _Box) -> _Box:
    x0, y0, x1, y1 = (float(round(edge)) for edge in box)
    off = max(abs(edge - near) for edge, near in zip(box, (x0, y0, x1, y1), strict=True))
    if off > _SLACK or x0 == x1 or y0 == y1:
        raise BoxError(f"without a size a box is whole pixels, got {box}; snap it or give a size")
    return (x0, y0, x1, y1)

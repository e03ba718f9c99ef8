"""Parallelograms cut from the full resolution."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cropper.errors import BoxError, ConfigError
from cropper.image import from_array, load_image
from tests.image.pictures import encoded, photo

ANGLE = np.radians(7)


def corners(box: tuple[float, float, float, float], angle: float = 0.0) -> NDArray[np.float64]:
    x0, y0, x1, y1 = box
    points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float64)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = points.mean(0)
    return np.asarray((points - middle) @ turn.T + middle)


def ramps(width: int, height: int) -> NDArray[np.uint8]:
    """Red grows by 2 a px to the right and green by 3 a px down, blue is flat."""
    xs, ys = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([2 * xs, 3 * ys, np.full_like(xs, 77)], -1).astype(np.uint8)


def test_an_upright_box_of_whole_pixels_is_copied() -> None:
    picture = photo(96, 64)
    box = (11, 7, 71, 50)
    read = from_array(picture).warp(corners(box), (60, 43))
    assert np.array_equal(np.asarray(read), np.asarray(picture.crop(box)))


def test_a_quarter_turn_is_a_transposition() -> None:
    picture = photo(96, 64)
    box = corners((20, 10, 60, 50))
    read = from_array(picture).warp(np.roll(box, -1, 0), (40, 40))
    expected = picture.crop((20, 10, 60, 50)).transpose(Image.Transpose.ROTATE_90)
    assert np.array_equal(np.asarray(read), np.asarray(expected))


def test_a_turned_ramp_has_the_values_of_where_each_pixel_lies() -> None:
    """To rounding, and the tenth of a step by which Pillow's kernel misses a straight line."""
    points = corners((30, 15, 90, 55), ANGLE)
    read = np.asarray(from_array(ramps(120, 80)).warp(points, (60, 40)), dtype=float)
    across, down = (points[1] - points[0]) / 60, (points[3] - points[0]) / 40
    xs, ys = np.meshgrid(np.arange(60) + 0.5, np.arange(40) + 0.5)
    place = points[0] + xs[..., None] * across + ys[..., None] * down - 0.5
    for channel, step in ((0, 2), (1, 3)):
        off = read[..., channel] - step * place[..., channel]
        assert np.abs(off).max() < 0.5 + 0.1 * step
        assert abs(off.mean()) < 0.05
    assert (read[..., 2] == 77).all()


def test_smaller_is_averaged_and_not_picked() -> None:
    """Stripes of one pixel become grey, where picking pixels would leave stripes."""
    stripes = np.zeros((200, 200), dtype=np.uint8)
    stripes[:, ::2] = 255
    read = np.asarray(from_array(stripes).warp(corners((40, 40, 160, 160), ANGLE), (24, 24)))
    assert abs(read.astype(float).mean() - 127.5) < 3
    assert read.std() < 12


def test_corners_are_those_of_the_upright_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(photo(96, 64), "PNG", exif=exif)
    turned = load_image(data)
    assert turned.size == (64, 96)
    upright = np.asarray(turned.cut((5, 8, 45, 88)))
    assert np.array_equal(np.asarray(turned.warp(corners((5, 8, 45, 88)), (40, 80))), upright)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_mode_can_be_warped(mode: str) -> None:
    picture = photo(96, 64)
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    read = from_array(picture).warp(corners((20, 15, 70, 50), ANGLE), (50, 35))
    assert read.size == (50, 35)
    grey = np.asarray(picture.convert("L") if mode != "I;16" else picture, dtype=float)
    found = np.asarray(read.convert("L") if read.mode not in ("I;16", "I", "F") else read, float)
    assert abs(found.mean() - grey[15:50, 20:70].mean()) < 0.15 * max(grey.mean(), 1)


def test_what_is_clear_does_not_bleed_into_what_is_not() -> None:
    pixels = np.zeros((60, 60, 4), dtype=np.uint8)
    pixels[:] = (255, 0, 0, 0)
    pixels[20:40, 20:40] = (0, 0, 255, 255)
    read = np.asarray(
        from_array(Image.fromarray(pixels)).warp(corners((10, 10, 50, 50), ANGLE), (40, 40))
    )
    seen = read[read[..., 3] > 40]
    assert seen[:, 0].max() < 40


@pytest.mark.parametrize(
    "points",
    [
        corners((-1, 0, 20, 20)),
        corners((0, 0, 96.1, 20)),
        corners((0, 0, 20, 20))[:3],
        corners((0, 0, 20, np.nan)),
    ],
)
def test_corners_outside_of_the_picture_are_refused(points: NDArray[np.float64]) -> None:
    with pytest.raises(BoxError, match="four corners"):
        from_array(photo(96, 64)).warp(points, (20, 20))


def test_a_side_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError):
        from_array(photo(96, 64)).warp(corners((0, 0, 20, 20)), (0, 20))


def test_bytes_on_disk_can_be_warped() -> None:
    data = io.BytesIO(encoded(photo(96, 64), "JPEG"))
    assert load_image(data).warp(corners((10, 10, 60, 50), ANGLE), (50, 40)).size == (50, 40)

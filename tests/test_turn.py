"""Turned photos: boxes stay inside, corners come home, pixels are where the corners say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from cropper.boxes import Crop, area
from cropper.image import View, from_array
from cropper.render import cut
from cropper.turn import Turn

SIZES = st.tuples(st.integers(40, 900), st.integers(40, 900))
ANGLES = st.floats(-15, 15)
SHARES = st.lists(st.floats(0, 1), min_size=4, max_size=4)


def _box(size: tuple[int, int], shares: list[float]) -> np.ndarray:
    """Any box of at least 8 px inside."""
    (w, h), (x, y, a, b) = size, shares
    width, height = 8 + a * (w - 8), 8 + b * (h - 8)
    left, top = x * (w - width), y * (h - height)
    return np.array([[left, top, left + width, top + height]])


@given(SIZES, ANGLES, SHARES)
def test_corners_of_a_fitted_box_lie_in_the_photo(size, angle, shares) -> None:
    turn = Turn(size, angle)
    fitted = turn.fit(_box(size, shares))
    placed = turn.in_photo(fitted.reshape(-1, 2)[:2])
    assert (placed >= -1e-6).all()
    assert (placed <= np.array(size) + 1e-6).all()
    x0, y0, x1, y1 = fitted[0]
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    assert np.allclose(turn.in_photo(corners), turn.corners(fitted[0]), atol=1e-6)


@given(SIZES, ANGLES, SHARES)
def test_a_box_that_fits_is_not_moved_and_shape_is_kept(size, angle, shares) -> None:
    turn, box = Turn(size, angle), _box(size, shares)
    fitted = turn.fit(box)
    assert np.allclose(turn.fit(fitted), fitted, atol=1e-6)
    sides, own = (each[0, 2:] - each[0, :2] for each in (fitted, box))
    assert sides[0] / sides[1] == pytest.approx(own[0] / own[1])
    assert area(fitted)[0] <= area(box)[0] + 1e-6


@given(SIZES, SHARES)
def test_no_turn_changes_nothing(size, shares) -> None:
    turn, box = Turn(size, 0.0), _box(size, shares)
    assert np.allclose(turn.fit(box), box)
    assert np.allclose(turn.around(box), box)
    assert np.allclose(turn.corners(box[0]), Crop.of(box[0], 0).quad)


@given(SIZES, ANGLES, SHARES)
def test_the_largest_box_is_the_largest_turned_rectangle(size, angle, shares) -> None:
    """Against a bisection of the scale at which the centred crop leaves the photo."""
    width, height = size
    fitted = Turn(size, angle).fit(np.array([[0.0, 0.0, width, height]]))[0]
    cos, sin = math.cos(math.radians(angle)), abs(math.sin(math.radians(angle)))
    low, high = 0.0, 1.0
    for _ in range(60):
        scale = (low + high) / 2
        fits = scale * (width * cos + height * sin) <= width
        fits = fits and scale * (width * sin + height * cos) <= height
        low, high = (scale, high) if fits else (low, scale)
    assert fitted[2] - fitted[0] == pytest.approx(low * width)
    assert np.allclose((fitted[:2] + fitted[2:]) / 2, [width / 2, height / 2])


@given(SIZES, ANGLES, SHARES)
def test_the_box_around_holds_the_corners_and_comes_home(size, angle, shares) -> None:
    turn, box = Turn(size, angle), _box(size, shares)
    back = Turn(size, -angle).around(turn.around(box))
    assert (back[:, :2] <= box[:, :2] + 1e-6).all()
    assert (back[:, 2:] >= box[:, 2:] - 1e-6).all()
    if abs(angle) < 0.1:
        assert np.allclose(back, box, atol=4)


def test_the_view_shows_what_the_corners_cut() -> None:
    """A box of the turned view has the pixels of the crop that its corners say."""
    pixels = data.astronaut()
    turn = Turn((512, 512), 7.0)
    seen = turn.view(View(pixels, (512, 512))).pixels
    box = np.array([150.0, 100.0, 350.0, 260.0])
    crop = Crop.of(box, 0.0, turn.corners(box))
    assert crop.output_size == (200, 160)
    cropped = np.asarray(cut(from_array(pixels), crop), dtype=float)
    assert np.abs(cropped - seen[100:260, 150:350]).mean() < 1.0


def test_a_positive_angle_levels_what_is_tilted_clockwise() -> None:
    """A horizon that falls to the right by 5 degrees lies level in the turned view."""
    rows, columns = np.mgrid[:300, :400]
    below = rows - 150 > (columns - 200) * math.tan(math.radians(5))
    pixels = np.where(below[..., None], 40, 220).astype(np.uint8).repeat(3, axis=2)
    seen = Turn((400, 300), 5.0).view(View(pixels, (400, 300))).pixels[..., 0]
    middle = seen[140:160, 50:350]
    assert (middle[:8] > 200).all()
    assert (middle[-8:] < 60).all()

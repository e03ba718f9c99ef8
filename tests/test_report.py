"""The overlay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from cropper.boxes import Crop
from cropper.finder import ScoreMap
from cropper.image import View, from_array
from cropper.render import cut
from cropper.report import draw_overlay
from cropper.report.overlay import cropped
from cropper.tone import Filter, Tone

BEST = Crop(40, 20, 160, 100, 1.0)
OTHER = Crop(0, 60, 120, 140, 0.5)


def view(grey: int = 200, size: tuple[int, int] = (200, 140), shrunk: int = 1) -> View:
    shape = (size[1] // shrunk, size[0] // shrunk, 3)
    return View(np.full(shape, grey, np.uint8), size)


def heat(scores: list[list[float]]) -> ScoreMap:
    return ScoreMap(np.array(scores), 1.5)


def drawn(*crops: Crop, scores: list[list[float]] | None = None, of: View | None = None) -> NDArray:
    return np.asarray(draw_overlay(of or view(), crops, heat(scores).scores if scores else None))


def test_it_is_an_rgb_picture_of_the_views_size() -> None:
    picture = draw_overlay(view(shrunk=2), [BEST])
    assert isinstance(picture, Image.Image)
    assert (picture.mode, picture.size) == ("RGB", (100, 70))


def test_the_view_stays_as_it_was() -> None:
    shown = view()
    drawn(BEST, OTHER, scores=[[0.0, 1.0]], of=shown)
    assert (shown.pixels == 200).all()


def test_the_crop_keeps_its_pixels_and_the_rest_is_darker() -> None:
    shown = drawn(BEST)
    assert (shown[30:90, 50:150] == 200).all()
    outside = np.ones((140, 200), bool)
    outside[20:100, 40:160] = False
    assert (shown[outside] < 150).all()


@pytest.mark.parametrize("shrunk", [1, 2])
def test_a_frame_lies_just_inside_the_crop(shrunk: int) -> None:
    shown = drawn(BEST, of=view(shrunk=shrunk))
    x0, y0, x1, y1 = (int(edge) // shrunk for edge in BEST.box)
    for y, x in ((y0, x0), (y0, x1 - 1), (y1 - 1, x0), (y1 - 1, x1 - 1)):
        assert (shown[y, x] == 255).all()
    for y, x in ((y0 - 1, x0 + 9), (y1, x0 + 9), (y0 + 9, x0 - 1), (y0 + 9, x1)):
        assert (shown[y, x] < 150).all()


def test_a_crop_is_shown_as_it_is_cut_from_the_photo() -> None:
    """Turned, with its filter and its border; from a view of half the photo's size."""
    photo = from_array(data.astronaut())
    border = Filter("best", Tone(saturation=0.2, fade=0.2, border=0.1))
    corners = ((100.0, 60.0), (400.0, 110.0), (360.0, 350.0), (60.0, 300.0))
    crop = replace(Crop.within(corners, 1.0, photo.size), filter=border)
    expected = np.asarray(cut(photo, crop, crop.layout((200, 160))[0]), float)
    shown = cropped(photo.view(256), crop, 200)
    assert shown.size == (200, 160)
    assert np.abs(np.asarray(shown, float) - expected).mean() < 3


def test_a_frame_shows_on_white_too() -> None:
    shown = drawn(BEST, of=view(255))
    row = shown[60, 40:100].mean(-1)
    assert row.min() < 100


def test_a_runner_up_has_a_frame_and_is_not_lit() -> None:
    alone, both = drawn(BEST), drawn(BEST, OTHER)
    changed = (alone != both).any(-1)
    assert changed[139, 60]
    assert changed[100, 0]
    assert not changed[120, 60]
    assert not changed[:60].any()
    assert (both[120, 60] < 150).all()


def test_heat_runs_from_dark_to_yellow() -> None:
    shown = drawn(Crop(0, 0, 200, 140, 1.0), scores=[[0.0, 1.0]]).astype(int)
    low, high = shown[70, 20], shown[70, 180]
    assert low.sum() < high.sum()
    assert high[2] < high[:2].min()  # little blue is yellow
    assert low[2] > low[:2].max()


def test_places_without_a_score_stay_as_they_are() -> None:
    whole = Crop(0, 0, 200, 140, 1.0)
    plain = drawn(whole)
    shown = drawn(whole, scores=[[float("nan"), 0.0, 1.0, float("nan")]])
    same = (shown == plain).all(-1)
    assert same[:, :50].all()
    assert same[:, 150:].all()
    assert not same[20:120, 60:140].any()


@pytest.mark.parametrize("scores", [[[float("nan")]], [[1.0]], [[2.0, 2.0], [2.0, 2.0]]])
def test_flat_or_empty_heat_is_no_error(scores: list[list[float]]) -> None:
    assert drawn(BEST, scores=scores).shape == (140, 200, 3)


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((1, 1), (0, 0, 1, 1)),
        ((2000, 2), (0, 0, 1000, 1)),
        ((2, 2000), (1, 1000, 2, 2000)),
        ((2000, 1000), (1999, 999, 2000, 1000)),
    ],
)
def test_crops_smaller_than_a_pixel_of_the_view_are_drawn(
    size: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    width, height = (max(side // 10, 1) for side in size)
    small = View(np.full((height, width, 3), 90, np.uint8), size)
    assert drawn(Crop(*box, 1.0), Crop(*box, 0.5), of=small).shape == (height, width, 3)

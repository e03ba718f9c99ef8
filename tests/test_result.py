"""The answer: what it says of its crops, and the pictures that it gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage import data

from cropper import Crop, CropFinder, CropResult, SearchResult, StopReason
from cropper.scorers import load_scorer


def result(
    *crops: Crop, calibrated: bool = True, size: tuple[int, int] | None = None
) -> CropResult:
    found = SearchResult(crops, "halving", 10, 1, StopReason.CONVERGED)
    return CropResult((100, 80), found, 1.0, 0.5, calibrated, "stub", 0.0, size)


TURNED = Crop(0, 0, 60, 50, 2.0, ((10, 0), (60, 10), (50, 50), (0, 40)))


@pytest.mark.parametrize(
    ("crop", "size", "enlarged"),
    [
        (Crop(0, 0, 40, 30, 0.0), None, False),
        (Crop(0, 0, 40, 30, 0.0), (40, 30), False),
        (Crop(0, 0, 40, 30, 0.0), (41, 30), True),
        (TURNED, (51, 41), False),
        (TURNED, (55, 44), True),  # within the box around it, larger than the crop itself
    ],
)
def test_a_crop_is_enlarged_beyond_its_own_sides(
    crop: Crop, size: tuple[int, int] | None, enlarged: bool
) -> None:
    assert result(crop, size=size).enlarged(crop) is enlarged


def test_preferences_are_those_of_bradley_and_terry() -> None:
    found = result(Crop(0, 0, 9, 9, 3.0))
    assert found.preferred_to_full_frame == pytest.approx(1 / (1 + math.exp(-2.0)))
    assert found.preferred_to_centre == pytest.approx(1 / (1 + math.exp(-2.5)))
    assert result(Crop(0, 0, 9, 9, 3.0), calibrated=False).preferred_to_full_frame is None


def test_it_gives_its_crops_as_pictures() -> None:
    pixels = data.coffee()
    found = CropFinder(load_scorer("cropnet", "cpu")).find(pixels, aspect="1:1", top_k=2)
    for rank, crop in enumerate(found.crops, 1):
        x0, y0, x1, y1 = map(int, crop.box)
        assert np.array_equal(np.asarray(found.crop(rank)), pixels[y0:y1, x0:x1])
    with pytest.raises(IndexError, match="ranks are 1 to"):
        found.crop(len(found.crops) + 1)
    small = CropFinder(load_scorer("cropnet", "cpu")).find(pixels, size=(90, 60))
    assert small.crop().size == (90, 60)


def test_a_notebook_shows_the_photo_and_the_crop() -> None:
    found = CropFinder(load_scorer("cropnet", "cpu")).find(data.coffee(), aspect="1:1", top_k=2)
    html = found._repr_html_()
    assert html.count("data:image/jpeg;base64,") == 2
    assert html.count("<polygon") == len(found.crops)
    assert result(Crop(0, 0, 9, 9, 3.0))._repr_html_() == repr(result(Crop(0, 0, 9, 9, 3.0)))

"""``cropper best --overlay``."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.support import FIELDS
from tests.conftest import (
    Crop,
    cut,
    names,
    one_record,
    pixels,
    spotted,
)
from tests.image.pictures import difference


def test_the_overlay_shows_the_photo_with_the_crop_bright(crop: Crop) -> None:
    spotted(300, 200).save("photo.png")
    record = one_record(crop("photo.png", "--overlay", "why.jpg", "--json"))
    shown, photo = pixels("why.jpg").astype(float), pixels("photo.png").astype(float)
    assert shown.shape == photo.shape
    assert difference(shown, photo) > 10
    x0, y0, x1, y1 = record["box"]
    inside = np.zeros(photo.shape[:2], bool)
    inside[y0:y1, x0:x1] = True
    ratio = shown.mean(2) / (photo.mean(2) + 1)
    assert np.median(ratio[inside]) > 1.5 * np.median(ratio[~inside])


def test_the_overlay_changes_neither_the_crop_nor_how_many_are_written(
    crop: Crop, photo_png: Path
) -> None:
    plain = one_record(crop("photo.png", "--json", "-o", "plain.png"))
    drawn = one_record(crop("photo.png", "--json", "-o", "drawn.png", "--overlay", "why.png"))
    assert list(drawn) == FIELDS
    assert drawn["box"] == plain["box"]
    assert Path("plain.png").read_bytes() == Path("drawn.png").read_bytes()
    assert names(Path()) == {"photo.png", "plain.png", "drawn.png", "why.png"}


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp", ".gif", ".tif", ".bmp", ".avif"])
def test_an_overlay_can_have_any_format(extension: str, crop: Crop, photo_png: Path) -> None:
    assert crop("photo.png", "--overlay", "why" + extension).exit_code == 0
    with Image.open("why" + extension) as picture:
        assert picture.size == (120, 80)


@pytest.mark.skipif(importlib.util.find_spec("pillow_heif") is not None, reason="HEIC is installed")
@pytest.mark.parametrize("option", ["-o", "--overlay"])
def test_heic_without_its_extra_is_an_error_that_names_it(
    option: str, crop: Crop, photo_png: Path
) -> None:
    found = crop("photo.png", option, "out.heic")
    assert found.exit_code == 3
    assert "->" not in found.stderr
    assert "cropper[heic]" in found.stderr
    assert "out.heic" not in names(photo_png.parent)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(3000, 2), (2, 3000), (1, 1), (2, 1)])
def test_extreme_shapes_get_a_crop_and_an_overlay(size: tuple[int, int], crop: Crop) -> None:
    spotted(*size).save("photo.png")
    record = one_record(crop("photo.png", "--json", "--overlay", "why.png"))
    assert np.array_equal(pixels("photo-best.png"), cut("photo.png", record["box"]))
    assert names(Path()) == {"photo.png", "photo-best.png", "why.png"}

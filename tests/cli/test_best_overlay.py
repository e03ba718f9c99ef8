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


def test_the_overlay_shows_the_crop_with_its_filter(crop: Crop) -> None:
    spotted(300, 200).save("photo.png")
    line = ["photo.png", "--aspect", "1:1", "--json", "--overwrite", "--overlay"]
    record = one_record(crop(*line, "plain.png"))
    assert one_record(crop(*line, "fade.png", "--filter", "fade"))["box"] == record["box"]
    plain, faded = (pixels(f"{name}.png").astype(float) for name in ("plain", "fade"))
    x0, y0, x1, y1 = record["box"]
    inside = np.zeros(plain.shape[:2], bool)
    inside[y0 + 9 : y1 - 9, x0 + 9 : x1 - 9] = True  # within its frame
    outside = np.ones(plain.shape[:2], bool)
    outside[max(y0 - 1, 0) : y1 + 1, max(x0 - 1, 0) : x1 + 1] = False
    assert np.array_equal(plain[outside], faded[outside])
    ground, toned = (pixels(f"{name}.png").astype(float) for name in ("photo", "photo-best"))
    change = toned - ground[y0:y1, x0:x1]
    drawn = (faded - plain)[y0:y1, x0:x1]
    seen = inside[y0:y1, x0:x1]
    assert np.abs(change[seen]).mean() > 10
    off = [np.abs(drawn - share * change).max(-1) for share in (0.6, 1)]  # beneath the map, beside
    assert (np.minimum(*off)[seen] < 3).mean() > 0.8  # but where runners-up have their frames


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

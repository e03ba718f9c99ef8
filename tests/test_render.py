"""From a photo to a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cropper.errors import BoxError, ConfigError, ImageReadError, ImageWriteError
from cropper.image import load_image
from cropper.render import save_crop
from tests.image.encoding import BOX, listing
from tests.image.pictures import (
    encoded,
    photo,
    with_exif,
)


def test_save_crop(tmp_path: Path) -> None:
    source = load_image(with_exif(photo(), "PNG", 6), name="mine.png")
    target = tmp_path / "crop.png"
    save_crop(source, (8, 10, 48, 74), target)
    assert np.array_equal(np.asarray(Image.open(target)), np.asarray(source.cut((8, 10, 48, 74))))
    save_crop(source, (8.5, 10, 48, 74.25), target, size=(31, 17), overwrite=True)
    assert Image.open(target).size == (31, 17)
    assert listing(tmp_path) == ["crop.png"]
    for quality, name in ((10, "small.jpg"), (95, "large.jpg")):
        save_crop(source, (8, 10, 48, 74), tmp_path / name, quality=quality)
    assert (tmp_path / "small.jpg").stat().st_size < (tmp_path / "large.jpg").stat().st_size


def test_save_crop_leaves_nothing_where_it_fails(tmp_path: Path) -> None:
    content = encoded(photo(), "PNG")
    sound, broken = load_image(content), load_image(content[: len(content) // 2], name="half")
    with pytest.raises(ImageReadError, match="half"):
        save_crop(broken, BOX, tmp_path / "a.png")
    with pytest.raises(BoxError):
        save_crop(sound, (0, 0, 1000, 5), tmp_path / "a.png")
    with pytest.raises(ConfigError, match="extension"):
        save_crop(sound, BOX, tmp_path / "a.xyz")
    assert listing(tmp_path) == []


def test_save_crop_refuses_before_it_works(tmp_path: Path) -> None:
    """The pixels are broken, but nobody got to see them."""
    content = encoded(photo(), "PNG")
    broken = load_image(content[: len(content) // 2])
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(ImageWriteError, match="exists"):
        save_crop(broken, BOX, tmp_path / "a.png")

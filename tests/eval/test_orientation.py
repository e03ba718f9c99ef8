"""``python -m eval orientation``: figures against what they are by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from cropper.errors import DataError
from eval.orientation import by_faces, measure_orientation, render_orientation


def test_fixed_turns_have_the_figures_that_they_must_have(tmp_path: Path) -> None:
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    methods = [("none", lambda _: 0), ("one", lambda _: 1)]
    count, (none, one) = measure_orientation(tmp_path, "all", methods)
    assert count == 3
    assert (none.upright.mean, none.wrong.mean, none.left.mean) == (0, 0, 1)
    assert one.upright.mean == pytest.approx(1 / 3)
    assert (one.wrong.mean, one.left.mean) == (pytest.approx(2 / 3), 0)
    assert "one " in render_orientation(count, [none, one])


def test_a_face_tells_which_side_is_up(tmp_path: Path) -> None:
    Image.fromarray(data.astronaut()).save(tmp_path / "face.png")
    _, (found,) = measure_orientation(tmp_path, "all", [("faces", by_faces())])
    assert (found.upright.mean, found.left.mean) == (1, 1)


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="no photo of split 'val' can be read"):
        measure_orientation(tmp_path, "val", [])

"""Recall of faces by kind and size, on one photo of a face."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from skimage import data

from cropper.errors import DataError
from eval.__main__ import cli
from eval.faces import measure_faces


@pytest.fixture
def root(tmp_path: Path) -> Path:
    Image.fromarray(data.astronaut()).save(tmp_path / "a.png")
    there = (np.array([180, 75, 268, 190]) / 512).tolist()
    faces = [{"box": there, "frontal": 1}, {"box": [0.8, 0.8, 0.9, 0.85], "back": 1}]
    entries = [{"image": "a.png", "faces": faces}, {"image": "gone.png"}]
    (tmp_path / "annotations.json").write_text(json.dumps(entries))
    return tmp_path


def test_faces_are_counted_by_kind_and_size(root: Path) -> None:
    found = measure_faces(root, 448)
    assert found == {
        "detections that are drawn": (1, 1),
        "large frontal": (1, 1),
        "small back": (0, 1),
    }
    told = CliRunner().invoke(cli, ["faces", "--root", str(root)])
    assert told.exit_code == 0, told.output
    assert "large frontal" in told.stdout


def test_photos_without_drawn_faces_are_no_benchmark(root: Path) -> None:
    (root / "annotations.json").write_text('[{"image": "a.png"}]')
    with pytest.raises(DataError, match="no photo with drawn faces"):
        measure_faces(root, 448)

"""``--require-face``: pictures with a face stay; without the extra one is told how to get it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from skimage import data, io, transform

from cropper import from_array
from cropper.cli import main
from cropper.errors import DataError, MissingModelError
from cropper.faces import FaceFinder
from cropper.train.selfies.data import read_folders
from cropper.train.selfies.faces import with_faces


def face() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[:300, 80:380])


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    io.imsave(path, pixels, check_contrast=False)


@pytest.mark.parametrize("tilt", [0, -18, 18])
def test_a_face_is_found_upright_and_tilted(tilt: float) -> None:
    pytest.importorskip("cv2")
    turned = (255 * transform.rotate(face(), tilt, mode="edge")).astype(np.uint8)
    finder = FaceFinder()
    assert finder.has_face(from_array(turned).view(finder.long_side))


@pytest.mark.parametrize("name", ["coffee", "rocket", "chelsea"])
def test_what_is_no_face_is_not_taken_for_one(name: str) -> None:
    pytest.importorskip("cv2")
    finder = FaceFinder()
    assert not finder.has_face(from_array(getattr(data, name)()).view(finder.long_side))


def test_pictures_without_a_face_are_left_out_and_counted(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    save(tmp_path / "good" / "face.png", face())
    save(tmp_path / "good" / "cup.png", data.coffee())
    save(tmp_path / "bad" / "other.png", face()[:, ::-1])
    (tmp_path / "bad" / "broken.png").write_bytes(b"no picture")
    found = with_faces(read_folders(tmp_path), lambda line: None)
    assert [path.name for path in found.paths] == ["face.png", "other.png"]
    assert found.label.tolist() == [1, 0]
    assert "-1 without a face" in found.summary
    assert found.facts["unreadable"] == 1
    (tmp_path / "good" / "face.png").unlink()
    (tmp_path / "bad" / "other.png").unlink()
    with pytest.raises(DataError, match="no face in any of 2"):
        with_faces(read_folders(tmp_path), lambda line: None)


def test_without_the_extra_one_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingModelError, match=r"pip install 'cropper\[faces\]'"):
        FaceFinder()
    save(tmp_path / "good" / "a.png", data.coffee())
    save(tmp_path / "bad" / "b.png", data.coffee())
    line = ["train", "selfies", "--folders", str(tmp_path), "--require-face", "--labels-only"]
    found = CliRunner().invoke(main, line, catch_exceptions=False)
    assert found.exit_code == 3
    assert "cropper[faces]" in found.stderr

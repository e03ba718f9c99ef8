"""Faces and heads, by the detector of the package; photos without a face can be left out."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage import data, io, transform

from cropper import from_array
from cropper.boxes import iou
from cropper.errors import DataError, MissingModelError
from cropper.faces import Face, FaceFinder, find_faces
from cropper.train.selfies.data import read_folders
from cropper.train.selfies.faces import look_for_faces, with_faces

FACE = (180.0, 75.0, 268.0, 190.0)  # of the astronaut, by eye: brow to chin, cheek to cheek


def face() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[:300, 80:380])


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    io.imsave(path, pixels, check_contrast=False)


def found_in(pixels: np.ndarray) -> tuple[Face, ...]:
    return find_faces(from_array(pixels).view(640))


def test_a_face_is_where_it_is_seen() -> None:
    (one,) = found_in(data.astronaut())
    assert iou(np.array([one.box]), np.array([FACE]))[0, 0] > 0.6
    assert one.score > 0.8


@pytest.mark.parametrize("tilt", [-18, 18])
def test_a_face_is_found_tilted(tilt: float) -> None:
    turned = (255 * transform.rotate(face(), tilt, mode="edge")).astype(np.uint8)
    assert len(found_in(turned)) == 1


@pytest.mark.parametrize("name", ["coffee", "rocket", "chelsea"])
def test_what_is_no_face_is_not_taken_for_one(name: str) -> None:
    assert found_in(getattr(data, name)()) == ()


def test_boxes_are_those_of_the_photo_at_any_size_and_shape() -> None:
    astronaut = data.astronaut()
    (one,) = found_in(astronaut)
    padded = np.pad(astronaut, ((0, 37), (0, 801), (0, 0)))
    large = np.repeat(np.repeat(astronaut, 3, 0), 3, 1)
    for pixels, scale in ((padded, 1), (large, 3)):
        (other,) = found_in(pixels)
        assert iou(np.array([other.box]) / scale, np.array([one.box]))[0, 0] > 0.75


def test_several_faces_come_largest_first() -> None:
    one = face()
    small = one[::2, ::2]
    canvas = np.full((320, 620, 3), 127, np.uint8)
    canvas[10:160, 10:160], canvas[10:310, 300:600] = small, one
    first, second = found_in(canvas)
    assert first.box[0] > 300 > second.box[2]


def test_a_head_has_hair_above_its_face_and_stays_in_the_photo() -> None:
    one = Face((40.0, 50.0, 60.0, 80.0), 0.9)
    x0, y0, x1, y1 = one.head((100, 100))
    assert (x0, y0, x1, y1) == pytest.approx((36, 36.5, 64, 83))
    assert one.head((100, 100), room=0.2)[1] == pytest.approx(30.5)
    assert Face((0.0, 5.0, 60.0, 99.0), 0.9).head((100, 100)) == (0, 0, 72, 100)


def test_a_file_that_is_no_detector_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no model")
    for path in (tmp_path / "x.onnx", tmp_path / "nowhere.onnx"):
        with pytest.raises(MissingModelError, match=r"\.onnx is no YuNet"):
            FaceFinder(path)


def test_pictures_without_a_face_are_left_out_and_counted(tmp_path: Path) -> None:
    save(tmp_path / "good" / "face.png", face())
    save(tmp_path / "good" / "cup.png", data.coffee())
    save(tmp_path / "bad" / "other.png", face()[:, ::-1])
    (tmp_path / "bad" / "broken.png").write_bytes(b"no picture")
    found = with_faces(look_for_faces(read_folders(tmp_path), lambda line: None))
    assert [path.name for path in found.paths] == ["face.png", "other.png"]
    assert found.label.tolist() == [1, 0]
    assert "-1 without a face" in found.summary
    assert found.facts["unreadable"] == 1
    (tmp_path / "good" / "face.png").unlink()
    (tmp_path / "bad" / "other.png").unlink()
    with pytest.raises(DataError, match="no face in any of 2"):
        with_faces(look_for_faces(read_folders(tmp_path), lambda line: None))


def test_a_view_is_looked_at_once_and_forgotten_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    finder, looks = FaceFinder(), []
    find = finder._find
    monkeypatch.setattr(finder, "_find", lambda view: (looks.append(view.size), find(view))[1])
    view = from_array(data.astronaut()).view(640)
    assert finder.find(view) == finder.find(view)
    assert len(looks) == len(finder._known) == 1
    finder.find(from_array(data.coffee()).view(640))
    del view
    gc.collect()
    assert len(looks) == 2
    assert not finder._known


# The runtime says nothing to anybody

ASKED = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Watch())
from cropper import CropFinder
import numpy as np
CropFinder(device="cpu").find(np.zeros((40, 60, 3), np.uint8))
"""


@pytest.mark.parametrize(("given", "seen"), [(None, "1"), ("0", "0")])
def test_telemetry_is_off_before_the_runtime_is_imported(
    tmp_path: Path, given: str | None, seen: str
) -> None:
    environment = dict(os.environ) | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    environment |= {"ORT_DISABLE_TELEMETRY": given} if given else {}
    ran = subprocess.run(
        [sys.executable, "-c", ASKED], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.stdout.split() == [seen], ran.stderr
    if seen == "1":
        assert not any(tmp_path.iterdir())

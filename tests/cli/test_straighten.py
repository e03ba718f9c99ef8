"""``--straighten`` on the shell, over folders, in the service and from Python."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from skimage import data

from cropper import BulkOptions, CropFinder, CropRequest, crop_folder
from cropper.cli import main
from cropper.errors import ConfigError
from cropper.image import open_photo
from cropper.tilt import find_tilt
from cropper.turn import Turn
from tests.conftest import one_record
from tests.serve.conftest import serving

ANGLE = 6.0


def _front() -> np.ndarray:
    """A house front with windows: what is level in it is beyond doubt."""
    y, x = np.mgrid[:600, :800]
    wall = np.full((600, 800), 170, np.uint8)
    wall[(x % 128 > 40) & (x % 128 < 96) & (y % 144 > 32) & (y % 144 < 104)] = 60
    wall[y > 510] = 110
    return wall[..., None].repeat(3, 2)


@pytest.fixture
def tilted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The front as it is seen where it is tilted clockwise by 6 degrees."""
    monkeypatch.chdir(tmp_path)
    whole = Image.fromarray(_front()).rotate(-ANGLE, Image.Resampling.BICUBIC)
    Path("in").mkdir()
    whole.crop((80, 60, 720, 540)).save("in/tilted.jpg", quality=90)
    Image.fromarray(_front()).save("in/level.jpg", quality=90)
    return tmp_path


def _best(*arguments: str) -> dict[str, object]:
    return one_record(CliRunner().invoke(main, ["best", "--json", *arguments]))


def test_a_tilted_photo_is_cut_level(tilted: Path) -> None:
    record = _best("in/tilted.jpg", "--straighten", "--aspect", "1:1", "-o", "out.png")
    assert record["angle"] == pytest.approx(ANGLE, abs=1)
    assert record["tilt_probability"] >= 0.5
    (ax, ay), (bx, by), _, _ = record["corners"]
    assert np.degrees(np.arctan2(by - ay, bx - ax)) == pytest.approx(record["angle"], abs=0.1)
    corners = np.array(record["corners"])
    assert (corners >= 0).all()
    assert (corners <= (640, 480)).all()
    with Image.open("out.png") as picture:
        assert picture.width == picture.height
        grey = np.asarray(picture.convert("L"), dtype=float)
    assert np.abs(np.diff(grey.mean(1))).max() > 12  # rows of windows are rows of pixels again
    with Image.open("in/tilted.jpg") as photo:
        before = np.asarray(photo.convert("L"), dtype=float)
    assert np.abs(np.diff(before.mean(1))).max() < 8


def test_a_level_photo_gets_the_crop_that_it_always_got(tilted: Path) -> None:
    record = _best("in/level.jpg", "--straighten", "-o", "a.png")
    plain = _best("in/level.jpg", "-o", "b.png")
    assert (record["angle"], record["box"]) == (0, plain["box"])
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert "angle" not in plain


def test_only_turns_and_keeps_all_that_it_can(tilted: Path) -> None:
    record = _best("in/tilted.jpg", "--straighten", "only", "-o", "out.jpg")
    turn = Turn((640, 480), record["angle"])
    largest = turn.fit(np.array([[0.0, 0.0, 640.0, 480.0]]))[0]
    width, height = np.round(largest[2:] - largest[:2])
    with Image.open("out.jpg") as picture:
        assert picture.size == pytest.approx((width, height), abs=1)
    level = _best("in/level.jpg", "--straighten", "only", "-o", "level.jpg")
    assert level["box"] == [0, 0, 800, 600]


def test_the_option_takes_no_photo_for_its_value(tilted: Path) -> None:
    found = CliRunner().invoke(main, ["best", "--straighten", "in/tilted.jpg", "-o", "out.jpg"])
    assert found.exit_code == 0, found.stderr
    assert "turned" in found.stderr


def test_a_photo_that_is_not_turned_is_told_why(tilted: Path) -> None:
    def told(name: str) -> str:
        return CliRunner().invoke(main, ["best", name, "--straighten", "--dry-run"]).stderr

    assert "; level as it is" in told("in/level.jpg")
    Image.fromarray(data.coffee()).save("coffee.png")
    assert re.search(r"; not turned: likely tilted by [0-9.]+ degrees", told("coffee.png"))


def test_a_folder_and_python_turn_alike(tilted: Path) -> None:
    asked = ["bulk", "in", "-o", "out", "--straighten", "--json", "--report", "report.html"]
    found = CliRunner().invoke(main, asked)
    records = [json.loads(line) for line in found.stdout.splitlines()]
    angles = {record["input"]: record.get("angle") for record in records}
    assert angles["in/level.jpg"] == 0
    assert angles["in/tilted.jpg"] == pytest.approx(ANGLE, abs=1)
    request = CropRequest(straighten="crop")
    best = CropFinder().find("in/tilted.jpg", request).best
    own = next(each for each in records if each["input"] == "in/tilted.jpg")
    assert np.allclose(own["corners"], best.corners, atol=4)
    report = crop_folder("in", "out", BulkOptions((request,)))
    assert (report.done, report.current) == (0, 2)  # the manifest knows both


def test_a_photo_is_levelled_once_for_all_shapes(
    tilted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    monkeypatch.setattr("cropper.finder.find_tilt", lambda view: looks.append(1) or find_tilt(view))
    requests = tuple(CropRequest(straighten="crop", aspect=each) for each in ("1:1", "4:5", "16:9"))
    assert crop_folder("in", "out", BulkOptions(requests)).done == 2
    assert len(looks) == 2


def test_the_service_turns_too(tilted: Path) -> None:
    content = Path("in/tilted.jpg").read_bytes()
    with serving(CropFinder().scorer) as client:
        query = {"straighten": "only"}
        found = client.post("/v1/crop", content=content, params=query).json()
        picture = client.post(
            "/v1/crop", content=content, params=query, headers={"Accept": "image/png"}
        )
    assert found["angle"] == pytest.approx(ANGLE, abs=1)
    size = Image.open(io.BytesIO(picture.content)).size
    assert size[0] < 640
    assert size[1] < 480


def test_heads_are_kept_in_turned_photos() -> None:
    """The astronaut on a tilted front: her head is in the crop, whole."""
    front = np.concatenate([_front()[:, :300], _front()[:, :300]], 1)[:512]
    scene = np.concatenate([front, data.astronaut()[:512]], 1)
    tilted = Image.fromarray(scene).rotate(-ANGLE, Image.Resampling.BICUBIC)
    photo = np.asarray(tilted.crop((70, 60, scene.shape[1] - 70, 450)))
    result = CropFinder().find(photo, aspect="1:1", straighten="crop")
    assert result.best.corners
    assert result.faces
    level = Turn(result.source_size, result.tilt.angle)
    (x0, y0, x1, y1), placed = result.faces[0], level.in_turned(np.array(result.best.corners))
    middle = level.in_turned(np.array([[(x0 + x1) / 2, (y0 + y1) / 2]]))[0]
    reach = min(*(middle - placed.min(0)), *(placed.max(0) - middle))
    assert reach >= (y1 - y0) / 2 - 2


def test_what_does_not_go_together() -> None:
    with pytest.raises(ConfigError, match="`straighten` is one of crop, only"):
        CropRequest(straighten="yes")
    with pytest.raises(ConfigError, match="`straighten` turns a search"):
        CropRequest(straighten="crop", method="search+stn")


def test_an_angle_is_that_of_the_caller(tilted: Path) -> None:
    record = _best("in/tilted.jpg", "--angle", "6", "--aspect", "1:1", "-o", "out.png")
    (ax, ay), (bx, by), _, _ = record["corners"]
    assert np.degrees(np.arctan2(by - ay, bx - ax)) == pytest.approx(6, abs=0.1)
    turn = Turn((640, 480), 6.0)
    view = turn.view(CropFinder().scorer.spec.view(open_photo("in/tilted.jpg")))
    placed = turn.in_turned(np.array(record["corners"]))
    box = np.concatenate([placed[0], placed[2]])[None]
    assert CropFinder().bind_view(view)(box)[0] == pytest.approx(record["score"], abs=0.02)
    asked = ["bulk", "in", "-o", "out", "--json"]
    records = CliRunner().invoke(main, [*asked, "--angle", "6", "--aspect", "1:1"]).stdout
    own = next(x for x in map(json.loads, records.splitlines()) if "tilted" in x["input"])
    assert np.allclose(own["corners"], record["corners"], atol=4)
    again = CliRunner().invoke(main, [*asked, "--angle", "2", "--aspect", "1:1", "--overwrite"])
    assert {json.loads(line)["status"] for line in again.stdout.splitlines()} == {"done"}


def test_the_service_turns_by_an_angle_and_cuts_what_it_answers(tilted: Path) -> None:
    content = Path("in/tilted.jpg").read_bytes()
    record = _best("in/tilted.jpg", "--angle", "6", "--aspect", "4:5", "-o", "out.jpg")
    with serving(CropFinder().scorer) as client:
        query = {"angle": "6", "aspect": "4:5"}
        found = client.post("/v1/crop", content=content, params=query).json()
        assert found["corners"] == found["crops"][0]["corners"] == record["corners"]
        query = {"corners": json.dumps(found["corners"])}
        cut = client.post("/v1/cut", content=content, params=query)
        assert cut.status_code == 200, cut.text
        pixels = [Image.open(each) for each in (io.BytesIO(cut.content), "out.jpg")]
        assert pixels[0].size == pixels[1].size
        off = np.abs(np.subtract(*(np.asarray(each, dtype=int) for each in pixels)))
        assert off.mean() < 1  # corners are answered to a hundredth of a pixel
        turn = Turn((640, 480), 6.0)
        placed = turn.in_turned(np.array(found["corners"]))
        box = [*placed[0], *placed[2]]
        query = {"boxes": json.dumps([box]), "angle": "6"}
        scored = client.post("/v1/score", content=content, params=query).json()
        assert scored["boxes"][0]["score"] == pytest.approx(found["score"], abs=0.02)
        assert scored["full_frame_score"] == pytest.approx(found["full_frame_score"], abs=1e-6)
        for query, told in [
            ({"corners": "[[0, 0], [9, 0], [9, 9], [0, 9]]", "box": "0,0,9,9"}, "one alone"),
            ({"corners": "[[0, 0], [99, 0], [90, 99], [0, 99]]"}, "of a parallelogram"),
            ({"corners": "[[0, 0], [0, 99], [99, 99], [99, 0]]"}, "then clockwise"),
            ({"corners": "[[0, 0], [999, 0], [999, 99], [0, 99]]"}, "corners lie within"),
        ]:
            answer = client.post("/v1/cut", content=content, params=query)
            assert answer.status_code == 400
            assert told in answer.json()["detail"]


def test_an_angle_goes_with_a_search_alone() -> None:
    with pytest.raises(ConfigError, match="`angle` is 45 degrees at most"):
        CropRequest(angle=50)
    for other in ({"straighten": "crop"}, {"method": "stn"}):
        with pytest.raises(ConfigError, match="`angle` turns a search"):
            CropRequest(angle=5, **other)

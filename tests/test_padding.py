"""Crops on canvases: what a shape would cut is kept whole, and the shape is filled around it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from cropper import CropFinder, CropRequest, from_array
from cropper.boxes import Crop
from cropper.bulk.outcome import Written
from cropper.bulk.signature import Signature
from cropper.canvas import FILLS, Canvas
from cropper.cli import main
from cropper.errors import ConfigError
from cropper.faces import find_faces
from cropper.image.colour import to_srgb
from cropper.image.padding import laid
from cropper.render import cut, render
from tests.conftest import one_record
from tests.image.pictures import swapped_profile
from tests.serve.conftest import serving

PORTRAIT = data.astronaut()[:400]
TWO = np.concatenate([PORTRAIT[:, :400], PORTRAIT[:, :400]], 1)  # heads at either side

SIDES = st.integers(1, 2000)


@given(SIDES, SIDES, st.floats(0.1, 10), st.none() | st.tuples(SIDES, SIDES))
def test_a_crop_lies_in_the_middle_as_large_as_fits(
    width: int, height: int, aspect: float, size: tuple[int, int] | None
) -> None:
    canvas = Canvas(size[0] / size[1] if size else aspect, "pad")
    (wide, high), (x0, y0, x1, y1) = canvas.layout((width, height), size)
    assert 0 <= x0 < x1 <= wide
    assert 0 <= y0 < y1 <= high
    assert abs((wide - x1) - x0) <= 1
    assert abs((high - y1) - y0) <= 1
    assert x0 == 0 or y0 == 0  # it touches two edges
    if size:
        assert (wide, high) == size
        scale = min(wide / width, high / height)
        assert abs((x1 - x0) - max(width * scale, 1)) <= 0.5 + 1e-6
        assert abs((y1 - y0) - max(height * scale, 1)) <= 0.5 + 1e-6
    else:
        assert (x1 - x0, y1 - y0) == (width, height)
        assert min(abs(wide - high * aspect), abs(high - wide / aspect)) <= 0.5 + 1e-6


def _pictures() -> dict[str, Image.Image]:
    colour = Image.fromarray(data.astronaut()[100:140, 200:260])
    pictures = {mode: colour.convert(mode) for mode in ("RGB", "L", "RGBA", "LA", "CMYK", "P", "1")}
    deep = np.asarray(colour.convert("L")).astype(np.uint16) * 257
    pictures["I;16"] = Image.fromarray(deep)
    pictures["F"] = Image.fromarray(deep.astype(np.float32))
    return pictures


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("mode", _pictures())
def test_every_mode_is_laid_unchanged_on_every_fill(mode: str, fill: str) -> None:
    picture = _pictures()[mode]
    whole = laid(picture, Canvas(0.5, fill, "#ff0000"), (60, 120), (0, 40))
    assert whole.size == (60, 120)
    own = picture.convert(whole.mode)
    assert np.array_equal(np.asarray(whole.crop((0, 40, 60, 80))), np.asarray(own))
    edge = np.asarray(whole)[0]
    if fill == "extend":
        assert np.array_equal(edge, np.asarray(own)[0])
    if fill == "pad" and mode in ("RGB", "RGBA", "P"):
        assert (edge[:, :3] == (255, 0, 0)).all()
    if fill == "pad" and mode == "I;16":
        assert abs(int(edge[0]) - 0.299 * 65_535) < 257


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.1, 10))
def test_a_crop_of_any_size_is_laid_on_its_blurred_self(
    width: int, height: int, aspect: float
) -> None:
    canvas, picture = Canvas(aspect, "blur"), Image.new("RGB", (width, height), (90, 30, 200))
    size, place = canvas.layout(picture.size)
    whole = np.asarray(laid(picture, canvas, size, place[:2]))
    assert whole.shape == (size[1], size[0], 3)
    assert (whole == (90, 30, 200)).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_background_is_seen_as_its_colour_through_the_photo_s_profile(mode: str) -> None:
    picture = _pictures()[mode]
    canvas = Canvas(0.5, "pad", "#c02040")
    whole = laid(picture, canvas, (60, 120), (0, 40), swapped_profile())
    seen = np.asarray(to_srgb(whole, swapped_profile()))[0, 0, :3]
    assert np.abs(seen.astype(int) - (0xC0, 0x20, 0x40)).max() <= 2
    assert np.array_equal(
        np.asarray(whole.crop((0, 40, 60, 80))), np.asarray(picture)
    )  # the crop itself is not converted


def test_white_is_white_in_every_mode() -> None:
    for mode in ("L", "I;16", "RGBA"):
        whole = laid(_pictures()[mode], Canvas(0.5, "pad"), (60, 120), (0, 40))
        assert np.asarray(whole)[0].min() == (65_535 if mode == "I;16" else 255)


@pytest.mark.parametrize("fit", FILLS)
@pytest.mark.parametrize("fields", [{"aspect": "9:16"}, {"size": (270, 480)}])
def test_heads_that_no_crop_holds_are_kept_whole(fit: str, fields: dict[str, Any]) -> None:
    result = CropFinder().find(TWO, fit=fit, **fields)
    heads = [face.head((800, 400)) for face in find_faces(from_array(TWO).view(640))]
    assert len(heads) == 2
    for x0, y0, x1, y1 in heads:
        left, top, right, bottom = result.best.box
        assert max(left - x0, top - y0, x1 - right, y1 - bottom) <= 1
    picture = result.crop()
    assert picture.width / picture.height == pytest.approx(9 / 16, abs=0.002)
    assert "it is padded" in result.notes[0]
    padding = result.to_dict()["padding"]
    assert (padding["fit"], tuple(padding["size"])) == (fit, picture.size)
    if "size" not in fields:
        inside = np.asarray(picture.crop(tuple(padding["place"])))
        plain = cut(from_array(TWO), Crop.of(np.array(result.best.box), 0))
        assert np.array_equal(inside, np.asarray(plain))


@pytest.mark.parametrize("aspect", ["16:9", "1:1", "original", "free"])
def test_where_the_shape_holds_them_nothing_is_padded(aspect: str) -> None:
    finder, photo = CropFinder(), from_array(PORTRAIT)
    padded, plain = (finder.find(photo, aspect=aspect, fit=fit) for fit in ("pad", "crop"))
    assert padded.crops == plain.crops
    assert render(photo, padded.best, "JPEG") == render(photo, plain.best, "JPEG")
    assert "padding" not in padded.to_dict()


@pytest.mark.parametrize("low", [0.3, 0.51, 0.57, 0.6])
def test_a_box_is_kept_beside_a_head_with_the_room_that_both_leave(low: float) -> None:
    photo, box = data.astronaut(), (0.1, 0.1, 0.8, low)
    head = find_faces(from_array(photo).view(640))[0].head((512, 512))
    best = CropFinder().find(photo, aspect="2:1", keep=("faces", box), fit="pad").best
    for x0, y0, x1, y1 in (head, np.array(box) * 512):
        left, top, right, bottom = best.box
        assert max(left - x0, top - y0, x1 - right, y1 - bottom) <= 1


def test_a_box_to_keep_is_padded_for_too() -> None:
    blank = from_array(np.zeros((300, 400, 3), np.uint8))
    best = CropFinder().find(blank, aspect="1:1", keep=((0.0, 0.1, 1.0, 0.2),), fit="pad").best
    assert best.box[0] <= 1
    assert best.box[2] >= 399
    assert best.layout()[0] == (best.output_size[0],) * 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"fit": "stretch"}, "`fit` is one of crop, pad"),
        ({"background": "no colour"}, "`background` is a colour"),
        ({"fit": "pad", "method": "stn"}, "constraints are on boxes"),
    ],
)
def test_fields_that_break_a_rule(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        CropRequest(**fields)


def test_a_padded_picture_has_an_end() -> None:
    """A strip of a photo in a shape that is much narrower would fill the memory."""
    blank = from_array(np.zeros((40, 4000, 3), np.uint8))
    result = CropFinder().find(blank, aspect=1 / 200, keep=((0.0, 0.0, 1.0, 1.0),), fit="pad")
    assert result.best.layout()[0] == (4000, 800_000)
    with pytest.raises(ConfigError, match=r"4000x800000 px, more than .* a smaller `size`"):
        result.crop()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Image.fromarray(TWO).save("in/two.jpg", quality=92)
    return tmp_path


def test_the_shell_and_a_folder_pad_alike(folder: Path) -> None:
    asked = ["--size", "270x480", "--fit", "pad", "--background", "#204060", "--json"]
    best = CliRunner().invoke(main, ["best", "in/two.jpg", "-o", "best.png", *asked])
    bulk = CliRunner().invoke(main, ["bulk", "in", "-o", "out", *asked])
    assert (best.exit_code, bulk.exit_code) == (0, 0)
    assert "note: no crop of this shape holds all that is kept: it is padded" in best.stderr
    record = one_record(best)
    assert record["padding"]["size"] == [270, 480]
    folder_record = json.loads(bulk.stdout.splitlines()[0])
    for name in ("fit", "size"):
        assert folder_record["padding"][name] == record["padding"][name]
    with Image.open("best.png") as picture:
        assert picture.size == (270, 480)
        assert picture.getpixel((5, 5)) == (0x20, 0x40, 0x60)
    before = Path("out/two.jpg").read_bytes()
    asked[asked.index("pad")] = "blur"
    CliRunner().invoke(main, ["bulk", "in", "-o", "out", *asked])
    assert Path("out/two.jpg").read_bytes() != before


def test_the_manifest_remembers_the_canvas() -> None:
    crop = Crop(0, 0, 9, 9, 1.0, canvas=Canvas(0.5, "pad", "#204060"))
    written = Written("a.jpg", Signature(1, 2, 3, "d"), 0, 1, crop)
    assert Written.from_record(json.loads(json.dumps(written.to_record()))) == written


def test_the_service_pads(folder: Path) -> None:
    with serving(CropFinder().scorer) as client:
        query = {"size": "270x480", "fit": "pad", "background": "#204060"}
        content = Path("in/two.jpg").read_bytes()
        found = client.post("/v1/crop", content=content, params=query).json()
        answer = client.post(
            "/v1/crop", content=content, params=query, headers={"Accept": "image/png"}
        )
        wrong = client.post("/v1/crop", content=content, params={"background": "#12"})
        endless = client.post(
            "/v1/crop",
            content=content,
            params={"aspect": "1:999", "fit": "pad"},
            headers={"Accept": "image/png"},
        )
    assert found["padding"]["size"] == [270, 480]
    assert Image.open(io.BytesIO(answer.content)).size == (270, 480)
    assert wrong.status_code == 400
    assert endless.status_code == 400
    assert "megapixels" in endless.json()["detail"]

"""The engine in a browser gives what the engine in Python gives."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from cropper import render
from cropper.boxes import Box
from cropper.finder import CropFinder
from cropper.image import open_photo
from cropper.space import CropSpace
from cropper.turn import Turn
from tests.faces import side_by_side, stranger

PHOTOS = {
    "astronaut": data.astronaut(),
    "coffee": data.coffee(),
    "cat": data.chelsea(),
    "rocket": data.rocket(),
    "tall": data.coffee()[:, 100:280],
}
OPTIONS: list[dict[str, Any]] = [
    {"aspect": "1:1"},
    {"aspect": "16:9", "top_k": 3},
    {"aspect": "free", "top_k": 4},
    {"aspect": "original", "min_scale": 0.8},
    {"aspect": "4:5", "keep": "none", "budget": 150},
    {"size": "120x200"},
    {"aspect": "free", "min_pixels": 40_000, "min_scale": 0.2},
    {"aspect": "4:5", "angle": 3.5, "top_k": 2},
    {"aspect": "original", "angle": -11, "keep": "none"},
    {"aspect": "free", "angle": 15},
    {"aspect": "1:20", "angle": 14.9},
]
CROP = """
async ([content, type, options, angle]) => {
  const engine = await import(new URL("browser.js", location.href));
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const file = new File([bytes], "photo", { type });
  if (!Array.isArray(options)) return engine.crop(file, options);
  return engine.score(file, options, { angle });
}
"""
RESIZE = """
async ([content, width, height, across, down, size]) => {
  const { reduced, resized } = await import(new URL("pixels.js", location.href));
  const data = Uint8ClampedArray.from(atob(content), (letter) => letter.charCodeAt(0));
  const small = reduced({ data, width, height }, across, down);
  const found = (size ? resized(small, ...size) : small).data;
  return btoa(Array.from(found, (value) => String.fromCharCode(value)).join(""));
}
"""
SPACE = """
async ([size, aspect, least, stride, params]) => {
  const { CropSpace } = await import(new URL("space.js", location.href));
  const space = new CropSpace(size, aspect, least);
  const near = params.flatMap((each) => space.neighbourhood(each, stride));
  return [space.grid(stride), near, near.map((each) => space.box(each))];
}
"""


def encoded(pixels: Any, kind: str = "PNG", **options: Any) -> bytes:
    output = io.BytesIO()
    Image.fromarray(pixels).save(output, kind, **options)
    return output.getvalue()


def ask(page: Any, content: bytes, options: Any, kind: str = "image/png", angle: float = 0) -> Any:
    return page.evaluate(CROP, [base64.b64encode(content).decode(), kind, options, angle])


def python_s(content: bytes, options: dict[str, Any]) -> Any:
    fields = dict(options)
    if "size" in fields:
        fields["size"] = tuple(int(side) for side in fields["size"].split("x"))
    if "keep" in fields:
        fields["keep"] = tuple(map(_part, fields["keep"].split(";")))
    return CropFinder().find(content, **fields)


def _part(told: str) -> str | Box:
    if "," not in told:
        return told
    x0, y0, x1, y1 = map(float, told.split(","))
    return (x0, y0, x1, y1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (names[(index + step) % len(PHOTOS)], options)
        for names in [[*PHOTOS]]
        for index, options in enumerate(OPTIONS)
        for step in (0, 2)
    ],
    ids=str,
)
def test_same_crops_same_scores(page: Any, name: str, options: dict[str, Any]) -> None:
    content = encoded(PHOTOS[name])
    own, other = python_s(content, options), ask(page, content, options)
    assert [crop["box"] for crop in other["crops"]] == [[*crop.box] for crop in own.crops]
    for crop, wanted in zip(other["crops"], own.crops, strict=True):
        assert ("corners" in crop) is (wanted.corners is not None)
        np.testing.assert_allclose(crop.get("corners", []), wanted.corners or [], atol=0.5)
    found = [crop["score"] for crop in other["crops"]]
    np.testing.assert_allclose(found, [crop.score for crop in own.crops], atol=1e-3)
    assert other["full_frame_score"] == pytest.approx(own.full_frame_score, abs=1e-3)
    assert other["centre_score"] == pytest.approx(own.centre_score, abs=1e-3)
    # the last digit of a float decides whether two neighbours are one candidate, and in a turned
    # photo, where many large boxes are made one by fitting, which of these comes first
    slack = 20 if options.get("angle") else 2
    assert other["candidates"] == pytest.approx(own.search.evaluations, abs=slack)
    assert other["notes"] == [*own.notes]
    assert other["preferred_to_centre"] == pytest.approx(own.preferred_to_centre, abs=1e-3)
    if own.faces is None:
        assert other["faces"] is None
    else:
        np.testing.assert_allclose(other["faces"], own.faces, atol=0.2)


def test_groups_that_do_not_fit_are_told_alike(page: Any) -> None:
    content = encoded(side_by_side(*(stranger(index) for index in range(4))))
    for aspect in ("9:16", "1:2", "3:1"):
        own, other = python_s(content, {"aspect": aspect}), ask(page, content, {"aspect": aspect})
        assert other["box"] == [*own.best.box]
        assert other["notes"] == [*own.notes]


def test_boxes_beside_heads_are_kept_alike(page: Any) -> None:
    content = encoded(PHOTOS["astronaut"])
    for bottom in (150, 262, 313):
        options = {"aspect": "2:1", "keep": f"faces;51,51,410,{bottom}"}
        own, other = python_s(content, options), ask(page, content, options)
        assert other["box"] == [*own.best.box]
        assert other["notes"] == [*own.notes]


def test_camera_s_jpeg_is_seen_nearly_as_python_sees_it(page: Any) -> None:
    """Whose decoder averages on its own; the browser decodes all pixels."""
    large = np.asarray(Image.fromarray(data.coffee()).resize((1803, 1203)))
    content = encoded(large, "JPEG", quality=92)
    own = python_s(content, {"aspect": "1:1"})
    other = ask(page, content, {"aspect": "1:1"}, "image/jpeg")
    np.testing.assert_allclose(other["box"], own.best.box, atol=60)
    assert other["score"] == pytest.approx(own.best.score, abs=0.05)


def test_scores_of_boxes_and_the_heat_map(page: Any) -> None:
    content = encoded(PHOTOS["cat"])
    image, finder = open_photo(content), CropFinder()
    boxes = [[0, 0, 200, 150], [100, 40, 400, 290], [30.5, 10, 90, 60]]
    view = finder.scorer.spec.view(image)
    for angle in (0, 7.5):
        turn = Turn(image.size, angle)
        fitted = turn.fit(np.array(boxes, dtype=np.float64))
        wanted = finder.bind_view(turn.view(view) if angle else view)(fitted)
        found = ask(page, content, boxes, angle=angle)
        np.testing.assert_allclose([box["score"] for box in found["boxes"]], wanted, atol=1e-3)

    heat = ask(page, content, {"aspect": "1:1", "heat": "true"})["heat"]
    own = finder.score_map(image, heat["aspect"])
    scores = np.array([[np.nan if x is None else x for x in row] for row in heat["scores"]])
    np.testing.assert_allclose(scores, own.scores, atol=1e-3)


def test_what_it_cannot_do_is_refused(page: Any) -> None:
    with pytest.raises(Exception, match="has no straighten: use cropper serve"):
        ask(page, encoded(PHOTOS["cat"]), {"straighten": "crop"})
    with pytest.raises(Exception, match="at most 60 megapixels, got 20000x20000"):
        ask(page, encoded(PHOTOS["cat"]), {"size": "20000x20000"})
    enlarged = ask(page, encoded(PHOTOS["cat"]), {"size": "3000x2000"})
    assert "the crop is enlarged to 3000x2000" in enlarged["notes"]
    with pytest.raises(Exception, match="this browser cannot read it"):
        ask(page, b"no picture", {"aspect": "1:1"})


@pytest.mark.parametrize(
    ("size", "factors", "output"),
    [
        ((50, 41), (2, 2), None),
        ((51, 43), (8, 8), None),
        ((91, 90), (2, 1), None),
        ((64, 64), (5, 4), None),
        ((100, 77), (1, 1), (33, 65)),
        ((33, 65), (1, 1), (100, 77)),
        ((448, 336), (1, 1), (289, 193)),
        ((180, 400), (1, 1), (158, 352)),
        ((60, 90), (1, 1), (80, 30)),
    ],
)
def test_pixels_are_averaged_as_pillow_does(
    page: Any, size: tuple[int, int], factors: tuple[int, int], output: tuple[int, int] | None
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    pixels[..., 3] = 255
    picture = Image.fromarray(pixels[..., :3]).reduce(factors)
    wanted = picture.resize(output, Image.Resampling.BICUBIC) if output else picture
    given = [base64.b64encode(pixels.tobytes()).decode(), *size, *factors, output]
    found = np.frombuffer(base64.b64decode(page.evaluate(RESIZE, given)), np.uint8)
    found = found.reshape(wanted.height, wanted.width, 4)
    np.testing.assert_array_equal(found[..., :3], np.asarray(wanted))


@pytest.mark.parametrize("aspect", [1.0, 0.5625, 3.0])
@pytest.mark.parametrize("stride", [0.4, 0.11])
def test_spaces_have_the_same_candidates(page: Any, aspect: float, stride: float) -> None:
    space = CropSpace((640, 427), aspect, 0.4)
    params = space.sample(5, np.random.default_rng(2))
    grid, near, boxes = page.evaluate(SPACE, [[640, 427], aspect, 0.4, stride, params.tolist()])
    np.testing.assert_allclose(grid, space.grid(stride), atol=1e-12)
    own = space.neighbourhood(params, stride, 1)
    np.testing.assert_allclose(near, own, atol=1e-11)
    np.testing.assert_allclose(boxes, space.boxes(own), atol=1e-8)


CUT = """
async ([content, place, options, type]) => {
  const engine = await import(new URL("browser.js", location.href));
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const blob = await engine.cut(new File([bytes], "photo", { type }), place, options, "image/png");
  const found = new Uint8Array(await blob.arrayBuffer());
  return btoa(Array.from(found, (value) => String.fromCharCode(value)).join(""));
}
"""


def cut(page: Any, content: bytes, place: Any, size: str | None, kind: str) -> Any:
    options = {"size": size} if size else {}
    given = [base64.b64encode(content).decode(), place, options, kind]
    with Image.open(io.BytesIO(base64.b64decode(page.evaluate(CUT, given)))) as found:
        return np.asarray(found.convert("RGB")).astype(int)


@pytest.mark.parametrize(
    ("name", "size", "angle"),
    [
        ("coffee", None, 4.0),
        ("astronaut", None, -12.5),
        ("coffee", (150, 120), -12.5),
        ("astronaut", (700, 560), 4.0),
    ],
)
def test_turned_crop_is_cut_nearly_as_python_cuts_it(
    page: Any, name: str, size: tuple[int, int] | None, angle: float
) -> None:
    """A canvas has a filter of its own."""
    image = open_photo(PHOTOS[name])
    turn = Turn(image.size, angle)
    crop = turn.crop(turn.fit(np.array([[60.0, 50.0, 460.0, 370.0]]))[0], 0.0)
    wanted = np.asarray(render.cut(image, crop, size)).astype(int)
    text = "{}x{}".format(*size) if size else None
    content = encoded(PHOTOS[name])
    found = cut(page, content, {"corners": crop.corners}, text, "image/png")
    assert found.shape == wanted.shape
    assert 10 * np.log10(255**2 / np.square(found - wanted).mean()) > 37  # dB


@pytest.mark.parametrize("size", [None, "100x60"])
def test_turned_photo_is_cut_upright(page: Any, size: str | None) -> None:
    picture = Image.fromarray(data.coffee())
    exif = picture.getexif()
    exif[0x0112] = 6
    output = io.BytesIO()
    picture.save(output, "JPEG", quality=95, exif=exif)
    box = [40, 100, 240, 220]
    assert ask(page, output.getvalue(), {}, "image/jpeg")["source_size"] == [400, 600]
    pixels = cut(page, output.getvalue(), {"box": box}, size, "image/jpeg")
    wanted = open_photo(output.getvalue()).cut(box, (100, 60) if size else None)
    assert np.abs(pixels - np.asarray(wanted)).mean() < 3

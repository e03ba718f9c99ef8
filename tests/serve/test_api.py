"""What the service answers: the crops of the library, its options and its errors."""

from __future__ import annotations

import io
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from skimage import data

from cropper.best import BestOptions
from cropper.cli import main
from cropper.decoders import Decoders
from cropper.errors import ConfigError
from cropper.finder import CropFinder
from cropper.identity import KnownPeople, learn_person
from cropper.image import FORMATS, View, load_image
from cropper.request import CropRequest
from cropper.scorers import BoundScorer
from cropper.serve.negotiation import choose
from cropper.serve.questions import CropQuestion, CutQuestion
from tests.conftest import CliRunner, spotted
from tests.faces import side_by_side, stranger
from tests.image.pictures import encoded
from tests.serve.conftest import serving
from tests.spot import SpotScorer


def post(client: httpx.Client, content: bytes, path: str = "/v1/crop", **query: Any) -> Any:
    return client.post(path, content=content, params=query)


def as_form(client: httpx.Client, content: bytes, path: str = "/v1/crop", **fields: Any) -> Any:
    return client.post(path, files={"photo": ("../../etc/passwd", content)}, data=fields)


def problem(response: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert document["type"] == f"/docs#{kind}"
    assert document["title"]
    assert document["detail"]
    return document


@pytest.mark.parametrize("send", [post, as_form], ids=["raw", "form"])
def test_a_photo_gets_the_librarys_crop(
    client: httpx.Client, photo_bytes: bytes, send: Any
) -> None:
    answer = send(client, photo_bytes, aspect="1:1", min_scale=0.6).json()
    found = CropFinder(SpotScorer()).find(photo_bytes, aspect="1:1", min_scale=0.6)
    expected = found.to_dict()
    assert {key: answer[key] for key in expected if key != "seconds"} == {
        key: value for key, value in expected.items() if key != "seconds"
    }
    assert answer["crops"] == [{key: expected[key] for key in answer["crops"][0]}]
    assert answer["format"] == "PNG"
    assert answer["notes"] == []


def test_several_aspects_are_a_list_of_the_answers_to_each(
    client: httpx.Client, photo_bytes: bytes
) -> None:
    def alike(answer: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in answer.items() if key not in ("seconds", "aspect")}

    aspects = ["4:5", "original", "1:1"]
    answers = post(client, photo_bytes, aspect=";".join(aspects), top_k=2).json()["answers"]
    assert [answer["aspect"] for answer in answers] == aspects
    for answer in answers:
        alone = post(client, photo_bytes, aspect=answer["aspect"], top_k=2).json()
        assert alike(answer) == alike(alone)
        assert "aspect" not in alone
    picture = client.post(
        "/v1/crop?aspect=1:1;4:5", content=photo_bytes, headers={"Accept": "image/png"}
    )
    assert problem(picture, 400, "bad-option")["rule"] == "aspect"


def test_a_photo_of_several_aspects_is_decoded_once(
    photo_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    once = Decoders.open
    monkeypatch.setattr(Decoders, "open", lambda *a, **k: opened.append(1) or once(*a, **k))
    with serving() as client:
        assert len(post(client, photo_bytes, aspect="1:1;4:5;free").json()["answers"]) == 3
    assert len(opened) == 1


class Opposite(SpotScorer):
    """Likes least what the spot scorer likes most."""

    spec = replace(SpotScorer.spec, name="opposite")

    def bind(self, view: View) -> BoundScorer:
        bound = super().bind(view)
        return BoundScorer(lambda boxes: -bound(boxes), view.size, self.spec.batch_size)


def test_a_request_chooses_among_the_services_scorers(photo_bytes: bytes) -> None:
    with serving(SpotScorer(), Opposite()) as client:
        limits = client.get("/v1/limits").json()
        assert (limits["scorer"], limits["scorers"]) == ("spot", ["spot", "opposite"])
        default, named, other = (
            post(client, photo_bytes, **query).json()
            for query in ({}, {"scorer": "spot"}, {"scorer": "opposite"})
        )
        assert default["box"] == named["box"]
        assert (named["scorer"], other["scorer"]) == ("spot", "opposite")
        expected = CropFinder(Opposite()).find(photo_bytes)
        assert other["box"] == expected.to_dict()["box"] != named["box"]
        boxes = {"boxes": "[[0, 0, 60, 40]]"}
        scores = [
            post(client, photo_bytes, "/v1/score", scorer=name, **boxes).json()["boxes"][0]["score"]
            for name in ("spot", "opposite")
        ]
        assert scores[0] == pytest.approx(-scores[1])
        told = problem(post(client, photo_bytes, scorer="selfie"), 400, "bad-option")
        assert "spot, opposite" in told["detail"]


def test_damaged_data_is_told(client: httpx.Client) -> None:
    content = encoded(spotted(400, 300), "JPEG")
    assert post(client, content).json()["notes"] == []
    cut_off = content[: len(content) // 2] + b"\xff\xd9"
    (note,) = post(client, cut_off).json()["notes"]
    assert "its data is damaged" in note


def test_two_scorers_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="one name"), serving(SpotScorer(), SpotScorer()):
        pass


def test_runners_up_come_best_first(client: httpx.Client, photo_bytes: bytes) -> None:
    answer = post(client, photo_bytes, top_k=3).json()
    scores = [crop["score"] for crop in answer["crops"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert answer["crops"][0]["box"] == answer["box"]


def test_the_heat_map_peaks_at_the_spot(client: httpx.Client, photo_bytes: bytes) -> None:
    heat = post(client, photo_bytes, heat="true").json()["heat"]
    scores = np.array([[np.nan if v is None else v for v in row] for row in heat["scores"]])
    assert scores.shape == (heat["rows"], heat["columns"])
    row, column = np.unravel_index(np.nanargmax(scores), scores.shape)
    assert ((column + 0.5) / heat["columns"], (row + 0.5) / heat["rows"]) == pytest.approx(
        (0.65, 0.4), abs=0.05
    )


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("image/*", "PNG"),
        ("image/jpeg", "JPEG"),
        ("image/webp;q=0.5, image/png;q=0.4", "WEBP"),
        ("text/html, image/bmp", "BMP"),
    ],
)
def test_a_picture_is_answered_where_one_is_accepted(
    client: httpx.Client, photo_bytes: bytes, accept: str, kind: str
) -> None:
    found = post(client, photo_bytes, aspect="1:1").json()
    answer = client.post("/v1/crop?aspect=1:1", content=photo_bytes, headers={"Accept": accept})
    x0, y0, x1, y1 = found["box"]
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.format == kind
    assert answer.headers["content-type"] == f"image/{kind.lower()}"
    assert answer.headers["cropper-box"] == f"{x0},{y0},{x1},{y1}"
    assert float(answer.headers["cropper-score"]) == found["score"]
    assert picture.size == (x1 - x0, y1 - y0)
    if kind in ("PNG", "BMP"):
        expected = np.asarray(spotted())[y0:y1, x0:x1]
        assert np.array_equal(np.asarray(picture), expected)


def test_an_exact_size_is_kept(client: httpx.Client, photo_bytes: bytes) -> None:
    answer = client.post(
        "/v1/crop?size=30x20", content=photo_bytes, headers={"Accept": "image/png"}
    )
    assert Image.open(io.BytesIO(answer.content)).size == (30, 20)
    assert post(client, photo_bytes, size="300x200").json()["notes"] == [
        "the crop is enlarged to 300x200"
    ]


def test_a_box_is_cut_as_it_was_answered(client: httpx.Client, photo_bytes: bytes) -> None:
    box = post(client, photo_bytes, aspect="1:1").json()["box"]
    headers = {"Accept": "image/png"}
    answers = [
        client.post("/v1/cut", content=photo_bytes, params={"box": text}, headers=headers).content
        for text in (json.dumps(box), str(box).replace(" ", ""), ",".join(map(str, box)))
    ]
    assert Image.open(io.BytesIO(answers[0])).size == (box[2] - box[0], box[3] - box[1])
    assert answers[0] == answers[1] == answers[2]


def test_a_photo_with_too_few_pixels_is_a_problem_of_its_own(
    client: httpx.Client, photo_bytes: bytes
) -> None:
    answer = post(client, photo_bytes, size="300x200", no_enlarge="true")
    assert (answer.status_code, answer.json()["type"]) == (422, "/docs#too-few-pixels")
    assert "fewer than 9999" in post(client, photo_bytes, min_pixels="9999").json()["detail"]
    assert post(client, photo_bytes, min_pixels="99").status_code == 200


def test_boxes_are_kept_and_left_out(client: httpx.Client, photo_bytes: bytes) -> None:
    for keep, inside in (("none;2,5,30,60", (2, 5, 30, 60)), (".7,.1,.95,.6", (84, 8, 114, 48))):
        x0, y0, x1, y1 = post(client, photo_bytes, aspect="1:2", keep=keep).json()["box"]
        assert x0 <= inside[0] + 1
        assert y0 <= inside[1] + 1
        assert x1 >= inside[2] - 1
        assert y1 >= inside[3] - 1
    right = post(client, photo_bytes, aspect="1:2", keep="none", avoid="0,0,.6,1").json()["box"]
    assert right[0] >= 71
    for broken in (
        "some",
        "1,2,3",
        "5,5,1,9",
        "none;",
        "face:",
        "face:5,5,1,9",
        ";".join(["1,1,2,2"] * 65),
    ):
        answer = post(client, photo_bytes, keep=broken)
        assert (answer.status_code, answer.json()["rule"]) == (400, "keep"), broken
    assert post(client, photo_bytes, avoid="faces").status_code == 400


def test_the_head_of_a_single_face_is_kept(client: httpx.Client) -> None:
    two = np.concatenate([data.astronaut()[:300, 80:380]] * 2, 1)
    photo = encoded(Image.fromarray(two), "JPEG")
    faces = post(client, photo).json()["faces"]
    for x0, y0, x1, y1 in faces:
        keep = f"face:{x0},{y0},{x1},{y1}"
        left, top, right, bottom = post(client, photo, aspect="1:1", keep=keep).json()["box"]
        assert left < x0 < x1 < right
        assert top < y0 < y1 < bottom
    both = ";".join(f"face:{x0},{y0},{x1},{y1}" for x0, y0, x1, y1 in faces)
    answer = post(client, photo, aspect="1:2", keep=both).json()
    assert "no crop of this shape holds all heads" in answer["notes"][0]


def test_a_person_whom_the_service_knows_is_kept(client: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "ann.png"
    Image.fromarray(data.astronaut()[:, ::-1]).save(path)
    people = KnownPeople((learn_person("Ann B", path),))
    photo = encoded(Image.fromarray(side_by_side(stranger(83), data.astronaut())), "JPEG")
    with serving(people=people) as knowing:
        assert knowing.get("/v1/limits").json()["people"] == ["Ann B"]
        answer = post(knowing, photo, aspect="1:2", keep="person:Ann B").json()
        ((x0, _, x1, _),) = (each["box"] for each in answer["people"])
        assert answer["box"][0] < x0 < x1 < answer["box"][2]
        assert answer["people"][0]["stranger_rate"] <= 0.001
        assert answer["absent"] == []
        alone = encoded(Image.fromarray(stranger(83)), "JPEG")
        assert post(knowing, alone, keep="person:Ann B").json()["absent"] == ["Ann B"]
        assert problem(post(knowing, photo, keep="person:Eve"), 400, "bad-option")["rule"] == "keep"
    assert client.get("/v1/limits").json()["people"] == []
    assert post(client, photo, keep="person:Ann B").status_code == 400
    assert "people" not in post(client, photo).json()


def test_a_focus_moves_the_crop(client: httpx.Client, photo_bytes: bytes) -> None:
    left, right = (
        post(client, photo_bytes, aspect="1:2", keep="none", focus=at).json()["box"]
        for at in ("0,.5", "119,40")
    )
    assert left[0] <= 1
    assert right[2] >= 119
    assert post(client, photo_bytes, focus="here").status_code == 400
    whole = post(client, photo_bytes, aspect="original", min_scale="1", focus=".1,.1").json()
    assert "focus has no effect: the crop is the whole photo" in whole["notes"][0].replace("`", "")


def test_shell_python_and_service_agree_on_a_photo(tmp_path: Path) -> None:
    """With the default scorer, down to the bytes of the crop."""
    path = tmp_path / "photo.jpg"
    Image.fromarray(data.astronaut()).save(path, quality=90)
    shell = CliRunner().invoke(
        main, ["best", str(path), "--aspect", "4:5", "--json", "-o", str(tmp_path / "crop.jpg")]
    )
    told = json.loads(shell.stdout)
    content = path.read_bytes()
    finder = CropFinder()
    python = finder.find(path, aspect="4:5").to_dict()
    with serving(finder.scorer) as client:
        service = as_form(client, content, aspect="4:5").json()
        picture = client.post("/v1/crop?aspect=4:5", content=content, headers={"Accept": "image/*"})
        box = ",".join(map(str, service["box"]))
        cut = post(client, content, "/v1/cut", box=box)
        sized = {"size": "100x125", "aspect": "4:5"}
        small = [
            client.post(where, content=content, params=query, headers={"Accept": "image/*"})
            for where, query in [("/v1/crop", sized), ("/v1/cut", {"box": box, "size": "100x125"})]
        ]
    assert small[0].content == small[1].content
    for key in ("box", "score", "full_frame_score", "candidates", "scorer"):
        assert told[key] == python[key] == service[key]
    assert picture.content == cut.content == (tmp_path / "crop.jpg").read_bytes()


def test_boxes_of_the_caller_are_scored_in_their_order(
    client: httpx.Client, photo_bytes: bytes
) -> None:
    boxes = [[0, 0, 120, 80], [30.5, 10, 100, 70], [50, 10, 110, 50]]
    answer = as_form(client, photo_bytes, "/v1/score", boxes=json.dumps(boxes)).json()
    finder = CropFinder(SpotScorer())
    expected = finder.bind(load_image(photo_bytes))(np.array(boxes, dtype=float))
    assert answer["source_size"] == [120, 80]
    assert [each["box"] for each in answer["boxes"]] == boxes
    assert [each["score"] for each in answer["boxes"]] == pytest.approx(expected.tolist())
    assert answer["full_frame_score"] == pytest.approx(expected[0])
    assert answer["boxes"][0]["preferred_to_full_frame"] == 0.5


class Whim(SpotScorer):
    """Its scores are no log-odds."""

    spec = replace(SpotScorer.spec, calibrated=False)


def test_no_probability_is_made_up(photo_bytes: bytes) -> None:
    with serving(Whim()) as client:
        crop = post(client, photo_bytes).json()
        scored = as_form(client, photo_bytes, "/v1/score", boxes="[[0, 0, 9, 9]]").json()
    for record in (crop, *crop["crops"], *scored["boxes"]):
        assert record["preferred_to_full_frame"] is None


def test_the_document_bounds_every_number_and_names_the_formats(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    numbers = 0
    for path in ("/v1/crop", "/v1/cut"):
        operation = document["paths"][path]["post"]
        form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
        schemas = [each["schema"] for each in operation["parameters"]] + list(form.values())
        for schema in schemas:
            if schema.get("type") in ("integer", "number") and "enum" not in schema:
                assert {"minimum", "maximum"} <= schema.keys(), schema
                numbers += 1
    # min_scale, max_scale, top_k, budget, seed, min_pixels, angle, quality; quality
    assert numbers == 2 * (8 + 1)
    answer = document["components"]["schemas"]["CropsAnswer"]["properties"]
    assert answer["format"]["enum"] == list(FORMATS)


def test_the_defaults_are_those_of_the_command() -> None:
    shell = {each.name: each.default for each in (*fields(BestOptions), *fields(CropRequest))}
    for model in (CropQuestion, CutQuestion):
        for name, option in model.model_fields.items():
            if name in shell and name not in ("avoid", "scorer"):  # None here, to be left out
                assert option.default == shell[name]
    assert CropQuestion().requests(KnownPeople(())) == (CropRequest(),)


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ({"aspect": "4"}, "aspect"),
        ({"aspect": "1:1;"}, "aspect"),
        ({"aspect": ";".join(["1:1"] * 17)}, "aspect"),
        ({"scorer": "../weights.safetensors"}, "scorer"),
        ({"scorer": "convnet"}, "scorer"),
        ({"aspect": "0:3"}, "aspect"),
        ({"size": "0x10"}, "size"),
        ({"size": "5000x5000"}, "size"),
        ({"min_scale": "nan"}, "min_scale"),
        ({"min_scale": "2"}, "min_scale"),
        ({"top_k": "0"}, "top_k"),
        ({"top_k": "1.5"}, "top_k"),
        ({"budget": "1e9"}, "budget"),
        ({"seed": "-1"}, "seed"),
        ({"quality": "101"}, "quality"),
        ({"heat": "yes"}, "heat"),
        ({"strategy": "guess"}, "strategy"),
        ({"colour": "red"}, "name"),
        ({"aspect": ["1:1", "4:5"]}, "aspect"),
    ],
)
def test_an_option_that_breaks_its_rule_is_named(
    client: httpx.Client, photo_bytes: bytes, query: dict[str, Any], rule: str
) -> None:
    answer = client.post("/v1/crop", content=photo_bytes, params=query)
    assert problem(answer, 400, "bad-option")["rule"] == rule


def test_a_style_is_refused_with_what_has_it(client: httpx.Client, photo_bytes: bytes) -> None:
    told = problem(post(client, photo_bytes, style="painting.jpg"), 400, "bad-option")
    assert "minutes a crop: use `cropper best`" in told["detail"]


@pytest.mark.parametrize(
    "query", [{"min_scale": 0.9, "max_scale": 0.5}, {"aspect": "1:1", "size": "30x20"}]
)
def test_options_that_disagree_are_told(
    client: httpx.Client, photo_bytes: bytes, query: dict[str, Any]
) -> None:
    problem(post(client, photo_bytes, **query), 400, "bad-option")


@pytest.mark.parametrize(
    "boxes",
    ["", "[]", "[[0,0,1]]", "[[5,5,1,1]]", "[[0,0,1,NaN]]", '["abcd"]', "[[0,0,1,true]]", "{}"],
)
def test_boxes_that_are_none_are_refused(
    client: httpx.Client, photo_bytes: bytes, boxes: str
) -> None:
    answer = as_form(client, photo_bytes, "/v1/score", boxes=boxes)
    assert problem(answer, 400, "bad-option")["rule"] == "boxes"


def test_boxes_made_to_break_the_parser_are_refused(
    client: httpx.Client, photo_bytes: bytes
) -> None:
    for boxes in ("[" * 100_000, "[[0,0,1,1" + "0" * 5000 + "]]", "[[0,0,1,1e999]]"):
        answer = as_form(client, photo_bytes, "/v1/score", boxes=boxes)
        assert problem(answer, 400, "bad-option")["rule"] == "boxes"


@pytest.mark.parametrize("box", ["0,0,121,80", "-1,0,10,10", "0.5,0,10,10", "0,0,1", "a,b,c,d"])
def test_a_box_outside_of_the_photo_or_between_pixels_is_not_cut(
    client: httpx.Client, photo_bytes: bytes, box: str
) -> None:
    problem(post(client, photo_bytes, "/v1/cut", box=box), 400, "bad-option")


def test_a_box_is_asked_for(client: httpx.Client, photo_bytes: bytes) -> None:
    assert problem(post(client, photo_bytes, "/v1/cut"), 400, "bad-option")["rule"] == "box"
    problem(as_form(client, photo_bytes, "/v1/score", boxes="[[0,0,500,10]]"), 400, "bad-option")


def test_what_is_no_picture_is_told(client: httpx.Client, photo_bytes: bytes) -> None:
    problem(post(client, b"<svg xmlns='http://www.w3.org/2000/svg'/>"), 415, "not-a-picture")
    problem(post(client, photo_bytes[:200]), 422, "unreadable-picture")
    problem(post(client, b""), 400, "no-photo")
    problem(as_form(client, b""), 400, "no-photo")


def test_more_megapixels_than_allowed_are_refused_by_their_header(client: httpx.Client) -> None:
    large = encoded(Image.new("1", (1500, 1000)), "PNG")
    assert "megapixels" in problem(post(client, large), 413, "too-many-megapixels")["detail"]


def test_forms_that_are_broken_are_told(client: httpx.Client, photo_bytes: bytes) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    for headers, body in [
        ({"Content-Type": "multipart/form-data"}, b"--x"),
        (kind, b"nothing of a form"),
        (kind, b'--x\r\nContent-Disposition: form-data; name="photo"\r\n\r\ntext\r\n--x--\r\n'),
    ]:
        problem(client.post("/v1/crop", content=body, headers=headers), 400, "bad-form")
    many = [("photo", ("a", photo_bytes)), ("photo", ("b", photo_bytes))]
    problem(client.post("/v1/crop", files=many), 400, "bad-form")
    both = client.post("/v1/crop?aspect=1:1&size=30x20", content=photo_bytes)
    problem(both, 400, "bad-option")
    assert "size 30x20 is not of aspect 1:1" in both.json()["detail"]
    assert "--" not in both.json()["detail"]
    other = client.post("/v1/crop", files={"file": ("a", photo_bytes)})
    problem(other, 400, "bad-form")
    assert "the field 'photo', got it in 'file'" in other.json()["detail"]


def test_paths_and_methods_that_there_are_not(client: httpx.Client, photo_bytes: bytes) -> None:
    problem(client.get("/v1/best"), 404, "not-found")
    problem(client.get("/static/..%2f..%2fapp.py"), 404, "not-found")
    problem(client.get("/static/app.py"), 404, "not-found")
    answer = client.get("/v1/crop")
    problem(answer, 405, "bad-method")
    assert "POST" in answer.headers["allow"]
    refused = client.post("/v1/score", content=photo_bytes, headers={"Accept": "image/png"})
    problem(refused, 406, "not-acceptable")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "a/b"),
        ("*/*", "a/b"),
        ("c/d", "c/d"),
        ("c/*", "c/d"),
        ("a/b;q=0.2, c/d", "c/d"),
        ("c/d;q=0, */*;q=0.1", "a/b"),
        ("x/y", None),
        ("c/d;q=much", None),
        ("", "a/b"),
        ("A/B", "a/b"),
    ],
)
def test_the_accepted_type_is_chosen(accept: str | None, chosen: str | None) -> None:
    assert choose(accept, ["a/b", "c/d"]) == chosen


def test_extreme_options_still_get_a_crop_inside(client: httpx.Client, photo_bytes: bytes) -> None:
    for query in (
        {"aspect": "1:99999", "strategy": "random", "heat": "true"},
        {"aspect": "9:1", "min_scale": 0.2, "budget": 20_000},
        {"aspect": "free", "top_k": 100, "heat": "true"},
        {"strategy": "halving", "budget": 200, "min_scale": 1},
    ):
        answer = post(client, photo_bytes, **query)
        assert answer.status_code == 200, answer.text
        x0, y0, x1, y1 = answer.json()["box"]
        assert 0 <= x0 < x1 <= 120
        assert 0 <= y0 < y1 <= 80


def test_filter_of_a_crop_and_of_a_box(client: httpx.Client) -> None:
    photo = encoded(Image.fromarray(data.chelsea()), "PNG")
    options = {"filter": "black-and-white:1", "aspect": "1:1"}
    told = client.post("/v1/crop", params=options, content=photo).json()
    assert told["crops"][0]["filter"]["name"] == "black-and-white"
    asked = {"Accept": "image/png"}
    crop = client.post("/v1/crop", params=options, content=photo, headers=asked).content
    box = {"box": ",".join(map(str, told["box"])), "filter": "black-and-white"}
    cut = client.post("/v1/cut", params=box, content=photo, headers=asked).content
    assert crop == cut
    pixels = np.asarray(Image.open(io.BytesIO(cut)).convert("RGB")).astype(int)
    assert np.ptp(pixels, axis=2).max() <= 1

    refused = problem(post(client, photo, filter="best"), 400, "bad-option")
    assert "fade" in refused["detail"]
    assert client.get("/v1/limits").json()["filters"][0] == "fade"

"""Photos that lie on a side, in the service and on its page."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from skimage import data

from tests.image.pictures import encoded
from tests.serve.browser import best, download, drop, frame, settled
from tests.serve.test_api import as_form, post, problem

UPRIGHT = data.astronaut()[:, 60:460]


def lying(quarters: int) -> bytes:
    """Upright once it is turned clockwise by as many quarters."""
    return encoded(Image.fromarray(np.ascontiguousarray(np.rot90(UPRIGHT, quarters))), "PNG")


def slices(box: list[float]) -> tuple[slice, slice]:
    x0, y0, x1, y1 = map(int, box)
    return slice(y0, y1), slice(x0, x1)


def pixels_of(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def downloaded(page: Any) -> np.ndarray:
    return pixels_of(download(page)[1])


@pytest.fixture
def service(url: str) -> Any:
    with httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.mark.parametrize("quarters", range(4))
def test_a_lying_photo_gets_the_crop_of_the_upright_one(service: Any, quarters: int) -> None:
    wanted = post(service, lying(0), aspect="1:1").json()
    asked = {"aspect": "1:1", "orient": "true"}
    found = as_form(service, lying(quarters), **asked).json()
    assert found["turned"] == found["orientation"] == 90 * quarters
    assert found["orientation_probability"] > 0.9
    assert (found["box"], found["source_size"]) == (wanted["box"], wanted["source_size"])
    assert found["score"] == pytest.approx(wanted["score"], abs=0.02)  # its view is rounded lying
    assert found["faces"][0] == pytest.approx(wanted["faces"][0], abs=1)

    picture = service.post(
        "/v1/crop", content=lying(quarters), params=asked, headers={"Accept": "image/*"}
    )
    assert picture.headers["Cropper-Turned"] == str(90 * quarters)
    assert (pixels_of(picture.content) == UPRIGHT[slices(found["box"])]).all()

    box = json.dumps(found["box"])
    told = {"turned": str(90 * quarters)}
    cut = post(service, lying(quarters), "/v1/cut", box=box, **told)
    assert cut.content == picture.content
    scored = post(service, lying(quarters), "/v1/score", boxes=f"[{box}]", **told).json()
    assert scored["boxes"][0]["score"] == pytest.approx(found["score"])
    again = post(service, lying(quarters), aspect="1:1", **told).json()
    assert again["box"] == found["box"]
    assert "turned" not in again


def test_a_photo_that_could_be_anything_is_left(client: httpx.Client) -> None:
    grey = encoded(Image.new("RGB", (80, 60), "grey"), "PNG")
    found = post(client, grey, orient="true").json()
    assert found["turned"] == 0
    assert found["source_size"] == [80, 60]
    assert "turned" not in post(client, grey).json()


def test_what_does_not_go_together_is_told(client: httpx.Client, photo_bytes: bytes) -> None:
    for query, rule in (
        ({"orient": "true", "turned": "90"}, "orient"),
        ({"orient": "yes"}, "orient"),
        ({"turned": "45"}, "turned"),
    ):
        told = problem(post(client, photo_bytes, **query), 400, "bad-option")
        assert told["rule"] == rule
    told = problem(post(client, photo_bytes, orient="true", focus=".5,.5"), 400, "bad-option")
    assert "leave them out, or orient" in told["detail"]


def oriented(page: Any, on: bool) -> None:
    """Once the switch is on, or off, and the crops are found anew."""
    page.set_checked("#orient", on)
    page.wait_for_selector("#work.busy")
    page.wait_for_selector("#work:not(.busy):not(.stale)")
    settled(page)


def test_the_page_sets_a_photo_upright(page: Any, tmp_path: Path) -> None:
    photo = tmp_path / "lying.png"
    photo.write_bytes(lying(1))
    drop(page, photo)
    settled(page)
    assert page.evaluate("document.getElementById('photo').naturalWidth") == 512
    page.focus("#box")
    page.keyboard.press("-")
    by_hand = frame(page)

    oriented(page, True)
    page.wait_for_selector('#notes:has-text("set upright: turned 90° clockwise")')
    page.wait_for_function("document.getElementById('photo').naturalWidth == 400")
    told, _ = best(photo, tmp_path, "--orient")
    assert frame(page) == told["box"] != by_hand
    assert (downloaded(page) == UPRIGHT[slices(frame(page))]).all()
    page.focus("#box")
    page.keyboard.press("-")  # a frame by hand has its score, and its picture
    page.wait_for_selector("#work:not(.stale)")
    turned = frame(page)
    assert (downloaded(page) == UPRIGHT[slices(turned)]).all()

    oriented(page, False)  # each way has its own frame by hand
    assert frame(page) == by_hand
    oriented(page, True)
    assert frame(page) == turned


def test_the_page_leaves_an_upright_photo(page: Any, photo: Path) -> None:
    drop(page, photo)
    settled(page)
    before = frame(page)
    oriented(page, True)
    assert frame(page) == before
    assert "upright" not in page.inner_text("#notes")

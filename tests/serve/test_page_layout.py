"""What lies where on the page and stays there, what it compares with, and what it says is wrong."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from skimage import data

from cropper.cli import main
from tests.conftest import ENVIRONMENT, CliRunner
from tests.faces import side_by_side, stranger
from tests.serve.browser import DESKTOP, PHONE, best, drop, frame, settled

DEVICES = pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])


@pytest.fixture
def three(photo: Path, tmp_path: Path) -> list[Path]:
    Image.fromarray(data.coffee()).save(tmp_path / "coffee.jpg")
    Image.fromarray(data.chelsea()[:, :200]).save(tmp_path / "cat.jpg")
    return [photo, tmp_path / "coffee.jpg", tmp_path / "cat.jpg"]


def place(page: Any, what: str) -> dict[str, float]:
    return dict(page.locator(what).bounding_box())


def bottom(box: dict[str, float]) -> float:
    return box["y"] + box["height"]


@DEVICES
def test_shapes_photo_and_strip_are_in_view_and_stay(
    chromium: Any, url: str, three: list[Path], device: dict[str, Any]
) -> None:
    page = chromium.new_page(**device)
    page.goto(url)
    drop(page, *three)
    page.wait_for_selector('#count:has-text("3 of 3")')
    settled(page)
    shapes, mat, strip = (place(page, each) for each in ("#aspects", ".mat", "#grid"))
    assert bottom(shapes) <= mat["y"]
    assert bottom(mat) <= strip["y"] < bottom(mat) + 30
    bar = place(page, ".summary")["y"] if device is PHONE else 900
    assert bottom(strip) <= bottom(place(page, "#angle")) <= bottom(place(page, "#undo")) <= bar
    if device is DESKTOP:
        assert bottom(place(page, "#download-all")) <= bar
    for choose in (
        lambda: page.locator('label:has(input[value="9:16"])').click(),
        lambda: page.locator("#grid button").nth(1).click(),
        lambda: page.locator('label:has(input[value="1:1"])').click(),
        lambda: page.locator("#grid button").nth(2).click(),
    ):
        choose()
        page.wait_for_selector('#count:has-text("3 of 3")')
        settled(page)
        assert page.evaluate("scrollY") == 0
        assert place(page, ".mat") == mat
        assert place(page, "#grid") == strip
        stage = place(page, "#stage")
        assert mat["y"] <= stage["y"]
        assert bottom(stage) <= bottom(mat) + 1
    page.close()


def test_all_shapes_are_seen_on_a_phone(chromium: Any, url: str, photo: Path) -> None:
    page = chromium.new_page(**PHONE)
    page.goto(url)
    drop(page, photo)
    settled(page)
    mat = place(page, ".mat")
    chips = [each.bounding_box() for each in page.locator("#aspects .chips label").all()]
    boxes = [*chips, place(page, "#preset")]
    assert len(boxes) == 11
    for index, box in enumerate(boxes):
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert bottom(box) <= mat["y"]
        assert box["height"] >= 39
        for other in boxes[:index]:  # none lies over another
            apart = max(box["x"] - other["x"] - other["width"], box["y"] - bottom(other))
            assert max(apart, other["x"] - box["x"] - box["width"], other["y"] - bottom(box)) >= 0
    page.close()


def test_a_wrong_number_is_told_beside_its_field(page: Any, photo: Path) -> None:
    drop(page, photo)
    settled(page)
    for field, text, rule in [
        ("#quality", "400", "Not used: a whole number from 1 to 100"),
        ("#min-side", "0", "Not used: a whole number from 1 to 20000"),
        ("#size-w", "1.5", "Not used: a whole number from 1 to 99999"),
    ]:
        page.fill(field, text)
        assert page.inner_text(f"{field}-rule") == rule
        assert page.get_attribute(field, "aria-invalid") is not None
        page.fill(field, "90")
        assert page.locator(f"{field}-rule").count() == 0
    for field, text, rule in [
        ("#edge-x", "9999", "is the nearest to 9999 that is possible here"),
        ("#edge-w", "9999", "512 is the nearest to 9999"),
        ("#edge-h", "10.4", "10 is the nearest to 10.4"),
        ("#edge-y", "", "Not used: a whole number from 0 to 512"),
    ]:
        page.fill(field, text)
        page.keyboard.press("Tab")
        assert rule in page.inner_text(f"{field}-rule")
        assert page.locator(".rule").count() == 1
    page.fill("#edge-h", "100")
    page.keyboard.press("Tab")
    assert page.locator(".rule").count() == 0
    page.check('input[value="own"]', force=True)
    page.fill("#own", "wide")
    assert "width:height, as in 5:7" in page.inner_text("#own-rule")


def test_heads_that_cost_score_are_told(page: Any, photo: Path) -> None:
    drop(page, photo)  # at 4:3 her head is in a crop that the judge likes less than the middle
    settled(page)
    assert "heads" not in page.inner_text("#notes")
    page.check('input[value="4:3"]', force=True)
    page.wait_for_selector('#notes:has-text("heads are kept whole in it")')
    assert int(page.inner_text("#preferred").removesuffix(" %")) < 50
    found = CliRunner().invoke(main, ["best", str(photo), "--aspect", "4:3", "--dry-run"])
    assert "no better than a centred crop" in found.stderr
    assert "heads are kept whole in it" in found.stderr


def test_the_rival_is_the_centred_crop_of_a_shape(page: Any, photo: Path, tmp_path: Path) -> None:
    drop(page, photo)
    settled(page)
    assert "the full frame" in page.inner_text("#verdict")
    page.check('input[value="4:5"]', force=True)
    told, _ = best(photo, tmp_path, "--aspect", "4:5")
    page.wait_for_selector('#rival-name:has-text("Centred")')
    settled(page)
    assert page.inner_text("#full") == f"{told['centre_score']:.2f}"
    assert page.inner_text("#preferred") == f"{round(100 * told['preferred_to_centre'])} %"
    assert "the centred crop of this shape" in page.inner_text("#verdict")
    page.focus("#box")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#work:not(.stale)")
    gain = float(page.inner_text("#score")) - float(page.inner_text("#full"))
    assert (int(page.inner_text("#preferred").removesuffix(" %")) >= 50) is (gain > -0.005)


@DEVICES
def test_a_subject_that_does_not_fit_is_told_beside_the_verdict(
    chromium: Any, url: str, photo: Path, tmp_path: Path, device: dict[str, Any]
) -> None:
    path = tmp_path / "couple.jpg"
    Image.fromarray(side_by_side(stranger(83), stranger(31))).save(path)
    asked = {"aspect": "9:16", "min_scale": "0.5"}
    answer = httpx.post(f"{url}/v1/crop", content=path.read_bytes(), params=asked, timeout=60)
    assert answer.json()["notes"]
    page = chromium.new_page(**device)
    page.goto(url)
    drop(page, path, photo)
    settled(page)
    assert page.locator("#notes li").count() == 0
    page.check('input[value="9:16"]', force=True)
    page.wait_for_selector("#notes li")
    assert page.locator("#notes li").all_inner_texts() == answer.json()["notes"]
    notes = place(page, "#notes")
    assert bottom(notes) <= page.viewport_size["height"]
    bar = place(page, ".summary")["y"] if device is PHONE else page.viewport_size["height"]
    assert bottom(place(page, "#angle")) <= bar  # beside a strip and a note too
    page.close()


@contextlib.contextmanager
def served(port: int) -> Iterator[None]:
    """The command itself, killed at the end."""
    line = [sys.executable, "-m", "cropper", "serve", "--port", str(port)]
    with subprocess.Popen(line, stderr=subprocess.PIPE, env=ENVIRONMENT) as service:
        assert service.stderr is not None
        assert b"http://" in service.stderr.readline()
        yield
        service.kill()


@DEVICES
def test_a_service_that_is_gone_is_told_and_waited_for(
    chromium: Any, photo: Path, device: dict[str, Any]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page = chromium.new_page(**device)
    with served(port):
        page.goto(f"http://127.0.0.1:{port}")
        drop(page, photo)
        settled(page)
        assert page.locator("#trouble").is_hidden()
    page.focus("#box")
    page.keyboard.press("-")
    page.wait_for_selector('#trouble:has-text("cropper serve does not answer")')
    trouble, mat = place(page, "#trouble"), place(page, ".mat")
    assert mat["y"] <= trouble["y"]
    assert bottom(trouble) <= bottom(mat)
    opacity = "() => Number(getComputedStyle(document.querySelector('.figures')).opacity)"
    assert page.evaluate(opacity) < 0.5
    page.check('input[value="1:1"]', force=True)
    with served(port):
        page.wait_for_selector("#trouble", state="hidden")
        settled(page)
        x0, y0, x1, y1 = frame(page)
        assert x1 - x0 == y1 - y0
        assert page.evaluate(opacity) == 1
    page.close()


def test_a_message_moves_nothing_and_is_closed(page: Any, photo: Path, tmp_path: Path) -> None:
    drop(page, photo)
    settled(page)
    before = place(page, ".mat")
    (tmp_path / "notes.txt").write_text("not a picture")
    drop(page, tmp_path / "notes.txt")
    assert "notes.txt: not a picture" in page.inner_text("#error")
    assert place(page, ".mat") == before
    page.click("#heard")
    assert page.locator("#told").is_hidden()

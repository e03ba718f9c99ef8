"""The report in a browser: read, filtered, stepped through, marked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from skimage import data

from cropper.bulk import BulkOptions, crop_folder, each_target
from cropper.request import CropRequest

WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``in``, ``out`` and ``run.html``, of two photos in two shapes and one that fails."""
    place = tmp_path_factory.mktemp("report")
    (place / "in").mkdir()
    Image.fromarray(data.coffee()).save(place / "in/cup & 100%.jpg")
    Image.fromarray(data.astronaut()).save(place / "in/her.jpg")
    (place / "in/broken.jpg").write_bytes(b"no picture")
    requests = each_target(["1:1", "9:16"], [], CropRequest())
    options = BulkOptions(requests, report=str(place / "run.html"))
    assert crop_folder(str(place / "in"), str(place / "out"), options).failed == 1
    return place


@pytest.fixture(params=[1280, 390], ids=["desktop", "phone"])
def page(chromium: Any, folder: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    said: list[str] = []
    page = chromium.new_page(viewport={"width": request.param, "height": 844})
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((folder / "run.html").as_uri())
    yield page
    page.close()
    assert said == []


def names(page: Any) -> list[str]:
    shown = page.locator("article:visible").all()
    return [each.get_attribute("data-name") for each in shown]


def test_failures_come_first_and_every_shape_is_large(page: Any) -> None:
    assert names(page)[0] == "broken.jpg"
    assert len(names(page)) == 3
    article = page.locator('article[data-name="her.jpg"]')
    sizes = [each.bounding_box() for each in article.locator("svg").all()]
    assert len(sizes) == 3  # the photo and a crop for each shape
    assert all(max(size["width"], size["height"]) >= 300 for size in sizes)
    assert page.evaluate(WIDE) <= 0


def test_a_picture_leads_to_its_file(page: Any, folder: Path) -> None:
    links = page.locator('article[data-name="cup & 100%.jpg"] a')
    places = [links.nth(index).evaluate("(a) => a.href") for index in range(links.count())]
    assert places == [
        (folder / name).as_uri()
        for name in ("in/cup & 100%.jpg", "out/cup & 100%_1x1.jpg", "out/cup & 100%_9x16.jpg")
    ]
    assert all((folder / each).is_file() for each in ("out/cup & 100%_1x1.jpg", "in/her.jpg"))


def test_it_is_filtered_and_sorted(page: Any) -> None:
    page.fill("#find", "HER")
    assert names(page) == ["her.jpg"]
    page.fill("#find", "")
    page.select_option("#state", "failed")
    assert names(page) == ["broken.jpg"]
    page.select_option("#state", "")
    page.select_option("#order", "name")
    assert names(page) == ["broken.jpg", "cup & 100%.jpg", "her.jpg"]
    page.select_option("#order", "-gain")
    gains = [each.get_attribute("data-gain") for each in page.locator("article").all()]
    assert gains[1:] == sorted(gains[1:], key=float)


def test_keys_step_through_and_marks_are_saved(page: Any, tmp_path: Path) -> None:
    page.select_option("#order", "name")
    page.locator("#order").blur()
    current = "() => document.activeElement.dataset.name"
    page.evaluate("get('count').textContent = '1234 of 1234, 0 marked'")  # the bar is higher then
    page.keyboard.press("j")
    assert page.evaluate(current) == "broken.jpg"
    page.keyboard.press("ArrowRight")
    bar, heading = (page.locator(each).bounding_box() for each in (".bar", "article:focus h2"))
    assert bar["y"] + bar["height"] <= heading["y"]  # it does not lie under what stays in view
    page.keyboard.press("x")
    assert page.evaluate(current) == "cup & 100%.jpg"
    page.keyboard.press("j")
    page.keyboard.press("j")  # and no further
    assert page.evaluate(current) == "her.jpg"
    page.keyboard.press("k")
    assert page.evaluate(current) == "cup & 100%.jpg"
    page.check('article[data-name="broken.jpg"] .wrong')
    assert page.inner_text("#count") == "3 of 3, 2 marked"
    page.reload()
    assert page.inner_text("#count") == "3 of 3, 2 marked"
    page.select_option("#state", "marked")
    assert names(page) == ["broken.jpg", "cup & 100%.jpg"]
    with page.expect_download() as waiting:
        page.click("#save")
    saved = Path(waiting.value.path()).read_text("utf-8")
    assert saved == "broken.jpg\ncup & 100%.jpg\n"
    for box in page.locator(".wrong:visible").all():
        box.uncheck()
    assert page.is_disabled("#save")


def test_it_is_accessible(chromium: Any, folder: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for scheme in ("light", "dark"):
        context = chromium.new_context(bypass_csp=True, color_scheme=scheme)
        page = context.new_page()
        page.goto((folder / "run.html").as_uri())
        found = axe.run(page).response["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        assert [(each["id"], each["nodes"][0]["html"][:200]) for each in serious] == []
        context.close()

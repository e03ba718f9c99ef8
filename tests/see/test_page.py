"""The page of all layers in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image
from skimage import data

from cropper.cli import main

WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("layers")
    Image.fromarray(data.coffee()).save(place / "cup & 100%.jpg")
    Image.fromarray(data.astronaut()).save(place / "her.jpg")
    line = ["see", str(place), "--scorer", "cropnet", "--units", "2", "--report"]
    assert CliRunner().invoke(main, [*line, str(place / "all.html")]).exit_code == 0
    return place / "all.html"


@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_is_walked_by_keys(chromium: Any, layers: Path, width: int) -> None:
    said: list[str] = []
    page = chromium.new_page(viewport={"width": width, "height": 844})
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(layers.as_uri())
    assert page.evaluate(WIDE) <= 0
    assert page.locator("img").count() == 19 * 2 * 2
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    current = "document.activeElement.getAttribute('aria-label')"
    page.keyboard.press("j")
    first = page.evaluate(current)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("j")
    assert page.evaluate(current).startswith("block1, unit ")
    page.keyboard.press("k")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(current) == first
    page.click("nav a[href='#fused']")
    assert page.locator("#fused").bounding_box()["y"] < 844
    link = page.locator("article a").first
    place = link.evaluate("(a) => a.href")
    assert place in {(layers.parent / name).as_uri() for name in ("cup & 100%.jpg", "her.jpg")}
    page.close()
    assert said == []


def test_it_is_accessible(chromium: Any, layers: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for scheme in ("light", "dark"):
        context = chromium.new_context(bypass_csp=True, color_scheme=scheme)
        page = context.new_page()
        page.goto(layers.as_uri())
        found = axe.run(page).response["violations"]
        assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
        context.close()

"""The exported site, in a headless Chromium where Playwright, a browser and npm are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cropper.errors import MissingModelError
from cropper.web.runtime import runtime_files
from cropper.web.site import SiteOptions, export_site
from eval.web import serving_site
from tests.conftest import BROWSER, FLAGS

NO_WEBGPU = "No available adapters."  # Chromium's own words


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        runtime_files(None)
    except MissingModelError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("web") / "site"
    export_site(SiteOptions(folder=folder))
    return folder


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Under a path of its own, as many static hosts have it."""
    with serving_site(site.parent, "site/") as found:
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if BROWSER is None:
        pytest.skip("there is no Chromium here")
    with ExitStack() as stack:
        driver = stack.enter_context(playwright.sync_playwright())

        def launch(*flags: str) -> Any:
            browser = driver.chromium.launch(executable_path=BROWSER, args=[*FLAGS, *flags])
            stack.callback(browser.close)
            return browser

        yield launch


@pytest.fixture(scope="module")
def page(chromium: Any, address: str) -> Iterator[Any]:
    """The page of the site; at its end it must have said nothing, and asked nobody else."""
    said: list[str] = []
    asked: list[str] = []
    page = chromium().new_page(viewport={"width": 1280, "height": 900})
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    yield page
    page.close()
    assert [each for each in said if each != NO_WEBGPU] == []
    assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []

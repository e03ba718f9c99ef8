"""The pictures of the README, made anew by one command from photos that anybody may show.

They come with scikit-image: the coffee cup is by Rachel Michetti, the cat by Stefan van der Walt,
both CC0; the rocket is SpaceX's and the portrait of Eileen Collins NASA's, both in the public
domain. The page and the report are seen by a Chromium, where there is one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cropper.bulk import BulkOptions, crop_folder
from cropper.errors import MissingExtraError, extra
from cropper.finder import CropFinder
from cropper.image import load_image, make_folder
from cropper.render import write_picture
from cropper.report import LabelledCrop, ReportedPhoto, draw_sheet, explain
from cropper.request import CropRequest
from eval.service import running_service

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["PHOTOS", "draw_pictures"]

PHOTOS = {"coffee": "4:5", "chelsea": "1:1", "rocket": "3:4", "astronaut": "4:5"}  # and their crops
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ["--no-sandbox", "--disable-dev-shm-usage"]  # for containers
_WIDTH, _PAGE, _REPORT = 1120, 900, 540  # px of a window, heights of what is seen in it
_QUALITY = 80


def draw_pictures(folder: Path) -> list[Path]:
    """``crops``, ``overlay``, ``page`` and ``report`` as .webp in a folder; others are replaced.

    Raises MissingExtraError without scikit-image, Playwright or a Chromium.
    """
    made = []

    def put(name: str, pixels: Any) -> None:
        made.append(folder / f"{name}.webp")
        write_picture(np.asarray(pixels, np.uint8), made[-1], _QUALITY, overwrite=True)

    folder = folder.absolute()
    make_folder(folder)
    with TemporaryDirectory(prefix="cropper-") as place:
        photos = _photos(Path(place) / "photos")
        finder = CropFinder()
        reported = [_reported(finder, path, PHOTOS[path.stem]) for path in photos]
        put("crops", draw_sheet(reported, columns=2))
        rocket = load_image(next(path for path in photos if path.stem == "rocket"))
        request = CropRequest(aspect="4:5", top_k=3).with_runners_up()
        put("overlay", explain(finder, rocket, finder.find(rocket, request)))
        with _browser() as browser, running_service() as (_, address):
            page = _window(browser, _PAGE)
            _open_page(page, address, photos)
            put("page", _seen(page))
            with chdir(place):  # the report tells the folder as it is named
                options = BulkOptions((CropRequest(aspect="1:1"),), report="report.html")
                crop_folder("photos", "crops", options)
            page = _window(browser, _REPORT)
            page.goto(f"file://{place}/report.html")
            put("report", _seen(page))
    return made


def _photos(folder: Path) -> list[Path]:
    with extra("test"):
        from skimage import data  # noqa: PLC0415 - of an extra

    folder.mkdir()
    paths = [folder / f"{name}.png" for name in PHOTOS]
    for path in paths:
        write_picture(getattr(data, path.stem)(), path, _QUALITY, overwrite=False)
    return paths


def _reported(finder: CropFinder, path: Path, aspect: str) -> ReportedPhoto:
    source = load_image(path)
    found = finder.find(source, aspect=aspect)
    return ReportedPhoto(
        name=path.name,
        view=finder.scorer.spec.view(source),
        size=source.size,
        crops=(LabelledCrop(aspect, found.best),),
        full_frame_score=found.full_frame_score,
        preferred=None,
        skipped=False,
        seconds=found.seconds,
    )


@contextmanager
def _browser() -> Iterator[Browser]:
    with extra("page"):
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - of an extra

    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if path is None:
        raise MissingExtraError("the page is seen by a Chromium: put one on the PATH")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


def _window(browser: Browser, height: int) -> Page:
    return browser.new_page(viewport={"width": _WIDTH, "height": height})


def _seen(page: Page) -> NDArray[np.uint8]:
    """A window's pixels, (H, W, 3)."""
    return load_image(page.screenshot()).view(_WIDTH).pixels


def _open_page(page: Page, address: str, photos: list[Path]) -> None:
    page.goto(f"http://{address}")
    page.set_input_files("#pick", photos)
    page.check('input[value="4:5"]', force=True)
    page.locator("#download:not([disabled])").wait_for()
    page.locator("#box").wait_for()
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(1500)  # ms; pictures fade in

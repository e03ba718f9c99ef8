"""Presets, several shapes at once, formats, the clipboard, before and after, samples."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cropper.presets import PRESETS
from tests.serve.browser import DESKTOP, PHONE, best, download, drop, frame, settled


def opened(page: Any, photo: Path) -> None:
    drop(page, photo)
    settled(page)


def test_a_preset_is_that_of_the_shell(page: Any, photo: Path, tmp_path: Path) -> None:
    opened(page, photo)
    assert page.locator("#preset option").count() == len(PRESETS) + 1
    page.select_option("#preset", "link")
    told, content = best(photo, tmp_path, "--preset", "link")
    page.wait_for_selector(f'#box[aria-label^="Crop, {told["box"][2] - told["box"][0]} by"]')
    settled(page)
    assert frame(page) == told["box"]
    assert download(page)[1] == content
    assert page.locator('input[name="aspect"]:checked').count() == 0

    page.select_option("#preset", "passport")
    page.wait_for_selector('#notes:has-text("70 to 80 % of the height: not held")')
    page.select_option("#preset", "avatar")
    page.wait_for_selector("#stage.circle")
    page.locator('label:has(input[value="4:5"])').click()  # a shape clears it
    page.wait_for_selector("#stage:not(.circle)")
    assert page.input_value("#preset") == page.input_value("#size-w") == ""
    page.wait_for_selector('#rival-name:has-text("Centred")')


def test_several_shapes_come_as_one_zip(page: Any, photo: Path, tmp_path: Path) -> None:
    opened(page, photo)
    page.check('input[value="4:5"]', force=True)
    page.wait_for_selector('#rival-name:has-text("Centred")')
    settled(page)
    page.focus("#box")
    page.keyboard.press("-")
    x0, y0, x1, y1 = frame(page)
    page.click("#several")
    page.click("#shapes-start")
    assert page.inner_text("#shapes-state") == "Tick a shape first"
    for name in ("4x5", "story"):
        page.check(f'input[name="shape"][value="{name}"]')
    name, content = download(page, "#shapes-start")
    assert name == "crops.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sorted(archive.namelist()) == ["Straße 1_4x5.jpg", "Straße 1_story.jpg"]
        by_hand = Image.open(io.BytesIO(archive.read("Straße 1_4x5.jpg")))
        assert by_hand.size == (x1 - x0, y1 - y0)
        told = best(photo, tmp_path, "--preset", "story")[1]
        assert archive.read("Straße 1_story.jpg") == told
    page.wait_for_selector('#shapes-state:has-text("2 cut")')


def test_several_shapes_of_all_photos(page: Any, photo: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.png"
    Image.new("RGB", (90, 60), "teal").save(small)
    drop(page, photo, small)
    page.wait_for_selector('#count:has-text("2 of 2")')
    settled(page)
    page.click("#several")
    page.locator("#all-photos").check()
    for name in ("1x1", "16x9"):
        page.check(f'input[name="shape"][value="{name}"]')
    content = download(page, "#shapes-start")[1]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sorted(archive.namelist()) == [
            "Straße 1_16x9.jpg",
            "Straße 1_1x1.jpg",
            "small_16x9.png",
            "small_1x1.png",
        ]


def test_format_and_quality_are_those_of_the_file(page: Any, photo: Path) -> None:
    opened(page, photo)
    sizes = {}
    for quality in ("30", "90"):
        page.select_option("#format", "image/webp")
        page.fill("#quality", quality)
        page.locator("#quality").blur()
        name, content = download(page)
        assert name == "Straße 1_original.webp"
        assert Image.open(io.BytesIO(content)).format == "WEBP"
        sizes[quality] = len(content)
    assert sizes["30"] < sizes["90"]


def test_a_smallest_side_is_held_or_told(chromium: Any, url: str, photo: Path) -> None:
    page = chromium.new_page(**DESKTOP)
    page.goto(url)
    opened(page, photo)
    page.check('input[value="9:16"]', force=True)
    page.fill("#min-side", "280")
    page.locator("#min-side").blur()
    page.wait_for_function("() => Number(document.getElementById('edge-w').value) >= 280")
    settled(page)
    page.focus("#box")
    page.keyboard.press("-")
    page.wait_for_selector('#notes:has-text("fewer than 280 pixels")')
    page.fill("#min-side", "600")
    page.locator("#min-side").blur()
    page.wait_for_selector("#trouble:has-text('a side of 600 pixels or more')")
    page.close()


def test_a_crop_is_copied(chromium: Any, url: str, photo: Path) -> None:
    context = chromium.new_context(**DESKTOP)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(url)
    opened(page, photo)
    page.click("#copy")
    page.wait_for_selector('#state:has-text("copied")')
    size = page.evaluate(
        """async () => {
          const [item] = await navigator.clipboard.read();
          const bitmap = await createImageBitmap(await item.getType("image/png"));
          return [bitmap.width, bitmap.height];
        }"""
    )
    x0, y0, x1, y1 = frame(page)
    assert size == [x1 - x0, y1 - y0]
    context.close()


def test_before_and_after_lie_over_each_other(page: Any, photo: Path) -> None:
    opened(page, photo)
    page.click("#compare")
    page.wait_for_selector("#after img")
    x0, y0, x1, y1 = frame(page)
    shown = "() => { const { naturalWidth: w, naturalHeight: h } = %s; return [w, h]; }"
    after = page.evaluate(shown % "document.querySelector('#after img')")
    assert after == [x1 - x0, y1 - y0]
    assert page.evaluate(shown % "document.getElementById('before')") == [512, 512]
    cut, frame_in = (page.locator(what).bounding_box() for what in ("#cut img", "#before"))
    scale = frame_in["width"] / 512
    for side, edge in (("x", x0), ("y", y0)):
        assert cut[side] - frame_in[side] == pytest.approx(edge * scale, abs=1)
    assert cut["width"] == pytest.approx((x1 - x0) * scale, abs=1)
    clip = "() => getComputedStyle(document.getElementById('after')).clipPath"
    assert page.evaluate(clip) == "inset(0px 50% 0px 0px)"
    page.keyboard.press("End")
    assert page.evaluate(clip) == "inset(0px 0% 0px 0px)"
    page.keyboard.press("Escape")
    assert page.locator("#compare-dialog").is_hidden()


def test_samples_are_drawn_to_try_it_with(page: Any) -> None:
    page.wait_for_selector('#limits:has-text("megapixels")')
    page.click("#sample")
    page.wait_for_selector('#count:has-text("3 of 3")')
    settled(page)
    assert page.locator("#grid canvas").count() == 3


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("button", ["#several", "#compare"])
def test_its_dialogs_are_accessible(
    chromium: Any, url: str, photo: Path, device: dict[str, Any], button: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = chromium.new_context(**device, bypass_csp=True)
    page = context.new_page()
    page.goto(url)
    opened(page, photo)
    page.click(button)
    found = axe.run(page).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == []
    wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    context.close()


def test_filter_is_that_of_the_file(page: Any, photo: Path) -> None:
    opened(page, photo)
    page.select_option("#format", "image/png")
    page.select_option("#filter", "black-and-white")
    page.locator("#filter").blur()
    _, content = download(page)
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    assert np.abs(pixels - pixels[..., :1]).max() <= 1

"""The slider that turns a photo: what it shows, keeps and writes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cropper import render
from cropper.image import open_photo
from cropper.turn import Turn
from tests.serve.browser import best, download, drop, frame, settled
from tests.serve.test_page_hand import shape

ANGLE = "() => document.getElementById('angle').value"


def turn_by_keys(page: Any, key: str, times: int) -> None:
    page.focus("#angle")
    for _ in range(times):
        page.keyboard.press(key)


def found_again(page: Any) -> None:
    """Once the angle rests the crops are found anew."""
    page.wait_for_timeout(600)
    page.wait_for_selector("#work:not(.busy):not(.stale)")
    settled(page)


@pytest.fixture
def tall(page: Any, photo: Path) -> list[int]:
    drop(page, photo)
    settled(page)
    shape(page, "4:5")
    return frame(page)


def test_a_photo_is_turned_by_keys_and_downloaded_turned(
    page: Any, photo: Path, tall: list[int], tmp_path: Path
) -> None:
    turn_by_keys(page, "ArrowRight", 30)
    assert page.inner_text("#angle-shown") == "3.0° clockwise"
    assert page.get_attribute("#angle", "aria-valuetext") == "3.0° clockwise"
    assert page.locator("#stage.turning").count() == 1  # the grid
    x0, y0, x1, y1 = frame(page)
    turn = Turn((512, 512), -3.0)
    middle = turn.in_turned(np.array([[tall[0] + tall[2], tall[1] + tall[3]]]) / 2)
    half = np.array([tall[2] - tall[0], tall[3] - tall[1]]) / 2
    fitted = turn.fit(np.concatenate([middle - half, middle + half], 1))[0]
    np.testing.assert_allclose([x0, y0, x1, y1], fitted, atol=1.5)
    found_again(page)
    assert "turned 3.0° clockwise" in page.get_attribute("#box", "aria-label")
    page.wait_for_selector("#stage:not(.turning)")  # 0.9 s after the key
    assert page.locator("#stage.turning").count() == 0

    page.select_option("#format", "image/png")
    _, content = download(page)
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    own = turn.crop(fitted, 0.0)
    wanted = np.asarray(render.cut(open_photo(photo), own, pixels.shape[1::-1])).astype(int)
    assert np.abs(pixels - wanted).mean() < 1.5  # the frame is kept to a hundredth of a pixel

    page.click("#reset")  # the best crop of the turned photo
    settled(page)
    told, _ = best(photo, tmp_path, "--aspect", "4:5", "--angle", "-3")
    assert page.inner_text("#score") == f"{told['score']:.2f}"
    _, content = download(page)
    width, height = Image.open(io.BytesIO(content)).size
    (ax, ay), (bx, by), _, _ = told["corners"]
    assert width == pytest.approx(np.hypot(bx - ax, by - ay), abs=1)
    assert width / height == pytest.approx(0.8, abs=0.01)


def test_a_hold_is_one_step_and_another_shape_stays_level(page: Any, tall: list[int]) -> None:
    slider = page.locator("#angle").bounding_box()
    x, y = slider["x"] + slider["width"] / 2, slider["y"] + slider["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    assert page.locator("#stage.turning").count() == 1  # before it is moved
    for step in range(1, 8):
        page.mouse.move(x + 10 * step, y)
    page.mouse.up()
    assert page.locator("#stage.turning").count() == 0
    angle = page.evaluate(ANGLE)
    assert float(angle) > 1
    page.click("#undo")
    assert frame(page) == tall
    assert page.evaluate(ANGLE) == "0"
    page.click("#redo")
    assert page.evaluate(ANGLE) == angle
    found_again(page)
    shape(page, "1:1")
    assert page.evaluate(ANGLE) == angle
    assert f"turned {float(angle):.1f}°" in page.get_attribute("#box", "aria-label")


def test_a_turned_frame_stays_inside_and_comes_back(
    page: Any, photo: Path, tall: list[int]
) -> None:
    turn_by_keys(page, "ArrowLeft", 80)
    found_again(page)
    corner = page.locator(".handle.se").bounding_box()
    x, y = corner["x"] + corner["width"] - 2, corner["y"] + corner["height"] - 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y - 80, steps=3)
    page.mouse.up()
    page.focus("#box")
    for _ in range(60):
        page.keyboard.press("ArrowRight")
    by_hand = frame(page)
    corners = Turn((512, 512), 8.0).in_photo(np.array([by_hand[:2], by_hand[2:]], dtype=float))
    assert corners.min() > -1.5
    assert corners.max() < 513.5

    page.reload()
    drop(page, photo)
    settled(page)
    assert page.evaluate(ANGLE) == "-8"
    shape(page, "4:5")
    assert frame(page) == by_hand
    turn_by_keys(page, "ArrowRight", 40)
    turn_by_keys(page, "ArrowRight", 40)
    assert page.evaluate(ANGLE) == "0"
    page.click("#forget")
    page.reload()
    drop(page, photo)
    settled(page)
    assert page.evaluate(ANGLE) == "0"


def test_several_shapes_are_turned_alike(page: Any, photo: Path, tall: list[int]) -> None:
    turn_by_keys(page, "ArrowRight", 50)
    found_again(page)
    page.click("#several")
    for name in ("1x1", "16x9"):
        page.check(f'input[name="shape"][value="{name}"]')
    content = download(page, "#shapes-start")[1]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sizes = {name: Image.open(archive.open(name)).size for name in archive.namelist()}
    assert len(sizes) == 2
    for width, height in sizes.values():
        upright = np.array([[0.0, 0.0, 512.0, 512.0 * height / width]])
        x0, _, x1, _ = Turn((512, 512), -5.0).fit(upright)[0]
        assert width < x1 - x0 + 1 < 512

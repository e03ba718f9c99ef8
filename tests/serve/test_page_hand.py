"""The frame by hand: gestures, undo and redo, and what of it is kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.faces import side_by_side, stranger
from tests.serve.browser import PHONE, drop, frame, settled


def shape(page: Any, name: str) -> None:
    page.check(f'input[value="{name}"]', force=True)
    page.wait_for_selector("#work:not(.busy)")  # busy from the change on, perhaps for an instant
    settled(page)


@pytest.fixture
def tall(page: Any, photo: Path) -> list[int]:
    """The frame of a photo that is open, in a shape that leaves room."""
    drop(page, photo)
    settled(page)
    shape(page, "9:16")
    return frame(page)


def middle(page: Any, what: str = "#box") -> tuple[float, float]:
    box = page.locator(what).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Any, start: tuple[float, float], by: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + by[0] / 2, start[1] + by[1] / 2, steps=3)
    page.mouse.move(start[0] + by[0], start[1] + by[1], steps=3)
    page.mouse.up()


def width(box: list[int]) -> int:
    return box[2] - box[0]


def test_a_drag_is_one_step_to_undo(page: Any, tall: list[int]) -> None:
    assert page.is_disabled("#undo")
    drag(page, middle(page), (60, 0))
    moved = frame(page)
    assert moved[0] > tall[0]
    drag(page, middle(page), (-150, 0))
    last = frame(page)
    page.click("#undo")
    assert frame(page) == moved
    page.keyboard.press("Control+z")
    assert frame(page) == tall
    assert page.is_disabled("#undo")
    page.keyboard.press("Control+Shift+Z")
    assert frame(page) == moved
    page.click("#redo")
    assert frame(page) == last
    assert page.is_disabled("#redo")
    page.keyboard.press("Control+z")
    page.focus("#box")
    page.keyboard.press("-")  # another way from here
    assert page.is_disabled("#redo")
    page.click("#reset")
    assert frame(page) == tall
    page.keyboard.press("Control+z")  # the best crop is a step too
    assert frame(page) != tall


def test_a_face_that_is_let_go_takes_the_frame_by_hand_back(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "two.jpg"
    Image.fromarray(side_by_side(stranger(83), stranger(31))).save(path, quality=92)
    drop(page, path)
    settled(page)
    shape(page, "1:1")
    page.focus("#box")
    page.keyboard.press("-")
    by_hand = frame(page)
    page.locator(".face").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector('.face[aria-pressed="false"]')
    settled(page)
    assert frame(page) != by_hand
    assert page.get_attribute("#runners button >> nth=0", "aria-pressed") == "true"
    page.click("#undo")
    assert frame(page) == by_hand


def test_ctrl_z_in_a_field_is_the_fields_own(page: Any, tall: list[int]) -> None:
    drag(page, middle(page), (60, 0))
    moved = frame(page)
    page.focus("#quality")
    page.keyboard.press("Control+z")
    assert frame(page) == moved


def test_nothing_done_by_hand_is_lost(page: Any, photo: Path, tmp_path: Path) -> None:
    twin = tmp_path / "renamed.jpg"  # the same content
    other = tmp_path / "other.png"
    shutil.copy(photo, twin)
    Image.new("RGB", (300, 200), "teal").save(other)
    drop(page, photo)
    drop(page, other)
    page.wait_for_selector('#count:has-text("2 of 2")')
    page.locator("#grid button").first.click()
    shape(page, "9:16")
    best = frame(page)
    drag(page, middle(page), (70, 0))
    by_hand = frame(page)
    assert by_hand != best
    shape(page, "1:1")
    shape(page, "9:16")
    assert frame(page) == by_hand
    page.locator("#grid button").nth(1).click()
    settled(page)
    page.locator("#grid button").first.click()
    settled(page)
    assert frame(page) == by_hand
    assert page.inner_text("#kept-count") == "1 frame"

    page.reload()
    page.wait_for_selector('#kept:has-text("1 frame by hand")')
    stored = page.evaluate("() => JSON.stringify(localStorage)")
    assert len(stored) < 300
    assert "renamed" not in stored
    drop(page, twin)
    settled(page)
    shape(page, "9:16")
    assert frame(page) == by_hand

    page.click("#forget")
    assert page.locator("#kept").is_hidden()
    page.reload()
    drop(page, twin)
    settled(page)
    shape(page, "9:16")
    assert frame(page) == best
    assert page.evaluate("() => localStorage.length") == 0


def test_the_wheel_resizes_and_a_double_click_finds_the_best(page: Any, tall: list[int]) -> None:
    page.mouse.move(*middle(page))
    for _ in range(3):
        page.mouse.wheel(0, 200)
    page.wait_for_function("(w) => Number(document.getElementById('edge-w').value) < w", arg=240)
    smaller = frame(page)
    assert width(smaller) < width(tall)
    assert page.evaluate("scrollY") == 0
    page.mouse.wheel(0, -100)
    page.wait_for_function(
        "(w) => Number(document.getElementById('edge-w').value) > w", arg=width(smaller)
    )
    page.mouse.dblclick(*middle(page))
    assert frame(page) == tall


def test_a_frame_is_drawn_beside_the_old_one(page: Any, tall: list[int]) -> None:
    drag(page, middle(page), (-400, 0))
    at_left = frame(page)
    assert at_left[0] == 0
    stage = page.locator("#stage").bounding_box()
    corner = (stage["x"] + stage["width"] - 10, stage["y"] + stage["height"] - 10)
    drag(page, corner, (-3, -3))  # a press that slips draws nothing
    assert frame(page) == at_left
    drag(page, corner, (-60, -150))
    drawn = frame(page)
    pixel = 512 / stage["width"]
    assert drawn[2] == pytest.approx(512 - 10 * pixel, abs=2)
    assert drawn[3] == pytest.approx(512 - 10 * pixel, abs=2)
    assert width(drawn) / (drawn[3] - drawn[1]) == pytest.approx(9 / 16, abs=0.02)
    assert drawn[3] - drawn[1] == pytest.approx(150 * pixel, abs=3)
    page.click("#undo")
    assert frame(page) == at_left


def test_a_pinch_resizes(chromium: Any, url: str, photo: Path) -> None:
    context = chromium.new_context(**PHONE)
    page = context.new_page()
    page.goto(url)
    drop(page, photo)
    settled(page)
    shape(page, "1:1")
    touch = context.new_cdp_session(page)
    x, y = middle(page)

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": px, "y": py, "id": index} for index, (px, py) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    start = frame(page)
    fingers("touchStart", (x - 100, y))
    fingers("touchStart", (x - 100, y), (x + 100, y))
    for apart in (90, 80, 70, 60, 50):
        fingers("touchMove", (x - apart, y), (x + apart, y))
    fingers("touchEnd")
    pinched = frame(page)
    assert width(pinched) == pytest.approx(width(start) / 2, rel=0.05)
    assert page.evaluate("[scrollY, visualViewport.scale]") == [0, 1]
    page.click("#undo")
    assert frame(page) == start
    context.close()

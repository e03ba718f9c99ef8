"""The page, driven in a headless Chromium where Playwright and a browser are installed."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from skimage import data

from cropper.finder import CropFinder
from cropper.identity import KnownPeople, learn_person
from tests.faces import side_by_side, stranger
from tests.serve.browser import PHONE, best, download, drop, frame, settled
from tests.serve.conftest import serving
from tests.serve.test_api import Whim


def test_a_dropped_photo_is_cropped_as_on_the_shell(page: Any, photo: Path, tmp_path: Path) -> None:
    drop(page, photo)
    settled(page)
    told, content = best(photo, tmp_path)
    assert frame(page) == told["box"]
    assert page.inner_text("#score") == f"{told['score']:.2f}"
    assert page.inner_text("#full") == f"{told['full_frame_score']:.2f}"
    assert download(page) == ("Straße 1_original.jpg", content)

    page.check('input[value="4:5"]', force=True)
    told, content = best(photo, tmp_path, "--aspect", "4:5")
    page.wait_for_selector(f'#box[aria-label^="Crop, {told["box"][2] - told["box"][0]} by"]')
    settled(page)
    assert frame(page) == told["box"]
    assert download(page)[1] == content

    page.fill("#size-w", "200")
    page.fill("#size-h", "100")
    page.locator("#size-h").blur()
    told, content = best(photo, tmp_path, "--size", "200x100")
    page.wait_for_selector(f'#box[aria-label^="Crop, {told["box"][2] - told["box"][0]} by"]')
    settled(page)
    assert frame(page) == told["box"]
    assert download(page)[1] == content


def test_the_frame_is_moved_by_pointer(page: Any, photo: Path) -> None:
    page.set_input_files("#pick", photo)
    page.check('input[value="4:5"]', force=True)
    settled(page)
    page.wait_for_selector('#runners button[aria-pressed="true"]')
    start = frame(page)
    ratio = (start[2] - start[0]) / (start[3] - start[1])
    assert ratio == pytest.approx(0.8, abs=0.01)
    before = page.inner_text("#score")

    corner = page.locator(".handle.se").bounding_box()
    x, y = corner["x"] + corner["width"] - 2, corner["y"] + corner["height"] - 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 40, y - 60, steps=3)
    page.mouse.move(x - 80, y - 100, steps=3)
    page.mouse.up()
    smaller = frame(page)
    assert smaller[:2] == start[:2]
    assert smaller[2] < start[2] - 20
    assert (smaller[2] - smaller[0]) / (smaller[3] - smaller[1]) == pytest.approx(ratio, abs=0.02)
    page.wait_for_selector(f'#box[aria-label^="Crop, {smaller[2] - smaller[0]} by"]')
    assert page.inner_text("#score") != before

    middle = page.locator("#box").bounding_box()
    x, y = middle["x"] + middle["width"] / 2, middle["y"] + middle["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 2000, y + 2000, steps=3)
    page.mouse.up()
    assert frame(page)[2:] == [512, 512]  # and no further


def test_the_frame_is_moved_by_keys_and_numbers(page: Any, photo: Path) -> None:
    drop(page, photo)
    page.check('input[value="4:5"]', force=True)
    settled(page)
    start = frame(page)
    page.focus("#box")
    page.keyboard.press("-")  # the best crop may be as high as the photo
    for side in "xy":
        page.fill(f"#edge-{side}", "9999")
        page.locator(f"#edge-{side}").blur()
    assert frame(page)[2:] == [512, 512]  # and no further
    page.focus("#box")
    page.keyboard.press("ArrowLeft")
    assert frame(page)[2] == 512 - 5
    page.keyboard.press("Shift+ArrowUp")
    assert frame(page)[3] == 511
    page.keyboard.press("-")
    assert frame(page)[2] - frame(page)[0] < start[2] - start[0]
    page.fill("#edge-x", "7")
    page.keyboard.press("Tab")
    assert frame(page)[0] == 7
    name, content = download(page)
    x0, y0, x1, y1 = frame(page)
    assert Image.open(io.BytesIO(content)).size == (x1 - x0, y1 - y0)
    assert name == "Straße 1_4x5.jpg"
    page.focus("#box")
    page.keyboard.press("Home")
    assert frame(page) == start


def test_a_ratio_of_ones_own_and_a_smallest_crop(page: Any, photo: Path, tmp_path: Path) -> None:
    drop(page, photo)
    settled(page)
    page.check('input[value="own"]', force=True)
    page.fill("#own", "2.5:1")
    page.locator("#own").blur()
    page.locator("#min-scale").fill("80")
    page.wait_for_selector('#scale-shown:has-text("80 %")')
    told, content = best(photo, tmp_path, "--aspect", "2.5:1", "--min-scale", "0.8")
    page.wait_for_selector(f'#box[aria-label^="Crop, {told["box"][2] - told["box"][0]} by"]')
    settled(page)
    assert frame(page) == told["box"]
    assert download(page)[1] == content


def test_a_runner_up_is_shown_and_taken(page: Any, photo: Path) -> None:
    drop(page, photo)
    settled(page)
    start = frame(page)
    runner = page.locator("#runners button").nth(2)
    runner.hover()
    page.wait_for_selector("#other.shown")
    runner.click()
    page.wait_for_selector("#other:not(.shown)", state="attached")
    taken = frame(page)
    assert taken != start
    assert f"score {page.inner_text('#score')}" in runner.get_attribute("aria-label")
    assert runner.get_attribute("aria-pressed") == "true"
    assert Image.open(io.BytesIO(download(page)[1])).size == (
        taken[2] - taken[0],
        taken[3] - taken[1],
    )


def test_no_probability_is_shown_where_the_scorer_cannot_say(chromium: Any, photo: Path) -> None:
    with serving(Whim()) as client:
        page = chromium.new_page()
        page.goto(str(client.base_url))
        drop(page, photo)
        settled(page)
        page.locator("#verdict").wait_for(state="hidden")
        assert "prefer" not in page.inner_text("#spoken")
        page.close()


def test_many_photos_make_a_grid_and_a_zip(page: Any, photo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tif"  # which the browser cannot show
    Image.fromarray(data.coffee()[:200, :300]).save(other)
    twin = tmp_path / photo.name
    shutil.copy(photo, twin)
    drop(page, photo, other, twin)
    page.wait_for_selector('#count:has-text("3 of 3")')
    assert page.locator("#grid canvas").count() == 3
    page.click('#grid button:has-text("other.tif")')
    settled(page)
    assert frame(page)[2] <= 300
    assert page.evaluate("() => document.getElementById('photo').naturalWidth") == 300
    name, content = download(page, "#download-all")
    assert name == "crops.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [
            "Straße 1_original-2.jpg",
            "Straße 1_original.jpg",
            "other_original.tif",
        ]
        assert archive.read("Straße 1_original.jpg") == best(photo, tmp_path)[1]


def test_a_folder_is_picked_with_the_folders_in_it(page: Any, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "trip" / "day 2").mkdir(parents=True)
    shutil.copy(photo, tmp_path / "trip" / "b.jpg")
    shutil.copy(photo, tmp_path / "trip" / "day 2" / "a.jpg")
    (tmp_path / "trip" / "notes.txt").write_text("not a picture")
    page.set_input_files("#pick-folder", tmp_path / "trip")
    page.wait_for_selector('#count:has-text("2 of 2")')
    assert [tile.inner_text().strip() for tile in page.locator("#grid button").all()] == [
        "a.jpg",
        "b.jpg",
    ]
    assert page.get_attribute("#progress", "max") == "2"
    assert "notes.txt: not a picture" in page.inner_text("#error")
    settled(page)


def test_what_cannot_be_cropped_is_told(chromium: Any, url: str, tmp_path: Path) -> None:
    page = chromium.new_page()
    page.goto(url)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and nothing more")
    (tmp_path / "notes.txt").write_text("not a picture")
    drop(page, tmp_path / "notes.txt")
    assert "notes.txt: not a picture" in page.inner_text("#error")
    drop(page, tmp_path / "broken.jpg")
    page.wait_for_selector('#trouble:has-text("broken.jpg: broken JPEG file")')
    page.close()


def test_the_heat_map_is_drawn(page: Any, photo: Path) -> None:
    drop(page, photo, kind="paste")
    settled(page)
    page.check("#show-heat")
    page.locator("#heat").wait_for()
    page.check('input[value="1:1"]', force=True)  # another shape, another map
    page.locator("#heat").wait_for()
    colours = page.evaluate(
        """() => {
          const heat = document.getElementById("heat");
          const all = heat.getContext("2d").getImageData(0, 0, heat.width, heat.height).data;
          return new Set(Array.from({ length: all.length / 4 }, (_, i) => all[4 * i])).size;
        }"""
    )
    assert colours > 20


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
def test_it_is_accessible_and_fits_the_screen(
    chromium: Any, url: str, photo: Path, device: dict[str, Any]
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = chromium.new_context(**device, bypass_csp=True)
    page = context.new_page()
    for path in ("/", "/docs"):
        page.goto(url + path)
        if path == "/":
            drop(page, photo, photo)
            page.wait_for_selector('#count:has-text("2 of 2")')
            settled(page)
        else:
            page.wait_for_selector("#kinds tr")
        found = axe.run(page).response["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == []
        wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) <= 0
    context.close()


def test_a_token_is_asked_for_once(chromium: Any, photo: Path) -> None:
    with serving(token="correct-horse-battery") as client:
        page = chromium.new_page()
        page.goto(str(client.base_url))
        page.fill("#token", "correct-horse-battery")
        page.keyboard.press("Enter")
        page.wait_for_selector('#limits:has-text("megapixels")')
        drop(page, photo)
        settled(page)
        page.close()
        page = chromium.new_page()
        page.goto(f"{client.base_url}#token=correct-horse-battery")
        page.wait_for_selector('#limits:has-text("megapixels")')
        assert "token" not in page.url
        page.close()


def test_a_face_that_is_pressed_is_let_go_and_kept_again(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "two.jpg"
    two = side_by_side(stranger(83), stranger(31))
    Image.fromarray(two).save(path, quality=92)
    drop(page, path)
    page.check('input[value="1:1"]', force=True)
    settled(page)
    page.wait_for_selector(".face >> nth=1")
    faces = page.locator(".face")
    assert faces.count() == 2
    assert [each.get_attribute("aria-pressed") for each in faces.all()] == ["true", "true"]
    first = frame(page)

    def press(index: int) -> list[int]:
        """On the badge, which lies on the lower edge of the face."""
        place = faces.nth(index).bounding_box()
        before = faces.nth(index).get_attribute("aria-pressed")
        page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"])
        after = "false" if before == "true" else "true"
        page.wait_for_selector(f'.face:nth-child({index + 1})[aria-pressed="{after}"]')
        settled(page)
        return frame(page)

    left = [each.bounding_box()["x"] for each in faces.all()]
    leftmost, rightmost = (0, 1) if left[0] < left[1] else (1, 0)
    without_left = press(leftmost)
    assert without_left[2] > 320 + 200  # the right face, with its hair, lies in it
    assert without_left[0] > 200
    press(leftmost)
    assert frame(page) == first
    without_right = press(rightmost)
    assert without_right[2] < 400
    faces.nth(rightmost).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(f'.face:nth-child({rightmost + 1})[aria-pressed="true"]')
    settled(page)
    assert frame(page) == first


def test_a_photo_of_one_person_has_no_buttons(page: Any, photo: Path) -> None:
    drop(page, photo)
    settled(page)
    assert page.locator(".face").count() == 0


def test_a_known_person_is_ticked_to_be_kept(chromium: Any, tmp_path: Path) -> None:
    Image.fromarray(data.astronaut()[:, ::-1]).save(tmp_path / "ann.png")
    people = KnownPeople((learn_person("Ann", tmp_path / "ann.png"),))
    path = tmp_path / "two.jpg"
    Image.fromarray(side_by_side(stranger(83, 320, 90), data.astronaut())).save(path)
    with serving(CropFinder().scorer, people=people) as client:
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.goto(str(client.base_url))
        drop(page, path)
        page.check('input[value="9:16"]', force=True)
        settled(page)
        page.wait_for_selector('#runners button[aria-pressed="true"]')
        before = frame(page)
        page.check('input[name="person"][value="Ann"]', force=True)
        page.wait_for_function(
            "(x) => Number(document.getElementById('edge-x').value) !== x", arg=before[0]
        )
        settled(page)
        x0, _, x1, _ = frame(page)
        assert x0 < 500 + 180 < 500 + 268 < x1
        page.close()

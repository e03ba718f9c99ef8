"""The site as a person uses it: dropped photos, no network, a camera."""

from __future__ import annotations

import base64
import io
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from cropper.cli import main
from cropper.finder import CropFinder
from cropper.web.runtime import ON_GPU
from eval.web import serving_site
from tests.conftest import CliRunner
from tests.serve.browser import GIVE, PHONE
from tests.serve.conftest import serving
from tests.web.test_engine import encoded

PHOTO = encoded(data.astronaut())
FAKE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
LEFT = "document.getElementById('box').style.left"
KEPT = (
    "(async (names) => (await Promise.all(names.map((name) => caches.match(name)))).every(Boolean))"
)
IS_SCORED = "/[0-9]/.test(document.getElementById('score').textContent)"


def until(page: Any, expression: str, seconds: float = 60) -> None:
    """Playwright's own way of waiting is forbidden by the page's policy."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def give(page: Any, *photos: tuple[str, bytes]) -> None:
    content = [[name, base64.b64encode(each).decode()] for name, each in photos]
    page.evaluate(GIVE, ["drop", content])


def test_photo_is_cropped_without_a_server(page: Any) -> None:
    give(page, ("photo.png", PHOTO))
    page.locator("input[name=aspect][value='1:1']").check(force=True)
    until(page, IS_SCORED)
    best = CropFinder().find(PHOTO, aspect="1:1", top_k=4).best
    until(page, f"document.getElementById('edge-w').value === '{best.width:.0f}'")
    with page.expect_download() as download:
        page.locator("#download").click()
    with Image.open(download.value.path()) as picture:
        wanted = data.astronaut()[int(best.y0) : int(best.y1), int(best.x0) : int(best.x1)]
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), wanted)


def test_it_works_without_a_network_after_the_first_visit(chromium: Any, site: Path) -> None:
    context = chromium().new_context()
    page = context.new_page()
    with serving_site(site.parent, "site/") as address:
        page.goto(address)
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.goto(address)  # nobody is there any more
    assert page.evaluate("crossOriginIsolated")  # and the engine has its threads
    give(page, ("photo.png", PHOTO))
    until(page, IS_SCORED)
    page.goto(f"{address}camera.html")
    assert page.title().startswith("Camera")
    context.close()


@pytest.mark.slow
def test_the_network_runs_on_webgpu_where_that_is_asked_for(chromium: Any, site: Path) -> None:
    flags = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
    context = chromium(*flags).new_context()
    page, said, asked = context.new_page(), [], []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    context.on("request", lambda request: asked.append(request.url.rsplit("/")[-1]))
    with serving_site(site.parent, "site/") as address:
        page.goto(address)
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.goto(address)
        page.wait_for_timeout(1000)
        if page.locator("#gpu-label").is_hidden():
            pytest.skip("this Chromium has no WebGPU")
        assert not {*ON_GPU} & {*asked}  # a first visit does without
        page.locator("#gpu-label").click()
        until(page, "document.getElementById('gpu').checked")
        give(page, ("photo.png", PHOTO))
        until(page, IS_SCORED, 240)  # without a graphics processor it is slow
        assert {*ON_GPU} <= {*asked}
        until(page, f"{KEPT}({json.dumps(ON_GPU)})")  # for when nobody is there any more
    best = CropFinder().find(PHOTO, top_k=4).best
    assert page.locator("#edge-w").input_value() == f"{best.width:.0f}"
    score = float(page.locator("#score").inner_text())
    assert score == pytest.approx(best.score, abs=0.006)
    assert said == []
    context.close()


def test_it_can_be_installed(page: Any, address: str) -> None:
    manifest = page.evaluate("fetch('site.webmanifest').then((answer) => answer.json())")
    assert manifest["display"] == "standalone"
    assert {icon["sizes"] for icon in manifest["icons"]} == {"192x192", "512x512"}
    for icon in manifest["icons"]:
        content = page.request.get(address + icon["src"]).body()
        size = Image.open(io.BytesIO(content)).size
        assert "{}x{}".format(*size) == icon["sizes"]
    session = page.context.new_cdp_session(page)
    session.send("Page.enable")
    problems = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [each["errorId"] for each in problems if each["errorId"] != "in-incognito"] == []


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds: a person at the left of a noisy night, then at the right."""
    person = Image.fromarray(data.astronaut()).resize((300, 300))
    night = Image.fromarray(data.rocket()).resize((640, 480))
    rng = np.random.default_rng(0)
    frames = []
    for index in range(180):
        frame = night.copy()
        frame.paste(person, (20 if index < 90 else 320, 150))
        noisy = np.asarray(frame) + rng.normal(0, 4, (480, 640, 1))
        output = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(output, "JPEG", quality=90)
        frames.append(output.getvalue())
    path = tmp_path_factory.mktemp("film") / "film.mjpeg"
    path.write_bytes(b"".join(frames))
    return path


def places(page: Any, seconds: float) -> list[float]:
    """The left edge of the frame, in percent, every 50 ms."""
    found = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        left = page.evaluate(LEFT)
        found += [float(left.removesuffix("%"))] if left else []
        page.wait_for_timeout(50)
    return found


def test_camera_follows_and_does_not_jitter(chromium: Any, address: str, film: Path) -> None:
    browser = chromium(*FAKE, f"--use-file-for-fake-video-capture={film}")
    context = browser.new_context(**PHONE, permissions=["camera"])
    page = context.new_page()
    page.goto(f"{address}camera.html")
    until(page, LEFT)
    lefts = places(page, 8)
    assert min(lefts) < 5
    assert max(lefts) > 30  # it went from one side to the other
    moves = np.abs(np.diff(lefts))
    assert (moves < 1e-3).mean() > 0.6  # and stood still for most of the time
    assert re.match(r"\d+ % prefer it to the middle", page.locator("#verdict").text_content())

    with page.expect_download() as first:
        page.locator("#shutter").click()
    name = first.value.suggested_filename
    assert re.fullmatch(r"photo-[\d-]+\.jpg", name)
    assert Image.open(first.value.path()).size == (640, 480)
    context.close()


NOTED = """
const own = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
window.asked = [];
window.seen = true;
Object.defineProperty(document, "hidden", { get: () => !window.seen });
navigator.mediaDevices.getUserMedia = async (wanted) => {
  window.asked.push(wanted.video.facingMode);
  return window.stream = await own(wanted);
};
"""
SEEN = "(seen) => { window.seen = seen; document.dispatchEvent(new Event('visibilitychange')); }"


def test_camera_is_turned_to_the_person_and_given_back_when_nobody_looks(
    chromium: Any, address: str
) -> None:
    browser = chromium("--use-fake-device-for-media-stream=device-count=2", FAKE[1])
    size = {"width": 844, "height": 390}  # a phone on its side
    context = browser.new_context(viewport=size, has_touch=True, permissions=["camera"])
    context.add_init_script(NOTED)
    page = context.new_page()
    page.goto(f"{address}camera.html")
    until(page, LEFT)
    for part in ("#shutter", "#flip", "#verdict", "#finder"):
        place = page.locator(part).bounding_box()
        assert place["y"] >= 0, part
        assert place["y"] + place["height"] <= 390, part
        assert place["x"] + place["width"] <= 844, part
    page.locator("#flip").click()
    until(page, "window.asked.length === 2")
    assert page.evaluate("window.asked") == ["environment", "user"]
    until(page, "window.stream.active")
    page.evaluate(SEEN, False)  # at once, while it starts: an end of that is no end of the next
    page.evaluate(SEEN, True)
    until(page, "window.asked.length === 3 && window.stream.active")
    page.wait_for_timeout(500)
    page.evaluate(SEEN, False)
    until(page, "!window.stream.active")
    page.evaluate(SEEN, True)
    until(page, "window.stream.active")
    assert page.evaluate("window.asked") == ["environment", *["user"] * 3]
    context.close()


TILT = """
async ([readings]) => {
  const { inWords, tiltOf } = await import(new URL("level.js", location.href));
  return readings.map(([beta, gamma, turned]) => {
    const tilt = tiltOf({ beta, gamma }, turned);
    return [tilt, inWords(tilt)];
  });
}
"""


def reading(tilt: float, pitch: float, turned: float) -> list[float]:
    """The angles of a device whose screen is turned clockwise, and leans back, by matrices."""
    theta, phi = np.radians([tilt - turned, pitch])
    up = np.array([-np.sin(theta) * np.cos(phi), np.cos(theta) * np.cos(phi), np.sin(phi)])
    beta = np.arctan2(up[1], np.hypot(up[0], up[2]))  # up is (-cos b sin c, sin b, cos b cos c)
    gamma = np.arctan2(-up[0], up[2])
    return [float(np.degrees(beta)), float(np.degrees(gamma)), turned]


def test_level_is_that_of_gravity(page: Any) -> None:
    asked = [(t, p, s) for t in (-20.0, 0.5, 7.0) for p in (5.0, 30.0, -40.0) for s in (0, 90, 270)]
    found = page.evaluate(TILT, [[reading(*each) for each in asked]])
    for (tilt, words), (wanted, *_) in zip(found, asked, strict=True):
        assert tilt == pytest.approx(wanted, abs=1e-6)
        way = "anticlockwise" if wanted > 0 else "clockwise"
        told = "Level" if wanted == 0.5 else f"Turn {abs(wanted):.0f}° {way} to be level"
        assert words == told
    ((flat, words),) = page.evaluate(TILT, [[reading(0, 80, 0)]])
    assert flat is None
    assert "hold the camera upright" in words


def test_camera_shows_its_level_live(chromium: Any, address: str) -> None:
    context = chromium(*FAKE).new_context(**PHONE, permissions=["camera"])
    page = context.new_page()
    page.goto(f"{address}camera.html")
    until(page, LEFT)
    page.get_by_text("No level: this device has no motion sensor").wait_for()
    assert not page.locator("#horizon").is_visible()
    reads = "(angles) => dispatchEvent(new DeviceOrientationEvent('deviceorientation', angles))"
    for tilt, words in ((6.0, "Turn 6° anticlockwise to be level"), (0.0, "Level")):
        beta, gamma, _ = reading(tilt, 20, 0)
        angles = {"alpha": 0, "beta": beta, "gamma": gamma}
        page.evaluate(reads, angles)  # no sensor of Chromium's own is to be had here
        page.get_by_text(words, exact=True).wait_for()
        assert page.locator("#horizon").is_visible()
        turned = "getComputedStyle(document.getElementById('horizon')).rotate"
        assert float(page.evaluate(turned).removesuffix("deg")) == pytest.approx(-tilt, abs=0.01)
    context.close()


def test_camera_that_is_denied_or_not_there_is_explained(chromium: Any, address: str) -> None:
    denied = chromium(FAKE[0], "--deny-permission-prompts").new_page()
    denied.goto(f"{address}camera.html")
    denied.get_by_text("Allow it for this site").wait_for()
    assert not denied.locator("#finder").is_visible()
    without = chromium("--use-fake-ui-for-media-stream").new_page()
    without.goto(f"{address}camera.html")
    without.get_by_text("There is no camera on this device").wait_for()


@pytest.mark.parametrize("path", ["", "camera.html"])
def test_page_is_accessible(chromium: Any, address: str, path: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = chromium(*FAKE).new_context(**PHONE, permissions=["camera"], bypass_csp=True)
    page = context.new_page()
    page.goto(address + path)
    page.wait_for_timeout(1500)
    found = axe.run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
    context.close()


STEADY = """
async ([boxes]) => {
  const { Steady } = await import(new URL("steady.js", location.href));
  const steady = new Steady();
  return boxes.map(([box, wanted, now]) => {
    const isNew = steady.see({ box, wanted }, now);
    return [isNew, steady.target];
  });
}
"""


def test_frame_stays_until_another_is_better_for_long_enough(page: Any) -> None:
    a, b = [0, 0, 10, 10], [5, 0, 15, 10]
    seen = [(a, 1, None), (b, 1.1, 1), (b, 1.5, 1), (a, 1, 1), (b, 1.5, 1), (b, 1.5, 1), (a, 0, 0)]
    found = page.evaluate(STEADY, [seen])
    assert found == [
        [True, a],  # the first
        [False, a],  # hardly better
        [False, a],  # better, but once
        [False, a],
        [False, a],
        [True, b],  # better, twice on end
        [False, b],
    ]


def test_service_has_the_site_beside_its_page(chromium: Any, site: Path) -> None:
    with serving(CropFinder().scorer, site=site) as client:
        page = chromium().new_page()
        page.goto(str(client.base_url))
        page.get_by_role("link", name="In this browser").click()
        page.wait_for_url("**/site/", wait_until="load")
        assert page.evaluate("crossOriginIsolated")
        give(page, ("photo.png", PHOTO))
        until(page, IS_SCORED)
        asked = page.evaluate("performance.getEntriesByType('resource').map((each) => each.name)")
        assert not [url for url in asked if "/v1/" in url]
        policy = client.get("/").headers["content-security-policy"]
        assert "wasm" not in policy  # the service's own page stays as strict as it was
        assert client.get("/site/other.js").status_code == 404


def test_folder_without_a_site_is_refused(tmp_path: Path) -> None:
    found = CliRunner().invoke(main, ["serve", "--site", str(tmp_path)])
    assert found.exit_code == 2
    assert "cropper export" in found.output

"""The selfie scorer in the site: its score of a crop is that of Python, and the camera shows it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from skimage import data

from cropper.cli import main
from cropper.image import open_photo
from cropper.scorers import WEIGHTS, load_scorer
from eval.web import serving_site, site_bytes
from tests.serve.browser import PHONE
from tests.web.test_engine import encoded
from tests.web.test_site import FAKE, until

BOXES = [[0, 0, 200, 230], [60, 5, 260, 205], [100, 40, 330, 140], [30, 10, 90, 71]]
SCORE = """
async ([content, boxes]) => {
  const { ask } = await import(new URL("browser.js", location.href));
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const frame = await createImageBitmap(new Blob([bytes]));
  await ask("live", { frame, request: { aspect: "1:1" } }, [frame]);
  const found = [];
  for (const box of boxes) found.push(await ask("selfie", { box }));
  return found;
}
"""


@pytest.fixture(scope="module")
def with_selfie(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``site`` says whether the runtime can be had."""
    folder = tmp_path_factory.mktemp("web") / "site"
    found = CliRunner().invoke(main, ["export", "--web", str(folder), "--selfie"])
    assert found.exit_code == 0, found.output
    assert "the selfie scorer adds 0.004 MB" in found.output
    return folder


@pytest.fixture(scope="module")
def camera(with_selfie: Path) -> Iterator[str]:
    with serving_site(with_selfie) as address:
        yield f"{address}camera.html"


def test_it_adds_little(site: Path, with_selfie: Path) -> None:
    assert not (site / "selfie.onnx").exists()
    assert 0 < site_bytes(with_selfie) - site_bytes(site) < 10e3  # compressed


@pytest.mark.parametrize(
    "pixels",
    [data.astronaut(), data.chelsea(), data.coffee()],
    ids=["astronaut", "cat", "coffee"],
)
def test_scores_are_python_s(chromium: Any, camera: str, pixels: Any) -> None:
    picture = Image.fromarray(pixels)
    picture.thumbnail((352, 352))  # as the camera page sends it
    page = chromium().new_page()
    page.goto(camera)
    frame = np.asarray(picture)
    found = page.evaluate(SCORE, [base64.b64encode(encoded(frame)).decode(), BOXES])
    scorer = load_scorer("selfie")
    score = scorer.bind(scorer.spec.view(open_photo(frame)))
    wanted = score(np.array([*BOXES, [0, 0, *picture.size]], dtype=np.float64))
    scores = [each["crop"]["taste"] + each["crop"]["place"] for each in found]
    np.testing.assert_allclose(scores, wanted[:-1], atol=1e-3)
    for each in found:
        assert each["whole"]["place"] == pytest.approx(0, abs=1e-9)
        assert each["whole"]["taste"] == pytest.approx(wanted[-1], abs=1e-3)
    page.close()


def test_camera_shows_it_where_the_switch_is_on(chromium: Any, camera: str) -> None:
    context = chromium(*FAKE).new_context(**PHONE, permissions=["camera"])
    page, asked = context.new_page(), []
    context.on("request", lambda request: asked.append(request.url.rsplit("/")[-1]))
    page.goto(camera)
    until(page, "document.getElementById('box').style.left")
    assert "selfie.onnx" not in asked
    switch = page.get_by_role("button", name="Selfie")
    switch.click()
    until(page, "document.getElementById('likes').textContent")
    assert "selfie.onnx" in asked
    shown = re.match(r"Selfie (\d+) % · whole picture (\d+) % · ", page.inner_text("#likes"))
    assert shown
    assert all(0 <= int(share) <= 100 for share in shown.groups())
    assert re.search(r"(face's place [+\u2212]\d+\.\d\d|no face found)", page.inner_text("#likes"))
    switch.click()
    assert not page.locator("#likes").is_visible()
    context.close()


def test_site_without_it_has_no_switch(chromium: Any, address: str) -> None:
    page = chromium().new_page()
    page.goto(f"{address}camera.html")
    page.wait_for_timeout(500)
    assert not page.locator("#selfie").is_visible()
    page.close()


def test_it_needs_the_package_s_own_trunk(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes((WEIGHTS / "cropnet.safetensors").read_bytes())
    options = ["export", "--web", str(tmp_path / "site"), "--selfie", "--scorer", str(other)]
    found = CliRunner().invoke(main, options)
    assert found.exit_code == 2
    assert "--selfie has the trunk of cropnet.safetensors" in found.output

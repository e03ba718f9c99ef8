"""What the tests of the command share: photos with a known best crop, and three ways to run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cropper.cli import main
from cropper.decoders import Decoders, _Decoder
from cropper.scorers import registry
from cropper.threads import cores
from tests.image.pictures import photo
from tests.spot import spot_factory

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    "PYTHONDONTWRITEBYTECODE": "1",
}

# A shell's background jobs ignore the signal, and what they start inherits that
LISTEN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"

Crop = Callable[..., Result]


def pytest_xdist_auto_num_workers() -> int:
    """One more than cores: many tests wait for processes, servers and browsers."""
    return cores() + 1


def spotted(
    width: int = 120, height: int = 80, spot: tuple[float, float] = (0.65, 0.4)
) -> Image.Image:
    """A dark photo with one white disc, in parts of width and height."""
    picture = photo(width, height).point([level // 2 for level in range(256)] * 3)
    x, y, radius = spot[0] * width, spot[1] * height, max(min(width, height) / 10, 2)
    edges = (x - radius, y - radius, x + radius, y + radius)
    ImageDraw.Draw(picture).ellipse(edges, fill=(255, 255, 255))
    return picture


_LEFT: dict[int, list[_Decoder]] = {}  # by the memory that they may take


def kept_decoder(memory: int) -> _Decoder:
    """One that an earlier run left, or a new one."""
    left = _LEFT.setdefault(memory, [])
    while left:
        if (decoder := left.pop()).alive:
            return decoder
    return _Decoder(memory)


def leave_decoders(decoders: Decoders) -> None:
    """In the place of ``close``."""
    with decoders._lock:
        decoders._closed = True
        _LEFT.setdefault(decoders._memory, []).extend(decoders._idle)


@pytest.fixture
def kept_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process take each other's decoders: to start one takes longer than most runs."""
    monkeypatch.setattr("cropper.decoders._Decoder", kept_decoder)
    monkeypatch.setattr(Decoders, "close", leave_decoders)


@pytest.fixture
def spot(kept_decoders: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--scorer spot`` for the time of one test; nobody in the photos is kept."""
    monkeypatch.setitem(registry._factories, "spot", spot_factory)
    for module in ("heads", "subjects"):
        monkeypatch.setattr(f"cropper.{module}.find_faces", lambda view: ())


@pytest.fixture
def crop(spot: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crop:
    """``cropper best --scorer spot`` in this process and an empty folder; tracebacks raise."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, input: bytes | None = None) -> Result:  # noqa: A002
        given = [*map(str, arguments)]
        line = ["best", *([] if "--scorer" in given else ["--scorer", "spot"]), *given]
        return CliRunner().invoke(main, line, input=input, catch_exceptions=False)

    return run


@pytest.fixture
def photo_png(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    spotted().save(path)
    return path


def records(found: Result | subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    """What ``--json`` said."""
    return [json.loads(line) for line in found.stdout.splitlines()]


def one_record(found: Result) -> dict[str, Any]:
    assert found.exit_code == 0, found.stderr
    (record,) = records(found)
    return record


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def pixels(path: Path | str) -> NDArray[Any]:
    with Image.open(path) as picture:
        return np.asarray(picture)


def cut(path: Path | str, box: list[int]) -> NDArray[Any]:
    x0, y0, x1, y1 = box
    return pixels(path)[y0:y1, x0:x1]


def process(
    folder: Path, *arguments: object, prelude: str = "", spot: bool = False, **options: Any
) -> tuple[list[str], dict[str, Any]]:
    """What subprocess takes for ``python -m cropper ARGUMENTS`` in a folder.

    ``prelude`` is Python that runs first, in the same process. With ``spot`` the command knows
    that scorer, and torch is not imported.
    """
    if spot:
        prelude += "\nimport tests.spot; tests.spot.register()"
    run = ["-m", "cropper"]
    if prelude:
        start = "\nimport runpy; runpy.run_module('cropper', run_name='__main__', alter_sys=True)"
        run = ["-c", prelude + start]
    line = [sys.executable, *run, *map(str, arguments)]
    return line, {"cwd": folder, "env": ENVIRONMENT, **options}


def command(folder: Path, *arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """``python -m cropper ARGUMENTS`` to its end, in a process of its own."""
    line, more = process(folder, *arguments, **options)
    more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 120} | more
    return subprocess.run(line, check=False, **more)


NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage"]  # for containers


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Skips where there is no browser, or nothing to drive it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if BROWSER is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield browser
        browser.close()

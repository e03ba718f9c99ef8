"""The engine in the browser beside that in Python: the same boxes and scores, and how fast.

A Chromium loads the exported site from a plain file server. It is given what Python is given: each
photo as it is, without loss as PNG, and enlarged to a camera's size as JPEG, which Python's decoder
scales and the browser's does not.
"""

from __future__ import annotations

import base64
import functools
import gzip
import http.server
import io
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cropper.errors import MissingExtraError, extra
from cropper.finder import CropFinder
from cropper.statistics import bootstrap
from eval.processes import memory

__all__ = ["Pair", "WebReport", "render_web", "run_web", "serving_site", "site_bytes"]

ASPECTS = ("1:1", "4:5", "16:9", "original", "free")
_CAMERA = 3000  # px; the long side of a photo as a camera gives it
_FRAME = (352, 264)  # px of a frame of the film
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_FIND = """
async ([content, type, aspect]) => {
  const engine = await import(new URL("browser.js", location.href));
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const start = performance.now();
  const answer = await engine.crop(new File([bytes], "photo", { type }), { aspect });
  return { ...answer, total: (performance.now() - start) / 1000 };
}
"""
_LIVE = """
async ([frames, width, height]) => {
  const engine = await import(new URL("browser.js", location.href));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const seconds = [];
  for (let index = 0; index < frames; index += 1) {
    context.fillStyle = `hsl(${index} 40% 60%)`;
    context.fillRect(0, 0, width, height);
    context.fillStyle = "#222";
    context.fillRect(40 + (index % 100), 60, 60, 90);
    const start = performance.now();
    const frame = canvas.transferToImageBitmap();
    await engine.ask("live", { frame, request: { aspect: "4:5" } }, [frame]);
    seconds.push((performance.now() - start) / 1000);
  }
  return seconds;
}
"""


@dataclass(frozen=True)
class Pair:
    """One photo and one shape, by both engines."""

    form: str  # as it is, PNG, camera
    same: bool  # whether the boxes are one
    overlap: float  # their IoU
    off: float  # the score of the browser's box there, less Python's of it, where they are one
    browser: float  # s, from a file to the answer
    python: float


@dataclass(frozen=True)
class WebReport:
    pairs: tuple[Pair, ...]
    frames: tuple[float, ...]  # s each, of a film
    compressed: int  # bytes of the site by gzip
    grown: float  # MB of memory between the first and the last third of the film


@contextmanager
def serving_site(folder: Path, path: str = "") -> Iterator[str]:
    """The address of a folder on a plain file server of this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is named
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/{path}"
        server.shutdown()


@contextmanager
def _page(address: str) -> Iterator[Any]:
    with extra("page"):
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - an extra
    browser = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if browser is None:
        raise MissingExtraError(f"there is no {', '.join(_CHROMIUM)} on the PATH: install one")
    with sync_playwright() as driver:
        flags = ["--no-sandbox", "--disable-dev-shm-usage"]
        opened = driver.chromium.launch(executable_path=browser, args=flags)
        page = opened.new_page()
        page.goto(address)
        yield page
        opened.close()


def run_web(
    site: Path,
    photos: Sequence[Path],
    frames: int = 600,
    progress: Callable[[int, int], None] | None = None,
) -> WebReport:
    """Each photo in three forms, its shape by turns. Raises MissingExtraError without Chromium."""
    finder, pairs = CropFinder(), []
    with serving_site(site) as address, _page(address) as page:
        for index, photo in enumerate(photos):
            aspect = ASPECTS[index % len(ASPECTS)]
            for form, data in _forms(photo):
                pairs.append(_pair(page, finder, form, data, aspect))
            if progress:
                progress(index + 1, len(photos))
        part = max(frames // 3, 1)
        film = page.evaluate(_LIVE, [part, *_FRAME])
        before = memory(os.getpid())
        film += page.evaluate(_LIVE, [2 * part, *_FRAME])
        grown = memory(os.getpid()) - before
    return WebReport(tuple(pairs[len(_FORMS) :] or pairs), tuple(film), site_bytes(site), grown)


_FORMS = ("as it is", "PNG", "camera")


def _forms(photo: Path) -> Iterator[tuple[str, bytes]]:
    picture = Image.open(photo).convert("RGB")
    scale = _CAMERA / max(picture.size)
    large = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    made = [(picture, "PNG", {"compress_level": 1}), (large, "JPEG", {"quality": 92})]
    yield _FORMS[0], photo.read_bytes()
    for name, (each, kind, options) in zip(_FORMS[1:], made, strict=True):
        output = io.BytesIO()
        each.save(output, kind, **options)
        yield name, output.getvalue()


def _pair(page: Any, finder: CropFinder, form: str, data: bytes, aspect: str) -> Pair:
    kind = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
    started = time.perf_counter()
    own = finder.find(data, aspect=aspect)
    seconds = time.perf_counter() - started
    other = page.evaluate(_FIND, [base64.b64encode(data).decode(), kind, aspect])
    a, b = np.array(own.best.box), np.array(other["box"], dtype=np.float64)
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = (high - low).clip(0).prod()
    union = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared
    same = bool((a == b).all())
    off = abs(other["score"] - own.best.score) if same else float("nan")
    return Pair(form, same, float(shared / union), off, other["total"], seconds)


def site_bytes(site: Path) -> int:
    """What a first visit loads, compressed as hosts do it."""
    return sum(len(gzip.compress(each.read_bytes(), 9)) for each in site.iterdir())


def render_web(report: WebReport) -> str:
    """Plain text."""
    lines = [
        f"{'photos':10}{'same box':>22}{'IoU else':>10}{'score off by':>14}"
        f"{'browser, ms':>14}{'Python, ms':>12}{'ratio':>8}"
    ]
    for form in _FORMS:
        pairs = [pair for pair in report.pairs if pair.form == form]
        same = bootstrap([pair.same for pair in pairs])
        others = [pair.overlap for pair in pairs if not pair.same]
        off = np.nanmax([pair.off for pair in pairs])
        times = 1e3 * np.median([[pair.browser, pair.python] for pair in pairs], 0)
        overlap = f"{np.mean(others):.3f}" if others else "-"
        share = f"{100 * same.mean:.1f} % [{100 * same.low:.1f}, {100 * same.high:.1f}]"
        lines.append(
            f"{form:10}{share:>22}{overlap:>10}{off:14.1e}"
            f"{times[0]:14.0f}{times[1]:12.0f}{times[0] / times[1]:8.1f}"
        )
    low, middle, high = 1e3 * np.quantile(report.frames, (0.05, 0.5, 0.95))
    lines += [
        "",
        f"a frame of a film of {len(report.frames)}: {middle:.0f} ms [{low:.0f}, {high:.0f}], "
        f"{1e3 / middle:.0f} a second; memory {report.grown:+.0f} MB since its first third",
        f"first visit: {report.compressed / 1e6:.2f} MB compressed",
    ]
    return "\n".join(lines)

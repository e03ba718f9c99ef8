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
import itertools
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cropper.boxes import iou
from cropper.errors import MissingExtraError, extra
from cropper.finder import CropFinder
from cropper.statistics import bootstrap
from cropper.web.runtime import ON_GPU
from eval.photos import Progress
from eval.processes import memory

__all__ = ["Pair", "WebReport", "render_web", "run_web", "serving_site", "site_bytes"]

ASPECTS = ("1:1", "4:5", "16:9", "original", "free")
_CAMERA = 3000  # px; the long side of a photo as a camera gives it
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
async ([content, frames, seed]) => {
  const engine = await import(new URL("browser.js", location.href));
  const { Steady } = await import(new URL("steady.js", location.href));
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const photo = await createImageBitmap(new Blob([bytes]));
  const scale = 352 / Math.max(photo.width, photo.height);
  const size = [photo.width, photo.height].map((side) => Math.round(side * scale));
  const canvas = new OffscreenCanvas(...size);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(photo, 0, 0, ...size);
  const still = context.getImageData(0, 0, ...size);
  const steady = new Steady();
  const found = [];
  let state = seed;
  for (let index = 0; index < frames; index += 1) {
    const noisy = new ImageData(still.data.map((value) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return value + (state / 2 ** 32 - 0.5) * 24; // as a sensor's, 7 of 255 deep
    }), ...size);
    context.putImageData(noisy, 0, 0);
    const start = performance.now();
    const frame = canvas.transferToImageBitmap();
    const request = { aspect: "4:5", now: steady.target };
    const answer = await engine.ask("live", { frame, request }, [frame]);
    steady.see({ box: answer.crops[0].box, wanted: answer.wanted }, answer.now);
    const seconds = (performance.now() - start) / 1000;
    found.push({ seconds, best: answer.crops[0].box, shown: steady.target });
  }
  return found;
}
"""
_FILMS = 10  # photos that are filmed


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
    frames: tuple[float, ...]  # s each, of films of still photos with a camera's noise
    jitter: tuple[tuple[float, float], ...]  # px that a corner moves a picture: best, and shown
    compressed: int  # bytes of the site by gzip
    held: tuple[float, ...]  # MB of memory at the end of each film
    minutes: float  # that the films took


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
    minutes: float = 0,
    progress: Progress | None = None,
) -> WebReport:
    """Each photo in three forms, its shape by turns; then films, for ``minutes`` at least.

    Raises MissingExtraError without Chromium.
    """
    finder, pairs = CropFinder(), []
    with serving_site(site) as address, _page(address) as page:
        for index, photo in enumerate(photos):
            aspect = ASPECTS[index % len(ASPECTS)]
            for form, data in _forms(photo):
                pairs.append(_pair(page, finder, form, data, aspect))
            if progress:
                progress(index + 1, len(photos))
        filmed = photos[:: max(len(photos) // _FILMS, 1)][:_FILMS]
        started = time.monotonic()
        seconds, jitter, held = _filmed(page, filmed, frames, started + 60 * minutes)
        minutes = (time.monotonic() - started) / 60
    pairs = pairs[len(_FORMS) :] or pairs
    return WebReport(tuple(pairs), seconds, jitter, site_bytes(site), held, minutes)


def _filmed(
    page: Any, photos: Sequence[Path], frames: int, end: float
) -> tuple[tuple[float, ...], tuple[tuple[float, float], ...], tuple[float, ...]]:
    """Each photo once, and on by turns until the monotonic clock is at ``end``."""
    seconds, jitter, held = [], [], []
    for index, photo in enumerate(itertools.cycle(photos)):
        if index >= len(photos) and time.monotonic() >= end:
            break
        content = base64.b64encode(photo.read_bytes()).decode()
        film = page.evaluate(_LIVE, [content, max(frames // _FILMS, 2), index])
        seconds += [each["seconds"] for each in film]
        moved = [
            np.abs(np.diff([each[name] for each in film], axis=0)).mean()
            for name in ("best", "shown")
        ]
        jitter.append((float(moved[0]), float(moved[1])))
        held.append(memory(os.getpid()))
    return tuple(seconds), tuple(jitter), tuple(held)


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
    same = bool((a == b).all())
    off = abs(other["score"] - own.best.score) if same else float("nan")
    return Pair(form, same, float(iou(a[None], b[None])[0, 0]), off, other["total"], seconds)


def site_bytes(site: Path) -> int:
    """What a first visit loads, compressed as hosts do it."""
    files = [each for each in site.iterdir() if each.name not in ON_GPU]
    return sum(len(gzip.compress(each.read_bytes(), 9)) for each in files)


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
        lines.append(
            f"{form:10}{format(same, '.1%'):>22}{overlap:>10}{off:14.1e}"
            f"{times[0]:14.0f}{times[1]:12.0f}{times[0] / times[1]:8.1f}"
        )
    low, middle, high = 1e3 * np.quantile(report.frames, (0.05, 0.5, 0.95))
    best, shown = np.mean(report.jitter, 0)
    lines += [
        "",
        f"a picture of a film: {middle:.0f} ms [{low:.0f}, {high:.0f}], "
        f"{1e3 / middle:.0f} a second",
        f"{len(report.frames)} pictures in {report.minutes:.1f} minutes; memory of all processes "
        f"{report.held[0]:.0f} MB after the first film, {report.held[len(report.held) // 2]:.0f} "
        f"half-way, {report.held[-1]:.0f} at the end, {max(report.held):.0f} at most",
        f"of {len(report.jitter)} films of still photos with noise, an edge moves "
        f"{best:.2f} px a picture as found, {shown:.2f} as shown (352 px wide or high)",
        f"first visit: {report.compressed / 1e6:.2f} MB compressed",
    ]
    return "\n".join(lines)

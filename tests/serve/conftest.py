"""A service for the tests: uvicorn on a free port of this machine, with the spot scorer."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from PIL import Image
from skimage import data

from cropper.finder import CropFinder
from cropper.identity import KnownPeople
from cropper.scorers import Scorer
from cropper.serve.app import make_app
from cropper.serve.connections import Prompt
from cropper.serve.run import listen
from cropper.serve.settings import ServeOptions
from tests.conftest import spotted
from tests.image.pictures import encoded
from tests.serve.browser import DESKTOP
from tests.spot import SpotScorer

Serving = Callable[..., contextlib.AbstractContextManager[httpx.Client]]


@contextlib.contextmanager
def serving(
    *scorers: Scorer, people: KnownPeople | None = None, **options: Any
) -> Iterator[httpx.Client]:
    """A client of a service in a thread of its own; the service ends with the block."""
    asked = ServeOptions(port=0, **options)
    finders = [CropFinder(scorer) for scorer in scorers or [SpotScorer()]]
    app = make_app(finders, asked, people or KnownPeople(()))
    listener = listen(asked)
    server = uvicorn.Server(uvicorn.Config(app, http=Prompt, log_level="error"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    host, port = listener.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    try:
        while not server.started:
            time.sleep(0.005)
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="package")
def client() -> Iterator[httpx.Client]:
    """Of one service that many tests share."""
    with serving(max_upload_mb=0.5, max_mpixels=1) as client:
        yield client


@pytest.fixture(scope="session")
def photo_bytes() -> bytes:
    return encoded(spotted(), "PNG")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of a service with the package's scorer."""
    with serving(CropFinder().scorer) as client:
        yield str(client.base_url)


@pytest.fixture
def page(chromium: Any, url: str) -> Iterator[Any]:
    """An open page; at its end it must have said nothing on the console."""
    said: list[str] = []
    page = chromium.new_page(**DESKTOP)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(url)
    yield page
    page.close()
    assert said == []


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "Straße 1.jpg"
    Image.fromarray(data.astronaut()).save(path, quality=92)
    return path

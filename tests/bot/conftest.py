"""A bot under test: the command as a process, and a server on this machine that it talks to."""

from __future__ import annotations

import io
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tests.bot.mastodon_server import MastodonServer
from tests.bot.server import FakeServer, serving
from tests.bot.telegram_server import TelegramServer
from tests.conftest import ENVIRONMENT, process, spotted
from tests.image.pictures import encoded

LONGEST = 60.0  # s that anything here may take on a busy machine
DIRECT = {**ENVIRONMENT, "NO_PROXY": "*"}


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text("utf-8")

    def end(self, number: int) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        return self.process.wait(LONGEST)


@contextmanager
def running(
    folder: Path, network: str, server: FakeServer, *options: object, prelude: str = ""
) -> Iterator[Running]:
    """``cropper bot`` with the spot scorer, and the token in a file of the folder."""
    token = folder / "token"
    if not token.exists():
        token.touch(0o600)
        token.write_text(f"{server.token}\n", "ascii")
    given = ["--token-file", token, "--server", server.url, *options]
    given += [] if "--scorer" in options else ["--scorer", "spot"]
    line, more = process(folder, "bot", network, *given, prelude=prelude, spot=True)
    log = folder / "log"
    with open(log, "ab") as said:
        begun = subprocess.Popen(line, stdout=said, stderr=said, **{**more, "env": DIRECT})
    try:
        yield Running(begun, log)
    finally:
        begun.kill()
        begun.wait()


def until(come: Callable[[], object]) -> None:
    """Waits; fails when it does not come."""
    end = time.monotonic() + LONGEST
    while not come():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


def size_of(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "JPEG"
        picture.load()
        return picture.size


@pytest.fixture(scope="session")
def photo_jpeg() -> bytes:
    """600 x 400, with a white disc of 40 px around (390, 160)."""
    return encoded(spotted(600, 400), "JPEG")


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    server = TelegramServer()
    with serving(server):
        yield server


@pytest.fixture
def mastodon() -> Iterator[MastodonServer]:
    server = MastodonServer()
    with serving(server):
        yield server

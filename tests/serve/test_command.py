"""``cropper serve`` as a process: its address, its signals, its exit codes."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import command, process
from tests.serve.conftest import serving
from tests.serve.test_api import post

pytestmark = pytest.mark.slow

SLOW = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job inherits it ignored
import tests.spot as shared
find = shared.SpotScorer.bind
def bind(self, view):
    print("asked", flush=True)
    time.sleep(1)
    return find(self, view)
shared.SpotScorer.bind = bind
"""


@contextmanager
def started(
    folder: Path, *options: object, prelude: str = ""
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    line, more = process(
        folder,
        "serve",
        "--port",
        0,
        "--scorer",
        "spot",
        *options,
        prelude=SLOW + prelude,
        spot=True,
    )
    running = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )
    try:
        assert running.stderr is not None
        said = ""
        while "serving" not in said:
            said = running.stderr.readline()
            assert said
        yield running, re.findall(r"http://\S+", said)[0]
    finally:
        running.kill()
        running.communicate()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
def test_a_signal_lets_what_is_in_flight_finish(
    tmp_path: Path, photo_bytes: bytes, number: signal.Signals, code: int
) -> None:
    with started(tmp_path) as (running, url), ThreadPoolExecutor(1) as threads:
        assert running.stdout is not None
        with httpx.Client(base_url=url, timeout=30) as client:
            answer = threads.submit(post, client, photo_bytes)
            assert running.stdout.readline() == "asked\n"
            running.send_signal(number)
            assert answer.result().status_code == 200
        assert running.wait(20) == code
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


def test_an_open_address_is_warned_about(tmp_path: Path) -> None:
    options = ("--host", "0.0.0.0", "--token", "correct-horse-battery")
    line, more = process(tmp_path, "serve", "--port", 0, "--scorer", "spot", *options, spot=True)
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, **more) as running:
        assert running.stderr is not None
        assert "TLS" in running.stderr.readline()
        running.kill()


def test_an_address_that_is_taken_ends_with_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command(tmp_path, "serve", "--port", port, "--scorer", "spot", spot=True)
    assert done.returncode == 2
    assert str(port).encode() in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_unknown_scorer_ends_with_3(tmp_path: Path) -> None:
    done = command(tmp_path, "serve", "--port", 0, "--scorer", "nobody")
    assert done.returncode == 3


def test_without_the_extra_it_ends_with_3_and_says_which(tmp_path: Path) -> None:
    missing = "import sys; sys.modules['starlette'] = sys.modules['starlette.requests'] = None"
    done = command(tmp_path, "serve", prelude=missing)
    assert done.returncode == 3
    assert b"cropper[serve]" in done.stderr


def test_ipv6_is_served(photo_bytes: bytes) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with serving(host="::1") as client:
        assert post(client, photo_bytes).status_code == 200


def test_broken_requests_fill_no_log(tmp_path: Path) -> None:
    with started(tmp_path) as (running, address):  # what it says is not read
        host, port = address.removeprefix("http://").strip(";").split(":")
        for _ in range(3000):  # of 40 bytes each would be more than a pipe holds
            with socket.create_connection((host, int(port)), 20) as connection:
                connection.sendall(b"no HTTP\r\n\r\n")
                assert connection.recv(100).startswith(b"HTTP/1.1 400")
        assert httpx.get(f"{address.strip(';')}/healthz", timeout=20).status_code == 200
        running.send_signal(signal.SIGTERM)
        assert running.communicate(timeout=20)[1] == ""

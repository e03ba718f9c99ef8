"""Photos that never come to an end: they are ended, and others are answered meanwhile and after."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from cropper.image import load_image, needed
from eval.bombs import bombs
from tests.serve.conftest import serving
from tests.serve.test_api import post, problem
from tests.serve.test_command import started
from tests.serve.test_limits import inside, until
from tests.stuck import stuck

STUCK = """
import cropper.serve.handlers, tests.stuck
cropper.serve.handlers.render = tests.stuck.stuck
"""


def cropped(client: httpx.Client, photo: bytes) -> httpx.Response:
    return client.post("/v1/crop", content=photo, headers={"Accept": "image/png"})


def test_stuck_photos_are_ended_and_the_service_goes_on(
    photo_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cropper.serve.handlers.render", stuck)
    monkeypatch.setattr("cropper.serve.admission._STUCK_SECONDS", 0.3)
    with serving(answer_seconds=2) as client, ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(cropped, client, photo_bytes) for _ in range(8)]
        until(lambda: client.get("/readyz").status_code == 503)
        assert client.get("/healthz").status_code == 200
        assert {answer.result().status_code for answer in answers} == {504}
        until(lambda: client.get("/readyz").status_code == 200)
        until(lambda: post(client, photo_bytes).status_code == 200)  # within 2 s, on a busy machine


def test_light_photos_do_not_wait_for_heavy_ones(
    photo_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cropper.serve.handlers.render", stuck)
    monkeypatch.setattr("cropper.serve.admission._STUCK_SECONDS", 0.3)
    only_looked_at = needed(load_image(photo_bytes).header)
    monkeypatch.setattr("cropper.serve.admission._HEAVY", only_looked_at)
    with serving(answer_seconds=6) as client, ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(cropped, client, photo_bytes) for _ in range(8)]
        until(lambda: inside(client) == 8)
        time.sleep(1)
        assert post(client, photo_bytes).status_code == 200
        assert client.get("/readyz").status_code == 200
        assert not any(answer.done() for answer in answers)
        assert {answer.result().status_code for answer in answers} == {504}


def test_a_stuck_photo_ends_when_its_client_leaves(
    photo_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cropper.serve.handlers.render", stuck)
    with serving() as client:
        for _ in range(4):  # as many as there are workers at most
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(
                    f"{client.base_url}/v1/crop",
                    content=photo_bytes,
                    headers={"Accept": "image/png"},
                    timeout=0.5,
                )
        until(lambda: inside(client) == 0)
        assert post(client, photo_bytes).status_code == 200


def test_bombs_are_refused_and_others_answered(photo_bytes: bytes) -> None:
    with serving() as client:
        for content in bombs().values():
            answer = post(client, content)
            kind = "too-many-megapixels" if answer.status_code == 413 else "unreadable-picture"
            problem(answer, 413 if answer.status_code == 413 else 422, kind)
        assert post(client, photo_bytes).status_code == 200


@pytest.mark.slow
def test_a_signal_ends_the_process_whatever_runs(tmp_path: Path, photo_bytes: bytes) -> None:
    with (
        started(tmp_path, prelude=STUCK) as (running, url),
        ThreadPoolExecutor(4) as threads,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        answers = [threads.submit(cropped, client, photo_bytes) for _ in range(4)]
        until(lambda: inside(client) == 4)
        at = time.monotonic()
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 0
        assert time.monotonic() - at < 10
        for answer in answers:
            assert answer.exception() or answer.result().status_code >= 500

"""Sizes, times and places: what is too much is refused, and what goes away is dropped."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.requests import Request

from cropper.boxes import Boxes
from cropper.image import View, load_image
from cropper.scorers import BoundScorer
from cropper.serve.admission import DroppedError, Ticket
from cropper.serve.connections import Prompt
from cropper.serve.settings import ServeOptions
from cropper.serve.uploads import drain
from tests.image.pictures import encoded
from tests.serve.conftest import serving
from tests.serve.test_api import as_form, post, problem
from tests.spot import SpotScorer


class HeldScorer(SpotScorer):
    """Scores nothing before it is let; counts what it was asked."""

    spec = replace(SpotScorer.spec, batch_size=64)

    def __init__(self) -> None:
        self.let, self.asked = threading.Event(), threading.Event()
        self.batches = 0

    def bind(self, view: View) -> BoundScorer:
        bound = super().bind(view)

        def score(boxes: Boxes) -> NDArray[np.floating]:
            self.batches += 1
            self.asked.set()
            self.let.wait(20)
            return bound.score_chunk(boxes)

        return BoundScorer(score, view.size, self.spec.batch_size)


@pytest.fixture
def held() -> Iterator[HeldScorer]:
    scorer = HeldScorer()
    yield scorer
    scorer.let.set()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def inside(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    (line,) = (each for each in lines if each.startswith("cropper_requests_inside"))
    return float(line.split()[1])


def raw(client: httpx.Client, head: str = "") -> socket.socket:
    url = client.base_url
    connection = socket.create_connection((url.host, url.port), timeout=20)
    if head:
        connection.sendall(f"{head}\r\nHost: localhost\r\n\r\n".encode())
    return connection


def test_an_upload_over_the_limit_is_refused(client: httpx.Client) -> None:
    for send in (post, as_form):
        document = problem(send(client, bytes(600_000)), 413, "upload-too-large")
        assert document["rule"] == "max_upload_mb"
        assert document["limit"] == 0.5


def test_an_upload_of_unknown_length_is_counted(client: httpx.Client) -> None:
    chunks = (bytes(50_000) for _ in range(20))
    problem(client.post("/v1/crop", content=chunks), 413, "upload-too-large")


def test_an_upload_that_only_claims_its_size_is_refused_before_it_comes(
    client: httpx.Client,
) -> None:
    head = "POST /v1/crop HTTP/1.1\r\nContent-Length: 999999999\r\nExpect: 100-continue"
    with raw(client, head) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_slow_upload_is_ended(photo_bytes: bytes) -> None:
    with serving(upload_seconds=0.3) as client:
        with raw(client, "POST /v1/crop HTTP/1.1\r\nContent-Length: 1000") as connection:
            connection.sendall(photo_bytes[:100])
            assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")
        until(lambda: inside(client) == 0)
        assert post(client, photo_bytes).status_code == 200


def test_a_half_closed_or_broken_upload_leaves_no_trace(photo_bytes: bytes) -> None:
    with serving() as client:
        for how in (socket.SHUT_WR, socket.SHUT_RDWR):
            with raw(client, "POST /v1/crop HTTP/1.1\r\nContent-Length: 1000") as connection:
                connection.sendall(photo_bytes[:100])
                until(lambda: inside(client) == 1)
                connection.shutdown(how)
                until(lambda: inside(client) == 0)
        assert post(client, photo_bytes).status_code == 200


def test_a_full_queue_answers_503_and_the_rest_is_done(
    held: HeldScorer, photo_bytes: bytes
) -> None:
    with serving(held, queue=3) as client, ThreadPoolExecutor(3) as threads:
        answers = [threads.submit(post, client, photo_bytes) for _ in range(3)]
        until(lambda: inside(client) == 3)
        refused = post(client, photo_bytes + bytes(300_000))
        assert problem(refused, 503, "busy")["limit"] == 3
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        problem(client.get("/readyz"), 503, "busy")
        assert client.get("/healthz").status_code == 200
        held.let.set()
        assert {answer.result().status_code for answer in answers} == {200}
        assert client.get("/readyz").status_code == 200
        assert inside(client) == 0


def test_a_refused_upload_stays_refused_when_a_place_comes_free(
    held: HeldScorer, photo_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Event()

    async def noted(request: Request, options: ServeOptions) -> None:
        refused.set()
        await drain(request, options)

    monkeypatch.setattr("cropper.serve.app.drain", noted)
    with serving(held, queue=1) as client, ThreadPoolExecutor(1) as threads:
        answer = threads.submit(post, client, photo_bytes)
        until(lambda: inside(client) == 1)
        head = f"POST /v1/crop HTTP/1.1\r\nContent-Length: {len(photo_bytes)}"
        with raw(client, head) as connection:
            connection.sendall(photo_bytes[:1000])
            assert refused.wait(20)
            held.let.set()
            assert answer.result().status_code == 200
            connection.sendall(photo_bytes[1000:])
            assert connection.recv(1000).startswith(b"HTTP/1.1 503 ")


def test_pictures_that_wait_are_looked_at_together(held: HeldScorer, photo_bytes: bytes) -> None:
    with serving(held) as client, ThreadPoolExecutor(3) as threads:
        first = threads.submit(post, client, photo_bytes)
        held.asked.wait(20)
        more = [threads.submit(post, client, photo_bytes) for _ in range(2)]
        until(lambda: inside(client) == 3)
        held.let.set()
        boxes = [answer.result().json()["box"] for answer in (first, *more)]
        assert boxes[0] == boxes[1] == boxes[2]
        assert "cropper_batch_pictures_sum 3.0" in client.get("/metrics").text


def test_an_answer_that_takes_too_long_is_given_up(held: HeldScorer, photo_bytes: bytes) -> None:
    with serving(held, answer_seconds=1.5) as client:
        document = problem(post(client, photo_bytes), 504, "too-slow")
        assert document["limit"] == 1.5
        held.let.set()
        until(lambda: post(client, photo_bytes).status_code == 200)


def test_a_client_that_goes_away_is_dropped(held: HeldScorer, photo_bytes: bytes) -> None:
    with serving(held) as client:
        head = f"POST /v1/crop HTTP/1.1\r\nContent-Length: {len(photo_bytes)}"
        with raw(client, head) as connection:
            connection.sendall(photo_bytes)
            assert held.asked.wait(20)
        until(lambda: inside(client) == 0)
        held.let.set()
        assert post(client, photo_bytes, budget=64, strategy="random").status_code == 200
        # of the dropped search one batch was under way; the second search and its check are two
        assert held.batches <= 4


def test_dropped_work_lets_its_upload_go() -> None:
    class Work:
        def __call__(self, _: Ticket) -> None: ...

    work = Work()
    seen, ticket = weakref.ref(work), Ticket(work)
    del work
    ticket.drop()
    assert seen() is None
    with pytest.raises(DroppedError):
        ticket.answer()


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: local"])
def test_a_connection_that_asks_for_nothing_is_closed(
    monkeypatch: pytest.MonkeyPatch, photo_bytes: bytes, sent: bytes, held: HeldScorer
) -> None:
    monkeypatch.setattr(Prompt, "look_seconds", 0.1)
    with serving(held) as client, ThreadPoolExecutor(1) as threads:
        answer = threads.submit(post, client, photo_bytes)
        with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
            connection.settimeout(20)
            connection.sendall(sent)
            assert connection.recv(100) == b""
        held.let.set()
        assert answer.result().status_code == 200  # however long it took


def test_a_connection_is_kept_after_an_answer_that_took_long(
    monkeypatch: pytest.MonkeyPatch, held: HeldScorer, photo_bytes: bytes
) -> None:
    looked, look = threading.Event(), Prompt._look

    def noted(protocol: Prompt) -> None:
        look(protocol)
        looked.set()

    monkeypatch.setattr(Prompt, "look_seconds", 2.0)
    monkeypatch.setattr(Prompt, "_look", noted)
    with serving(held) as client:
        connection = HTTPConnection(client.base_url.host, client.base_url.port, timeout=20)
        connection.connect()
        connection.auto_open = 0  # else it would connect anew by itself
        connection.request("POST", "/v1/crop", photo_bytes)
        assert looked.wait(20)  # while it is being answered
        held.let.set()
        assert connection.getresponse().read()
        looked.clear()
        assert looked.wait(20)  # since
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200


@pytest.fixture(scope="module")
def noise() -> bytes:
    """A photo whose crops are larger than what lies between a service and its client."""
    pixels = np.random.default_rng(1).integers(0, 255, (1500, 2000, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels), "PNG")


def cut_whole(photo: bytes) -> bytes:
    head = f"POST /v1/cut?box=0,0,2000,1500 HTTP/1.1\r\nContent-Length: {len(photo)}"
    return f"{head}\r\nHost: localhost\r\n\r\n".encode() + photo


def answered(client: httpx.Client, number: int) -> Callable[[], bool]:
    line = f'path="/v1/cut",status="200"}} {number}.0'
    return lambda: line in client.get("/metrics").text


def is_whole(connection: socket.socket) -> bool:
    """Whether all of an answer comes; what follows it is not read."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    left = int(re.findall(rb"content-length: ([0-9]+)", head)[0])
    with contextlib.suppress(ConnectionResetError):
        while more := connection.recv(min(left, 1 << 20)):
            left -= len(more)
    return left == 0


def test_an_answer_that_is_not_read_is_let_go(
    monkeypatch: pytest.MonkeyPatch, noise: bytes
) -> None:
    monkeypatch.setattr(Prompt, "look_seconds", 0.1)
    with serving() as client, raw(client) as connection:
        connection.sendall(cut_whole(noise))
        until(answered(client, 1))
        time.sleep(0.5)
        assert not is_whole(connection)


def test_answers_that_wait_for_their_readers_are_bounded(
    monkeypatch: pytest.MonkeyPatch, noise: bytes
) -> None:
    monkeypatch.setattr(Prompt, "max_unread", len(noise))  # of one, beside the latest
    with serving() as client, contextlib.ExitStack() as stack:
        slow = []
        for number in range(4):
            slow.append(stack.enter_context(raw(client)))
            slow[-1].sendall(cut_whole(noise))
            until(answered(client, number + 1))
        assert [is_whole(each) for each in slow] == [False, False, True, True]


def test_a_next_request_waits_until_an_answer_is_read(noise: bytes) -> None:
    with serving() as client, raw(client) as connection:
        connection.sendall(cut_whole(noise))
        until(answered(client, 1))
        connection.sendall(b"GET /v1/limits HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.5)
        assert 'path="/v1/limits"' not in client.get("/metrics").text
        assert is_whole(connection)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_requests_in_a_row_are_dropped_behind_an_answer_that_is_not_read(noise: bytes) -> None:
    with serving() as client, raw(client) as connection:
        connection.sendall(cut_whole(noise) + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(answered(client, 1))
        assert is_whole(connection)
        assert connection.recv(1000) == b""


def test_photos_that_would_need_more_memory_together_are_asked_to_come_back(
    held: HeldScorer, photo_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cropper.decoders._PATIENCE", 0.3)
    width, height = load_image(photo_bytes).size
    mpixels = width * height / 1e6  # by the estimate two that become WebP are too much for it

    def picture(client: httpx.Client) -> httpx.Response:
        wanted = {"Accept": "image/webp"}
        return client.post("/v1/crop", content=photo_bytes, headers=wanted)

    with serving(held, max_mpixels=mpixels) as client, ThreadPoolExecutor(1) as threads:
        first = threads.submit(picture, client)
        assert held.asked.wait(20)
        refused = picture(client)
        assert problem(refused, 503, "busy")["rule"] == "memory"
        assert int(refused.headers["retry-after"]) >= 1
        held.let.set()
        assert first.result().status_code == 200
        assert picture(client).status_code == 200


class BrokenScorer(SpotScorer):
    def bind(self, view: View) -> BoundScorer:
        raise RuntimeError("a secret")


def test_a_scorer_that_breaks_is_a_500_without_its_reason(photo_bytes: bytes) -> None:
    with serving(BrokenScorer()) as client:
        for _ in range(2):  # the connection is kept
            answer = post(client, photo_bytes)
            problem(answer, 500, "internal")
            assert "secret" not in answer.text
            assert "content-security-policy" in answer.headers
        assert client.get("/readyz").status_code == 200


def test_a_body_in_a_million_pieces_is_refused_and_stalls_nobody(
    photo_bytes: bytes,
) -> None:
    with serving() as client, ThreadPoolExecutor(1) as threads:

        def drip() -> bytes:
            head = "POST /v1/crop HTTP/1.1\r\nTransfer-Encoding: chunked"
            with raw(client, head) as connection, contextlib.suppress(OSError):
                for _ in range(1000):
                    connection.sendall(b"1\r\nx\r\n" * 1000)
            return b""

        dripping = threads.submit(drip)
        started = time.monotonic()
        for _ in range(20):
            assert client.get("/healthz").status_code == 200
        assert time.monotonic() - started < 2
        dripping.result()
        until(lambda: inside(client) == 0)
        assert post(client, photo_bytes).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 2_000_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: x\r\n" * 400_000,
        b"GET /" + b"x" * 2_000_000,
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "
        + b"x" * 2_000_000,
        b"no HTTP at all\r\n\r\n",
    ],
    ids=["header", "headers", "path", "trailer", "nonsense"],
)
def test_what_is_no_request_is_a_400_with_the_headers_of_all_answers(
    client: httpx.Client, sent: bytes
) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
        connection.settimeout(20)
        with contextlib.suppress(OSError):
            connection.sendall(sent)
        answer = b""
        with contextlib.suppress(OSError):
            while part := connection.recv(1 << 16):
                answer += part
    # a client that still sends may be cut off before it can read
    assert answer or len(sent) > 1_000_000
    assert not answer or answer.startswith(b"HTTP/1.1 40")
    assert not answer or b"content-security-policy: " in answer.lower()
    assert client.get("/healthz").status_code == 200

"""Clients that close their side of a connection: those who wait are answered, the others let go."""

from __future__ import annotations

import json
import socket

import httpx
import pytest

from tests.serve.conftest import serving
from tests.serve.test_limits import HeldScorer, held, inside, raw, until

__all__ = ["held"]  # a fixture


def asked(client: httpx.Client, photo: bytes, version: str = "1.1") -> socket.socket:
    """A whole request has been sent and the client's side closed."""
    head = f"POST /v1/crop?keep=none HTTP/{version}\r\nContent-Length: {len(photo)}"
    connection = raw(client, head)
    connection.sendall(photo)
    connection.shutdown(socket.SHUT_WR)
    return connection


def everything(connection: socket.socket) -> bytes:
    answer = b""
    while part := connection.recv(1 << 16):
        answer += part
    return answer


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_who_says_no_more_is_answered(version: str, held: HeldScorer, photo_bytes: bytes) -> None:
    with serving(held) as client:
        with asked(client, photo_bytes, version) as connection:
            assert held.asked.wait(20)
            connection.settimeout(0.5)
            with pytest.raises(TimeoutError):
                everything(connection)  # 100 Continue at most so far, and no end
            held.let.set()
            connection.settimeout(20)
            final = everything(connection).rpartition(b"HTTP/1.1 200 OK\r\n")[2]
        head, _, body = final.partition(b"\r\n\r\n")
        assert b"connection: close" in head
        assert len(json.loads(body)["box"]) == 4
        until(lambda: inside(client) == 0)


def test_interim_answers_are_none_to_a_client_that_knows_http(
    held: HeldScorer, photo_bytes: bytes
) -> None:
    from http.client import HTTPResponse  # noqa: PLC0415

    with serving(held) as client, asked(client, photo_bytes) as connection:
        assert held.asked.wait(20)
        held.let.set()
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == 200
        assert len(json.loads(answer.read())["box"]) == 4


def test_requests_sent_together_are_all_answered(client: httpx.Client) -> None:
    with raw(
        client, "\r\nHost: localhost\r\n\r\n".join(["GET /healthz HTTP/1.1"] * 3)
    ) as connection:
        connection.shutdown(socket.SHUT_WR)
        answer = everything(connection)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


def test_who_says_no_more_and_leaves_is_dropped(held: HeldScorer, photo_bytes: bytes) -> None:
    with serving(held) as client:
        with asked(client, photo_bytes):
            assert held.asked.wait(20)
        until(lambda: inside(client) == 0)  # though nothing was scored
        held.let.set()


def test_who_asks_for_nothing_is_let_go_at_once(client: httpx.Client) -> None:
    for sent in (b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
            connection.settimeout(5)  # less than an idle connection stays
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            answer = everything(connection)
        assert answer.startswith(b"HTTP/1.1 200 OK") == sent.endswith(b"\r\n\r\n")

"""A server on this machine for a bot under test: what networks' servers share.

It answers in threads, keeps what it was asked, and can be told to fail or to wait.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass
class Asked:
    """A request."""

    method: str
    path: str
    fields: dict[str, Any]  # of the query and the body; files as bytes; lists under NAME[]
    headers: dict[str, str]


@dataclass
class Answer:
    content: Any = None  # bytes, or what JSON holds
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class FakeServer:
    """Subclasses answer; ``faults`` are answers that come first, by the end of the path."""

    token = ""  # the one that is taken

    def __init__(self) -> None:
        self.lock = threading.Condition()
        self.requests: list[Asked] = []
        self.faults: dict[str, list[Answer | Callable[[], Answer]]] = {}
        self.down = False  # every answer is a 500
        self.url = ""

    def answer(self, asked: Asked) -> Answer:
        raise NotImplementedError

    def asked_for(self, end: str) -> list[Asked]:
        return [each for each in self.requests if each.path.endswith(end)]

    def handle(self, asked: Asked) -> Answer:
        with self.lock:
            self.requests.append(asked)
            if self.down:
                return Answer(b"<html>down</html>", 500)
            for end, answers in self.faults.items():
                if asked.path.endswith(end) and answers:
                    first = answers.pop(0)
                    return first if isinstance(first, Answer) else first()
        return self.answer(asked)


@contextmanager
def serving(server: FakeServer) -> Iterator[None]:
    """On a free port of the loopback, for the time of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            given = self.rfile.read(length)
            place = urlsplit(self.path)
            fields = _fields(parse_qsl(place.query))
            fields |= _body(self.headers.get("Content-Type", ""), given)
            asked = Asked(self.command, unquote(place.path), fields, dict(self.headers.items()))
            answer = server.handle(asked)
            content = answer.content
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            self.send_response(answer.status)
            kind = "image/jpeg" if answer.content is content else "application/json"
            for name, value in {"Content-Type": kind, **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _any  # noqa: N815 - the library's names

        def log_message(self, *_: Any) -> None: ...

    class Http(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Of a bot that was killed."""

    with Http(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}"
        threading.Thread(target=http.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            http.shutdown()


def _fields(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name.endswith("[]"):
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def _body(kind: str, given: bytes) -> dict[str, Any]:
    if kind.startswith("application/json"):
        return dict(json.loads(given))
    if not kind.startswith("multipart/form-data"):
        return _fields(parse_qsl(given.decode()))
    form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + given, policy=HTTP)
    found = {}
    for part in form.iter_parts():  # type: ignore[attr-defined]
        content = part.get_payload(decode=True)
        name = part.get_param("name", header="content-disposition")
        is_file = part.get_filename() is not None
        found[name] = content if is_file else content.decode()
    return found

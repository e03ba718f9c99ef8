"""A web server on this machine that serves a folder, well or badly, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Server(ThreadingHTTPServer):
    """``faults`` are what it does wrong, by the end of a path."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.faults: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []  # method and path
        self.credentials: list[str | None] = []

    def handle_error(self, *_: object) -> None:
        """A client that has left is no failure of a test."""


class _Handler(SimpleHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._answer(has_body=True)

    def do_HEAD(self) -> None:
        self._answer(has_body=False)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, *, has_body: bool) -> None:
        self.server.asked.append((self.command, self.path))
        self.server.credentials.append(self.headers.get("Authorization"))
        path = self.path.partition("?")[0]
        faults = (fault for end, fault in self.server.faults.items() if path.endswith(end))
        match next(faults, ""):
            case "":
                super().do_GET() if has_body else super().do_HEAD()
            case "silent":
                time.sleep(30)
            case "round":
                self._head(302, {"Location": self.path})
            case "away":
                self._head(302, {"Location": "file:///etc/passwd"})
            case "long":
                self._head(200, {"X": "x" * 70_000})
            case "no head" if not has_body:
                self._head(405, {})
            case fault if fault.isdecimal():
                self._head(int(fault), {"Content-Length": "0"})
            case fault:
                self._send(Path(self.translate_path(path)).read_bytes(), fault, has_body)

    def _send(self, content: bytes, fault: str, has_body: bool) -> None:
        length = {"short": len(content) // 2, "endless": None, "trickle": 1 << 20}
        told = length.get(fault, len(content))
        self._head(200, {} if told is None else {"Content-Length": str(told)})
        if not has_body:
            return
        if fault == "cut":
            self.wfile.write(content[: len(content) // 2])
            return
        self.wfile.write(content)
        while fault in ("endless", "trickle"):
            self.wfile.write(bytes(1 << 20 if fault == "endless" else 1))
            time.sleep(0 if fault == "endless" else 0.05)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """On a free port, for the time of the block."""
    with Server(folder) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()

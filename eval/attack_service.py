"""Attacks on the service: strange uploads and clients, while an honest one asks for crops.

Its latency is held against that of a quiet service.
"""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cropper.errors import DataError
from eval.bench import synthetic_photo
from eval.bombs import bombs, heavy_files
from eval.processes import memory
from eval.service import running_service

__all__ = ["Attack", "Progress", "attack_service"]

_SLOWER = 3.0  # times its usual latency that an honest client may wait
_STOP_SECONDS = 10.0
_MOST_MEMORY = 2700.0  # MB of the service and its decoders, by docs/security.md
_AT_ONCE = 8
_PHOTO = (1500, 1000)  # px, of the honest client's
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Attack:
    """What one attack came to."""

    name: str
    tries: int
    held: bool
    told: str


class _Stopwatch:
    """An honest client: seconds of each crop."""

    def __init__(self, address: str) -> None:
        self.connection = http.client.HTTPConnection(address, timeout=120)
        self.photo = synthetic_photo(*_PHOTO)

    def crop(self) -> float:
        started = time.perf_counter()
        status = 0
        while status != http.HTTPStatus.OK:
            self.connection.request("POST", "/v1/crop?aspect=4:5", self.photo)
            answer = self.connection.getresponse()
            answer.read()
            status = answer.status
        return time.perf_counter() - started

    def median(self, seconds: float) -> float:
        self.connection.close()  # the service has closed it, had it been idle for long
        end = time.monotonic() + seconds
        found: list[float] = []
        while time.monotonic() < end or len(found) < 5:
            found.append(self.crop())
        return statistics.median(found)


def _posting(contents: list[bytes]) -> Callable[[str, threading.Event], int]:
    """Posts these in turn, and reads the answers; asks for pictures where they are several."""
    accept = {"Accept": "image/*"} if len(contents) > 1 else {}

    def attack(address: str, stop: threading.Event) -> int:
        tries = 0
        while not stop.is_set():
            connection = http.client.HTTPConnection(address, timeout=120)
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("POST", "/v1/crop", contents[tries % len(contents)], accept)
                connection.getresponse().read()
            connection.close()
            tries += 1
        return tries

    return attack


def _together(contents: list[bytes]) -> Callable[[str, threading.Event], int]:
    """Several clients that post these and want pictures."""

    def attack(address: str, stop: threading.Event) -> int:
        with ThreadPoolExecutor(_AT_ONCE) as clients:
            post = _posting(contents)
            return sum(clients.map(lambda _: post(address, stop), range(_AT_ONCE)))

    return attack


def _byte_by_byte(address: str, stop: threading.Event) -> int:
    """One upload in chunks of one byte, as fast as they go."""
    host, port = address.split(":")
    tries = 0
    while not stop.is_set():
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 20) as line:
            head = "POST /v1/crop HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            line.sendall(head.encode())
            while not stop.is_set():
                line.sendall(b"1\r\nx\r\n" * 1000)
                tries += 1000
    return tries


def _standing_still(address: str, stop: threading.Event) -> int:
    """400 connections that say nothing, or half of a head."""
    host, port = address.split(":")
    lines = []
    for number in range(400):
        with contextlib.suppress(OSError):
            line = socket.create_connection((host, int(port)), 20)
            lines.append(line)
            if number % 2:
                line.sendall(b"POST /v1/crop HTTP/1.1\r\nHost: loc")
    stop.wait()
    for line in lines:
        line.close()
    return len(lines)


def _reading_slowly(photo: bytes) -> Callable[[str, threading.Event], int]:
    """Clients that want large pictures, one after the other, and read a little of them."""
    head = "POST /v1/cut?box=0,0,7500,7500 HTTP/1.1\r\nHost: localhost\r\nAccept: image/bmp\r\n"
    request = f"{head}Content-Length: {len(photo)}\r\n\r\n".encode() + photo

    def attack(address: str, stop: threading.Event) -> int:
        host, port = address.split(":")
        with contextlib.ExitStack() as lines:
            reading: list[socket.socket] = []
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    line = socket.create_connection((host, int(port)), 20)
                    reading.append(lines.enter_context(line))
                    line.sendall(request)
                for line in reading:  # the last one until its answer begins
                    with contextlib.suppress(OSError):
                        line.recv(1 << 16)
            return len(reading)

    return attack


def _leaving(contents: bytes) -> Callable[[str, threading.Event], int]:
    """Clients that send a whole request and go."""

    def attack(address: str, stop: threading.Event) -> int:
        host, port = address.split(":")
        tries = 0
        while not stop.is_set():
            with (
                contextlib.suppress(OSError),
                socket.create_connection((host, int(port)), 20) as line,
            ):
                head = (
                    f"POST /v1/crop HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(contents)}"
                )
                line.sendall(head.encode() + b"\r\n\r\n" + contents)
            tries += 1
            stop.wait(0.02)
        return tries

    return attack


def attack_service(seconds: float, progress: Progress | None) -> Iterator[Attack]:
    heavy = heavy_files()
    attacks: dict[str, Callable[[str, threading.Event], int]] = {
        f"file: {name}": _posting([content]) for name, content in bombs().items()
    }
    attacks |= {f"59 megapixels: {name}": _posting([content]) for name, content in heavy.items()}
    attacks[f"59 megapixels: {_AT_ONCE} clients at once"] = _together([*heavy.values()])
    attacks["uploads byte by byte"] = _byte_by_byte
    attacks["connections that stand still"] = _standing_still
    attacks["clients that read slowly"] = _reading_slowly(heavy["PNG"])
    attacks["clients that leave"] = _leaving(synthetic_photo(*_PHOTO))
    with running_service() as (service, address):
        client = _Stopwatch(address)
        client.median(1)
        usual = client.median(seconds)
        for done, (name, attack) in enumerate(attacks.items()):
            if progress:
                progress(done, len(attacks))
            yield _one(name, attack, (client, address, service.pid), (usual, seconds))
    for name in ("file: scans", "59 megapixels: WebP", "uploads byte by byte"):
        with running_service() as (service, address):
            yield _stopped(name, attacks[name], service, address)


def _one(
    name: str,
    attack: Callable[[str, threading.Event], int],
    target: tuple[_Stopwatch, str, int],
    times: tuple[float, float],
) -> Attack:
    (client, address, pid), (usual, seconds) = target, times
    stop, tries, most = threading.Event(), [0], [memory(pid)]

    def watch() -> None:
        while not stop.wait(0.05):
            most.append(memory(pid))

    threads = [
        threading.Thread(target=lambda: tries.append(attack(address, stop))),
        threading.Thread(target=watch),
    ]
    for thread in threads:
        thread.start()
    try:
        slower = client.median(seconds) / usual
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"under {name} an honest client was cut off: {error!r}") from error
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    told = f"an honest crop takes {slower:.1f} times {1000 * usual:.0f} ms; {max(most):.0f} MB"
    held = max(most) <= _MOST_MEMORY and slower <= _SLOWER
    return Attack(name, sum(tries), held, told)


def _stopped(
    name: str,
    attack: Callable[[str, threading.Event], int],
    service: subprocess.Popen[str],
    address: str,
) -> Attack:
    stop = threading.Event()
    threads = [threading.Thread(target=attack, args=(address, stop)) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    started = time.perf_counter()
    service.send_signal(signal.SIGTERM)
    code = service.wait(60)
    seconds = time.perf_counter() - started
    stop.set()
    for thread in threads:
        thread.join()
    held = seconds < _STOP_SECONDS and code == 0
    return Attack(f"SIGTERM under {name}", 1, held, f"ended after {seconds:.1f} s with {code}")

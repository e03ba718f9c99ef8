"""Attacks on the product, on this machine alone: what strange files, clients and neighbours can do.

Each attack on the service runs while an honest client asks for crops; its latency is held against
that of a quiet service. Folders are attacked between their plan and their work. The attacks are
bounded in time and number, and connect to the loopback address alone.
"""

from __future__ import annotations

import collections
import contextlib
import http.client
import os
import random
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cropper.boxes import Crop
from cropper.bulk import BulkOptions, Watcher, crop_folder
from cropper.bulk.prepare import Prepared
from cropper.decoders import Decoders
from cropper.errors import CropperError, DataError
from cropper.image import encode, from_array
from cropper.render import render
from cropper.request import CropRequest
from cropper.scorers import register_scorer, scorer_names
from eval.bench import synthetic_photo
from eval.bombs import bombs, heavy_files
from eval.crash import QuickScorer, run_crash, write_photos
from eval.processes import memory
from eval.service import running_service

__all__ = ["Attack", "render_attacks", "run_attacks"]

_SLOWER = 3.0  # times its usual latency that an honest client may wait
_STOP_SECONDS = 10.0
_MOST_MEMORY = 2700.0  # MB of the service and its decoders, by docs/security.md
_AT_ONCE = 8
_PHOTO = (1500, 1000)  # px, of the honest client's
_FUZZED = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")

Progress = Callable[[int, int], None]
Harm = Callable[[str, bytes], None]  # address, photo: until it is told to stop by an exception


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


def _on_service(seconds: float, progress: Progress | None) -> Iterator[Attack]:
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


def _fuzz(number: int, seed: int, progress: Progress | None) -> Attack:
    """Damaged files of each format, decoded and encoded as the service does."""
    rng = np.random.default_rng(seed)
    source = from_array(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    whole = [encode(source.cut((0, 0, 64, 48)), source, kind) for kind in _FUZZED]
    kinds: collections.Counter[str] = collections.Counter()
    with Decoders(max_mpixels=60) as decoders:
        for index in range(number):
            content = bytearray(whole[index % len(whole)])
            for _ in range(rng.integers(1, 8)):
                content[rng.integers(len(content))] = rng.integers(256)
            if index % 5 == 0:
                del content[rng.integers(len(content)) :]
            try:
                with decoders.open(bytes(content), "fuzzed", 20) as image:
                    image.view(512)
                    crop = Crop.of(np.array([0.0, 0.0, *image.size]), 0.0)
                    image.apply(render, crop, image.format, size=(16, 16))
                kinds["read"] += 1
            except CropperError as error:
                ended = getattr(error, "reason", "") in ("decoder ended", "too slow")
                kinds["a decoder ended" if ended else "refused"] += 1
            except MemoryError:
                kinds["refused"] += 1
            except Exception as error:
                kinds[type(error).__name__] += 1
            if progress and index % 100 == 0:
                progress(index, number)
    held = not kinds.keys() - {"read", "refused", "a decoder ended"}
    told = ", ".join(f"{count} {what}" for what, count in sorted(kinds.items()))
    return Attack("fuzzed files", number, held, told)


class _Meanwhile(Watcher):
    """Does something between a run's plan and its work."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act

    def started(self, prepared: Prepared) -> None:
        self.act()


def _link(place: str, target: str) -> Callable[[Path], None]:
    """What is at a place is put aside, and a link to another place put there."""

    def act(folder: Path) -> None:
        path = folder / place
        if path.exists():
            path.rename(f"{path}.aside")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(folder / target)

    return act


def _pipe(folder: Path) -> None:
    path = folder / "in/0000/000001.jpg"
    path.unlink()
    os.mkfifo(path)


def _moved(folder: Path) -> None:
    (folder / "out").rename(folder / "elsewhere")


def _foreign(folder: Path) -> None:
    (folder / "out/0000").mkdir(parents=True)
    (folder / "out/0000/000001.jpg").write_bytes(b"somebody else's")


_RACES: dict[str, tuple[Callable[[Path], None], int]] = {  # the exit code that is right
    "a link at a target": (_link("out/0000/000001.jpg", "victim"), 1),
    "an output folder that becomes a link to the input": (_link("out/0000", "in/0000"), 1),
    "an output root that becomes a link to the input": (_link("out", "in"), 5),
    "an output root that is moved": (_moved, 5),
    "a file that comes up at a target": (_foreign, 1),
    "a source that becomes a link out": (_link("in/0000/000001.jpg", "victim"), 1),
    "a source that becomes a pipe": (_pipe, 1),
}


def _races(rounds: int, seed: int) -> Iterator[Attack]:
    if "quick" not in scorer_names():
        register_scorer("quick")(lambda device: QuickScorer())
    rng = random.Random(seed)
    for name, (act, right) in _RACES.items():
        harmed, codes = 0, collections.Counter[int]()
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(prefix="cropper-attack-") as place:
                folder = Path(place)
                write_photos(folder / "in", 4, rng.randrange(1 << 30))
                (folder / "victim").write_bytes(b"somebody else's")
                before = {p.read_bytes() for p in folder.rglob("*") if p.is_file()}
                options = BulkOptions(
                    (CropRequest(budget=100, keep=("none",)),),
                    scorer="quick",
                    overwrite=rng.random() < 0.5,
                )
                watcher = _Meanwhile(lambda act=act, folder=folder: act(folder))  # type: ignore[misc]
                report = crop_folder(folder / "in", folder / "out", options, watcher=watcher)
                codes[report.exit_code] += 1
                after = {p.read_bytes() for p in folder.rglob("*") if p.is_file()}
                lost = 1 if act is _pipe else 0  # the attacker's own doing
                harmed += len(before - after) > lost
        told = ", ".join(f"exit code {code}: {count}" for code, count in sorted(codes.items()))
        held = not harmed and set(codes) == {right}
        yield Attack(name, rounds, held, f"{harmed} files of others harmed; {told}")


def run_attacks(
    seconds: float = 5,
    fuzzed: int = 10_000,
    kills: int = 500,
    seed: int = 0,
    progress: Progress | None = None,
) -> Iterator[Attack]:
    """``seconds`` of each attack on the service, then folders; what each came to, as it ends.

    Raises DataError where the service does not start, or cuts an honest client off.
    """
    yield from _on_service(seconds, progress)
    yield from _races(max(1, kills // 100), seed)
    yield _fuzz(fuzzed, seed, progress)
    crash = run_crash(kills, seed=seed, progress=progress)
    told = f"torn {crash.torn}, lost {crash.lost}, extra {crash.extra}, mixed up {crash.mixed}"
    yield Attack("kills", crash.rounds, crash.sound, told)


def render_attacks(attacks: list[Attack]) -> str:
    width = max(len(each.name) for each in attacks)
    lines = [f"{'attack':{width}}  {'tries':>9}  held  what happened"]
    for each in attacks:
        held = "yes" if each.held else "NO"
        lines.append(f"{each.name:{width}}  {each.tries:9}  {held:4}  {each.told}")
    return "\n".join(lines)

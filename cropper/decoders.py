"""Decoding in processes that can be ended: what a strange file does to one harms nothing else.

A decoder is a process that holds one photo at a time: it decodes, cuts and encodes, and the caller
gets headers, views and files. One that takes too long, or that nobody waits for any more, is killed
and another takes its place. The system bounds its memory. It is no sandbox: code that a file made
a decoder run would have the rights of the user.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from numpy.typing import ArrayLike
from PIL import Image

from cropper.errors import CropperError, ImageReadError
from cropper.image import MOST_BYTES, Header, Output, SourceImage, Span, View, load_image, needed

__all__ = ["Decoders", "NoRoomError", "RemoteImage", "Room"]

Answer = TypeVar("Answer")
Check = Callable[[], None]

_BASE = 256_000_000  # bytes beside pixels: the upload, tables
_A_CORE = 16_000_000  # bytes of a codec's thread
_UNBOUNDED = 1 << 61  # bytes
_LOOK_SECONDS = 0.2  # between two looks at whether anybody still waits
_OPEN_SECONDS = 10.0  # for a header: no honest one takes a tenth of a second
_LONGEST = 1e6  # s; what the system counts
_PATIENCE = 5.0  # s that a photo waits for memory
# Bytes up to which glibc keeps a block, and all that is free, rather than ask the system for zeroed
# pages again: of photos that are decoded at the scale of their crops, not of larger ones
_KEPT, _KEPT_IN_ALL = "8000000", "16000000"
_MAIN = "from cropper.decoders import main; main()"


class NoRoomError(CropperError):
    """Other photos have had the memory for too long."""


class RemoteImage(SourceImage):
    """A photo in a decoder, for as long as ``Decoders.open`` lends it: it has no pixels here."""

    def __init__(
        self, name: str, header: Header, decoder: _Decoder, seconds: float, check: Check
    ) -> None:
        super().__init__(name, header)
        self._decoder: _Decoder | None = decoder
        self._seconds, self._check = seconds, check

    def apply(self, work: Callable[..., Answer], *arguments: Any, **options: Any) -> Answer:
        """``work(image, ...)`` in the decoder; work, arguments and answer can be pickled.

        Raises what it raises, what ``check`` raises, and ImageReadError where the time is up or the
        decoder ended.
        """
        if self._decoder is None:
            raise ValueError(f"{self.name} was given back")
        started = time.monotonic()
        try:
            answer: Answer = self._decoder.ask(
                self.name, self._seconds, self._check, work, (arguments, options)
            )
            return answer
        finally:
            self._seconds -= time.monotonic() - started

    def close(self) -> None:
        self._decoder = None

    @property
    def span(self) -> Span | None:
        if self._span is None and self.header.mode.startswith(("I", "F")):
            self._span = self.apply(_span)
        return self._span

    @property
    def notes(self) -> tuple[str, ...]:
        if self.format != "JPEG":  # a decode of which may have more to tell
            return self.header.notes
        return self.apply(_notes)

    def turn(self, quarters: int) -> None:
        self.apply(SourceImage.turn, quarters)
        super().turn(quarters)

    def expect(self, sizes: Any) -> None:
        self.apply(SourceImage.expect, sizes)

    def view(self, long_side: int, spare: float = 1.0) -> View:
        return self.apply(SourceImage.view, long_side, spare)

    def cut(
        self, box: ArrayLike, size: tuple[int, int] | None = None, *, linear: bool = False
    ) -> Image.Image:
        return self.apply(SourceImage.cut, box, size, linear=linear)

    def warp(
        self, corners: ArrayLike, size: tuple[int, int], *, linear: bool = False
    ) -> Image.Image:
        return self.apply(SourceImage.warp, corners, size, linear=linear)


class Decoders:
    """As many processes as photos are open at once; threads share it. Close it, or use ``with``."""

    def __init__(
        self, max_mpixels: float, together: float = math.inf, *, strict: bool = False
    ) -> None:
        """``together``: bytes that open photos may need at once, by their headers; more wait.

        One alone is always let in. A photo has at most ``max_mpixels``, and no damaged data where
        that is ``strict``.
        """
        self.max_mpixels, self.strict = max_mpixels, strict
        pixels = min(MOST_BYTES * 1e6 * max_mpixels, _UNBOUNDED)
        self._memory = _BASE + _A_CORE * (os.cpu_count() or 1) + int(pixels)
        self._idle: list[_Decoder] = []
        self._lock = threading.Lock()  # of what is idle, and of being closed
        self._closed = False
        self._room = Room(together)

    def __enter__(self) -> Decoders:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, number: int) -> None:
        """Rather before the first photo comes than then. Raises OSError."""
        for _ in range(number):
            self._give_back(_Decoder(self._memory))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for each in self._idle:
                each.kill()

    @contextlib.contextmanager
    def open(
        self,
        data: bytes,
        name: str,
        seconds: float,
        check: Check = lambda: None,
        output: Output | None = None,
        *,
        weigh: Callable[[int], None] = lambda _: None,
    ) -> Iterator[RemoteImage]:
        """A photo, ``seconds`` of whose time may go into decoding and encoding.

        ``check`` is called while a decoder works; what it raises ends that. ``output`` says what
        will be encoded, if anything. ``weigh`` is told the bytes that this will take, before it is
        begun. Raises what ``load_image`` and ``weigh`` raise, and NoRoomError.
        """
        decoder = self._take()
        image = None
        try:
            asked = {"max_mpixels": self.max_mpixels, "name": name, "strict": self.strict}
            given = (data,), asked
            limit = min(_OPEN_SECONDS, seconds)
            header = decoder.ask(name, limit, check, load_image, given)
            del data, given
            weight = needed(header, output)
            weigh(weight)
            with self._room.taken(weight, check):
                image = RemoteImage(name, header, decoder, seconds, check)
                yield image
        finally:
            if image:
                image.close()
            self._give_back(decoder)

    def _take(self) -> _Decoder:
        with self._lock:
            while self._idle:
                decoder = self._idle.pop()
                if decoder.alive:
                    return decoder
        return _Decoder(self._memory)

    def _give_back(self, decoder: _Decoder) -> None:
        if decoder.alive:
            decoder.forget()
        elif not self._closed:
            decoder = _Decoder(self._memory)
        with self._lock:
            self._idle.append(decoder)
            if self._closed:
                decoder.kill()


class _Decoder:
    """One process, and the way to it; one thread at a time uses it."""

    def __init__(self, memory: int) -> None:
        self._connection, theirs = Pipe()
        paths = [os.path.abspath(each) for each in sys.path]
        settings = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        settings |= {"MALLOC_MMAP_THRESHOLD_": _KEPT, "MALLOC_TRIM_THRESHOLD_": _KEPT_IN_ALL}
        settings |= {"PYTHONPATH": os.pathsep.join(paths)}
        # -P: the current folder holds strangers' files, and Python would import from it
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _MAIN, str(theirs.fileno()), str(memory)],
            env={**os.environ, **settings},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a terminal sends Ctrl-C to a whole session
        )
        theirs.close()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(
        self,
        name: str,
        seconds: float,
        check: Check,
        work: Callable[..., Any],
        given: tuple[tuple[Any, ...], dict[str, Any]],
    ) -> Any:
        """The answer to ``work`` with the arguments and options ``given``, or it is killed."""
        end = time.monotonic() + seconds
        try:
            self._connection.send((max(seconds, 0.0), work, *given))
            while not self._connection.poll(_LOOK_SECONDS):
                if time.monotonic() > end:
                    raise ImageReadError(
                        f"{name}: not decoded and encoded within its time limit: make it smaller, "
                        "save it anew in an image editor, or allow more time",
                        "too slow",
                    )
                check()
            answer, error = self._connection.recv()
        except (EOFError, OSError) as gone:
            self.kill()
            raise ImageReadError(
                f"{name}: its decoder ended ({self._process.returncode}); copy or download it "
                "again, or save it anew in an image editor",
                "decoder ended",
            ) from gone
        except BaseException:
            self.kill()
            raise
        if error is not None:
            raise error
        return answer

    def forget(self) -> None:
        """Lets the photo go."""
        with contextlib.suppress(OSError):
            self._connection.send(None)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._connection.close()


class Room:
    """For so many bytes at once; what is small may pass what is large and waits."""

    def __init__(self, size: float, patience: float | None = None) -> None:
        """``patience`` is how many seconds one waits; None: as photos do."""
        self._size, self._taken, self._patience = size, 0, patience
        self._left = threading.Condition()

    @contextlib.contextmanager
    def taken(self, amount: int, check: Check) -> Iterator[None]:
        patience = _PATIENCE if self._patience is None else self._patience
        end = time.monotonic() + patience
        with self._left:
            while self._taken and self._taken + amount > self._size:
                if time.monotonic() > end:
                    raise NoRoomError(
                        f"a photo of some {amount / 1e6:.0f} MB found no room in {patience:g} s"
                    )
                self._left.wait(_LOOK_SECONDS)
                check()
            self._taken += amount
        try:
            yield
        finally:
            with self._left:
                self._taken -= amount
                self._left.notify_all()


def _span(image: SourceImage) -> Span | None:
    return image.span


def _notes(image: SourceImage) -> tuple[str, ...]:
    return image.notes


def main() -> None:
    """The process: answers what comes through its connection until that is closed."""
    connection = Connection(int(sys.argv[1]))
    _limit_memory(int(sys.argv[2]))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # codecs write there what files say
    image: SourceImage | None = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            message = connection.recv()
            if message is None:
                image = None
                continue
            seconds, work, arguments, options = message
            signal.alarm(
                math.ceil(min(seconds, _LONGEST)) + 5
            )  # its end where nobody is left to kill it
            try:
                if work is load_image:
                    image = load_image(*arguments, **options)
                    reply: Any = (image.header, None)
                else:
                    reply = (work(image, *arguments, **options), None)
            except Exception as error:
                reply = (None, error)
            del message, arguments
            connection.send(reply)
            del reply
            signal.alarm(0)


def _limit_memory(limit: int) -> None:
    """Of what is written to, beyond what it starts with; on systems that hold processes to it."""
    import resource  # noqa: PLC0415 - not on every system

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))

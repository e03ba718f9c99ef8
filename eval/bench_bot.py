"""How long an answer of the bot takes, from a message at hand to the answer that leaves.

The loop, the state, the judge and its decoders are the bot's own; the network is this process.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from cropper.bot.answer import Answerer
from cropper.bot.loop import Loop
from cropper.bot.messenger import Asked, MessageLimits, Photo, Reply
from cropper.bot.rates import RateLimit
from cropper.bot.state import BotState
from cropper.decoders import Decoders
from cropper.errors import ConfigError
from cropper.finder import CropFinder
from cropper.request import CropRequest
from eval.bench import synthetic_photo

__all__ = ["render_bot", "run_bot"]

_LONGEST = 60.0  # s that a photo may be decoded for


class _Network:
    """Asks ``repeats`` times about one photo, one message after the other, and one time before."""

    limits = MessageLimits(text=400, long_side=2560, ratio=20)
    ids_last = float("inf")

    def __init__(self, data: bytes, repeats: int, stop: asyncio.Event) -> None:
        self.data, self.repeats, self.stop = data, repeats, stop
        self.seconds: list[float] = []
        self._begun = 0.0

    async def open(self) -> str:
        return "bench"

    async def newest(self) -> str | None:
        return None

    async def receive(self, after: str | None) -> list[Asked]:
        self._begun = time.monotonic()
        return [Asked(str(int(after or 0) + 1), "somebody", self._begun, None)]

    async def photo(self, _: Asked) -> Photo:
        return Photo(self.data)

    async def answered(self, _: Asked) -> bool:
        return False

    async def send(self, _: Asked, reply: Reply, __: Photo | None) -> None:
        if reply.picture is None:
            raise ConfigError(f"the bot made no crop: {reply.text}")
        self.seconds.append(time.monotonic() - self._begun)
        if len(self.seconds) > self.repeats:
            self.stop.set()

    async def close(self) -> None: ...


def run_bot(picture: Path | None, scorer: str = "cropnet", repeats: int = 8) -> list[float]:
    """Seconds of each answer after the first one. Raises ConfigError where there is no crop."""
    data = picture.read_bytes() if picture else synthetic_photo()
    request = CropRequest(keep=("faces",))
    finder = CropFinder(scorer)
    finder.prepare(request)
    stop = asyncio.Event()
    network = _Network(data, repeats, stop)
    with tempfile.TemporaryDirectory() as folder, Decoders(60) as decoders:
        decoders.start(1)
        judge = Answerer(finder, decoders, request, _LONGEST)
        state, rates = BotState(Path(folder, "state")), RateLimit(repeats + 1)
        loop = Loop(network, judge, state, rates, queue=1, say=lambda _: None)
        asyncio.run(loop.run(stop))
    return network.seconds[1:]


def render_bot(seconds: list[float]) -> str:
    """Plain text: the median and the range."""
    ordered = sorted(seconds)
    median = ordered[len(ordered) // 2]
    return f"answer {median:.2f} s ({ordered[0]:.2f} to {ordered[-1]:.2f}, {len(ordered)} of them)"

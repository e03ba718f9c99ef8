"""The process: the scorer loaded, messages answered until a signal."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable

from cropper.bot.answer import Answerer
from cropper.bot.loop import Loop
from cropper.bot.messenger import Messenger
from cropper.bot.options import BotOptions, read_token
from cropper.bot.rates import RateLimit
from cropper.bot.state import BotState
from cropper.decoders import Decoders
from cropper.errors import extra
from cropper.finder import CropFinder

__all__ = ["run"]

_LOGGERS = ("asyncio", "httpcore", "httpx", "mastodon", "telegram", "urllib3")


def run(options: BotOptions, say: Callable[[str], None]) -> None:
    """Answer until SIGTERM or SIGINT, which let the message at hand be answered.

    Raises ConfigError, what ``load_scorer`` raises, ImageWriteError for a state that cannot be
    written, and KeyboardInterrupt after a SIGINT.
    """
    token = read_token(options.token_file, options.network)
    _silence()

    def say_safely(line: str) -> None:
        say(line.replace(token, "TOKEN"))

    state = BotState(options.state_file)
    messenger = _connect(token, options)
    if options.url.startswith("http:"):
        say(f"warning: the token goes to {options.url} as it is: https would hide it")
    finder = CropFinder(options.scorer, options.device)
    finder.prepare(options.request)
    with Decoders(options.max_mpixels) as decoders:
        decoders.start(1)
        answerer = Answerer(finder, decoders, options.request, options.time_limit)
        rates = RateLimit(options.per_minute)
        loop = Loop(messenger, answerer, state, rates, queue=options.queue, say=say_safely)
        if asyncio.run(_until_signal(loop)) == signal.SIGINT:
            raise KeyboardInterrupt


async def _until_signal(loop: Loop) -> signal.Signals:
    """The first signal stops it; a second one ends the process as if nobody handled it."""
    stop = asyncio.Event()
    events, signals = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
    caught: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        caught.append(number)
        stop.set()
        for each in signals:
            events.remove_signal_handler(each)

    for each in signals:
        events.add_signal_handler(each, end, each)
    try:
        await loop.run(stop)
    finally:
        await loop.messenger.close()
    return caught[0]


def _connect(token: str, options: BotOptions) -> Messenger:
    """Raises MissingExtraError."""
    with extra("bot"):
        if options.network == "telegram":
            from cropper.bot.telegram import Telegram  # noqa: PLC0415 - an extra

            return Telegram(token, options)
        from cropper.bot.mastodon import Mastodon  # noqa: PLC0415 - an extra

        return Mastodon(token, options)


def _silence() -> None:
    """What libraries log has addresses with the token, and whole messages of people."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False

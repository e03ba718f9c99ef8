"""The bot's one loop: messages are taken, answered one after the other and noted as answered.

Whatever fails on the way to the messenger ends a round, and the next round begins where the state
says, as after a restart. A message that fails again and again is given up: it holds up no other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from cropper.bot.answer import Answerer, excuse
from cropper.bot.messenger import (
    Asked,
    Messenger,
    MessengerError,
    Photo,
    PhotoError,
    RefusedError,
    Reply,
)
from cropper.bot.rates import RateLimit, Verdict
from cropper.bot.state import BotState
from cropper.errors import ConfigError, CropperError, ImageWriteError

__all__ = ["Loop"]

T = TypeVar("T")

TRIES = 8  # of one message; the last one sends a sentence alone
_LONGEST = 60.0  # s between two rounds that fail
_GIVEN_UP = "Something went wrong with this message, several times: please send it again."
_SLOW = "This photo could not be fetched in time: please send a smaller one."
_FAILED = "Something went wrong with this photo: please try another one."


class Loop:
    def __init__(
        self,
        messenger: Messenger,
        answerer: Answerer,
        state: BotState,
        rates: RateLimit,
        *,
        queue: int,
        say: Callable[[str], None],
    ) -> None:
        """``queue`` messages are answered in a round; others are told to come back."""
        self.messenger, self.answerer, self.state = messenger, answerer, state
        self.queue, self.say, self._rates = queue, say, rates
        self._verdicts: dict[str, Verdict] = {}  # of the round
        self._is_open = False

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``, which lets the message at hand be answered.

        Raises ConfigError for what no waiting mends and ImageWriteError for a state that cannot
        be written.
        """
        failed = 0
        while not stop.is_set():
            wait = None
            try:
                await self._round(stop)
                failed = 0
                continue
            except (ConfigError, ImageWriteError):
                raise
            except (MessengerError, RefusedError) as error:
                reason, wait = str(error), getattr(error, "wait", None)
            except Exception as error:  # of a library, say: the next round may be better
                reason = f"{type(error).__name__}: {error}"
            delay = min(2.0**failed, _LONGEST) if wait is None else wait
            failed += 1
            self.say(f"warning: {reason}; next try in {delay:.0f} s")
            await _unless(stop, asyncio.sleep(delay))

    async def _round(self, stop: asyncio.Event) -> None:
        if not self._is_open:
            await _unless(stop, self._open())
            return
        after = self.state.after(self.messenger.ids_last)
        messages = await _unless(stop, self.messenger.receive(after))
        if not messages:
            return
        left = [each for each in messages if not self.state.is_done(each.id)]
        for asked, verdict in self._in_order(left):
            if stop.is_set():
                return
            if asked.to_bot and verdict is not Verdict.SILENT:
                await self._answer(asked, verdict)
            else:
                self.state.finish(asked.id)
        self.state.finish_all(messages[-1].id)
        self._verdicts = {}

    async def _open(self) -> None:
        bot = await self.messenger.open()
        self.state.check(bot)
        if self.state.past is None:
            self.state.start(bot, await self.messenger.newest())
        self._is_open = True
        self.say(f"answering with {self.answerer.finder.scorer.spec.name}; Ctrl-C ends it")

    def _in_order(self, messages: Sequence[Asked]) -> list[tuple[Asked, Verdict]]:
        """Refusals first: they are quick, and who is refused need not wait for others' photos."""
        waiting = sum(each is Verdict.ANSWER for each in self._verdicts.values())
        for each in messages:
            if each.id not in self._verdicts and each.to_bot:
                verdict = self._rates.admit(each.person, each.when)
                if verdict is Verdict.ANSWER:
                    waiting += 1
                    verdict = Verdict.BUSY if waiting > self.queue else verdict
                self._verdicts[each.id] = verdict
        told = [(each, self._verdicts.get(each.id, Verdict.SILENT)) for each in messages]
        return sorted(told, key=lambda pair: pair[1] is Verdict.ANSWER)

    async def _answer(self, asked: Asked, verdict: Verdict) -> None:
        """Raises MessengerError where it is to be tried again."""
        tries = self.state.begin(asked.id)
        maybe_sent = self.state.may_be_sent
        sending = False
        try:
            if maybe_sent and await self.messenger.answered(asked):
                self.say(f"message {asked.id}: was answered before")
            elif tries > TRIES:
                self.say(f"error: message {asked.id}: given up after {TRIES} tries")
            else:
                refusal = _GIVEN_UP if tries == TRIES else self._refusal(verdict)
                answer = (Reply(refusal), None) if refusal else await self._reply(asked)
                if answer is not None:
                    sending = True
                    self.state.send()
                    await self.messenger.send(asked, *answer)
        except RefusedError as error:
            self.say(f"warning: message {asked.id}: the answer is refused: {error}")
        except MessengerError as error:
            self.state.hold(
                sending=maybe_sent or (sending and error.maybe_done), counts=error.wait is None
            )
            raise
        self.state.finish(asked.id)

    def _refusal(self, verdict: Verdict) -> str | None:
        if verdict is Verdict.BUSY:
            return "Too many photos at once: please send it again in a minute."
        if verdict is Verdict.TOO_MANY:
            most = f"{self._rates.most} messages a minute"
            return f"That is too fast: {most} are answered. Please wait a little."
        return None

    async def _reply(self, asked: Asked) -> tuple[Reply, Photo | None] | None:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self.answerer.seconds):
                photo = await self.messenger.photo(asked)
        except (PhotoError, TimeoutError) as error:
            told = str(error) or _SLOW
            self.say(f"message {asked.id}: no photo: {told}")
            return Reply(told), None
        if photo is None:
            return None
        return await asyncio.to_thread(self._judged, asked, photo, started), photo

    def _judged(self, asked: Asked, photo: Photo, started: float) -> Reply:
        """In a thread of its own, so that the connection lives meanwhile."""
        try:
            answer = self.answerer.answer(photo.data, self.messenger.limits)
        except (CropperError, MemoryError) as error:
            self.say(f"message {asked.id}: {error or 'not enough memory'}")
            return Reply(excuse(error, self.answerer.decoders.max_mpixels))
        except Exception as error:  # of a scorer or a library; the next photo may be better
            self.say(f"error: message {asked.id}: {type(error).__name__}: {error}")
            return Reply(_FAILED)
        size = "{}x{}".format(*answer.result.source_size)
        self.say(
            f"message {asked.id}: {size}, score {answer.result.best.score:.2f}, "
            f"{time.monotonic() - started:.1f} s"
        )
        return Reply(answer.text, answer.picture)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What comes of the work, or None where it is stopped before."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return working.result()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    return None

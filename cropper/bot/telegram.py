"""Telegram, through python-telegram-bot. A bot gets what is sent to it, and nothing else.

A post that a message links to is forwarded to its chat for a moment: there is no other way
to look at it, and the bot has to be in that channel or group. No link is fetched.

Its server keeps messages for a day and forgets those up to the last that is confirmed; ids begin
anew after a week without any. It cannot tell whether a message was answered.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from telegram import Bot, Message, ReplyParameters, Update, error
from telegram.request import HTTPXRequest

from cropper.bot.messenger import (
    Asked,
    MessageLimits,
    MessengerError,
    Photo,
    PhotoError,
    RefusedError,
    Reply,
)
from cropper.bot.options import BotOptions
from cropper.errors import ConfigError

__all__ = ["Telegram"]

_POLL = 30  # s that the server holds a request while there is nothing
_ANSWER = 20.0  # s for the server to read or write
_CONNECT = 10.0  # s
_POST = re.compile(
    r"(?:https?://)?(?:t|telegram)\.me/(?:s/)?(?!joinchat/)([a-z]\w{3,31})"
    r"/(?:\d+/)?(\d{1,10})/?(?:\?single)?",  # perhaps a topic's number, then the post's
    re.ASCII | re.IGNORECASE,
)
_GONE = (
    "I cannot see that post, or it holds no photo, or must not be forwarded: please forward or "
    "send the photo itself."
)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Telegram:
    limits = MessageLimits(text=1024, long_side=2560, ratio=20)
    help = (
        "Send me a photo, or a link to a post with one in a public channel that I am in, or reply "
        "to one (in a group with /crop), and I answer with its best crop, its score and why. "
        "I read no other links: forward the photo instead. No photo is kept."
    )
    ids_last = 2 * 86400.0

    def __init__(self, token: str, options: BotOptions) -> None:
        self._options = options
        self._copies: list[Message] = []  # of posts, that are to be deleted
        server = options.url
        self._bot = Bot(
            token,
            f"{server}/bot",
            f"{server}/file/bot",
            request=_Request(),
            get_updates_request=_Request(),
        )

    async def open(self) -> str:
        with self._told():
            await self._bot.initialize()
        name = re.escape(self._bot.username)
        self._to_bot = re.compile(rf"/crop(@{name})?(?![\w@])|@{name}\b", re.IGNORECASE)
        return f"telegram {self._bot.id}"

    async def newest(self) -> str | None:
        return None

    async def receive(self, after: str | None) -> list[Asked]:
        await self._clear()
        with self._told():
            updates = await self._bot.get_updates(
                offset=None if after is None else int(after) + 1,
                timeout=_POLL,
                allowed_updates=["message"],
            )
        return [self._asked(update) for update in updates]

    def _asked(self, update: Update) -> Asked:
        message = update.message
        if message is None or message.from_user is None:
            return Asked(str(update.update_id), "", 0.0, None, to_bot=False)
        return Asked(
            str(update.update_id),
            str(message.from_user.id),
            message.date.timestamp(),
            message,
            to_bot=not message.from_user.is_bot and self._is_to_bot(message),
        )

    def _is_to_bot(self, message: Message) -> bool:
        """All that people send in private, and in a group what names the bot."""
        text = message.text or message.caption or ""
        if message.chat.type == "private":
            return bool(text or _attached(message))
        return self._to_bot.search(text) is not None

    async def photo(self, asked: Asked) -> Photo:
        message: Message = asked.message
        post = None if _attached(message) else _linked(message)
        if post is None:
            sources = (message, message.reply_to_message, message.external_reply)
            return await self._fetched(next(filter(None, map(_attached, sources)), None), self.help)
        try:
            return await self._fetched(_attached(await self._copied(message, *post)), _GONE)
        finally:
            await self._clear()

    async def _copied(self, message: Message, name: str, number: int) -> Message:
        """A post, forwarded to where a message stands. Raises PhotoError."""
        with self._told():
            try:
                copied = await self._bot.forward_message(
                    from_chat_id=f"@{name}",
                    message_id=number,
                    disable_notification=True,
                    **_place(message),
                )
            except (error.BadRequest, error.Forbidden):
                raise PhotoError(_GONE) from None
        self._copies.append(copied)
        return copied

    async def _clear(self) -> None:
        """Deletes the copies. Where that fails it is tried again later, unless it is refused."""
        for each in [*self._copies]:
            with contextlib.suppress(error.TelegramError):
                with contextlib.suppress(error.BadRequest, error.Forbidden):
                    await each.delete()
                self._copies.remove(each)

    async def _fetched(self, part: Any, otherwise: str) -> Photo:
        """Raises PhotoError, with the sentence ``otherwise`` for what is no picture."""
        if part is None or not _is_picture(part):
            raise PhotoError(otherwise)
        self._check_size(part.file_size)
        with self._told():
            try:
                file = await self._bot.get_file(part.file_id)
                self._check_size(file.file_size)
                data = bytes(await file.download_as_bytearray())
            except (error.BadRequest, error.Forbidden, error.InvalidToken) as refused:
                # the library's InvalidToken is any 401 or 404: the next getUpdates tells which
                self._check_size(None if "too big" not in str(refused) else 1 << 62)
                raise PhotoError("This photo cannot be fetched: please send it again.") from None
        self._check_size(len(data))
        return Photo(data)

    def _check_size(self, size: int | None) -> None:
        if size and size > self._options.max_bytes:
            raise PhotoError(self._options.too_large)

    async def answered(self, asked: Asked) -> bool:
        return False

    async def send(self, asked: Asked, reply: Reply, photo: Photo | None) -> None:
        message: Message = asked.message
        answered = ReplyParameters(message.message_id, allow_sending_without_reply=True)
        to = {**_place(message), "reply_parameters": answered}
        with self._told():
            if reply.picture is None:
                await self._bot.send_message(text=reply.text, **to)
            else:
                await self._bot.send_photo(
                    photo=reply.picture, filename="crop.jpg", caption=reply.text, **to
                )

    async def close(self) -> None:
        await self._clear()
        with contextlib.suppress(error.TelegramError):
            await self._bot.shutdown()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """The library's errors as the bot's own."""
        try:
            yield
        except error.RetryAfter as busy:
            wait = busy.retry_after
            seconds = wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
            raise MessengerError("asked to slow down", wait=seconds, maybe_done=False) from busy
        except error.InvalidToken:
            host = urlsplit(self._options.url).netloc
            raise ConfigError(
                f"{host} does not take the token of {self._options.token_file}: ask @BotFather for "
                "it, and check `server`"
            ) from None
        except error.Conflict as other:
            raise MessengerError(f"another process has this bot's messages: {other}") from other
        except (error.BadRequest, error.Forbidden, error.ChatMigrated) as refused:
            raise RefusedError(refused) from refused
        except error.TelegramError as failed:
            sent = not isinstance(failed.__cause__, _NOT_SENT)
            raise MessengerError(failed, maybe_done=sent) from failed


class _Request(HTTPXRequest):
    """With the bot's times, and with an empty update for each that the library cannot read.

    That one is passed over: otherwise all that wait fail with it, as only its id confirms it.
    """

    def __init__(self) -> None:
        super().__init__(read_timeout=_ANSWER, write_timeout=_ANSWER, connect_timeout=_CONNECT)

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        answer = HTTPXRequest.parse_json_payload(payload)
        if isinstance(answer.get("result"), list):
            answer["result"] = [_readable(each) for each in answer["result"]]
        return answer


def _readable(update: dict[str, Any]) -> dict[str, Any]:
    try:
        Update.de_json(copy.deepcopy(update), None)
    except Exception:  # whatever a library raises for content that it does not expect
        return {"update_id": update["update_id"]}
    return update


def _place(message: Message) -> dict[str, Any]:
    """The chat, and its topic, that a message stands in."""
    topic = message.message_thread_id if message.is_topic_message else None
    return {"chat_id": message.chat.id, "message_thread_id": topic}


def _linked(message: Message) -> tuple[str, int] | None:
    """Channel or group and number of the first public post that a text links to."""
    links = message.parse_entities(["url", "text_link"]) if message.text else {}
    for part, text in links.items():
        if found := _POST.fullmatch(part.url or text):
            return found[1], int(found[2])
    return None


def _attached(source: Any) -> Any:
    """The picture of a message or of what it replies to; else a file of it; else nothing."""
    if source is None:
        return None
    if source.photo:
        return source.photo[-1]  # the largest
    return source.document


def _is_picture(part: Any) -> bool:
    kind = getattr(part, "mime_type", "image/jpeg")  # a PhotoSize is always one
    return (kind or "").startswith("image/")

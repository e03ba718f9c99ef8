"""Telegram, through python-telegram-bot. A bot gets what is sent to it, and nothing else.

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

from cropper.bot.network import (
    Asked,
    Limits,
    NetworkError,
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
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Telegram:
    limits = Limits(text=1024, long_side=2560, ratio=20)
    help = (
        "Send me a photo, or reply to one (in a group with /crop), and I answer with its best "
        "crop, its score and why. I read no links: forward the post instead. No photo is kept."
    )
    ids_last = 2 * 86400.0

    def __init__(self, token: str, options: BotOptions) -> None:
        self._options = options

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
        sources = (message, message.reply_to_message, message.external_reply)
        part = next(filter(None, map(_attached, sources)), None)
        if part is None or not _is_picture(part):
            raise PhotoError(self.help)
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
        to: dict[str, Any] = {
            "chat_id": message.chat.id,
            "reply_parameters": ReplyParameters(
                message.message_id, allow_sending_without_reply=True
            ),
            "message_thread_id": message.message_thread_id if message.is_topic_message else None,
        }
        with self._told():
            if reply.picture is None:
                await self._bot.send_message(text=reply.text, **to)
            else:
                await self._bot.send_photo(
                    photo=reply.picture, filename="crop.jpg", caption=reply.text, **to
                )

    async def close(self) -> None:
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
            raise NetworkError("asked to slow down", wait=seconds, maybe_done=False) from busy
        except error.InvalidToken:
            host = urlsplit(self._options.url).netloc
            raise ConfigError(
                f"{host} does not take the token of {self._options.token_file}: ask @BotFather for "
                "it, and check `server`"
            ) from None
        except error.Conflict as other:
            raise NetworkError(f"another process has this bot's messages: {other}") from other
        except (error.BadRequest, error.Forbidden, error.ChatMigrated) as refused:
            raise RefusedError(refused) from refused
        except error.TelegramError as failed:
            sent = not isinstance(failed.__cause__, _NOT_SENT)
            raise NetworkError(failed, maybe_done=sent) from failed


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

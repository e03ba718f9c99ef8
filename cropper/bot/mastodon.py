"""Mastodon, through Mastodon.py: mentions are answered where they stand.

Its server keeps mentions, so they are asked for after the last that is done. An answer is known by
its key for an hour, and then by its place below the mention.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx
import mastodon
import requests

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

__all__ = ["Mastodon"]

T = TypeVar("T")

_POLL = 3.0  # s; a server takes 300 requests in 5 minutes
_ANSWER = 10.0  # s for the server to read or write
_WHOLE = 30.0  # s for an answer to come whole
_MOST = 16_000_000  # bytes of an answer
_PROCESSED = 15.0  # s that it may take to make an upload fit for a post
_LOOK = 0.5  # s between two looks at that
_HOPS = 3  # redirects of a photo's address
_SLOW_DOWN = 30.0  # s, where the server asks for that and says no time
_LONGEST_WAIT = 1800.0  # s; the window in which a server counts uploads
_LONGEST_ALT = 1500  # characters
_VERSION = "4.0.0"  # whose calls are made
_OPEN = ("public", "unlisted")
_GONE = "I cannot see that post: please attach the photo."
_UNREAD = "This photo cannot be fetched: please attach it again."


class Mastodon:
    limits = Limits(text=400, long_side=2560, ratio=1000)  # of 500, less the name that is answered
    ids_last = float("inf")

    def __init__(self, token: str, options: BotOptions) -> None:
        self._options = options
        self._own = urlsplit(options.url)
        self.help = (
            "Mention me with a photo attached, in a reply to a post that has one, or with a link "
            f"to a post on {self._own.netloc}, and I answer with its best crop, its score and why. "
            "I read no other links. No photo is kept."
        )
        self._link = re.compile(
            rf'href="{re.escape(options.url)}/(?:[^"]*/)?(?:@[^"/]+|statuses)/(\d+)/?"'
        )
        self._session = _Session()
        self._client = mastodon.Mastodon(
            access_token=token,
            api_base_url=options.url,
            session=self._session,
            request_timeout=_ANSWER,
            ratelimit_method="throw",
            user_agent="cropper",
            # Unsaid, the library asks for the version; where it gets none it asks again, for ever.
            mastodon_version=_VERSION,
            version_check_mode="created",  # "none" ignores the version
        )
        self._files = httpx.AsyncClient(timeout=_ANSWER)  # without the token

    async def open(self) -> str:
        try:
            me = await self._ask(self._client.account_verify_credentials)
        except RefusedError as error:
            raise ConfigError(
                f"{self._own.netloc}: {error}: check `server` and the token"
            ) from None
        if not getattr(me, "id", None):
            raise ConfigError(f"{self._own.netloc} does not answer as Mastodon: check `server`")
        self._me = str(me.id)
        return f"mastodon {self._me} {self._own.netloc}"

    async def newest(self) -> str | None:
        found = await self._mentions(limit=1)
        return str(found[0].id) if found else "0"

    async def receive(self, after: str | None) -> list[Asked]:
        found = await self._mentions(min_id=after, limit=40)
        if not found:
            await asyncio.sleep(_POLL)
        return [self._asked(each) for each in reversed(found)]

    async def _mentions(self, **which: Any) -> list[Any]:
        """The newest first."""
        found = await self._ask(self._client.notifications, types=["mention"], **which)
        if not isinstance(found, list) or not all(hasattr(each, "id") for each in found):
            raise NetworkError("the server does not answer with notifications")
        return found

    def _asked(self, told: Any) -> Asked:
        """What the library cannot read is passed over, as is what machines say."""
        try:
            account, post = told.account, told.status
            person, when = str(account.id), told.created_at.timestamp()
            talks = person != self._me and not account.bot and post.id is not None
            if not _pictures(post) and not self._link.search(post.content):
                talks = talks and str(post.in_reply_to_account_id) != self._me  # thanks, say
        except (AttributeError, TypeError):
            return Asked(str(told.id), "", 0.0, None, to_bot=False)
        return Asked(str(told.id), person, when, post, to_bot=talks)

    async def photo(self, asked: Asked) -> Photo | None:
        post = asked.message
        if not _pictures(post):
            link = self._link.search(post.content)
            other = link[1] if link else post.in_reply_to_id
            if other is None:
                return None
            post = await self._other(other, asked.person)
        pictures = _pictures(post)
        if not pictures:
            return None
        alt = f"The best crop of a photo: {pictures[0].description or 'not described'}"
        return Photo(await self._fetched(pictures[0].url or ""), (alt[:_LONGEST_ALT], post))

    async def _other(self, number: str, person: str) -> Any:
        """A post that the person may see too. Raises PhotoError."""
        try:
            post = await self._ask(self._client.status, number)
        except RefusedError:
            raise PhotoError(_GONE) from None
        if post.visibility not in _OPEN and str(post.account.id) != person:
            raise PhotoError(_GONE)
        return post

    async def _fetched(self, url: str) -> bytes:
        """The file at an address that the server gave. Raises PhotoError."""
        for _ in range(_HOPS):
            place = urlsplit(url)
            if place.scheme != self._own.scheme or not place.hostname or place.username:
                raise PhotoError(_UNREAD)
            try:
                async with self._files.stream(
                    "GET", url, headers={"Accept-Encoding": "identity"}
                ) as answer:
                    if answer.has_redirect_location:
                        url = urljoin(url, answer.headers["location"])
                        continue
                    if (
                        answer.is_server_error
                        or answer.status_code == httpx.codes.TOO_MANY_REQUESTS
                    ):
                        raise NetworkError(f"the host of a photo answers {answer.status_code}")
                    if not answer.is_success:
                        break
                    return await self._read(answer)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise NetworkError(f"the host of a photo: {type(error).__name__}") from error
        raise PhotoError(_UNREAD)

    async def _read(self, answer: httpx.Response) -> bytes:
        data = bytearray()
        async for part in answer.aiter_raw():
            data += part
            if len(data) > self._options.max_bytes:
                most = self._options.max_mb
                raise PhotoError(f"This file is too large: at most {most:g} MB are taken.")
        return bytes(data)

    async def answered(self, asked: Asked) -> bool:
        try:
            thread = await self._ask(self._client.status_context, asked.message.id)
        except RefusedError:  # the mention is gone
            return False
        return any(
            str(each.account.id) == self._me and str(each.in_reply_to_id) == str(asked.message.id)
            for each in thread.descendants
        )

    async def send(self, asked: Asked, reply: Reply, photo: Photo | None) -> None:
        mention = asked.message
        alt, seen = photo.origin if photo else ("", mention)
        media = [await self._uploaded(reply.picture, alt)] if reply.picture is not None else None
        is_open = mention.visibility in _OPEN and seen.visibility in _OPEN
        await self._ask(
            self._client.status_post,
            f"@{mention.account.acct} {reply.text}",
            in_reply_to_id=mention.id,
            media_ids=media,
            visibility="unlisted" if is_open else "direct",  # the bot's followers are other people
            sensitive=bool(mention.sensitive or seen.sensitive),
            spoiler_text=mention.spoiler_text or seen.spoiler_text or None,
            idempotency_key=f"cropper-{asked.id}",
        )

    async def _uploaded(self, data: bytes, alt: str) -> str:
        """The id of a picture that the server has made fit for a post."""
        media = await self._ask(
            self._client.media_post,
            data,
            mime_type="image/jpeg",
            description=alt,
            file_name="crop.jpg",
        )
        end = time.monotonic() + _PROCESSED
        while not media.url:
            if time.monotonic() > end:
                raise NetworkError("the server does not make an upload ready", maybe_done=False)
            await asyncio.sleep(_LOOK)
            media = await self._ask(self._client.media, media.id)
        return str(media.id)

    async def close(self) -> None:
        await self._files.aclose()
        self._session.close()

    async def _ask(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The library is not asynchronous: in a thread; and its errors as the bot's own."""
        with self._told():
            try:
                async with asyncio.timeout(_WHOLE + _ANSWER):
                    return await _in_thread(partial(call, *arguments, **options))
            except TimeoutError:
                raise NetworkError("the server does not end its answer") from None

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except mastodon.MastodonRatelimitError as busy:
            left = (self._client.ratelimit_reset or 0) - time.time()
            wait = min(left + 1, _LONGEST_WAIT) if left > 0 else _SLOW_DOWN
            raise NetworkError("asked to slow down", wait=wait) from busy
        except mastodon.MastodonAPIError as failed:
            status = failed.args[1] if len(failed.args) > 1 else None
            if not isinstance(status, int):
                raise NetworkError("the server answers no JSON: is it Mastodon?") from failed
            said = " ".join(str(each) for each in failed.args[1:] if each)
            if status == httpx.codes.UNAUTHORIZED or "authorized scopes" in said:
                raise ConfigError(
                    f"{self._own.netloc} does not take the token of {self._options.token_file} "
                    f"({said}): make one under Preferences, Development, as docs/bot.md says"
                ) from None
            if httpx.codes.is_client_error(status):
                raise RefusedError(said) from failed
            raise NetworkError(f"the server answers {said}") from failed
        except mastodon.MastodonError as failed:
            raise NetworkError(failed) from failed


class _Session(requests.Session):
    """Goes nowhere else with the token; answers come whole within a time and a size, or fail."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        end = time.monotonic() + _WHOLE
        answer = super().send(request, **{**options, "stream": True, "allow_redirects": False})
        body = bytearray()
        with contextlib.closing(answer.raw) as raw:
            while part := raw.read1(decode_content=True):
                body += part
                if time.monotonic() > end or len(body) > _MOST:
                    raise requests.Timeout("the answer is too slow, or too long")
        answer.raw = io.BytesIO(body)
        return answer


def _in_thread(call: Callable[[], T]) -> asyncio.Future[T]:
    """In one that the process does not wait for at its end, as it does for a pool's."""
    future: Future[T] = Future()

    def work() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(call())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return asyncio.wrap_future(future)


def _pictures(post: Any) -> list[Any]:
    return [each for each in post.media_attachments if each.type == "image"]

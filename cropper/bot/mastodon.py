"""Mastodon, through Mastodon.py: mentions are answered where they stand.

Photos are fetched from the account's own server and its media hosts, never from a link in a post.
An answer is known by its idempotency key for an hour, and then by its place below the mention.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
from mastodon import (
    Mastodon as Client,
)
from mastodon import (
    MastodonAPIError,
    MastodonError,
    MastodonNotFoundError,
    MastodonRatelimitError,
    MastodonUnauthorizedError,
)

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

_POLL = 2.0  # s; a server takes 300 requests in 5 minutes
_ANSWER = 20.0  # s for the server to read or write
_PROCESSED = 15.0  # s that it may take to make an upload fit for a post
_LOOK = 0.5  # s between two looks at that
_HOPS = 3  # redirects: servers that fetch others' photos send to where they put them
_VERSION = "4.0.0"  # whose calls are made: the library has no need to ask, time and again
    "4.0.0"  # whose calls are made; unsaid, the library asks without end where a server fails
)
_OPEN = ("public", "unlisted")
_LONGEST_ALT = 1500  # characters
_GONE = "The post that this replies to cannot be seen from here."


class Mastodon:
    limits = Limits(text=400, long_side=2560, ratio=1000)  # of 500, less the name that is answered
    help = (
        "Mention me with a photo attached, or in a reply to a post that has one, and I answer with "
        "its best crop, its score and why. I read no links. No photo is kept."
    )
    ids_last = float("inf")

    def __init__(self, token: str, options: BotOptions) -> None:
        self._options = options
        self._own = urlsplit(options.server)
        self._client = Client(
            access_token=token,
            api_base_url=options.server,
            ratelimit_method="throw",
            request_timeout=_ANSWER,
            user_agent="cropper",
            mastodon_version=_VERSION,
        )
        self._client.mastodon_major = 4  # which the library leaves at 1
        self._files = httpx.AsyncClient(timeout=_ANSWER)  # without the token

    async def open(self) -> str:
        self._me = str((await self._ask(self._client.account_verify_credentials)).id)
        return f"mastodon {self._me} {self._own.netloc}"

    async def newest(self) -> str | None:
        found = await self._ask(self._client.notifications, limit=1)
        return str(found[0].id) if found else "0"

    async def receive(self, after: str | None) -> list[Asked]:
        found = await self._ask(
            self._client.notifications, min_id=after, limit=40, types=["mention"]
        )
        if not found:
            await asyncio.sleep(_POLL)
        return [self._asked(each) for each in reversed(found)]

    def _asked(self, mention: Any) -> Asked:
        account, status = mention.account, mention.status
        talks = status is not None and str(account.id) != self._me and not account.bot
        if talks and not _pictures(status):  # thanks to the bot are no question
            talks = str(status.in_reply_to_account_id) != self._me
        return Asked(
            str(mention.id), str(account.id), mention.created_at.timestamp(), status, to_bot=talks
        )

    async def photo(self, asked: Asked) -> Photo | None:
        status = asked.message
        if not _pictures(status) and status.in_reply_to_id is not None:
            try:
                status = await self._ask(self._client.status, status.in_reply_to_id)
            except RefusedError:
                raise PhotoError(_GONE) from None
        pictures = _pictures(status)
        if not pictures:
            return None
        alt = f"The best crop of a photo: {pictures[0].description or 'not described'}"
        return Photo(await self._fetched(pictures[0].url or ""), (alt[:_LONGEST_ALT], status))

    async def _fetched(self, url: str) -> bytes:
        """A file from the server's own hosts. Raises PhotoError."""
        for _ in range(_HOPS):
            if not self._is_own(url):
                raise PhotoError("My server has no copy of this photo: please attach it.")
            try:
                async with self._files.stream("GET", url) as answer:
                    if answer.has_redirect_location:
                        url = urljoin(url, answer.headers["location"])
                        continue
                    if answer.is_server_error or answer.status_code == 429:
                        raise NetworkError(f"a media host answers {answer.status_code}")
                    if not answer.is_success:
                        break
                    return await self._read(answer)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise NetworkError(f"a media host: {type(error).__name__}") from error
        raise PhotoError("This photo cannot be fetched: please attach it again.")

    async def _read(self, answer: httpx.Response) -> bytes:
        data = bytearray()
        async for part in answer.aiter_bytes():
            data += part
            if len(data) > self._options.max_bytes:
                most = self._options.max_mb
                raise PhotoError(f"This file is too large: at most {most:g} MB are taken.")
        return bytes(data)

    def _is_own(self, url: str) -> bool:
        """Whether it is of the server, of a host below it or of one that was named."""
        place = urlsplit(url)
        if place.scheme != self._own.scheme or place.username or not place.hostname:
            return False
        below = place.netloc.endswith(f".{self._own.netloc}")
        return place.netloc == self._own.netloc or below or place.netloc in self._options.media_host

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
        media = []
        if reply.picture is not None:
            media.append(await self._uploaded(reply.picture, alt))
        is_open = mention.visibility in _OPEN and seen.visibility in _OPEN
        await self._ask(
            self._client.status_post,
            f"@{mention.account.acct} {reply.text}",
            in_reply_to_id=mention.id,
            media_ids=media or None,
            visibility="unlisted" if is_open else "direct",  # never to more than saw the photo
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
        while not media.get("url"):
            if time.monotonic() > end:
                raise NetworkError("the server does not make an upload ready", maybe_done=False)
            await asyncio.sleep(_LOOK)
            media = await self._ask(self._client.media, media.id)
        return str(media.id)

    async def close(self) -> None:
        await self._files.aclose()

    async def _ask(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The library is not asynchronous: in a thread; and its errors as the bot's own."""
        with self._told():
            return await asyncio.to_thread(call, *arguments, **options)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except MastodonRatelimitError as busy:
            reset = self._client.ratelimit_reset
            wait = max(reset - time.time(), 1.0) if reset else None
            raise NetworkError("asked to slow down", wait=wait, maybe_done=False) from busy
        except MastodonUnauthorizedError:
            raise ConfigError(
                f"{self._own.netloc} does not take the token of {self._options.token_file}: "
                "make one under Preferences, Development"
            ) from None
        except MastodonNotFoundError as gone:
            raise RefusedError(_words(gone)) from gone
        except MastodonAPIError as failed:
            status = failed.args[1] if len(failed.args) > 1 else None
            if isinstance(status, int) and 400 <= status < 500:
                raise RefusedError(_words(failed)) from failed
            raise NetworkError(_words(failed)) from failed
        except MastodonError as failed:
            raise NetworkError(_words(failed)) from failed


def _pictures(status: Any) -> list[Any]:
    return [each for each in status.media_attachments if each.type == "image"]


def _words(error: MastodonError) -> str:
    return " ".join(str(each) for each in error.args if each)

"""Mastodon, through Mastodon.py: mentions are answered where they stand.

Photos are fetched from the server and its media host, never from another place that a post names.
An answer is known by its idempotency key for an hour, and then by its place below the mention.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import requests
from mastodon import Mastodon as Client
from mastodon import (
    MastodonAPIError,
    MastodonError,
    MastodonNotFoundError,
    MastodonRatelimitError,
    MastodonUnauthorizedError,
)

from cropper.bot import mastodon_calls as calls
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

__all__ = ["Mastodon"]

_POLL = 2.0  # s; a server takes 300 requests in 5 minutes
_ANSWER = 10.0  # s for the server to read or write
_PAUSE = 60.0  # s where a server is asked too often and does not say how long
_LONGEST_PAUSE = 300.0  # s
_PROCESSED = 10.0  # s that it may take to make an upload fit for a post
_LOOK = 0.25  # s between two looks at that
_REQUESTS = 4  # for a file: servers that fetch others' photos send to where they put them, or fail
_VERSION = "4.0.0"  # whose calls are made
_OPEN = ("public", "unlisted")
_LONGEST_ALT = 1500  # characters
_LONGEST_WARNING = 60  # characters of a content warning: it counts among the 500 of a post
_GONE = "I cannot see that post, or not everybody may: please attach the photo to the mention."
_POST = re.compile(r"/(?:(?:deck|web)/)?(?:@[^/]+/(?=\d+/?$)|(?:@|users/)[^/]+/statuses/)(\w+)/?")


class _StrangeError(MessengerError):
    """What no Mastodon server says to anybody."""


class Mastodon:
    limits = MessageLimits(
        text=400, long_side=2560, ratio=1000
    )  # of 500, less the name that is answered
    help = (
        "Mention me with a photo attached, in a reply to a post that has one, or with a link to "
        "such a post on my server, and I answer with its best crop, its score and why. "
        "No photo is kept."
    )
    ids_last = float("inf")

    def __init__(self, token: str, options: BotOptions) -> None:
        self._options = options
        self._own = urlsplit(options.url)
        self._hosts = {self._own.netloc}
        # Without a version the library asks /api/v1/instance, and where that fails it calls itself
        # to ask again, without end; it reads the version only where it is to check it
        self._client = Client(
            access_token=token,
            api_base_url=options.url,
            ratelimit_method="throw",
            request_timeout=_ANSWER,
            user_agent="cropper",
            mastodon_version=_VERSION,
            version_check_mode="created",
            session=calls.Session(),
        )
        self._files = httpx.AsyncClient(timeout=_ANSWER)  # without the token

    async def open(self) -> str:
        try:
            me = await self._ask(self._client.account_verify_credentials)
            if me.get("id") is None:
                raise _StrangeError("an answer without an account")
        except (RefusedError, _StrangeError) as error:
            raise ConfigError(
                f"{self._own.netloc} does not answer as Mastodon does ({error}): check `server` "
                "and the scopes of the token"
            ) from error
        self._me = str(me.id)
        self._hosts.add(urlsplit(me.avatar or self._options.url).netloc)  # where it keeps media
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
        try:
            account, status = mention.account, mention.status
            talks = str(account.id) != self._me and not account.bot
            if str(status.in_reply_to_account_id) == self._me:  # thanks are no question
                talks = talks and bool(_pictures(status) or self._linked(status))
            when = mention.created_at.timestamp()
            return Asked(str(mention.id), str(account.id), when, status, to_bot=talks)
        except (AttributeError, TypeError):  # of what is missing: it holds up no other
            return Asked(str(mention.id), "", 0.0, None, to_bot=False)

    async def photo(self, asked: Asked) -> Photo | None:
        seen = await self._seen(asked.message)
        if seen is None:
            return None
        pictures = _pictures(seen)
        if not pictures:
            raise PhotoError(self.help)
        told = pictures[0].description or "it has no description"
        alt = f"The best crop of a photo: {told}"
        return Photo(await self._fetched(pictures[0].url or ""), (alt[:_LONGEST_ALT], seen))

    async def _seen(self, mention: Any) -> Any:
        """The post that should have a photo: the mention, or what it links to or replies to.

        None in a conversation that named the bot before: replies go on naming it. Raises
        PhotoError for a post that not everybody may see, unless it is the person's own.
        """
        if _pictures(mention):
            return mention
        linked = self._linked(mention)
        number = linked or mention.in_reply_to_id
        if number is None:
            return mention
        try:
            post = await self._ask(self._client.status, number)
        except RefusedError:
            raise PhotoError(_GONE) from None
        if post.visibility not in _OPEN and post.account.id != mention.account.id:
            raise PhotoError(_GONE)
        if not linked and any(str(each.id) == self._me for each in post.mentions):
            return None
        return post

    def _linked(self, status: Any) -> str | None:
        """The id of the first post of this server that a post links to."""
        for link in re.findall(r'href="([^"]*)"', status.content or ""):
            url = unescape(link)
            found = _POST.fullmatch(urlsplit(url).path)
            if found and url.startswith(f"{self._own.scheme}://{self._own.netloc}/"):
                return found[1]
        return None

    async def _fetched(self, url: str) -> bytes:
        """A file from the server's own hosts. Raises PhotoError."""
        for _ in range(_REQUESTS):
            if not self._is_own(url):
                place = urlsplit(url).hostname or "another server"
                raise PhotoError(
                    f"This photo is at {place}, and I fetch from my own server alone: please "
                    "attach it."
                )
            with contextlib.suppress(httpx.HTTPError):
                async with self._files.stream("GET", url) as answer:
                    if answer.has_redirect_location:
                        url = urljoin(url, answer.headers["location"])
                        continue
                    if answer.is_success:
                        return await self._read(answer)
                    if answer.is_client_error:
                        break
            await asyncio.sleep(_LOOK)
        raise PhotoError("This photo cannot be fetched: please attach it again.")

    async def _read(self, answer: httpx.Response) -> bytes:
        data = bytearray()
        async for part in answer.aiter_bytes():
            data += part
            if len(data) > self._options.max_bytes:
                raise PhotoError(self._options.too_large)
        return bytes(data)

    def _is_own(self, url: str) -> bool:
        """Whether it is of the server, of a host below it or of where it keeps media."""
        place = urlsplit(url)
        below = place.netloc.endswith(f".{self._own.netloc}")
        return place.scheme == self._own.scheme and (below or place.netloc in self._hosts)

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
        """To no more people than saw both the mention and the photo."""
        mention = asked.message
        alt, seen = photo.origin if photo else ("", mention)
        media = [await self._uploaded(reply.picture, alt)] if reply.picture is not None else None
        is_open = mention.visibility in _OPEN and seen.visibility in _OPEN
        warning = mention.spoiler_text or seen.spoiler_text or ""
        await self._ask(
            self._client.status_post,
            f"@{mention.account.acct} {reply.text}",
            in_reply_to_id=mention.id,
            media_ids=media,
            visibility="unlisted" if is_open else "direct",
            sensitive=bool(mention.sensitive or seen.sensitive),
            spoiler_text=warning[:_LONGEST_WARNING] or None,
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
                raise MessengerError("the server does not make an upload ready", maybe_done=False)
            await asyncio.sleep(_LOOK)
            media = await self._ask(self._client.media, media.id)
        return str(media.id)

    async def close(self) -> None:
        await self._files.aclose()

    async def _ask(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The library is not asynchronous: in a thread; and its errors as the bot's own."""
        with self._told():
            try:
                async with asyncio.timeout(calls.LONGEST):
                    return await calls.in_thread(lambda: call(*arguments, **options))
            except TimeoutError:
                raise MessengerError(f"no answer within {calls.LONGEST:.0f} s") from None

    def _untaken(self, error: MastodonAPIError) -> ConfigError:
        return ConfigError(
            f"{self._own.netloc} does not take the token of {self._options.token_file} "
            f"({_words(error)}): make one under Preferences, Development, with the scopes of "
            "docs/bot.md"
        )

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except MastodonRatelimitError as busy:
            reset = self._client.ratelimit_reset
            wait = min(max(reset - time.time(), 1.0), _LONGEST_PAUSE) if reset else _PAUSE
            raise MessengerError("asked to slow down", wait=wait, maybe_done=False) from busy
        except MastodonUnauthorizedError as failed:
            raise self._untaken(failed) from None
        except MastodonNotFoundError as gone:
            raise RefusedError(_words(gone)) from gone
        except MastodonAPIError as failed:
            status = failed.args[1]
            if not isinstance(status, int):
                raise _StrangeError("an answer that is no JSON") from failed
            if "authorized scopes" in _words(failed):
                raise self._untaken(failed) from None
            if 400 <= status < 500:
                raise RefusedError(_words(failed)) from failed
            raise MessengerError(_words(failed)) from failed
        except MastodonError as failed:
            cause = failed.__context__
            if isinstance(cause, requests.TooManyRedirects):
                raise _StrangeError("a redirect") from failed
            told = type(cause).__name__ if cause else _words(failed)
            raise MessengerError(f"{self._own.netloc}: {told}") from failed


def _pictures(status: Any) -> list[Any]:
    """Those that the server has no copy of are of an unknown type."""
    return [each for each in status.media_attachments if each.type in ("image", "unknown")]


def _words(error: MastodonError) -> str:
    return " ".join(str(each) for each in error.args if each)

"""Mastodon's API as far as a bot needs it, over HTTP: https://docs.joinmastodon.org/api/."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.bot.server import Answer, Asked, FakeServer
from tests.bot.telegram_server import TOKEN

BOT, PERSON = "100", "200"
_LOOKS = 2  # at an upload before it is processed
_WINDOW = 300.0  # s, of requests that are counted


class MastodonServer(FakeServer):
    """Mentions have ids from 1 on; statuses from 1001 on. A key of idempotency posts once."""

    def __init__(self) -> None:
        super().__init__()
        self.mentions: list[dict[str, Any]] = []
        self.statuses: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.uploads: dict[str, Asked] = {}
        self.posted: list[Asked] = []
        self.after_post: Callable[[], Answer | None] = lambda: None  # what comes in its place
        self._looks: dict[str, int] = {}
        self._keys: dict[str, str] = {}

    def account(self, number: str = PERSON, name: str = "ada", *, bot: bool = False) -> Any:
        return {
            "id": number,
            "username": name,
            "acct": name,
            "display_name": "Ada-Rosalind",
            "locked": False,
            "bot": bot,
            "discoverable": True,
            "group": False,
            "created_at": "2024-11-01T00:00:00.000Z",
            "note": "<p>Photos</p>",
            "url": f"{self.url}/@{name}",
            "uri": f"{self.url}/users/{name}",
            "avatar": f"{self.url}/avatars/original/missing.png",
            "header": f"{self.url}/headers/original/missing.png",
            "followers_count": 1,
            "following_count": 0,
            "statuses_count": 9,
            "last_status_at": "2026-11-01",
            "emojis": [],
            "fields": [],
        }

    def status(self, **more: Any) -> str:
        number = str(1001 + len(self.statuses))
        self.statuses[number] = {
            "id": number,
            "created_at": _iso(time.time()),
            "edited_at": None,
            "account": self.account(),
            "content": f'<p><span class="h-card" translate="no"><a href="{self.url}/@cropper" '
            'class="u-url mention">@<span>cropper</span></a></span></p>',
            "visibility": "public",
            "sensitive": False,
            "spoiler_text": "",
            "language": "en",
            "uri": f"{self.url}/users/ada/statuses/{number}",
            "url": self.link(number),
            "in_reply_to_id": None,
            "in_reply_to_account_id": None,
            "media_attachments": [],
            "reblog": None,
            "mentions": [],
            "tags": [],
            "emojis": [],
            "card": None,
            "poll": None,
            "replies_count": 0,
            "reblogs_count": 0,
            "favourites_count": 0,
            **more,
        }
        return number

    def link(self, number: str) -> str:
        """The address of a status' page."""
        return f"{self.url}/@ada/{number}"

    def mention(self, **status: Any) -> str:
        """Somebody's status that names the bot; the status' id."""
        with self.lock:
            record = self.statuses[self.status(**status)]
            number = str(len(self.mentions) + 1)
            told = {"id": number, "type": "mention", "created_at": record["created_at"]}
            more = {"group_key": f"ungrouped-{number}", "account": record["account"]}
            self.mentions.append({**told, **more, "status": record})
            return str(record["id"])

    def photo(self, data: bytes, **more: Any) -> dict[str, Any]:
        name = f"photo{len(self.files)}.jpg"
        self.files[name] = data
        return {
            "id": name,
            "type": "image",
            "url": f"{self.url}/files/{name}",
            "preview_url": f"{self.url}/files/small-{name}",
            "remote_url": None,
            "text_url": None,
            "meta": {"original": {"width": 600, "height": 400, "size": "600x400", "aspect": 1.5}},
            "description": "A disc",
            "blurhash": "UFBWY:8_0Jxv4mx]t8t64.%M-:IUWGRLs7kC",
            **more,
        }

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/files/"):
            assert "Authorization" not in asked.headers, "the token is not for files"
            name = asked.path.removeprefix("/files/")
            return Answer(self.files[name]) if name in self.files else _missing()
        if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Answer({"error": "The access token is invalid"}, 401)
        _, _, _, *place = asked.path.split("/")
        calls = {
            ("GET", "accounts"): lambda: Answer(self.account(BOT, "cropper", bot=True)),
            ("GET", "notifications"): lambda: Answer(self._newer(asked.fields)),
            ("POST", "media"): lambda: self._uploaded(asked),
            ("GET", "media"): lambda: self._looked(place[1]),
            ("POST", "statuses"): lambda: self._post(asked),
            ("GET", "statuses"): lambda: self._status(*place[1:]),
        }
        answer = calls.get((asked.method, place[0]), _missing)()
        answer.headers |= window(_WINDOW)
        return answer

    def _newer(self, fields: dict[str, Any]) -> list[dict[str, Any]]:
        """The first ones after ``min_id``, or the newest of all; the newest first."""
        assert fields["types[]"] == ["mention"]
        limit = int(fields["limit"])
        with self.lock:
            if "min_id" not in fields:
                return self.mentions[-limit:][::-1]
            newer = [each for each in self.mentions if int(each["id"]) > int(fields["min_id"])]
            return newer[:limit][::-1]

    def _uploaded(self, asked: Asked) -> Answer:
        assert asked.path == "/api/v2/media"
        number = str(5001 + len(self.uploads))
        self.uploads[number] = asked
        return Answer({"id": number, "type": "image", "url": None}, 202)

    def _looked(self, number: str) -> Answer:
        self._looks[number] = self._looks.get(number, 0) + 1
        is_ready = self._looks[number] >= _LOOKS
        url = f"{self.url}/files/{number}.jpg" if is_ready else None
        return Answer({"id": number, "type": "image", "url": url}, 200 if is_ready else 206)

    def _post(self, asked: Asked) -> Answer:
        if len(asked.fields["status"]) > 500:
            return Answer({"error": "Validation failed: Text character limit of 500 exceeded"}, 422)
        for number in asked.fields.get("media_ids[]", []):
            if self._looks.get(number, 0) < _LOOKS:
                return Answer({"error": "Cannot attach files that have not finished"}, 422)
        key = asked.headers["Idempotency-Key"]
        with self.lock:
            if key not in self._keys:
                self.posted.append(asked)
                self._keys[key] = self.status(
                    account=self.account(BOT, "cropper", bot=True),
                    in_reply_to_id=asked.fields["in_reply_to_id"],
                )
        return self.after_post() or Answer(self.statuses[self._keys[key]])

    def _status(self, number: str, context: str = "") -> Answer:
        if number not in self.statuses:
            return _missing()
        if not context:
            return Answer(self.statuses[number])
        below = [each for each in self.statuses.values() if each["in_reply_to_id"] == number]
        return Answer({"ancestors": [], "descendants": below})


def window(seconds: float, left: int = 299) -> dict[str, str]:
    """What each answer tells of the requests that a client may make in a time."""
    limit = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": str(left)}
    return {**limit, "X-RateLimit-Reset": _iso(time.time() + seconds)}


def slow_down(seconds: float) -> Answer:
    return Answer({"error": "Too many requests"}, 429, window(seconds, 0))


def _missing() -> Answer:
    return Answer({"error": "Record not found"}, 404)


def _iso(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat().replace("+00:00", "Z")

"""Mastodon's API as far as a bot needs it, over HTTP: https://docs.joinmastodon.org/api/."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.bot.server import Answer, Asked, FakeServer

TOKEN = "ZqHb1v-fake_token_of_a_bot_x0Yk9eWm3RtUo7LsA"
BOT = {"id": "100", "acct": "cropper", "username": "cropper", "bot": True}
ADA = {"id": "200", "acct": "ada", "username": "ada", "bot": False}


class MastodonServer(FakeServer):
    """Mentions have ids from 1 on; statuses from 1001 on. A key of idempotency posts once."""

    token = TOKEN

    def __init__(self) -> None:
        super().__init__()
        self.mentions: list[dict[str, Any]] = []
        self.statuses: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.uploads: dict[str, Asked] = {}
        self.posted: list[Asked] = []
        self.avatar = ""
        self.looks = 2  # at an upload before it is processed
        self.after_post: Callable[[], Answer | None] = lambda: None  # what comes in its place
        self._looks: dict[str, int] = {}
        self._keys: dict[str, str] = {}

    def status(self, account: Any = ADA, **more: Any) -> str:
        number = str(1001 + len(self.statuses))
        self.statuses[number] = {
            "id": number,
            "created_at": _now(),
            "account": account,
            "content": "<p>@cropper</p>",
            "visibility": "public",
            "sensitive": False,
            "spoiler_text": "",
            "in_reply_to_id": None,
            "in_reply_to_account_id": None,
            "media_attachments": [],
            "mentions": [],
            **more,
        }
        return number

    def mention(self, **status: Any) -> str:
        """Somebody's status that names the bot; the status' id."""
        with self.lock:
            record = self.statuses[self.status(**{"mentions": [BOT], **status})]
            number = str(len(self.mentions) + 1)
            told = {"id": number, "type": "mention", "created_at": _now()}
            self.mentions.append({**told, "account": record["account"], "status": record})
            return str(record["id"])

    def photo(self, data: bytes, host: str | None = None) -> dict[str, Any]:
        name = f"photo{len(self.files)}.jpg"
        self.files[name] = data
        url = f"{host or self.url}/files/{name}"
        return {"id": name, "type": "image", "url": url, "description": "A disc"}

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/files/"):
            assert "Authorization" not in asked.headers, "the token is not for media hosts"
            return Answer(self.files[asked.path.removeprefix("/files/")])
        if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Answer({"error": "The access token is invalid"}, 401)
        _, _, _, *place = asked.path.split("/")
        calls = {
            ("GET", "accounts"): lambda: Answer({**BOT, "avatar": self.avatar}),
            ("GET", "notifications"): lambda: Answer(self._newer(asked.fields)),
            ("POST", "media"): lambda: self._uploaded(asked),
            ("GET", "media"): lambda: self._looked(place[1]),
            ("POST", "statuses"): lambda: self._post(asked),
            ("GET", "statuses"): lambda: self._status(*place[1:]),
        }
        return calls.get((asked.method, place[0]), _missing)()

    def _newer(self, fields: dict[str, Any]) -> list[dict[str, Any]]:
        """The first ones after ``min_id``, or the newest of all; the newest first."""
        limit = int(fields["limit"])
        with self.lock:
            if "min_id" not in fields:
                return self.mentions[-limit:][::-1]
            assert fields["types[]"] == ["mention"]
            newer = [each for each in self.mentions if int(each["id"]) > int(fields["min_id"])]
            return newer[:limit][::-1]

    def _uploaded(self, asked: Asked) -> Answer:
        assert asked.path == "/api/v2/media"
        number = str(5001 + len(self.uploads))
        self.uploads[number] = asked
        return Answer({"id": number, "type": "image", "url": None}, 202)

    def _looked(self, number: str) -> Answer:
        self._looks[number] = self._looks.get(number, 0) + 1
        is_ready = self._looks[number] >= self.looks
        url = f"{self.url}/files/{number}.jpg" if is_ready else None
        return Answer({"id": number, "type": "image", "url": url}, 200 if is_ready else 206)

    def _post(self, asked: Asked) -> Answer:
        if len(asked.fields["status"]) > 500:
            return Answer({"error": "Validation failed: Text character limit of 500 exceeded"}, 422)
        for number in asked.fields.get("media_ids[]", []):
            if self._looks.get(number, 0) < self.looks:
                return Answer({"error": "Cannot attach files that have not finished"}, 422)
        key = asked.headers["Idempotency-Key"]
        with self.lock:
            if key not in self._keys:
                self.posted.append(asked)
                self._keys[key] = self.status(
                    BOT, in_reply_to_id=asked.fields["in_reply_to_id"], content="an answer"
                )
        return self.after_post() or Answer(self.statuses[self._keys[key]])

    def _status(self, number: str, context: str = "") -> Answer:
        if number not in self.statuses:
            return _missing()
        if not context:
            return Answer(self.statuses[number])
        below = [each for each in self.statuses.values() if each["in_reply_to_id"] == number]
        return Answer({"ancestors": [], "descendants": below})


def _missing() -> Answer:
    return Answer({"error": "Record not found"}, 404)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def slow_down(seconds: float | None) -> Answer:
    """429, with the time when the limit ends, as the server writes it, or without."""
    end = datetime.now(UTC) + timedelta(seconds=seconds or 0)
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": end.isoformat()}
    return Answer({"error": "Too many requests"}, 429, headers if seconds else {})

"""Telegram's Bot API as far as a bot needs it, over HTTP: https://core.telegram.org/bots/api."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from tests.bot.server import Answer, Asked, FakeServer

TOKEN = "1234567890:AAEhBOweik6ad6PsVZRXbQw-fake_token0"
BOT = {"id": 1234567890, "is_bot": True, "first_name": "Cropper", "username": "cropper_bot"}
SENDER = {"id": 77, "is_bot": False, "first_name": "Ada-Rosalind", "username": "ada_rosalind"}
PRIVATE = {"id": 77, "type": "private", "first_name": "Ada-Rosalind"}
GROUP = {"id": -9, "type": "supergroup", "title": "A group"}


class TelegramServer(FakeServer):
    """Updates are kept until a higher offset confirms them; they are sent again until then."""

    token = TOKEN

    def __init__(self) -> None:
        super().__init__()
        self.updates: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.sent: list[Asked] = []
        self.posts: dict[tuple[str, int], dict[str, Any]] = {}  # public ones that the bot sees
        self.copies: dict[tuple[int, int], dict[str, Any]] = {}  # of posts, in chats
        self._next = 5000

    def say(self, **message: Any) -> int:
        """A message of somebody to the bot; its update's id."""
        with self.lock:
            number = self._next
            self._next += 1
            record = {
                "message_id": number - 4000,
                "date": int(time.time()),
                "from": SENDER,
                "chat": PRIVATE,
                **message,
            }
            self.updates.append({"update_id": number, "message": record})
            self.lock.notify_all()
            return number

    def photo(self, data: bytes, size: tuple[int, int] = (600, 400)) -> list[dict[str, Any]]:
        """The sizes of a photo that was sent, the largest last."""
        name = f"photo{len(self.files)}"
        self.files[name] = data
        parts = [(f"{name}-small", 90, 60, 1000), (name, *size, len(data))]
        return [
            {"file_id": part, "file_unique_id": part, "width": w, "height": h, "file_size": b}
            for part, w, h, b in parts
        ]

    def document(self, data: bytes, kind: str) -> dict[str, Any]:
        name = f"document{len(self.files)}"
        self.files[name] = data
        more = {"file_name": "IMG 1.HEIC", "mime_type": kind, "file_size": len(data)}
        return {"file_id": name, "file_unique_id": name, **more}

    def answer(self, asked: Asked) -> Answer:
        start = f"/file/bot{TOKEN}/"
        if asked.path.startswith(start):
            return Answer(self.files[asked.path.removeprefix(start).removeprefix("photos/")])
        if not asked.path.startswith(f"/bot{TOKEN}/"):
            return _failed(401, "Unauthorized")
        method = asked.path.rpartition("/")[2]
        found = {
            "getMe": self._me,
            "getUpdates": self._updates,
            "getFile": self._file,
            "sendMessage": self._sent,
            "sendPhoto": self._sent,
            "forwardMessage": self._forwarded,
            "deleteMessage": self._deleted,
        }
        return found[method](asked) if method in found else _failed(404, "Not Found")

    def _me(self, _: Asked) -> Answer:
        return _done(BOT)

    def _updates(self, asked: Asked) -> Answer:
        offset, limit = int(asked.fields.get("offset", 0)), int(asked.fields.get("limit", 100))
        assert json.loads(asked.fields["allowed_updates"]) == ["message"]
        end = time.monotonic() + min(float(asked.fields.get("timeout", 0)), 2)
        with self.lock:
            if offset:
                self.updates = [each for each in self.updates if each["update_id"] >= offset]
            while not self.updates and time.monotonic() < end:
                self.lock.wait(0.1)
            return _done(self.updates[:limit])

    def _file(self, asked: Asked) -> Answer:
        name = asked.fields["file_id"]
        if name not in self.files:
            return _failed(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        size = len(self.files[name])
        if size > 20_000_000:
            return _failed(400, "Bad Request: file is too big")
        record = {"file_id": name, "file_unique_id": name, "file_size": size}
        return _done({**record, "file_path": f"photos/{name}"})

    def _sent(self, asked: Asked) -> Answer:
        if len(asked.fields.get("caption", "")) > 1024:
            return _failed(400, "Bad Request: message caption is too long")
        with self.lock:
            self.sent.append(asked)
            self.lock.notify_all()
        chat = {"id": int(asked.fields["chat_id"]), "type": "private"}
        return _done({"message_id": 1, "date": int(time.time()), "chat": chat, "text": "sent"})

    def _forwarded(self, asked: Asked) -> Answer:
        name, number = asked.fields["from_chat_id"], int(asked.fields["message_id"])
        if name not in {chat for chat, _ in self.posts}:
            return _failed(400, "Bad Request: chat not found")
        if (name, number) not in self.posts:  # nor if the bot is not in that chat
            return _failed(400, "Bad Request: message to forward not found")
        post = self.posts[name, number]
        if post.get("has_protected_content"):
            words = "Bad Request: message has protected content and can't be forwarded"
            return _failed(400, words)
        channel = {"id": -1001, "type": "channel", "title": "A channel", "username": name[1:]}
        origin = {"type": "channel", "date": 1, "chat": channel, "message_id": number}
        chat = int(asked.fields["chat_id"])
        with self.lock:
            place = chat, 9000 + len(self.asked_for("/forwardMessage"))
            self.copies[place] = {
                "message_id": place[1],
                "date": int(time.time()),
                "from": BOT,
                "chat": {"id": chat, "type": "private" if chat > 0 else "supergroup"},
                "forward_origin": origin,
                **post,
            }
        return _done(self.copies[place])

    def _deleted(self, asked: Asked) -> Answer:
        place = int(asked.fields["chat_id"]), int(asked.fields["message_id"])
        if self.copies.pop(place, None) is None:
            return _failed(400, "Bad Request: message to delete not found")
        return _done(True)


def text_of(sent: Asked) -> str:
    return str(sent.fields.get("caption") or sent.fields["text"])


def linking(text: str) -> dict[str, Any]:
    """A text with its links marked as the server marks them: in UTF-16 units."""
    entities = [
        {
            "type": "url",
            "offset": len(text[: link.start()].encode("utf-16-le")) // 2,
            "length": len(link[0]),
        }
        for link in re.finditer(r"(https?://)?[\w.]+\.\w+/\S+", text)
    ]
    return {"text": text, "entities": entities}


def _done(result: Any) -> Answer:
    return Answer({"ok": True, "result": result})


def _failed(code: int, words: str, **parameters: Any) -> Answer:
    more = {"parameters": parameters} if parameters else {}
    return Answer({"ok": False, "error_code": code, "description": words, **more}, code)


def slow_down(seconds: int) -> Answer:
    return _failed(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)

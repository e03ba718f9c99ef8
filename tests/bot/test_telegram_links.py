"""Links to posts on Telegram: forwarded, judged, and the copy deleted again."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.bot.conftest import running, until
from tests.bot.server import Answer
from tests.bot.telegram_server import GROUP, TelegramServer, linking, slow_down, text_of

pytest.importorskip("telegram")
pytestmark = pytest.mark.slow

NATURE = "https://t.me/nature/123"
GONE = "I cannot see that post, or it holds no photo"


def methods(server: TelegramServer) -> list[str]:
    """What was asked for, in order; files and the wait for messages left out."""
    names = [each.path.rpartition("/")[2] for each in server.requests if "/file/" not in each.path]
    return [name for name in names if name not in ("getMe", "getUpdates")]


def test_a_link_is_answered_as_its_photo_and_leaves_no_copy(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes
) -> None:
    photo = telegram.photo(photo_jpeg)
    telegram.posts["@nature", 123] = {"photo": photo}
    crop = {"message_id": 3, "date": 1, "chat": GROUP, "photo": telegram.photo(b"another")}
    topic = {"chat": GROUP, "message_thread_id": 5, "is_topic_message": True}
    hidden = {"type": "text_link", "offset": 0, "length": 4, "url": NATURE}
    asks = [
        linking(f"🌍 look: {NATURE} and https://t.me/another/5"),
        linking("https://t.me/s/nature/123"),
        linking("http://telegram.me/nature/123?single"),
        linking("t.me/nature/7/123"),  # of a topic
        {"text": "this", "entities": [hidden]},
        {**linking(f"/crop {NATURE}"), **topic, "reply_to_message": crop},
    ]
    for each in asks:
        telegram.say(**each)
    with running(tmp_path, "telegram", telegram):
        until(lambda: not telegram.updates)
    assert methods(telegram) == [
        "forwardMessage",
        "getFile",
        "deleteMessage",
        "sendPhoto",
    ] * len(asks)
    assert telegram.copies == {}
    forwards = telegram.asked_for("/forwardMessage")
    assert {each.fields["from_chat_id"] for each in forwards} == {"@nature"}
    assert {each.fields["message_id"] for each in forwards} == {"123"}
    assert {each.fields["disable_notification"] for each in forwards} == {"true"}
    assert [each.fields["chat_id"] for each in forwards] == ["77"] * 5 + ["-9"]
    assert [each.fields.get("message_thread_id") for each in forwards] == [None] * 5 + ["5"]
    assert all(text_of(each).startswith("Score") for each in telegram.sent)
    hosts = {each.headers["Host"] for each in telegram.requests}
    assert hosts == {telegram.url.removeprefix("http://")}


def test_other_links_are_not_followed(tmp_path: Path, telegram: TelegramServer) -> None:
    links = [
        "https://t.me/c/1234567890/5",
        "https://t.me/nature",
        "https://t.me/+AbCdEf",
        "https://t.me/joinchat/123",
        "https://t.me/nature/123?comment=5",
        "https://t.me/nature/s/5",
        "https://example.com/t.me/nature/123",
        "https://t.me.example.com/nature/123",
    ]
    for each in links:
        telegram.say(**linking(each))
    with running(tmp_path, "telegram", telegram, "--per-minute", 20):
        until(lambda: not telegram.updates)
    assert methods(telegram) == ["sendMessage"] * len(links)
    assert all(text_of(each).startswith("Send me") for each in telegram.sent)


def test_posts_that_cannot_be_judged_are_told_of_and_the_next_is_answered(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes
) -> None:
    photo = telegram.photo(photo_jpeg)
    telegram.posts = {
        ("@nature", 1): {"text": "no photo"},
        ("@nature", 2): {"photo": photo, "has_protected_content": True},
        ("@nature", 3): {"document": telegram.document(b"%PDF-1.7", "application/pdf")},
        ("@nature", 4): {"photo": telegram.photo(b"no picture at all")},
        ("@nature", 5): {"photo": telegram.photo(b"\0" * 400_000)},
        ("@nature", 123): {"photo": photo},
    }
    kicked = "Forbidden: bot was kicked from the channel chat"
    forbidden = Answer({"ok": False, "error_code": 403, "description": kicked}, 403)
    telegram.faults = {"/forwardMessage": [forbidden]}
    for place in ("nature/123", "nobody/1", *(f"nature/{n}" for n in (9, 1, 2, 3, 4, 5, 123))):
        telegram.say(**linking(f"https://t.me/{place}"))
    options = ("--max-mb", 0.3, "--per-minute", 9)
    with running(tmp_path, "telegram", telegram, *options) as bot:
        until(lambda: not telegram.updates)
        assert bot.process.poll() is None
    told = [text_of(each) for each in telegram.sent]
    assert [each.startswith(GONE) for each in told] == [True] * 6 + [False] * 3
    assert "cannot be read as a picture" in told[6]
    assert "at most 0.3 MB" in told[7]
    assert told[8].startswith("Score")
    assert telegram.copies == {}
    assert len(telegram.asked_for("/deleteMessage")) == 5  # as many as there were copies


def test_what_fails_on_the_way_is_tried_again_and_leaves_no_copy(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes
) -> None:
    """Too much at once, no server; a deletion that fails, and a file that takes too long."""
    telegram.posts["@nature", 123] = {"photo": telegram.photo(photo_jpeg)}
    for _ in range(2):
        telegram.say(**linking(NATURE))

    def late() -> Answer:
        time.sleep(3)
        return Answer(b"", 500)

    telegram.faults = {
        "/forwardMessage": [slow_down(1), Answer(b"", 502)],
        "/getFile": [late],
        "/deleteMessage": [Answer(b"", 500), slow_down(1)],
    }
    with running(tmp_path, "telegram", telegram, "--time-limit", 2) as bot:
        until(lambda: not telegram.updates and not telegram.copies)
        assert bot.said().count("next try in") == 2
    assert "could not be fetched in time" in text_of(telegram.sent[0])
    assert text_of(telegram.sent[1]).startswith("Score")
    assert len(telegram.sent) == 2


def test_links_are_counted_and_a_restart_loses_and_repeats_nothing(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes
) -> None:
    telegram.posts["@nature", 123] = {"photo": telegram.photo(photo_jpeg)}
    asked = [telegram.say(**linking(NATURE)) - 4000 for _ in range(8)]
    options = ("--per-minute", 7)
    with running(tmp_path, "telegram", telegram, *options) as bot:
        until(lambda: len(telegram.sent) >= 3)
        assert bot.end(signal.SIGTERM) == 0
        assert telegram.copies == {}
    with running(tmp_path, "telegram", telegram, *options):
        until(lambda: not telegram.updates)
    answered = [json.loads(each.fields["reply_parameters"])["message_id"] for each in telegram.sent]
    assert answered == [asked[-1], *asked[:-1]]  # the eighth is told first that it is too many
    assert text_of(telegram.sent[0]).startswith("That is too fast")
    assert len(telegram.asked_for("/forwardMessage")) == 7
    assert telegram.copies == {}

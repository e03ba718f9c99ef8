"""``cropper bot mastodon`` as a process, through Mastodon.py, against a local server."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bot.conftest import Running, running, size_of, until
from tests.bot.mastodon_server import BOT, MastodonServer
from tests.bot.server import Answer
from tests.bot.telegram_server import TOKEN

pytest.importorskip("mastodon")
pytestmark = pytest.mark.slow

QUICK = "import cropper.bot.mastodon\ncropper.bot.mastodon._POLL = 0.05\n"


@contextmanager
def begun(folder: Path, server: MastodonServer, *options: object) -> Iterator[Running]:
    """A bot that has looked which mentions are older than it."""
    with running(folder, "mastodon", server, *options, prelude=QUICK) as bot:
        until(lambda: "answering with" in bot.said())
        yield bot


def is_done(folder: Path, server: MastodonServer) -> bool:
    """Whether the state's last message is the last mention."""
    return f'"answered": "{len(server.mentions)}"' in (folder / "token.state").read_text("utf-8")


def test_a_mention_with_a_photo_is_answered_once_with_its_crop(
    tmp_path: Path, mastodon: MastodonServer, photo_jpeg: bytes
) -> None:
    mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg)])  # before the bot was there
    with begun(tmp_path, mastodon) as bot:
        asked = mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg)])
        until(lambda: is_done(tmp_path, mastodon))
        assert bot.end(signal.SIGTERM) == 0
        said = bot.said()
    (posted,) = mastodon.posted
    assert posted.fields["status"].startswith("@ada Score -0.")
    assert posted.fields["in_reply_to_id"] == asked
    assert posted.fields["visibility"] == "unlisted"
    ((number, upload),) = mastodon.uploads.items()
    assert posted.fields["media_ids[]"] == [number]
    assert upload.fields["description"] == "The best crop of a photo: A disc"
    width, height = size_of(upload.fields["file"])
    assert width < 600
    assert abs(width - 1.5 * height) <= 1.5
    assert TOKEN not in said + (tmp_path / "token.state").read_text()


def test_replies_and_words_and_who_is_not_answered(
    tmp_path: Path, mastodon: MastodonServer, photo_jpeg: bytes
) -> None:
    """An answer is seen by no more people than the photo was."""
    photos = [mastodon.photo(photo_jpeg)]
    post = mastodon.status(media_attachments=photos, visibility="private", spoiler_text="A disc")
    own = {"in_reply_to_id": mastodon.status(BOT), "in_reply_to_account_id": BOT}
    machine = {"id": "300", "acct": "robot", "username": "robot", "bot": True}
    asks: list[dict[str, Any]] = [
        {"in_reply_to_id": post, "in_reply_to_account_id": "200"},
        {"content": "https://example.com/photo.jpg"},
        own,  # thanks
        {"account": machine["id"], "media_attachments": photos},
        {"in_reply_to_id": "9999", "in_reply_to_account_id": "200"},  # deleted
    ]
    with begun(tmp_path, mastodon):
        for each in asks:
            mastodon.mention(**each)
        mastodon.mentions[3]["account"].update(machine)
        until(lambda: is_done(tmp_path, mastodon))
    told = [each.fields["status"].removeprefix("@ada ")[:17] for each in mastodon.posted]
    assert told == ["Score -0.06; the ", "Mention me with a", "The post that thi"]
    crop = mastodon.posted[0].fields
    assert (crop["visibility"], crop["spoiler_text"]) == ("direct", "A disc")


def test_an_answer_that_came_through_unseen_is_not_repeated(
    tmp_path: Path, mastodon: MastodonServer, photo_jpeg: bytes
) -> None:
    """The server posts, and then says 502; another time the bot is killed before it hears."""
    mastodon.after_post = lambda: Answer(b"bad gateway", 502)
    with begun(tmp_path, mastodon) as bot:
        mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg)])
        until(lambda: is_done(tmp_path, mastodon))
        assert "message 1: was answered before" in bot.said()
        held = threading.Event()
        mastodon.after_post = lambda: held.wait(30) and None
        mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg)])
        until(lambda: len(mastodon.posted) == 2)
        assert bot.end(signal.SIGKILL) == -signal.SIGKILL
    held.set()
    mastodon.mention(content="while nobody is there")
    with begun(tmp_path, mastodon) as bot:
        until(lambda: is_done(tmp_path, mastodon))
        assert "message 2: was answered before" in bot.said()
    answered = [each.fields["in_reply_to_id"] for each in mastodon.posted]
    assert answered == [each["status"]["id"] for each in mastodon.mentions]


def test_the_server_is_waited_for(
    tmp_path: Path, mastodon: MastodonServer, photo_jpeg: bytes
) -> None:
    with begun(tmp_path, mastodon) as bot:
        mastodon.faults = {
            "/notifications": [Answer(b"", 503), Answer({"error": "Too many requests"}, 429)],
            "/media": [Answer(b"", 500)],
            "/photo0.jpg": [Answer(b"", 503)],
        }
        mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg)])
        until(lambda: is_done(tmp_path, mastodon))
        assert bot.said().count("next try in") == 4
    assert len(mastodon.posted) == 1


def test_a_token_that_is_not_taken_ends_the_start(tmp_path: Path, mastodon: MastodonServer) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("another-token-of-nobody")
    with running(tmp_path, "mastodon", mastodon) as bot:
        assert bot.process.wait(60) == 2
    assert "does not take the token of" in bot.said()
    assert "another-token-of-nobody" not in bot.said()

"""``cropper bot mastodon`` as a process, through Mastodon.py, against a local server."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bot.conftest import Running, running, size_of, until
from tests.bot.mastodon_server import BOT, MastodonServer, slow_down
from tests.bot.server import Answer
from tests.bot.telegram_server import TOKEN

pytest.importorskip("mastodon")
pytestmark = pytest.mark.slow

QUICK = """
import cropper.bot.loop, cropper.bot.mastodon as quick
cropper.bot.loop._LONGEST = 1.0
quick._POLL, quick._WHOLE, quick._SLOW_DOWN = 0.05, 1.0, 1.0
"""
PAGE = b"<!doctype html><html><body>Welcome to nginx!</body></html>"
HTML = {"Content-Type": "text/html"}


@contextmanager
def begun(folder: Path, server: MastodonServer, *options: object) -> Iterator[Running]:
    """A bot that has looked which mentions are older than it."""
    with running(folder, "mastodon", server, *options, prelude=QUICK) as bot:
        until(lambda: "answering with" in bot.said())
        yield bot


def is_done(folder: Path, server: MastodonServer) -> bool:
    """Whether the state's last message is the last mention."""
    return f'"answered": "{len(server.mentions)}"' in (folder / "token.state").read_text("utf-8")


def told(server: MastodonServer) -> list[str]:
    return [each.fields["status"].removeprefix("@ada ") for each in server.posted]


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
    assert posted.fields["sensitive"] == "0"
    ((number, upload),) = mastodon.uploads.items()
    assert posted.fields["media_ids[]"] == [number]
    assert upload.fields["description"] == "The best crop of a photo: A disc"
    width, height = size_of(upload.fields["file"])
    assert width < 600
    assert abs(width - 1.5 * height) <= 1.5  # three to two, as the photo
    kept = said + (tmp_path / "token.state").read_text()
    assert not [each for each in (TOKEN, "Rosalind", "ada") if each in kept]
    assert not mastodon.asked_for("/instance/")  # the library would ask for it without end


def test_replies_links_words_and_who_is_not_answered(
    tmp_path: Path, mastodon: MastodonServer, photo_jpeg: bytes
) -> None:
    """An answer is seen by no more people than the photo was."""
    photos = [mastodon.photo(photo_jpeg)]
    other = mastodon.account("201", "bob")
    own = mastodon.status(media_attachments=photos, visibility="private", spoiler_text="A disc")
    public = mastodon.status(media_attachments=photos, account=other, sensitive=True)
    private = mastodon.status(media_attachments=photos, account=other, visibility="private")
    answer = mastodon.status(account=mastodon.account(BOT, "cropper", bot=True))
    to_me = {"in_reply_to_id": answer, "in_reply_to_account_id": BOT}
    link = f'<p><a href="{mastodon.link(public)}" target="_blank">a disc</a></p>'
    asks: list[dict[str, Any]] = [
        {"in_reply_to_id": own, "in_reply_to_account_id": "200"},  # crop
        {"in_reply_to_id": public, "in_reply_to_account_id": "201"},  # crop
        {"content": link, **to_me},  # crop
        {"media_attachments": photos, "visibility": "direct"},  # crop
        {"in_reply_to_id": private, "in_reply_to_account_id": "201"},  # not theirs to show
        {"in_reply_to_id": "9999", "in_reply_to_account_id": "201"},  # deleted
        {"content": '<a href="https://elsewhere.example/@bob/1002">a disc</a>'},  # help
        {"content": "thanks!", **to_me},
        {"account": mastodon.account("300", "robot", bot=True), "media_attachments": photos},
        {"account": mastodon.account(BOT, "cropper"), "media_attachments": photos},
    ]
    with begun(tmp_path, mastodon, "--per-minute", 99) as bot:
        for each in asks:
            mastodon.mention(**each)
        mastodon.mentions.append({"id": "11", "type": "mention", "created_at": "soon"})
        until(lambda: is_done(tmp_path, mastodon))
        assert "next try in" not in bot.said()
    first = [each.split()[0] for each in told(mastodon)]
    assert first == [*["Score"] * 4, *["I"] * 2, "Mention"]
    seen = [each.fields["visibility"] for each in mastodon.posted]
    assert seen == ["direct", "unlisted", "unlisted", "direct", *["unlisted"] * 3]
    assert mastodon.posted[0].fields["spoiler_text"] == "A disc"
    hidden = [each.fields["sensitive"] for each in mastodon.posted]
    assert hidden == ["0", "1", "1", *["0"] * 4]
    hosts = {each.headers["Host"] for each in mastodon.requests}
    assert hosts == {mastodon.url.removeprefix("http://")}


def test_files_that_cannot_be_fetched_or_read_and_the_next_photo(
    tmp_path: Path, mastodon: MastodonServer, photo_jpeg: bytes
) -> None:
    moved = {"Location": f"{mastodon.url}/files/photo0.jpg"}
    away = {"Location": "ftp://127.0.0.1/photo0.jpg"}
    mastodon.faults = {
        "/photo3.jpg": [Answer(b"", 302, away)],
        "/photo4.jpg": [Answer(b"", 302, {"Location": "photo4.jpg"})] * 9,
        "/photo5.jpg": [Answer(b"", 302, moved)],
    }
    files = [
        mastodon.photo(photo_jpeg, url=f"{mastodon.url}/files/gone.jpg"),
        mastodon.photo(b"\0" * 400_000),  # too many bytes
        mastodon.photo(b"no picture at all"),
        mastodon.photo(photo_jpeg),  # moved to where nothing is fetched from
        mastodon.photo(photo_jpeg),  # moved without end
        mastodon.photo(photo_jpeg),  # moved
        mastodon.photo(photo_jpeg, url=None, remote_url="http://127.0.0.1:1/photo.jpg"),
    ]
    with begun(tmp_path, mastodon, "--max-mb", 0.3, "--per-minute", 99):
        for each in files:
            mastodon.mention(media_attachments=[each])
        until(lambda: is_done(tmp_path, mastodon))
    unread = "This photo cannot be fetched: please attach it again."
    answers = told(mastodon)
    assert answers[0] == answers[3] == answers[4] == answers[6] == unread
    assert answers[1].startswith("This file is too large: at most 0.3 MB")
    assert answers[2].startswith("This file cannot be read as a picture")
    assert answers[5].startswith("Score")


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


def test_the_server_is_waited_for_and_nothing_is_lost(
    tmp_path: Path, mastodon: MastodonServer, photo_jpeg: bytes
) -> None:
    slow = Answer(b"[" + b" " * 600 + b"]", drip=0.1)  # each byte in time, the whole never
    with begun(tmp_path, mastodon) as bot:
        mastodon.faults = {
            "/notifications": [Answer(b"", 503), Answer(PAGE, 200, HTML), slow, Answer({"a": 1})],
            "/media": [Answer(b"", 500), slow_down(-5)],
            "/photo0.jpg": [Answer(b"", 503)],
            "/api/v1/statuses": [slow_down(-5)],
        }
        mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg)])
        until(lambda: is_done(tmp_path, mastodon))
        said = bot.said()
    assert len(mastodon.posted) == 1
    for reason, times in [
        ("the server answers 503 Service Unavailable; next", 1),
        ("the server answers no JSON: is it Mastodon?; next", 1),
        ("the answer is too slow", 1),
        ("does not answer with notifications; next", 1),
        ("the server answers 500 Internal Server Error; next", 1),
        ("asked to slow down; next try in 1 s", 2),
        ("the host of a photo answers 503; next", 1),
    ]:
        assert said.count(reason) == times, reason
    assert said.count("next try in") == 8


def network(server: MastodonServer, folder: Path, token: str = TOKEN) -> Any:
    from cropper.bot.mastodon import Mastodon  # noqa: PLC0415 - an extra
    from cropper.bot.options import BotOptions  # noqa: PLC0415

    return Mastodon(token, BotOptions("mastodon", folder / "token", server=server.url))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(PAGE, 404, HTML), "404 Not Found.*check `server`"),
        (Answer({"hello": "world"}), "does not answer as Mastodon: check `server`"),
        (Answer([1]), "does not answer as Mastodon: check `server`"),
        (Answer({"error": "The access token was revoked"}, 401), "does not take the token of"),
        (Answer({"error": "This action is outside the authorized scopes"}, 403), "scopes.*docs"),
        (Answer({"error": "Your login is currently disabled"}, 403), "currently disabled"),
    ],
)
def test_what_no_waiting_mends_ends_the_start(
    tmp_path: Path,
    mastodon: MastodonServer,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    message: str,
) -> None:
    from cropper.errors import ConfigError  # noqa: PLC0415

    monkeypatch.setenv("NO_PROXY", "*")
    mastodon.faults = {"/verify_credentials": [answer]}
    with pytest.raises(ConfigError, match=message):
        asyncio.run(network(mastodon, tmp_path).open())
    assert len(mastodon.requests) == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(b"", 500), "the server answers 500"),
        (Answer(PAGE, 200, HTML), "no JSON: is it Mastodon"),
        (Answer(b"", 301, {"Location": "http://127.0.0.1:1/"}), "no JSON: is it Mastodon"),
        (Answer({}, headers={"Content-Length": "50"}), "Could not complete request"),
        (Answer({}, drip=0.6), "too slow, or too long"),
        (Answer(b" " * 20_000), "too slow, or too long"),
    ],
)
def test_what_is_tried_again_is_asked_for_once(
    tmp_path: Path,
    mastodon: MastodonServer,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    message: str,
) -> None:
    from cropper.bot.network import NetworkError  # noqa: PLC0415

    monkeypatch.setenv("NO_PROXY", "*")
    for name, value in {"_ANSWER": 2.0, "_WHOLE": 0.5, "_MOST": 10_000}.items():
        monkeypatch.setattr(f"cropper.bot.mastodon.{name}", value)
    mastodon.faults = {"/verify_credentials": [answer]}
    started = time.monotonic()
    with pytest.raises(NetworkError, match=message):
        asyncio.run(network(mastodon, tmp_path).open())
    assert time.monotonic() - started < 10
    assert len(mastodon.requests) == 1


@pytest.mark.parametrize(("seconds", "wait"), [(100, 100), (1e9, 1800), (-5, 30), (None, 30)])
def test_a_wait_that_is_asked_for_is_kept_within_reason(
    tmp_path: Path,
    mastodon: MastodonServer,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float | None,
    wait: float,
) -> None:
    """The library, left alone, waits on its own."""
    from cropper.bot.network import NetworkError  # noqa: PLC0415

    monkeypatch.setenv("NO_PROXY", "*")
    answer = Answer(b"", 429) if seconds is None else slow_down(seconds)
    mastodon.faults = {"/verify_credentials": [answer]}
    with pytest.raises(NetworkError, match="slow down") as caught:
        asyncio.run(network(mastodon, tmp_path).open())
    assert caught.value.wait == pytest.approx(wait, abs=5)
    assert len(mastodon.requests) == 1


def test_a_head_without_an_end_is_not_waited_for(
    tmp_path: Path, mastodon: MastodonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time."""
    from cropper.bot.network import NetworkError  # noqa: PLC0415

    monkeypatch.setenv("NO_PROXY", "*")
    for name in ("_ANSWER", "_WHOLE"):
        monkeypatch.setattr(f"cropper.bot.mastodon.{name}", 0.5)

    def drip(listener: socket.socket) -> None:
        with contextlib.suppress(OSError), listener.accept()[0] as connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not over.wait(0.05):
                connection.sendall(b"a")

    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=[listener], daemon=True).start()
        mastodon.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(NetworkError, match="does not end its answer"):
            asyncio.run(network(mastodon, tmp_path).open())
        assert time.monotonic() - started < 10
        over.set()


def test_an_upload_that_is_never_ready_and_a_lone_server(
    tmp_path: Path, mastodon: MastodonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the calls that are needed is 404, as on servers without /api/v1/instance."""
    from cropper.bot.network import NetworkError  # noqa: PLC0415

    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr("cropper.bot.mastodon._PROCESSED", 1.0)
    mastodon.faults = {"/5001": [Answer({"id": "5001", "type": "image", "url": None}, 206)] * 99}
    with pytest.raises(NetworkError, match="does not make an upload ready"):
        asyncio.run(network(mastodon, tmp_path)._uploaded(b"a JPEG", "A disc"))
    assert {each.path for each in mastodon.requests} == {"/api/v2/media", "/api/v1/media/5001"}


def test_a_token_that_is_not_taken_ends_the_command(
    tmp_path: Path, mastodon: MastodonServer
) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("another-token-of-nobody")
    with running(tmp_path, "mastodon", mastodon) as bot:
        assert bot.process.wait(60) == 2
    assert "does not take the token of" in bot.said()
    assert "another-token-of-nobody" not in bot.said()


def test_a_server_has_to_be_named(tmp_path: Path) -> None:
    from cropper.bot.options import BotOptions  # noqa: PLC0415
    from cropper.errors import ConfigError  # noqa: PLC0415

    with pytest.raises(ConfigError, match="name that of the bot's account"):
        BotOptions("mastodon", tmp_path / "token")

"""``cropper bot mastodon`` as a process, through Mastodon.py, against a local server."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cropper.bot import BotOptions
from cropper.errors import ConfigError
from tests.bot.conftest import Running, running, size_of, until
from tests.bot.mastodon_server import BOT, TOKEN, MastodonServer, slow_down
from tests.bot.server import Answer, Asked

pytest.importorskip("mastodon")
pytestmark = pytest.mark.slow

QUICK = "import cropper.bot.mastodon as it\nit._POLL = it._LOOK = 0.05\n"
SOON = "import cropper.bot.loop\ncropper.bot.loop._LONGEST = 0.1\n"
MANY = ("--per-minute", 99)
HTML = Answer(b"<html>welcome</html>")


@contextmanager
def begun(
    folder: Path, server: MastodonServer, *options: object, prelude: str = ""
) -> Iterator[Running]:
    """A bot that has looked which mentions are older than it."""
    with running(folder, "mastodon", server, *options, prelude=QUICK + prelude) as bot:
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
    """The server has no /api/v1/instance: the library must not ask for it, which has no end."""
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
    assert abs(width - 1.5 * height) <= 1.5  # three to two, as the photo
    assert not [each for each in mastodon.requests if "instance" in each.path]
    assert {each.name for each in tmp_path.iterdir()} == {"token", "token.state", "log"}
    kept = said + (tmp_path / "token.state").read_text()
    assert not [each for each in (TOKEN, "ada", "A disc") if each in kept]


def test_replies_links_and_who_is_not_answered(
    tmp_path: Path, mastodon: MastodonServer, photo_jpeg: bytes
) -> None:
    photos = [mastodon.photo(photo_jpeg)]
    machine = {"id": "300", "acct": "robot", "username": "robot", "bot": True}
    ben = {"id": "400", "acct": "ben", "username": "ben", "bot": False}
    post = mastodon.status(media_attachments=photos)
    own = mastodon.status(media_attachments=photos, visibility="private")
    bens = mastodon.status(media_attachments=photos, visibility="private", account=ben)
    named = mastodon.status(media_attachments=photos, mentions=[BOT])
    link = '<p>@cropper <a href="{}/@ben/{}">it</a></p>'.format
    timeline = link(mastodon.url, "with_replies")  # no post, whatever stands beside it
    thanks = {"in_reply_to_id": mastodon.status(BOT), "in_reply_to_account_id": BOT["id"]}
    asks: list[dict[str, Any]] = [
        {"in_reply_to_id": post},  # crop
        {"content": link(mastodon.url, post)},  # crop
        {"content": timeline + link(mastodon.url, f"statuses/{post}")},  # crop
        {"content": link(f"{mastodon.url}/deck", post)},  # crop
        {"content": timeline},  # help
        {"content": link(mastodon.url, own)},  # crop, to them alone
        {"content": link(mastodon.url, bens)},  # not for their eyes
        {"content": link("https://other.example", post)},  # help
        {"in_reply_to_id": "9999"},  # deleted
        {"in_reply_to_id": named},  # a conversation that named the bot before
        thanks,
        {"account": machine, "media_attachments": photos},
        {"account": {**BOT, "bot": False}, "media_attachments": photos},
        {"account": None},  # of a server that fails
    ]
    with begun(tmp_path, mastodon, *MANY) as bot:
        for each in asks:
            mastodon.mention(**each)
        until(lambda: is_done(tmp_path, mastodon))
        assert "next try in" not in bot.said()
    starts = [*["Score"] * 4, "Mention me", "Score", "I cannot see", "Mention me", "I cannot see"]
    assert [each[: len(s)] for each, s in zip(told(mastodon), starts, strict=True)] == starts
    shown = [each.fields["visibility"] for each in mastodon.posted]
    assert shown == [*["unlisted"] * 5, "direct", *["unlisted"] * 3]
    assert {each.headers["Host"] for each in mastodon.requests} == {mastodon.url[len("http://") :]}


def test_an_answer_is_shown_to_no_more_people_than_the_mention_and_as_covered(
    tmp_path: Path, mastodon: MastodonServer, photo_jpeg: bytes
) -> None:
    bare = {**mastodon.photo(photo_jpeg), "description": None}
    covered = mastodon.status(media_attachments=[bare], sensitive=True, spoiler_text="A disc")
    with begun(tmp_path, mastodon, *MANY):
        for visibility in ("public", "unlisted", "private", "direct"):
            mastodon.mention(media_attachments=[bare], visibility=visibility)
        mastodon.mention(in_reply_to_id=covered)
        mastodon.mention(media_attachments=[bare], sensitive=True, spoiler_text="x" * 400)
        until(lambda: is_done(tmp_path, mastodon))
    fields = [each.fields for each in mastodon.posted]
    shown = [each["visibility"] for each in fields]
    assert shown == ["unlisted", "unlisted", "direct", "direct", "unlisted", "unlisted"]
    covers = [(each.get("sensitive"), each.get("spoiler_text")) for each in fields]
    assert covers[4:] == [("1", "A disc"), ("1", "x" * 60)]
    assert {each for each, _ in covers[:4]} <= {"0", None}
    uploads = [each.fields["description"] for each in mastodon.uploads.values()]
    assert uploads == ["The best crop of a photo: it has no description"] * 6


def test_photos_are_fetched_from_the_servers_own_hosts_alone(
    tmp_path: Path, mastodon: MastodonServer, photo_jpeg: bytes
) -> None:
    foreign = mastodon.url.replace("127.0.0.1", "localhost")
    mastodon.faults = {
        "/photo1.jpg": [Answer(b"", 302, {"Location": f"{foreign}/files/photo0.jpg"})],
        "/photo2.jpg": [Answer(b"", 302, {"Location": "/files/photo1.jpg"})],
    }
    mastodon.faults["/photo5.jpg"] = [Answer(b"", 500)] * 99
    gone = f"{mastodon.url}/gone.jpg"
    mastodon.faults["/gone.jpg"] = [Answer(b"", 404)]
    no_copy = {"id": "1", "type": "unknown", "url": None}
    with begun(tmp_path, mastodon, "--max-mb", 0.3, *MANY):
        mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg, foreign)])
        mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg)])  # moved to there
        mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg)])  # moved to here
        mastodon.mention(media_attachments=[mastodon.photo(b"\0" * 400_000)])
        mastodon.mention(media_attachments=[mastodon.photo(b"no picture")])
        mastodon.mention(media_attachments=[no_copy])
        mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg)])  # fails for ever
        mastodon.mention(media_attachments=[{**mastodon.photo(photo_jpeg), "url": gone}])
        until(lambda: is_done(tmp_path, mastodon))
        assert {each.headers["Host"] for each in mastodon.requests} == {mastodon.url[7:]}
    words = told(mastodon)
    assert words[0] == words[1]
    assert words[0].startswith("This photo is at localhost, and I fetch from my own server alone")
    assert words[2].startswith("Score")
    assert words[3].startswith("This file is too large: at most 0.3 MB")
    assert words[4].startswith("This file cannot be read as a picture")
    assert words[5].startswith("This photo is at another server")
    assert words[6] == words[7] == "This photo cannot be fetched: please attach it again."


def test_the_host_of_the_bots_own_avatar_is_the_servers(
    tmp_path: Path, mastodon: MastodonServer, photo_jpeg: bytes
) -> None:
    foreign = mastodon.url.replace("127.0.0.1", "localhost")
    mastodon.avatar = f"{foreign}/accounts/avatar.png"
    with begun(tmp_path, mastodon):
        mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg, foreign)])
        until(lambda: mastodon.posted)
    assert told(mastodon)[0].startswith("Score")


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
        for _ in range(2):
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


def test_the_server_is_waited_for_as_long_as_it_asks(
    tmp_path: Path, mastodon: MastodonServer, photo_jpeg: bytes
) -> None:
    mastodon.faults = {"/verify_credentials": [Answer(b"<html>starting</html>", 500)]}
    with begun(tmp_path, mastodon, prelude=SOON) as bot:
        with mastodon.lock:
            mastodon.faults = {
                "/notifications": [Answer(b"", 503), lambda: slow_down(2), HTML],
                "/media": [Answer(b"", 500)],
                "/photo0.jpg": [Answer(b"", 503)] * 2,  # asked for again at once
                "/statuses": [lambda: slow_down(2)],
            }
        mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg)])
        until(lambda: is_done(tmp_path, mastodon))
        assert bot.said().count("next try in") == 6
        assert bot.said().count("asked to slow down; next try in") == 2
        with mastodon.lock:
            mastodon.faults = {"/notifications": [slow_down(None)]}
        until(lambda: "asked to slow down; next try in 60 s" in bot.said())
        assert bot.end(signal.SIGTERM) == 0
    assert len(mastodon.posted) == 1


def test_an_upload_that_is_never_ready_is_tried_again_and_one_that_is_refused_passed_over(
    tmp_path: Path, mastodon: MastodonServer, photo_jpeg: bytes
) -> None:
    mastodon.looks = 10**6
    with begun(tmp_path, mastodon, prelude="it._PROCESSED = 0.2\n") as bot:
        mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg)])
        until(lambda: "does not make an upload ready" in bot.said())
        mastodon.looks = 2
        until(lambda: is_done(tmp_path, mastodon))
        with mastodon.lock:
            mastodon.faults = {"/media": [Answer({"error": "Error processing"}, 422)]}
        mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg)])
        until(lambda: is_done(tmp_path, mastodon))
        assert "message 2: the answer is refused" in bot.said()
    assert len(mastodon.posted) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer({"error": "Not Found"}, 404), "does not answer as Mastodon does"),
        (Answer(b"<html>not here</html>", 404), "does not answer as Mastodon does"),
        (Answer({"message": "hello"}), "(an answer without an account)"),
        (HTML, "does not answer as Mastodon does (an answer that is no JSON)"),
        (
            Answer(b"", 301, {"Location": "/api/v2/else"}),
            "does not answer as Mastodon does (a redirect)",
        ),
        (Answer({"error": "outside the authorized scopes"}, 403), "does not take the token of"),
        (Answer({"error": "The access token is invalid"}, 401), "does not take the token of"),
    ],
)
def test_a_wrong_server_or_token_ends_the_start_with_one_line(
    tmp_path: Path, mastodon: MastodonServer, answer: Answer, words: str
) -> None:
    mastodon.faults = {"/verify_credentials": [answer]}
    with running(tmp_path, "mastodon", mastodon) as bot:
        assert bot.process.wait(60) == 2
    (line,) = [each for each in bot.said().splitlines() if "warning" not in each]
    assert words in line
    assert TOKEN not in line
    assert len(mastodon.requests) == 1


def endless(server: socket.socket, part: bytes, pause: float, left: list[socket.socket]) -> None:
    """Answers each request without end: a byte in time for any single read, or ever more."""

    def answer(client: socket.socket) -> None:
        client.recv(65536)
        with client, contextlib.suppress(OSError):  # the call has ended
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                client.sendall(part)
                time.sleep(pause)
        left.append(client)

    while True:
        client, _ = server.accept()
        threading.Thread(target=answer, args=(client,), daemon=True).start()


@pytest.mark.parametrize(
    ("flow", "bound", "words"),
    [
        ((b" ", 0.05), "it.calls.LONGEST = 0.5", "no answer within"),
        ((b" " * 65536, 0.0), "it.calls._LARGEST = 10**6", ": EndlessAnswerError; next"),
    ],
)
def test_a_server_that_answers_without_end_is_given_up_and_tried_again(
    tmp_path: Path, mastodon: MastodonServer, flow: tuple[bytes, float], bound: str, words: str
) -> None:
    left: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        more = (server, *flow, left)
        threading.Thread(target=endless, args=more, daemon=True).start()
        mastodon.url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with running(tmp_path, "mastodon", mastodon, prelude=f"{QUICK}{bound}\n") as bot:
            until(lambda: bot.said().count(words) >= 2)
            until(lambda: left)  # what is given up takes no thread and no memory any more
            assert bot.end(signal.SIGTERM) == 0  # though the next call may hang


def test_a_token_that_may_not_post_ends_it_and_no_mention_is_lost(
    tmp_path: Path, mastodon: MastodonServer, photo_jpeg: bytes
) -> None:
    with begun(tmp_path, mastodon) as bot:
        refused = Answer({"error": "This action is outside the authorized scopes"}, 403)
        mastodon.faults = {"/media": [refused]}
        mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg)])
        assert bot.process.wait(60) == 2
        assert "outside the authorized scopes): make one under Preferences" in bot.said()
    with begun(tmp_path, mastodon):
        until(lambda: is_done(tmp_path, mastodon))
    assert len(mastodon.posted) == 1


def test_a_slow_server_gets_its_time(
    tmp_path: Path, mastodon: MastodonServer, photo_jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer: Callable[[Asked], Answer] = mastodon.answer
    monkeypatch.setattr(mastodon, "answer", lambda asked: time.sleep(0.3) or answer(asked))
    with begun(tmp_path, mastodon) as bot:
        mastodon.mention(media_attachments=[mastodon.photo(photo_jpeg)])
        until(lambda: is_done(tmp_path, mastodon))
        assert "next try in" not in bot.said()
    assert len(mastodon.posted) == 1


def test_a_server_has_to_be_named() -> None:
    with pytest.raises(ConfigError, match="many servers"):
        BotOptions("mastodon", Path("token"))

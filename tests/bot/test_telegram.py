"""``cropper bot telegram`` as a process, through python-telegram-bot, against a local server."""

from __future__ import annotations

import io
import json
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.bot.conftest import Running, running, size_of, until
from tests.bot.server import Answer
from tests.bot.telegram_server import GROUP, SENDER, TOKEN, TelegramServer, slow_down, text_of
from tests.conftest import spotted
from tests.image.pictures import encoded

pytest.importorskip("telegram")
pytestmark = pytest.mark.slow

STUCK = """
import cropper.bot.answer, tests.stuck
cropper.bot.answer.as_jpeg = tests.stuck.stuck
"""


def test_a_photo_is_answered_in_one_message_with_its_crop(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes
) -> None:
    number = telegram.say(photo=telegram.photo(photo_jpeg))
    with running(tmp_path, "telegram", telegram):
        until(lambda: telegram.sent)
        until(lambda: not telegram.updates)  # confirmed by the next request
    (sent,) = telegram.sent
    assert sent.path.endswith("/sendPhoto")
    assert sent.fields["chat_id"] == "77"
    assert json.loads(sent.fields["reply_parameters"])["message_id"] == number - 4000
    width, height = size_of(sent.fields["photo"])
    assert width < 600
    assert abs(width - 1.5 * height) <= 1.5  # three to two, as the photo
    lines = text_of(sent).splitlines()
    assert lines[0].startswith("Score -0.")
    assert "the whole photo has -" in lines[0]
    assert "prefer it to the full frame" in lines[1]
    assert len(telegram.asked_for("/getFile")) == 1  # the largest size alone


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_a_file_keeps_its_shape_and_loses_what_it_says_of_its_place(
    tmp_path: Path, telegram: TelegramServer, kind: str
) -> None:
    exif = Image.Exif()
    exif[0x010F] = "A maker"
    telegram.say(document=telegram.document(encoded(spotted(300, 500), kind, exif=exif), "image/x"))
    with running(tmp_path, "telegram", telegram, "--aspect", "1:1"):
        until(lambda: telegram.sent)
    picture = telegram.sent[0].fields["photo"]
    width, height = size_of(picture)
    assert width == height
    assert b"A maker" not in picture
    assert b"Exif" not in picture


def test_large_crops_are_sent_as_large_as_the_network_shows_them(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    telegram.say(document=telegram.document(encoded(spotted(6000, 4000), "JPEG"), "image/jpeg"))
    with running(tmp_path, "telegram", telegram):
        until(lambda: telegram.sent)
    assert size_of(telegram.sent[0].fields["photo"]) == (2560, 1707)


def test_a_crop_that_is_too_narrow_for_a_photo_is_told(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    telegram.say(document=telegram.document(encoded(spotted(2500, 100), "PNG"), "image/png"))
    with running(tmp_path, "telegram", telegram):
        until(lambda: telegram.sent)
    assert telegram.sent[0].path.endswith("/sendMessage")
    assert "too narrow to be sent" in text_of(telegram.sent[0])


def test_photos_in_replies_and_groups_and_words_without_a_photo(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes
) -> None:
    """What is not said to the bot has no answer; each message that is has one."""
    photo = telegram.photo(photo_jpeg)
    replied = {"message_id": 3, "date": 1, "chat": GROUP, "photo": photo, "from": SENDER}
    origin = {"type": "user", "date": 1, "sender_user": SENDER}
    asks = [
        {"text": "hello https://example.com/photo.jpg"},  # help
        {"chat": GROUP, "photo": photo},
        {"chat": GROUP, "text": "nice", "reply_to_message": replied},
        {"chat": GROUP, "text": "/crop@another_bot", "reply_to_message": replied},
        {"chat": GROUP, "text": "/crop", "reply_to_message": replied},  # crop
        {"chat": GROUP, "caption": "look, @Cropper_Bot!", "photo": photo},  # crop
        {"from": {**SENDER, "is_bot": True}, "text": "I am a bot too"},
        {"new_chat_title": "of a service message"},
        {"text": "this", "external_reply": {"origin": origin, "photo": photo}},  # crop
        {"document": telegram.document(b"%PDF-1.7", "application/pdf")},  # help
    ]
    for each in asks:
        last = telegram.say(**each)
    with running(tmp_path, "telegram", telegram) as bot:
        until(lambda: len(telegram.sent) == 5 and not telegram.updates)
        assert bot.end(signal.SIGTERM) == 0
    kinds = [each.path.rpartition("/")[2] for each in telegram.sent]
    assert kinds == ["sendMessage", "sendPhoto", "sendPhoto", "sendPhoto", "sendMessage"]
    for each in (telegram.sent[0], telegram.sent[4]):
        assert text_of(each).startswith("Send me a photo")
    assert json.loads((tmp_path / "token.state").read_text())["answered"] == str(last)
    hosts = {each.headers["Host"] for each in telegram.requests}
    assert hosts == {telegram.url.removeprefix("http://")}


def test_files_that_are_no_photos_are_told_of_and_the_next_photo_is_answered(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes
) -> None:
    files = [
        b"no picture at all",
        photo_jpeg[:300],  # broken
        encoded(Image.new("RGB", (1500, 1000)), "PNG"),  # too many pixels
        b"\0" * 400_000,  # too many bytes
        b"",
        photo_jpeg,
    ]
    for each in files:
        telegram.say(document=telegram.document(each, "image/jpeg"))
    options = ("--max-mpixels", 1, "--max-mb", 0.3, "--per-minute", 10)
    with running(tmp_path, "telegram", telegram, *options) as bot:
        until(lambda: len(telegram.sent) == len(files))
        assert bot.process.poll() is None
    told = [text_of(each) for each in telegram.sent]
    assert "cannot be read as a picture" in told[0]
    assert "cannot be read" in told[1]
    assert "at most 1 megapixels" in told[2]
    assert "at most 0.3 MB" in told[3]
    assert told[4].endswith(".")
    assert told[5].startswith("Score")
    fetched = [each for each in telegram.requests if each.path.startswith("/file/")]
    assert len(fetched) == len(files) - 1  # the large one never


def test_a_photo_that_hangs_is_ended_and_the_next_one_is_answered(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes
) -> None:
    telegram.say(photo=telegram.photo(photo_jpeg))
    telegram.say(text="still there?")
    with running(tmp_path, "telegram", telegram, "--time-limit", 1, prelude=STUCK):
        until(lambda: len(telegram.sent) == 2)
    assert "takes too long" in text_of(telegram.sent[0])


@pytest.mark.parametrize("path", ["/getFile", "/photos/photo0"])
def test_a_file_that_expired_is_told_of_and_is_no_wrong_token(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes, path: str
) -> None:
    """The library has one error for 401 and 404, whatever was asked for."""
    for _ in range(2):
        telegram.say(photo=telegram.photo(photo_jpeg))
    gone = {"ok": False, "error_code": 404, "description": "Not Found"}
    telegram.faults = {path: [Answer(gone, 404)]}
    with running(tmp_path, "telegram", telegram) as bot:
        until(lambda: len(telegram.sent) == 2)
        assert bot.process.poll() is None
    assert text_of(telegram.sent[0]).startswith("This photo cannot be fetched")
    assert text_of(telegram.sent[1]).startswith("Score")


def test_a_message_that_the_library_cannot_read_holds_up_no_other(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    telegram.say(text="one", chat="a word in the place of a chat")
    telegram.say(text="two", date="yesterday")
    telegram.say(text="hello")
    with running(tmp_path, "telegram", telegram) as bot:
        until(lambda: telegram.sent and not telegram.updates)
        assert "next try in" not in bot.said()
    assert len(telegram.sent) == 1


def test_who_asks_too_often_is_told_once_and_a_full_queue_says_so_first(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes
) -> None:
    for _ in range(6):
        telegram.say(photo=telegram.photo(photo_jpeg))
    other = {**SENDER, "id": 78}
    for _ in range(2):
        telegram.say(photo=telegram.photo(photo_jpeg), **{"from": other})
    with running(tmp_path, "telegram", telegram, "--per-minute", 3, "--queue", 4):
        until(lambda: not telegram.updates)
    told = [text_of(each).split(":")[0].split(";")[0] for each in telegram.sent]
    assert told[:2] == ["That is too fast", "Too many photos at once"]
    assert [each.startswith("Score") for each in told] == [False, False, True, True, True, True]


def test_the_server_is_waited_for_and_nothing_is_lost(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes
) -> None:
    telegram.down = True
    telegram.say(photo=telegram.photo(photo_jpeg))
    telegram.faults = {
        "/sendPhoto": [slow_down(1), Answer(b"bad gateway", 502)],
        "/getFile": [Answer(b"", 500)],
        "/getUpdates": [slow_down(1)],
    }
    with running(tmp_path, "telegram", telegram) as bot:
        until(lambda: bot.said().count("next try in") >= 2)
        telegram.down = False
        until(lambda: telegram.sent and not telegram.updates)
        said = bot.said()
    assert len(telegram.sent) == 1
    assert said.count("asked to slow down; next try in 1 s") == 2
    assert len(telegram.asked_for("/sendPhoto")) == 3


def test_an_answer_that_is_refused_is_passed_over(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes
) -> None:
    telegram.say(photo=telegram.photo(photo_jpeg))
    telegram.say(text="hello")
    blocked = {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked"}
    telegram.faults = {"/sendPhoto": [Answer(blocked, 403)]}
    with running(tmp_path, "telegram", telegram) as bot:
        until(lambda: telegram.sent)
        assert "the answer is refused: Forbidden: bot was blocked" in bot.said()
    assert text_of(telegram.sent[0]).startswith("Send me")


def test_a_message_that_never_comes_through_is_given_up(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes
) -> None:
    first = telegram.say(photo=telegram.photo(photo_jpeg))
    telegram.say(text="hello")
    telegram.faults = {"/sendPhoto": [Answer(b"", 500)] * 9}
    quick = "import cropper.bot.loop\ncropper.bot.loop._LONGEST = 0.01\n"
    with running(tmp_path, "telegram", telegram, prelude=quick):
        until(lambda: len(telegram.sent) == 2)
    assert text_of(telegram.sent[0]).startswith("Something went wrong with this message")
    told_of = json.loads(telegram.sent[0].fields["reply_parameters"])["message_id"]
    assert told_of == first - 4000
    assert len(telegram.asked_for("/sendPhoto")) == 7


def restarted(tmp_path: Path, telegram: TelegramServer, *, code: int, number: int) -> Running:
    """A bot that is ended by a signal and started again, until all is answered."""
    with running(tmp_path, "telegram", telegram, "--per-minute", 99) as bot:
        until(lambda: len(telegram.sent) >= 3)
        assert bot.end(number) == code
    with running(tmp_path, "telegram", telegram, "--per-minute", 99) as bot:
        until(lambda: not telegram.updates)
        return bot


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_and_a_restart_lose_and_repeat_nothing(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes, number: int, code: int
) -> None:
    """Ended among twelve photos that came together; those that were answered are not again."""
    asked = [telegram.say(photo=telegram.photo(photo_jpeg)) - 4000 for _ in range(12)]
    restarted(tmp_path, telegram, code=code, number=number)
    answered = [json.loads(each.fields["reply_parameters"])["message_id"] for each in telegram.sent]
    assert answered == asked


def test_a_kill_repeats_at_most_the_answer_that_was_under_way(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes
) -> None:
    asked = [telegram.say(photo=telegram.photo(photo_jpeg)) - 4000 for _ in range(8)]
    restarted(tmp_path, telegram, code=-signal.SIGKILL, number=signal.SIGKILL)
    answered = [json.loads(each.fields["reply_parameters"])["message_id"] for each in telegram.sent]
    assert [*dict.fromkeys(answered)] == asked
    assert len(answered) <= len(asked) + 1


def test_the_token_is_nowhere_but_in_its_file(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes
) -> None:
    """Not in the process list, the log, the state; nor are people's names. No photo is kept."""
    telegram.say(photo=telegram.photo(photo_jpeg))
    telegram.faults = {"/getMe": [Answer(b"not JSON " + TOKEN.encode(), 500)]}
    before = {*tmp_path.iterdir()}
    with running(tmp_path, "telegram", telegram) as bot:
        until(lambda: telegram.sent)
        command = Path(f"/proc/{bot.process.pid}/cmdline").read_bytes()
        assert bot.end(signal.SIGTERM) == 0
    assert b"bot" in command
    assert TOKEN.encode() not in command
    assert {*tmp_path.iterdir()} - before == {
        tmp_path / name for name in ("token", "token.state", "log")
    }
    said = bot.said() + (tmp_path / "token.state").read_text()
    secret = TOKEN.partition(":")[2]
    assert not [each for each in (secret, "Rosalind", "rosalind") if each in said]
    assert not re.search(r"(?<![\d.])77(?![\d.])", said)  # the chat


def test_a_wrong_token_and_a_wrong_file_end_the_start_with_one_line(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    token = tmp_path / "token"
    wrong = "1234567890:AAEhBOweik6ad6PsVZRXbQw-anotherone"
    for text, mode, told in [
        (wrong, 0o600, "does not take the token of"),
        (TOKEN, 0o644, "others may read the token: run chmod 600"),
        ("my-token", 0o600, "holds no token of telegram"),
    ]:
        token.write_text(text)
        token.chmod(mode)
        (tmp_path / "log").unlink(missing_ok=True)
        with running(tmp_path, "telegram", telegram) as bot:
            assert bot.process.wait(60) == 2
            (line,) = [each for each in bot.said().splitlines() if "warning" not in each]
        assert (told in line and text.partition(":")[2] not in line) or text == "my-token"


def test_another_bots_state_is_refused_and_a_damaged_one_too(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    state = tmp_path / "answered.json"
    past = {"bot": "telegram 5", "answered": "7", "at": 0, "done": [], "begun": None}
    for text, told in [
        (json.dumps({**past, "tries": 0, "sending": False}), "is the state of another bot"),
        ("{", "no state of a bot, or damaged"),
    ]:
        state.write_text(text)
        with running(tmp_path, "telegram", telegram, "--state", state) as bot:
            assert bot.process.wait(60) == 2
        assert told in bot.said()
        assert state.read_text() == text


def test_an_old_state_does_not_hide_ids_that_began_anew(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    telegram.say(text="hello")
    past = {"bot": "telegram 1234567890", "answered": "999999", "at": 1.0, "done": []}
    (tmp_path / "token.state").write_text(json.dumps(past))
    with running(tmp_path, "telegram", telegram):
        until(lambda: telegram.sent)


def test_a_state_that_cannot_be_written_ends_it(tmp_path: Path, telegram: TelegramServer) -> None:
    with running(tmp_path, "telegram", telegram, "--state", tmp_path / "none" / "state") as bot:
        assert bot.process.wait(60) == 5
    assert "there is no folder" in bot.said()


def test_the_picture_that_is_sent_is_the_crop(
    tmp_path: Path, telegram: TelegramServer, photo_jpeg: bytes
) -> None:
    telegram.say(photo=telegram.photo(photo_jpeg))
    with running(tmp_path, "telegram", telegram):
        until(lambda: telegram.sent)
    with Image.open(io.BytesIO(telegram.sent[0].fields["photo"])) as crop:
        grey = np.asarray(crop.convert("L"))
    rows, columns = np.nonzero(grey > 250)
    assert rows.size == pytest.approx(np.pi * 40**2, rel=0.1)  # the whole disc, as large as it was
    assert abs(columns.mean() / grey.shape[1] - 0.5) < 0.1  # about its middle
    assert abs(rows.mean() / grey.shape[0] - 0.5) < 0.1

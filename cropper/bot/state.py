"""What a bot has to know after a restart: a small file, written before and after each answer.

``answered`` is the last message up to which all is done, ``done`` is what is done beyond it. What
is ``begun`` is noted before the work, so that a message that ends the process is not begun again,
and ``sending`` before the answer leaves, so that a restart knows that it may have arrived.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cropper.errors import ConfigError
from cropper.image import write_atomic

__all__ = ["BotState", "Past"]


@dataclass(frozen=True)
class Past:
    """The file's content. Ids are those of the messenger's messages."""

    bot: str  # whose messages these are
    answered: str | None  # None: nothing yet
    at: float  # s since the epoch, when ``answered`` was written
    done: tuple[str, ...] = ()
    begun: str | None = None
    tries: int = 0  # of what is begun
    sending: bool = False


class BotState:
    """A Past in its file; each method has written it when it returns.

    They raise ImageWriteError where the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        """Raises ConfigError for a file that is none of these."""
        self.path = path
        self.past: Past | None = None
        try:
            found = json.loads(path.read_text("utf-8"))
            self.past = _checked(Past(**{**found, "done": tuple(found["done"])}))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigError(
                f"{path}: no state of a bot, or damaged: name another `state`, or remove "
                "it, and lose what it knows"
            ) from error

    def check(self, bot: str) -> None:
        """Raises ConfigError for another bot's file."""
        if self.past and self.past.bot != bot:
            raise ConfigError(f"{self.path}: is the state of another bot: name another `state`")

    def start(self, bot: str, answered: str | None) -> None:
        """For a bot that has no past."""
        self._write(Past(bot, answered, time.time()))

    def after(self, ids_last: float) -> str | None:
        """The last message up to which all is done, unless that is so long ago that ids are new."""
        past = self._known
        return past.answered if time.time() - past.at < ids_last else None

    def is_done(self, id: str) -> bool:  # noqa: A002 - a message's
        return id in self._known.done

    def begin(self, id: str) -> int:  # noqa: A002
        """How often that message was begun, this time included."""
        past = self._known
        again = past.begun == id
        tries = past.tries + 1 if again else 1
        self._write(replace(past, begun=id, tries=tries, sending=again and past.sending))
        return tries

    @property
    def may_be_sent(self) -> bool:
        """Whether an answer to what is begun may have arrived."""
        return self._known.sending

    def send(self) -> None:
        self._write(replace(self._known, sending=True))

    def hold(self, *, sending: bool, counts: bool) -> None:
        """What is begun did not come to its end; ``counts``: and that was a try."""
        past = self._known
        tries = past.tries if counts else past.tries - 1
        self._write(replace(past, sending=sending, tries=tries))

    def finish(self, id: str) -> None:  # noqa: A002
        past = self._known
        self._write(replace(past, done=(*past.done, id), begun=None, tries=0, sending=False))

    def finish_all(self, last: str) -> None:
        """Of messages that came together, up to the last."""
        self._write(replace(self._known, answered=last, at=time.time(), done=()))

    @property
    def _known(self) -> Past:
        assert self.past is not None, "a state is read or started"
        return self.past

    def _write(self, past: Past) -> None:
        write_atomic(json.dumps(asdict(past)).encode() + b"\n", self.path, overwrite=True)
        self.past = past


def _checked(past: Past) -> Past:
    """Raises TypeError for a field of another type."""
    texts = [past.bot, *past.done, past.answered or "", past.begun or ""]
    if not all(isinstance(each, str) for each in texts):
        raise TypeError("ids are texts")
    if not (isinstance(past.at, int | float) and isinstance(past.tries, int)):
        raise TypeError("a time and a number")
    return past

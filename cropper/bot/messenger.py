"""What a bot needs of a messenger, a network that carries messages, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

__all__ = [
    "Asked",
    "MessageLimits",
    "Messenger",
    "MessengerError",
    "Photo",
    "PhotoError",
    "RefusedError",
]
__all__ += ["Reply"]

_SHOWN = 200  # characters of a server's words in the log


class MessengerError(Exception):
    """The messenger did not answer, or asks to wait: what was to be done is tried again later."""

    def __init__(
        self, message: object, *, wait: float | None = None, maybe_done: bool = True
    ) -> None:
        """``wait`` are the seconds that it asks for; ``maybe_done``: it may have acted anyhow."""
        super().__init__(str(message)[:_SHOWN])
        self.wait, self.maybe_done = wait, maybe_done


class RefusedError(Exception):
    """The messenger refuses this one answer, and always will."""

    def __init__(self, message: object) -> None:
        super().__init__(str(message)[:_SHOWN])


class PhotoError(Exception):
    """Why a message's photo is not looked at, in a sentence for who sent it."""


@dataclass(frozen=True)
class MessageLimits:
    """Of one message of a messenger."""

    text: int  # characters beside a picture
    long_side: int  # px of a picture; what is larger, the messenger scales down itself
    ratio: float  # of a picture's long side to its short one


@dataclass(frozen=True)
class Asked:
    """A message to the bot."""

    id: str
    person: str  # told to nobody: for the rate
    when: float  # s since the epoch, by the messenger's clock
    message: Any  # the messenger's own record
    to_bot: bool = True  # else it is passed over in silence


@dataclass(frozen=True)
class Photo:
    """A file that was sent, and what the messenger has to know of it when it answers."""

    data: bytes
    origin: Any = None


@dataclass(frozen=True)
class Reply:
    text: str
    picture: bytes | None = None  # JPEG


class Messenger(Protocol):
    """Its methods raise MessengerError, and ConfigError for a token that is not taken."""

    limits: MessageLimits
    ids_last: float  # s, after which ids of messages may begin anew

    async def open(self) -> str:
        """Says who the bot is: an id that no other bot of the messenger has."""
        ...

    async def newest(self) -> str | None:
        """The message that a bot without a past takes for answered, with all before it."""
        ...

    async def receive(self, after: str | None) -> list[Asked]:
        """The messages after that one, the oldest first, all or the first few of them; waits."""
        ...

    async def photo(self, asked: Asked) -> Photo | None:
        """What a message holds or points to; None: nothing is to be said. Raises PhotoError."""
        ...

    async def answered(self, asked: Asked) -> bool:
        """Whether there is an answer; no where the messenger cannot tell."""
        ...

    async def send(self, asked: Asked, reply: Reply, photo: Photo | None) -> None:
        """One message. Raises RefusedError."""
        ...

    async def close(self) -> None: ...

"""What a bot is started with, the rules that this has to keep, and the token, which is a file's."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_IRWXG, S_IRWXO
from urllib.parse import urlsplit

from cropper.errors import ConfigError
from cropper.request import CropRequest

__all__ = ["NETWORKS", "BotOptions", "read_token"]

NETWORKS = ("telegram", "mastodon")
_TELEGRAM = "https://api.telegram.org"
_LONGEST_TOKEN = 4096  # bytes
_TOKEN = {"telegram": r"[0-9]+:[A-Za-z0-9_-]{20,}", "mastodon": r"[A-Za-z0-9._~+=-]{16,}"}


@dataclass(frozen=True)
class BotOptions:
    """The command's options, as the command line names them. Raises ConfigError."""

    network: str  # one of NETWORKS
    token_file: Path
    server: str | None = None  # its URL; None: Telegram's own
    state: Path | None = None  # None: beside the token
    request: CropRequest = field(default_factory=CropRequest)
    scorer: str = "cropnet"
    device: str = "auto"
    max_mb: float = 20  # of a photo's file
    max_mpixels: float = 60
    queue: int = 16  # messages that wait at once; more are told to come back
    per_minute: int = 6  # messages of one person
    time_limit: float = 10  # s that a photo may be fetched for, and again decoded

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise ConfigError(f"a network is one of {', '.join(NETWORKS)}, got {self.network!r}")
        if self.server is None and self.network != "telegram":
            raise ConfigError(
                f"{self.network} is many servers: name that of the bot's account, as in "
                "`server=https://mastodon.example`"
            )
        place = urlsplit(self.url)
        if place.scheme not in ("http", "https") or not place.hostname or place.username:
            raise ConfigError("`server` is https://HOST[/PATH]")

    @property
    def url(self) -> str:
        return (self.server or _TELEGRAM).rstrip("/")

    @property
    def state_file(self) -> Path:
        return self.state or self.token_file.with_name(self.token_file.name + ".state")

    @property
    def max_bytes(self) -> int:
        """Of a photo's file."""
        return int(self.max_mb * 1e6)

    @property
    def too_large(self) -> str:
        """For who sends a file that is larger."""
        return f"This file is too large: at most {self.max_mb:g} MB are taken."


def read_token(path: Path, network: str) -> str:
    """The one line of a file that nobody else may read; no message shows it. Raises ConfigError."""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_LONGEST_TOKEN)
    except OSError as error:
        raise ConfigError(f"{path}: the token cannot be read: {error.strerror}") from error
    if mode & (S_IRWXG | S_IRWXO):
        raise ConfigError(f"{path}: others may read the token: run chmod 600 on it")
    token = text.decode("ascii", "replace").strip()
    if not re.fullmatch(_TOKEN[network], token):
        raise ConfigError(f"{path}: holds no token of {network}: it is one line, without a name")
    return token

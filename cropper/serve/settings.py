"""What the service is started with, and the rules that this has to keep."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cropper.errors import ConfigError

__all__ = ["MEGABYTE", "ServeOptions", "is_loopback"]

MEGABYTE = 1_000_000  # bytes
_SHORTEST_TOKEN = 16  # characters; what cannot be guessed by trying


@dataclass(frozen=True)
class ServeOptions:
    """The command's options, as the command line names them, and the times it does not ask for."""

    host: str = "127.0.0.1"
    port: int = 8000  # 0: any free one
    token: str | None = None  # None: everybody who reaches the address may ask
    max_upload_mb: float = 25
    max_mpixels: float = 60  # of a picture, and of a crop that is asked for in an exact size
    queue: int = 32  # requests inside at once; each may hold one upload in memory
    scorers: tuple[str, ...] = ("cropnet",)  # that requests may name, the default first
    device: str = "auto"
    people: Path | None = None  # whom requests may name: a file of known people, or a folder
    site: Path | None = None  # what ``cropper export --web`` has written, to be served beside
    upload_seconds: float = 30  # for a whole request to arrive
    answer_seconds: float = 60  # from then on to the answer

    def __post_init__(self) -> None:
        if self.site and not (self.site / "site.json").is_file():
            raise ConfigError(
                f"{self.site} is no site: write one by `cropper export`, with `web` and this folder"
            )
        if self.token is not None and not (
            len(self.token) >= _SHORTEST_TOKEN and self.token.isascii() and self.token.isprintable()
        ):
            raise ConfigError(
                f"a token has at least {_SHORTEST_TOKEN} printable ASCII characters: make one with "
                "`openssl rand -hex 16`"
            )
        if self.token is None and not self.local:
            raise ConfigError(
                f"`host={self.host}` lets other machines in, which needs a `token` (or "
                "CROPPER_TOKEN); 127.0.0.1 needs none"
            )

    @property
    def local(self) -> bool:
        """Whether only this machine reaches the address."""
        return is_loopback(self.host)

    @property
    def max_upload(self) -> int:
        """Bytes of a request's body; a form is a little more than its photo."""
        return int(self.max_upload_mb * MEGABYTE)


def is_loopback(host: str) -> bool:
    """Whether a host's name or address, without port and brackets, is this machine's own."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

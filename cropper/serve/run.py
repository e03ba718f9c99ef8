"""The process: the scorer loaded, a socket opened, requests served until a signal."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from cropper.errors import ConfigError
from cropper.finder import CropFinder
from cropper.identity import KnownPeople
from cropper.serve.app import make_app
from cropper.serve.connections import Prompt
from cropper.serve.settings import ServeOptions

__all__ = ["listen", "serve"]

_BACKLOG = 512
_CONNECTIONS = 500  # at once
_KEEP_ALIVE = 10  # s that an idle connection stays
_GRACE = 5  # s that what is in flight has left after a signal
_END = 9  # s after a signal, when the process ends whatever runs


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        signal.alarm(_END)  # nobody handles it: the system ends the process
        super().handle_exit(sig, frame)


def serve(options: ServeOptions, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, which give what is in flight some seconds to finish.

    Raises what ``load_scorer`` and ``KnownPeople.at`` raise, ConfigError for an address that cannot
    be had, and KeyboardInterrupt after a SIGINT.
    """
    finders = [CropFinder(scorer, options.device) for scorer in options.scorers]
    people = KnownPeople.at(options.people, say) if options.people else KnownPeople(())
    listener = listen(options)
    host, port = listener.getsockname()[:2]
    if not options.local:
        say(
            "warning: other machines reach this address, and neither photos nor the token are "
            "encrypted on their way: put a proxy with TLS in front"
        )
    config = uvicorn.Config(
        make_app(finders, options, people),
        http=Prompt,
        ws="none",
        access_log=False,
        log_level="error",  # a warning for each broken request would let clients fill the log
        backlog=_BACKLOG,
        limit_concurrency=_CONNECTIONS,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_GRACE,
    )
    # uvicorn raises the signal once more when all is done; its default would end with an error
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    shown = f"[{host}]" if ":" in host else host
    names = ", ".join(finder.scorer.spec.name for finder in finders)
    say(f"serving on http://{shown}:{port} with {names}; Ctrl-C ends it")
    try:
        with listener:
            _Server(config).run(sockets=[listener])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGTERM, before)


def listen(options: ServeOptions) -> socket.socket:
    """Bound before anything is announced, so that port 0 has its number."""
    try:
        found = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        return socket.create_server(
            found[0][4][:2], family=found[0][0], backlog=_BACKLOG, reuse_port=False
        )
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"{options.host}:{options.port} cannot be listened on: {error}; choose another `host` "
            "or `port`"
        ) from error

"""Who may ask, and what a browser may do with the answers.

A page of another site can make a visitor's browser send forms to 127.0.0.1, under its own name or,
by DNS rebinding, under a name that it controls. So foreign origins are refused, and foreign host
names too on a loopback address without a token. There is no CORS, and there are no cookies.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cropper.serve.problems import ProblemError, problem_response
from cropper.serve.settings import ServeOptions, is_loopback
from cropper.web import POLICY

__all__ = ["HEADERS", "SITE", "Guard"]

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# What a site with the engine inside needs, below SITE
SITE = "/site/"
_SITE_HEADERS = HEADERS | {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "Cross-Origin-Embedder-Policy": "require-corp",  # allows the engine's threads
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
}
_GUARDED = ("/v1/", "/metrics")  # what asks for the token; the page holds no secret


class Guard:
    """Around the whole application: refuses, and puts HEADERS on every answer."""

    def __init__(self, app: ASGIApp, options: ServeOptions) -> None:
        self.app, self.options = app, options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                own = _SITE_HEADERS if scope["path"].startswith(SITE) else HEADERS
                for name, value in own.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        problem = self._refusal(scope["path"], Headers(scope=scope))
        answer = problem_response(problem) if problem else self.app
        await answer(scope, receive, guarded)

    def _refusal(self, path: str, headers: Headers) -> ProblemError | None:
        host = headers.get("host", "")
        if self._is_open and not is_loopback(_name_of(host)):
            return ProblemError(
                "foreign-host",
                "a service on a loopback address answers under localhost and its number alone",
                rule="Host",
            )
        origin = headers.get("origin")
        if origin is not None and origin.lower().partition("://")[2] != host.lower():
            return ProblemError(
                "foreign-origin", "requests come from the service's own page", rule="Origin"
            )
        if path.startswith(_GUARDED) and not self._has_token(headers):
            return ProblemError(
                "no-token",
                "this service was started with a token: send it as Authorization: Bearer TOKEN",
                {"WWW-Authenticate": 'Bearer realm="cropper"'},
                rule="Authorization",
            )
        return None

    @property
    def _is_open(self) -> bool:
        """Whether a name that leads here by DNS rebinding is all that an attacker needs."""
        return self.options.local and self.options.token is None

    def _has_token(self, headers: Headers) -> bool:
        if self.options.token is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), self.options.token.encode())
        return right and scheme.lower() == "bearer"


def _name_of(host: str) -> str:
    """``localhost`` of ``localhost:8000``, ``::1`` of ``[::1]:8000``; nothing of a broken one."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""

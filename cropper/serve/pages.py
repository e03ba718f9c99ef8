"""The page: its files, read once from the package and served by name from memory."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cropper.serve.problems import ProblemError
from cropper.serve.security import SITE

__all__ = ["page_routes", "site_routes"]

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".onnx": "application/octet-stream",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
_FOLDER = files("cropper.serve") / "static"


def page_routes() -> list[Route]:
    """``/``, ``/docs`` and ``/static/NAME``; a name is looked up, never used as a path."""
    page = _endpoint(_FOLDER)
    return [*(Route(path, page) for path in _PAGES), Route("/static/{name}", page)]


def site_routes(folder: Path | None) -> list[Route]:
    """``/site/`` and ``/site/NAME``: a folder of ``cropper export``, read once as the page is."""
    if folder is None:
        return []
    site = _endpoint(folder)
    return [Route(SITE, site), Route(SITE + "{name}", site)]


def _endpoint(folder: Traversable) -> Callable[[Request], Awaitable[Response]]:
    """Of a folder's files by name; a path without one has the file of ``_PAGES``."""
    contents = {
        entry.name: entry.read_bytes()
        for entry in folder.iterdir()
        if _suffix(entry.name) in _TYPES and entry.is_file()
    }

    async def answer(request: Request) -> Response:
        name = request.path_params.get("name") or _PAGES.get(request.url.path, "index.html")
        if name not in contents:
            raise ProblemError("not-found", "there is no such file")
        return _file(request, name, contents[name])

    return answer


_PAGES = {"/": "index.html", "/docs": "docs.html"}


def _file(request: Request, name: str, content: bytes) -> Response:
    """Never cached without a check: a browser gets a new version at its next visit."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=_TYPES[_suffix(name)])


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]

"""The routes: who answers what. Everything slow happens in ``studio``, on the desk's threads."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from cropper.errors import CropperError
from cropper.finder import CropFinder
from cropper.image import EXTENSION_OF
from cropper.serve.desk import Desk, Scoring, Ticket
from cropper.serve.metrics import Measured, Metrics
from cropper.serve.negotiation import ANY_PICTURE, JSON, choose
from cropper.serve.openapi import describe
from cropper.serve.options import ServeOptions
from cropper.serve.pages import page_routes
from cropper.serve.parameters import CROP, CUT, SCORE, CropAsked, CutAsked, ScoreAsked, read_asked
from cropper.serve.problems import HANDLERS, ProblemError
from cropper.serve.security import Guard
from cropper.serve.studio import MEDIA_TYPES, Picture, Studio
from cropper.serve.uploads import Upload, drain, read_upload
from cropper.threads import cores

__all__ = ["make_app"]

_PICTURES = tuple(MEDIA_TYPES.values())
_KIND_OF = {media_type: kind for kind, media_type in MEDIA_TYPES.items()}
_LOG = logging.getLogger("cropper.serve")
_MOST_WORKERS = 4  # each may hold one decoded picture of max_mpixels

Work = Callable[[Ticket], Any]


def make_app(finder: CropFinder, options: ServeOptions) -> ASGIApp:
    """The service as an ASGI application; its lifespan starts and ends the scorer's thread."""
    service = _Service(finder, options)
    routes = [
        Route("/v1/crop", service.crop, methods=["POST"]),
        Route("/v1/score", service.score, methods=["POST"]),
        Route("/v1/cut", service.cut, methods=["POST"]),
        Route("/v1/limits", service.limits),
        Route("/healthz", service.healthz),
        Route("/readyz", service.readyz),
        Route("/metrics", service.metrics_text),
        Route("/openapi.json", service.openapi),
        *page_routes(),
    ]
    paths = frozenset(route.path for route in routes)
    # Around Starlette, not in it: its answers to errors that nobody expected pass through them too
    app = Starlette(routes=routes, exception_handlers=HANDLERS, lifespan=service.lifespan)
    return Measured(Guard(app, options), service.metrics, paths)


class _Service:
    """The endpoints, and what they share."""

    def __init__(self, finder: CropFinder, options: ServeOptions) -> None:
        self.finder, self.options = finder, options
        self.metrics = Metrics()
        self.document = describe(options)

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        workers = max(2, min(cores(), _MOST_WORKERS))  # one decodes while one waits for scores
        self.scoring = Scoring(self.finder, self.metrics)
        self.desk = Desk(self.options.queue, workers, self.metrics)
        self.studio = Studio(self.finder, self.scoring, self.options.max_mpixels)
        try:
            yield
        finally:
            self.desk.close()
            self.scoring.close()

    async def crop(self, request: Request) -> Response:
        kind = _accepted(request, (JSON, ANY_PICTURE, *_PICTURES))

        def work(upload: Upload) -> Work:
            asked = CropAsked(**read_asked(upload.fields, CROP))
            if kind == JSON:
                return lambda ticket: self.studio.crop(ticket, upload.photo, asked)
            return lambda t: self.studio.cropped(t, upload.photo, asked, _KIND_OF.get(kind))

        return await self._answer(request, work)

    async def score(self, request: Request) -> Response:
        _accepted(request, (JSON,))

        def work(upload: Upload) -> Work:
            asked = ScoreAsked(**read_asked(upload.fields, SCORE))
            return lambda ticket: self.studio.score(ticket, upload.photo, asked)

        return await self._answer(request, work)

    async def cut(self, request: Request) -> Response:
        kind = _accepted(request, (ANY_PICTURE, *_PICTURES))

        def work(upload: Upload) -> Work:
            asked = CutAsked(**read_asked(upload.fields, CUT))
            return lambda t: self.studio.cut(t, upload.photo, asked, _KIND_OF.get(kind))

        return await self._answer(request, work)

    async def _answer(self, request: Request, work: Callable[[Upload], Work]) -> Response:
        """Take a place, read the upload, have it worked on."""
        options = self.options
        if self.desk.full:
            problem = self.desk.refusal()
            await drain(request, options)
            raise problem
        with self.desk.place():
            upload = await read_upload(request, options)
            try:
                ticket = Ticket(work(upload))
                answer = await self.desk.run(request, ticket, options.answer_seconds)
            except (ProblemError, CropperError, ClientDisconnect):
                raise
            except Exception as error:  # of a scorer, say; raised on, it would cut the connection
                _LOG.exception("a request failed")
                raise ProblemError("internal", "the service's log says more") from error
        if isinstance(answer, Picture):
            return _picture_response(answer)
        return JSONResponse(answer, headers={"Vary": "Accept"})

    async def limits(self, _: Request) -> Response:
        """What the page has to know before it sends anything."""
        return JSONResponse(
            {
                "max_upload_mb": self.options.max_upload_mb,
                "max_mpixels": self.options.max_mpixels,
                "scorer": self.finder.scorer.spec.name,
            }
        )

    async def healthz(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(self, _: Request) -> Response:
        if not self.scoring.alive:
            raise ProblemError(
                "not-ready", "the scorer's thread has ended: start the service again"
            )
        if self.desk.full:
            raise self.desk.refusal()
        return JSONResponse({"status": "ready"})

    async def metrics_text(self, _: Request) -> Response:
        return Response(self.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    async def openapi(self, _: Request) -> Response:
        return JSONResponse(self.document)


def _accepted(request: Request, offers: Sequence[str]) -> str:
    chosen = choose(request.headers.get("accept"), offers)
    if chosen is None:
        raise ProblemError(
            "not-acceptable", f"an answer is one of {', '.join(offers)}", rule="Accept"
        )
    return chosen


def _picture_response(picture: Picture) -> Response:
    name = f"crop{EXTENSION_OF[picture.format]}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept"}
    if picture.crop:
        headers["Cropper-Box"] = ",".join(str(int(edge)) for edge in picture.crop.box)
        headers["Cropper-Score"] = str(picture.crop.score)
    return Response(picture.content, headers=headers, media_type=MEDIA_TYPES[picture.format])

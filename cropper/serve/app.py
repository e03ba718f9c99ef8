"""The routes: who answers what. Everything slow happens in ``handlers``, on worker threads."""

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

from cropper.decoders import Decoders
from cropper.errors import ConfigError, CropperError, ScorerOutputError
from cropper.finder import CropFinder
from cropper.identity import KnownPeople
from cropper.image import EXTENSION_OF, MOST_BYTES
from cropper.presets import PRESETS
from cropper.scoring_thread import ScoringThread
from cropper.serve.admission import Admission, Ticket
from cropper.serve.handlers import MEDIA_TYPES, EncodedCrop, Handlers, ServedScorer
from cropper.serve.metrics import Measured, Metrics
from cropper.serve.negotiation import ANY_PICTURE, JSON, choose
from cropper.serve.openapi import describe
from cropper.serve.pages import page_routes, site_routes
from cropper.serve.problems import HANDLERS, ProblemError
from cropper.serve.questions import CropQuestion, CutQuestion, ScoreQuestion, read_question
from cropper.serve.security import Guard
from cropper.serve.settings import ServeOptions
from cropper.serve.uploads import Upload, drain, read_upload
from cropper.threads import cores
from cropper.tone import FILTERS

__all__ = ["make_app"]

_PICTURES = tuple(MEDIA_TYPES.values())
_FORMAT_OF = {media_type: file_format for file_format, media_type in MEDIA_TYPES.items()}
_LOG = logging.getLogger("cropper.serve")
_MOST_WORKERS = 4
_NOBODY = KnownPeople(())

Work = Callable[[Ticket], Any]


def make_app(
    finders: Sequence[CropFinder], options: ServeOptions, people: KnownPeople = _NOBODY
) -> ASGIApp:
    """The service as an ASGI application; its lifespan starts and ends the scorers' threads.

    Requests name a finder by its scorer; the first is the default. Raises ConfigError for two of
    one name.
    """
    service = _Service(finders, options, people)
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
        *site_routes(options.site),
    ]
    paths = frozenset(route.path for route in routes)
    # Around Starlette, not in it: its answers to errors that nobody expected pass through them too
    app = Starlette(routes=routes, exception_handlers=HANDLERS, lifespan=service.lifespan)
    return Measured(Guard(app, options), service.metrics, paths)


class _Service:
    """The endpoints, and what they share."""

    def __init__(
        self, finders: Sequence[CropFinder], options: ServeOptions, people: KnownPeople
    ) -> None:
        self.finders = {finder.scorer.spec.name: finder for finder in finders}
        if len(self.finders) < len(finders):
            raise ConfigError("two scorers have one name: give each `scorer` once")
        self.options, self.people = options, people
        self.metrics = Metrics()
        self.document = describe(options)

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        workers = max(2, min(cores(), _MOST_WORKERS))  # one decodes while one waits for scores
        self.scorers = {
            name: ServedScorer(finder, ScoringThread(finder, around_batch=self.metrics.scoring))
            for name, finder in self.finders.items()
        }
        self.admission = Admission(self.options.queue, workers, self.metrics)
        most = self.options.max_mpixels
        decoders = Decoders(most, together=MOST_BYTES * 1e6 * most)
        with decoders:
            decoders.start(workers)
            seconds = self.options.answer_seconds
            self.handlers = Handlers(self.scorers, decoders, seconds=seconds, people=self.people)
            try:
                yield
            finally:
                self.admission.close()
                for scorer in self.scorers.values():
                    scorer.thread.close()

    async def crop(self, request: Request) -> Response:
        media_type = _accepted(request, (JSON, ANY_PICTURE, *_PICTURES))

        def work(upload: Upload) -> Work:
            options = read_question(upload.fields, CropQuestion)
            if media_type == JSON:
                return lambda ticket: self.handlers.crop(ticket, upload.photo, options)
            return lambda t: self.handlers.cropped(
                t, upload.photo, options, _FORMAT_OF.get(media_type)
            )

        return await self._answer(request, work)

    async def score(self, request: Request) -> Response:
        _accepted(request, (JSON,))

        def work(upload: Upload) -> Work:
            options = read_question(upload.fields, ScoreQuestion)
            return lambda ticket: self.handlers.score(ticket, upload.photo, options)

        return await self._answer(request, work)

    async def cut(self, request: Request) -> Response:
        media_type = _accepted(request, (ANY_PICTURE, *_PICTURES))

        def work(upload: Upload) -> Work:
            options = read_question(upload.fields, CutQuestion)
            return lambda t: self.handlers.cut(t, upload.photo, options, _FORMAT_OF.get(media_type))

        return await self._answer(request, work)

    async def _answer(self, request: Request, work: Callable[[Upload], Work]) -> Response:
        """Take a place, read the upload, have it worked on."""
        options = self.options
        if self.admission.full:
            problem = self.admission.refusal()
            await drain(request, options)
            raise problem
        with self.admission.place():
            upload = await read_upload(request, options)
            try:
                ticket = Ticket(work(upload))
                answer = await self.admission.run(request, ticket, options.answer_seconds)
            except ScorerOutputError:
                _LOG.exception("the scorer failed")
                raise
            except (ProblemError, CropperError, ClientDisconnect):
                raise
            except Exception as error:  # of a scorer, say; raised on, it would cut the connection
                _LOG.exception("a request failed")
                raise ProblemError("internal", "the service's log says more") from error
        if isinstance(answer, EncodedCrop):
            return _crop_response(answer)
        return JSONResponse(answer, headers={"Vary": "Accept"})

    async def limits(self, _: Request) -> Response:
        """What the page has to know before it sends anything."""
        return JSONResponse(
            {
                "max_upload_mb": self.options.max_upload_mb,
                "max_mpixels": self.options.max_mpixels,
                "scorer": next(iter(self.finders)),
                "scorers": [*self.finders],
                "people": [person.name for person in self.people],
                "filters": [*FILTERS],
                "site": self.options.site is not None,
                "presets": [preset.to_dict() for preset in PRESETS],
            }
        )

    async def healthz(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(self, _: Request) -> Response:
        if not all(scorer.thread.alive for scorer in self.scorers.values()):
            raise ProblemError("not-ready", "a scorer's thread has ended: start the service again")
        if self.admission.stuck:
            raise ProblemError("not-ready", "every worker has been at one request for long")
        if self.admission.full:
            raise self.admission.refusal()
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


def _crop_response(answer: EncodedCrop) -> Response:
    name = f"crop{EXTENSION_OF[answer.format]}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept"}
    if answer.crop:
        headers["Cropper-Box"] = ",".join(str(int(edge)) for edge in answer.crop.box)
        headers["Cropper-Score"] = str(answer.crop.score)
    if answer.turned is not None:
        headers["Cropper-Turned"] = str(answer.turned)
    return Response(answer.content, headers=headers, media_type=MEDIA_TYPES[answer.format])

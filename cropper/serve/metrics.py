"""What the service counts, in the format of Prometheus; nothing of it tells of a picture."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Measured", "Metrics"]

_SECONDS = (0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class Metrics:
    """One service's; two in one process do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "cropper_requests", "Answers by path and status", ["path", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "cropper_request_seconds", "From a request's first byte to its answer", ["path"],
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.inside = Gauge(
            "cropper_requests_inside", "Requests that have a place", registry=self.registry
        )
        self.batches = Histogram(
            "cropper_batch_pictures", "Pictures that the scorer looked at together",
            buckets=(1, 2, 4, 8, 16), registry=self.registry,
        )  # fmt: skip
        self.scored = Counter(
            "cropper_scoring_seconds", "Time that the scorer worked", registry=self.registry
        )

    @contextlib.contextmanager
    def scoring(self, pictures: int) -> Iterator[None]:
        if pictures:
            self.batches.observe(pictures)
        started = time.monotonic()
        try:
            yield
        finally:
            self.scored.inc(time.monotonic() - started)

    def text(self) -> bytes:
        return generate_latest(self.registry)


class Measured:
    """Around the application: counts answers. ``paths`` are those that get a name of their own."""

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: frozenset[str]) -> None:
        self.app, self.metrics, self.paths = app, metrics, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in self.paths else "other"
        started = time.monotonic()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.metrics.requests.labels(path, str(message["status"])).inc()
                self.metrics.seconds.labels(path).observe(time.monotonic() - started)
            await send(message)

        await self.app(scope, receive, counted)

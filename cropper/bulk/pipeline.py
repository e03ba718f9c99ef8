"""Photos -> outcomes as they come, by workers: joblib's threads here, processes on a cluster.

The next photo is asked for when a worker is free, so that what is in memory is bounded by the
workers and not by the folder, and outcomes are handed over in the order in which they are done, so
that a slow photo holds nobody up.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cropper.bulk.find import PhotoFinder, ThreadedPhotoFinder, load_photo_finder
from cropper.bulk.options import BulkOptions
from cropper.bulk.outcome import Outcome
from cropper.bulk.work import PhotoJob, crop_photo
from cropper.decoders import Decoders
from cropper.errors import ConfigError, ImageReadError, extra
from cropper.threads import THREADS, cores

__all__ = ["Backend", "Dask", "Local", "Ray", "open_backend"]

_SILENT = logging.CRITICAL + 1
Jobs = Iterable[PhotoJob]
Note = Callable[[str], None]
_COUNTS = 1.0  # s between two counts of a cluster's workers
_START = 10.0  # s for the first of them
_GRACE = 2.0  # s that photos which are being decoded have left when a run is to end


class Local:
    """Threads of this process, each of which has a decoder while it is at a photo."""

    def __init__(self, finder: PhotoFinder, options: BulkOptions, stop: threading.Event) -> None:
        self.finder, self.options, self.stop = finder, options, stop
        self._stopped: float | None = None  # when that was first seen

    def run(self, jobs: Jobs) -> Iterator[Outcome]:
        """What was handed out when ``stop`` is set is dropped, what was begun is finished."""
        from joblib import Parallel, delayed  # noqa: PLC0415 - slow

        workers = self.options.workers or cores()
        # those that wait for the scorer's thread leave their core to others
        waiting = self.options.batch_size * isinstance(self.finder, ThreadedPhotoFinder)
        options = self.options
        with self.finder, Decoders(options.max_mpixels, strict=options.strict) as decoders:
            parallel = Parallel(
                workers + waiting, backend="threading", return_as="generator_unordered"
            )
            crop = functools.partial(self._crop, decoders)
            for outcome in parallel(map(delayed(crop), jobs)):
                if outcome is not None:
                    yield outcome

    def _crop(self, decoders: Decoders, job: PhotoJob) -> Outcome | None:
        if self.stop.is_set():
            return None
        return crop_photo(job, self.finder, decoders, self._check)

    def _check(self) -> None:
        if self.stop.is_set():
            self._stopped = self._stopped or time.monotonic()
            if time.monotonic() - self._stopped > _GRACE:
                raise ImageReadError("interrupted before it was done", "interrupted")


class Dask:
    """Processes, on this machine or others, that see the same folders under the same names.

    The scheduler gives the photos of a worker that is lost to another. Without joblib, whose Dask
    backend counts the workers once, and where it counts one does the work itself.
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    def run(self, jobs: Jobs) -> Iterator[Outcome]:
        from distributed import as_completed  # noqa: PLC0415 - slow

        completed: Any = as_completed  # it has no types
        running = completed(loop=self.client.loop)
        counted, at_once = -math.inf, 0
        for job in jobs:
            if time.monotonic() - counted > _COUNTS:
                counted = time.monotonic()
                at_once = 2 * max(sum(self.client.ncores().values()), 1)
            running.add(self.client.submit(_crop_remotely, job, pure=False))
            if running.count() >= at_once:
                yield next(running).result()
        for future in running:
            yield future.result()


class Ray:
    """As Dask. Without joblib, whose Ray backend gives no results before all are there."""

    def run(self, jobs: Jobs) -> Iterator[Outcome]:
        import ray  # noqa: PLC0415 - slow

        crop = ray.remote(_crop_remotely)  # it is tried again where its worker is lost
        resources: Any = ray.cluster_resources  # it has no types
        at_once = 2 * int(resources().get("CPU", 1))
        running: list[Any] = []
        for job in jobs:
            running.append(crop.remote(job))
            if len(running) == at_once:
                ready, running = ray.wait(running)
                yield from ray.get(ready)
        while running:
            ready, running = ray.wait(running)
            yield from ray.get(ready)


Backend = Local | Dask | Ray


@contextlib.contextmanager
def open_backend(options: BulkOptions, stop: threading.Event, note: Note) -> Iterator[Backend]:
    """Workers, ready; ``note`` is told of those of Dask that are lost, in a thread of its own.

    Raises MissingModelError or MissingExtraError for what is not there.
    """
    if options.backend == "local":
        with _one_core_each() as limit:
            finder = load_photo_finder(options)
            limit()
            yield Local(finder, options, stop)
    elif options.backend == "dask":
        with _dask(options, note) as client:
            yield Dask(client)
    else:
        with _ray(options):
            yield Ray()


@contextlib.contextmanager
def _one_core_each() -> Iterator[Callable[[], None]]:
    """Lets each worker compute in its own thread alone; call what it gives when all is loaded.

    Left alone, NumPy, torch and ONNX Runtime would each start a thread a core for every worker,
    and these wait for each other in loops. One thread whatever the number of workers, since sums
    in another order have other last digits, and a crop may depend on them.
    """
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"  # ONNX Runtime and what starts its threads when it is loaded
    torch_threads: list[int] = []
    limits = contextlib.ExitStack()

    def limit() -> None:
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 - looks at all libraries

        limits.enter_context(threadpool_limits(1))
        if torch := sys.modules.get("torch"):
            torch_threads.append(torch.get_num_threads())
            torch.set_num_threads(1)

    try:
        with limits:
            yield limit
    finally:
        if torch_threads:
            sys.modules["torch"].set_num_threads(torch_threads[0])
        if before is None:
            os.environ.pop(THREADS, None)
        else:
            os.environ[THREADS] = before


@contextlib.contextmanager
def _dask(options: BulkOptions, note: Note) -> Iterator[Any]:
    with extra("dask"):
        import distributed  # noqa: PLC0415 - slow
    connect: Any = distributed.Client  # it has no types
    if options.cluster is None:
        place: dict[str, Any] = {
            "n_workers": options.workers or cores(),
            "threads_per_worker": 1,
            "dashboard_address": None,
            "silence_logs": _SILENT,  # of its processes
        }
    else:
        place = {"address": options.cluster}

    def told(event: tuple[float, Any]) -> None:
        what = event[1]
        if what["action"] == "remove-worker" and not what.get("expected"):
            note("a worker of Dask was lost: its photos go to another")

    with _without_logs("distributed"):
        try:
            with _children_ignore_ctrl_c():
                client = connect(**place)
        except (OSError, RuntimeError, ValueError) as error:
            if options.cluster is None:
                raise ConfigError(
                    f"the workers of Dask did not start ({error}): try again, or fewer `workers`"
                ) from error
            raise ConfigError(f"no Dask scheduler at {options.cluster}: {error}") from error
        with client:
            _wait_for_a_worker(client, options.cluster)
            client.subscribe_topic("all", told)
            try:
                yield client
            finally:
                with contextlib.suppress(Exception):  # the scheduler has gone
                    client.unsubscribe_topic("all")


def _wait_for_a_worker(client: Any, cluster: str | None) -> None:
    try:
        client.wait_for_workers(1, _START)
    except TimeoutError as error:
        raise ConfigError(
            f"the Dask scheduler at {cluster} has no worker: start one with `dask worker`"
        ) from error


@contextlib.contextmanager
def _without_logs(name: str) -> Iterator[None]:
    """A package's own log, tracebacks in it, stays away from where people read.

    For good after an exception: what is left of a cluster is closed when the process ends.
    """
    handlers = logging.getLogger(name).handlers
    before = [handler.level for handler in handlers]
    for handler in handlers:
        handler.setLevel(_SILENT)
    yield
    for handler, level in zip(handlers, before, strict=True):
        handler.setLevel(level)


@contextlib.contextmanager
def _ray(options: BulkOptions) -> Iterator[None]:
    with extra("ray"):
        import ray  # noqa: PLC0415 - slow
    if ray.is_initialized():  # the caller's own connection
        yield
        return
    place = {"address": options.cluster} if options.cluster else {"num_cpus": options.workers}
    try:
        with _children_ignore_ctrl_c():
            ray.init(**place, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError) as error:
        raise ConfigError(f"no Ray cluster at {options.cluster}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _children_ignore_ctrl_c() -> Iterator[None]:
    """A terminal sends it to all processes, but only this one may decide what ends when."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which processes started now inherit
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_loading = threading.Lock()


def _crop_remotely(job: PhotoJob) -> Outcome:
    with _loading:
        finder, decoders = _loaded(job.options)
    return crop_photo(job, finder, decoders, lambda: None)


@functools.lru_cache(maxsize=1)
def _loaded(options: BulkOptions) -> tuple[PhotoFinder, Decoders]:
    """Loaded once a worker process and kept: loading takes longer than many photos."""
    limit = _one_core_each().__enter__()  # for as long as the process lives
    finder = load_photo_finder(options)
    limit()
    return finder.__enter__(), Decoders(options.max_mpixels, strict=options.strict)

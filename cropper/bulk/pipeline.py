"""Photos -> outcomes as they come, over joblib's workers: threads here, processes on a cluster.

joblib asks for the next photo when a worker is free, so that what is in memory is bounded by the
workers and not by the folder, and hands outcomes over in the order in which they are done, so
that a slow photo holds nobody up.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import signal
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from cropper.bulk.judge import Judge, Owner, cores, load_judge, one_core_each
from cropper.bulk.options import BulkOptions
from cropper.bulk.outcome import Outcome
from cropper.bulk.plan import PlannedPhoto
from cropper.bulk.work import Job, crop_photo
from cropper.errors import ConfigError, extra

__all__ = ["Backend", "Dask", "Local", "Ray", "open_backend"]

Photos = Iterable[PlannedPhoto]


class Local:
    """Threads of this process: Pillow and torch let go of the interpreter while they work."""

    def __init__(self, judge: Judge, stop: threading.Event) -> None:
        self.judge, self.stop = judge, stop

    def run(self, photos: Photos, job: Job) -> Iterator[Outcome]:
        """What was handed out when ``stop`` is set is dropped, what was begun is finished."""
        from joblib import Parallel, delayed  # noqa: PLC0415 - slow

        workers = job.options.workers or cores()
        # those that wait for a GPU's owner leave their core to others
        threads = workers + job.options.batch_size * isinstance(self.judge, Owner)
        with self.judge:
            parallel = Parallel(threads, backend="threading", return_as="generator_unordered")
            crop = delayed(self._crop)
            for outcome in parallel(crop(photo, job) for photo in photos):
                if outcome is not None:
                    yield outcome

    def _crop(self, photo: PlannedPhoto, job: Job) -> Outcome | None:
        return None if self.stop.is_set() else crop_photo(photo, job, self.judge)


class Dask:
    """Processes, on this machine or others, that see the same folders under the same names.

    The scheduler gives the photos of a worker that is lost to another.
    """

    def run(self, photos: Photos, job: Job) -> Iterator[Outcome]:
        from joblib import Parallel, delayed, parallel_config  # noqa: PLC0415 - slow

        with parallel_config("dask", n_jobs=-1):
            parallel = Parallel(return_as="generator_unordered", batch_size=1)
            crop = delayed(_crop_remotely)
            yield from parallel(crop(photo, job) for photo in photos)


class Ray:
    """As Dask. Without joblib, whose Ray backend gives no results before all are there."""

    def run(self, photos: Photos, job: Job) -> Iterator[Outcome]:
        import ray  # noqa: PLC0415 - slow

        crop = ray.remote(_crop_remotely)  # it is tried again where its worker is lost
        resources: Any = ray.cluster_resources  # it has no types
        at_once = 2 * int(resources().get("CPU", 1))
        running: list[Any] = []
        for photo in photos:
            running.append(crop.remote(photo, job))
            if len(running) == at_once:
                ready, running = ray.wait(running)
                yield from ray.get(ready)
        while running:
            ready, running = ray.wait(running)
            yield from ray.get(ready)


Backend = Local | Dask | Ray


@contextlib.contextmanager
def open_backend(options: BulkOptions, stop: threading.Event) -> Iterator[Backend]:
    """Workers, ready. Raises MissingModelError or MissingExtraError for what is not there."""
    if options.backend == "local":
        with one_core_each() as limit:
            judge = load_judge(options)
            limit()
            yield Local(judge, stop)
    elif options.backend == "dask":
        with _dask(options):
            yield Dask()
    else:
        with _ray(options):
            yield Ray()


@contextlib.contextmanager
def _dask(options: BulkOptions) -> Iterator[None]:
    with extra("dask"):
        import distributed  # noqa: PLC0415 - slow
    connect: Any = distributed.Client  # it has no types
    if options.cluster is None:
        place: dict[str, Any] = {
            "n_workers": options.workers or cores(),
            "threads_per_worker": 1,
            "dashboard_address": None,
        }
    else:
        place = {"address": options.cluster}
    try:
        with _children_ignore_ctrl_c():
            client = connect(**place)
    except (OSError, ValueError) as error:
        raise ConfigError(f"no Dask scheduler at {options.cluster}: {error}") from error
    with client:
        yield


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


def _crop_remotely(photo: PlannedPhoto, job: Job) -> Outcome:
    with _loading:
        judge = _judge(job.options)
    return crop_photo(photo, job, judge)


@functools.lru_cache(maxsize=1)
def _judge(options: BulkOptions) -> Judge:
    """Loaded once a worker process and kept: loading takes longer than many photos."""
    limit = one_core_each().__enter__()  # for as long as the process lives
    judge = load_judge(options)
    limit()
    return judge.__enter__()

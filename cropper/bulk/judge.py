"""Who asks the scorer. On a CPU every worker does, for the photo that it has decoded: there the
network is most of the work and each core does its share. A GPU has one owner, a thread that takes
what the workers have decoded meanwhile and binds it together.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from cropper.bulk.options import BulkOptions
from cropper.errors import ConfigError
from cropper.finder import CropFinder, search_config
from cropper.image import SourceImage, View
from cropper.methods import crops_to_find, load_transformer
from cropper.result import CropResult
from cropper.search import Objective

if TYPE_CHECKING:
    from cropper.transform import TransformFinder
    from spatial_transformer.affine import Warp

__all__ = ["Found", "Judge", "Owner", "cores", "load_judge", "one_core_each"]

_THREADS = "OMP_NUM_THREADS"

_Request = tuple[SourceImage, View, "Future[tuple[Found, ...]]"]


@dataclass(frozen=True)
class Found:
    """The crops of one aspect, best first."""

    result: CropResult
    warps: tuple[Warp, ...] = ()  # the crops themselves, where they may be turned

    def warp(self, index: int) -> Warp | None:
        """None where crops are boxes."""
        return self.warps[index] if self.warps else None


class Judge:
    """Finds the crops that a run asks for, one result a target, in the caller's thread."""

    def __init__(self, finder: CropFinder, options: BulkOptions) -> None:
        self.finder, self.options = finder, options
        self.configs = {
            target.aspect: search_config(
                finder.scorer.spec,
                target.aspect,
                strategy=options.strategy,
                budget=options.budget,
                seed=options.seed,
                top_k=crops_to_find(options),
            )
            for target in options.targets()
        }
        # A search is many short steps of the interpreter: two at once take longer than in turn
        self._turn = contextlib.nullcontext() if finder.scorer.spec.costly else threading.Lock()

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def judge(self, image: SourceImage) -> tuple[Found, ...]:
        """Raises what ``CropFinder.find`` raises."""
        objective = self.finder.bind(image)
        with self._turn:
            return self._search(image, objective)

    def _search(self, image: SourceImage, objective: Objective) -> tuple[Found, ...]:
        def find(aspect: str) -> Found:
            return Found(
                self.finder.find(
                    image,
                    aspect=aspect,
                    min_scale=self.options.min_scale,
                    max_scale=self.options.max_scale,
                    config=self.configs[aspect],
                    objective=objective,
                )
            )

        return self._each_target(find)

    def _each_target(self, find: Callable[[str], Found]) -> tuple[Found, ...]:
        """Targets of one aspect share what was found."""
        targets = self.options.targets()
        found = {aspect: find(aspect) for aspect in dict.fromkeys(each.aspect for each in targets)}
        return tuple(found[target.aspect] for target in targets)


class Transformer(Judge):
    """Finds crops that may be turned, in the caller's thread."""

    def __init__(
        self, finder: CropFinder, options: BulkOptions, transformer: TransformFinder
    ) -> None:
        super().__init__(finder, options)
        self.transformer = transformer

    def judge(self, image: SourceImage) -> tuple[Found, ...]:
        def find(aspect: str) -> Found:
            warped = self.transformer.find(
                image,
                aspect=aspect,
                min_scale=self.options.min_scale,
                max_scale=self.options.max_scale,
            )
            return Found(warped.result, warped.warps)

        return self._each_target(find)


class Owner(Judge):
    """One thread that has the device to itself; workers decode, hand in and wait."""

    def __enter__(self) -> Owner:
        # unbounded, but each worker has at most one picture in it
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="scorer", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._requests.put(None)
        self._thread.join()

    def judge(self, image: SourceImage) -> tuple[Found, ...]:
        answer: Future[tuple[Found, ...]] = Future()
        view = self.finder.scorer.spec.view(image)
        self._requests.put((image, view, answer))
        return answer.result()

    def _serve(self) -> None:
        while batch := self._batch():
            try:
                objectives = self.finder.bind_views([view for _, view, _ in batch])
            except Exception as error:  # the workers', who count it as their photos' failure
                for _, _, answer in batch:
                    answer.set_exception(error)
                continue
            for (image, _, answer), objective in zip(batch, objectives, strict=True):
                try:
                    answer.set_result(self._search(image, objective))
                except Exception as error:
                    answer.set_exception(error)

    def _batch(self) -> list[_Request]:
        """Waits for the first, then takes what is there; nothing at the end."""
        batch: list[_Request] = []
        request = self._requests.get()
        while request is not None:
            batch.append(request)
            if len(batch) == self.options.batch_size:
                return batch
            try:
                request = self._requests.get_nowait()
            except queue.Empty:
                return batch
        if batch:
            self._requests.put(None)  # the end, once more for the next call
        return batch


def load_judge(options: BulkOptions) -> Judge:
    """Raises MissingModelError and ConfigError as ``load_scorer`` does."""
    finder = CropFinder(options.scorer, options.device)
    if options.min_gain and not finder.scorer.spec.calibrated:
        raise ConfigError(
            f"--min-gain is a probability, and the scores of {finder.scorer.spec.name} are no "
            "log-odds: use it with cropnet"
        )
    if transformer := load_transformer(finder, options):
        return Transformer(finder, options, transformer)
    device = getattr(getattr(finder.scorer, "device", None), "type", "cpu")
    return (Judge if device == "cpu" else Owner)(finder, options)


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def one_core_each() -> Iterator[Callable[[], None]]:
    """Lets each worker compute in its own thread alone; call what it gives when all is loaded.

    Left alone, NumPy, torch and ONNX Runtime would each start a thread a core for every worker,
    and these wait for each other in loops. One thread whatever the number of workers, since sums
    in another order have other last digits, and a crop may depend on them.
    """
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = "1"  # ONNX Runtime and what starts its threads when it is loaded
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
            os.environ.pop(_THREADS, None)
        else:
            os.environ[_THREADS] = before

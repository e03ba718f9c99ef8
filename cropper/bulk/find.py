"""A decoded photo -> the results of a run's requests.

On a CPU every worker asks the scorer for the photo that it has decoded: there the network is most
of the work and each core does its share. A GPU has one thread, which binds what the workers have
decoded meanwhile together.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from cropper.bulk.options import BulkOptions
from cropper.errors import ConfigError
from cropper.finder import CropFinder
from cropper.identity import look
from cropper.image import SourceImage, View
from cropper.request import CropFields
from cropper.result import SEARCH, CropResult
from cropper.scoring_thread import ScoringThread
from cropper.search import Objective
from cropper.space import CropSpace
from cropper.subjects import find_subjects
from cropper.tone import BEST

__all__ = ["PhotoFinder", "ThreadedPhotoFinder", "load_photo_finder"]


class PhotoFinder:
    """Finds what a run asks for, one result a request, in the caller's thread."""

    def __init__(self, finder: CropFinder, options: BulkOptions) -> None:
        """Raises what ``CropFinder.prepare`` and ``CropStyle.painter`` raise."""
        self.finder = finder
        self.requests = options.requests
        if options.overlay is not None:
            self.requests = tuple(each.with_runners_up() for each in self.requests)
        for request in self.requests[:1]:  # they differ in aspect and size alone
            finder.prepare(request)
        # None: crops are not painted
        self.painter = options.style.painter(options.max_mpixels) if options.style else None
        self.is_search = options.method == SEARCH
        # A search is many short steps of the interpreter: two at once take longer than in turn
        costly = finder.scorer.spec.costly or options.requests[0].filter == BEST
        in_turn = self.is_search and not costly
        self._turn: AbstractContextManager[object] = threading.Lock() if in_turn else nullcontext()

    def __enter__(self) -> PhotoFinder:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def find(self, image: SourceImage, own: CropFields | None = None) -> tuple[CropResult, ...]:
        """``own`` are fields of this photo alone. Raises what ``CropFinder.find`` raises."""
        self._look(image, own)
        view = self.finder.scorer.spec.view(image) if self.is_search else None
        objective = self.finder.bind_view(view) if view else None
        with self._turn:
            return self._find(image, view, objective, own)

    def _look(self, image: SourceImage, own: CropFields | None) -> None:
        """For what is up and for people to keep: slow, and in the caller's own thread."""
        if self.requests[0].orient:
            self.finder.set_upright(image)
        if replace(self.requests[0], **(own or {})).people:
            look(image)

    def _find(
        self,
        image: SourceImage,
        view: View | None,
        objective: Objective | None,
        own: CropFields | None,
    ) -> tuple[CropResult, ...]:
        """Requests of one crop space share what was found."""
        found: dict[tuple[bool, tuple[CropSpace, ...]], CropResult] = {}
        results = []
        for request in self.requests:  # they differ in aspect and size alone
            asked = (request.has_shape, request.spaces(image.size))
            if asked not in found:
                found[asked] = self.finder.find(
                    image, request, objective=objective, view=view, **(own or {})
                )
            result = found[asked]
            if not result.copied:
                request.check_pixels(result.best)
                result = replace(result, size=request.size)
            results.append(result)
        return tuple(results)


class ThreadedPhotoFinder(PhotoFinder):
    """The same by one thread that has the device to itself; workers decode, hand in and wait."""

    def __init__(self, finder: CropFinder, options: BulkOptions) -> None:
        super().__init__(finder, options)
        self._batch_size = options.batch_size

    def __enter__(self) -> ThreadedPhotoFinder:
        self._thread = ScoringThread(self.finder, self._batch_size)
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.close()

    def find(self, image: SourceImage, own: CropFields | None = None) -> tuple[CropResult, ...]:
        self._look(image, own)
        view = self.finder.scorer.spec.view(image)
        find_subjects(replace(self.requests[0], **(own or {})), view)
        return self._thread.ask(view, lambda objective: self._find(image, view, objective, own))


def load_photo_finder(options: BulkOptions) -> PhotoFinder:
    """Raises what ``load_scorer`` and ``PhotoFinder`` raise."""
    finder = CropFinder(options.scorer, options.device)
    if options.min_gain and not finder.scorer.spec.calibrated:
        raise ConfigError(
            f"`min_gain` is a probability, and the scores of {finder.scorer.spec.name} are no "
            "log-odds: use it with cropnet"
        )
    threaded = finder.scorer.spec.device != "cpu" and options.method == SEARCH
    return (ThreadedPhotoFinder if threaded else PhotoFinder)(finder, options)

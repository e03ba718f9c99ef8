"""The work itself: bytes and what is asked in, an answer out. Runs in the workers' threads."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from cropper.boxes import Crop, clip
from cropper.decoders import Decoders, RemoteImage
from cropper.errors import BoxError
from cropper.finder import CropFinder, ScoreMap
from cropper.identity import KnownPeople, look
from cropper.image import FORMATS, View, sniff
from cropper.render import render
from cropper.result import CropResult, preference
from cropper.scoring_thread import ScoringThread
from cropper.search import Objective
from cropper.serve.admission import Ticket
from cropper.serve.problems import ProblemError
from cropper.serve.schema import CropOptions, CutOptions, ScoreOptions
from cropper.subjects import find_subjects

__all__ = ["MEDIA_TYPES", "EncodedCrop", "Handlers"]

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "TIFF": "image/tiff",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "HEIF": "image/heic",
}
Answer = TypeVar("Answer")

_NAME = "the photo"  # in messages; the name that a client gives is not used for anything
_SLACK = 1e-6  # px that float arithmetic may put a box outside


@dataclass(frozen=True)
class EncodedCrop:
    """A crop as a file, and what its headers say of it."""

    content: bytes
    format: str  # one of FORMATS
    crop: Crop | None = None  # None: the caller knows the box


class Handlers:
    """One finder for all requests; photos are decoded in processes of their own."""

    def __init__(
        self,
        finder: CropFinder,
        scoring: ScoringThread,
        decoders: Decoders,
        *,
        seconds: float,
        people: KnownPeople,
    ) -> None:
        """``seconds`` are those that a photo may be decoded and encoded for."""
        self.people = people
        self.finder, self.scoring, self.decoders = finder, scoring, decoders
        self.max_mpixels, self.seconds = decoders.max_mpixels, seconds

    def crop(self, ticket: Ticket, data: bytes, options: CropOptions) -> dict[str, Any]:
        """The JSON answer: that of ``cropper best --json``, and more."""
        self._check_size(options.size)
        with self._opened(ticket, data) as source:
            result, heat = self._find(ticket, source, options)
        best = result.best
        notes = [*source.notes, *result.notes]
        if result.size and result.enlarged(best):
            notes.append("the crop is enlarged to {}x{}".format(*result.size))
        answer = {
            **result.to_dict(),
            "crops": [
                {
                    **result.crop_record(crop),
                    **self._preferred(crop.score, result.full_frame_score),
                }
                for crop in result.crops
            ],
            "format": source.format,
            "notes": notes,
        }
        return answer | ({"heat": _heat_record(heat)} if heat else {})

    def cropped(
        self, ticket: Ticket, data: bytes, options: CropOptions, kind: str | None
    ) -> EncodedCrop:
        """The best crop as a picture, in the format of the source where ``kind`` is None."""
        self._check_size(options.size)
        only = options.model_copy(update={"top_k": 1, "heat": False})
        with self._opened(ticket, data) as source:
            best = self._find(ticket, source, only)[0].best
            ticket.check()
            return self._encoded(source, best, options, kind, best)

    def cut(
        self, ticket: Ticket, data: bytes, options: CutOptions, kind: str | None
    ) -> EncodedCrop:
        """The caller's own box as a picture."""
        self._check_size(options.size)
        with self._opened(ticket, data) as source:
            if options.size:  # a small JPEG is scaled from what was decoded to be judged: as there
                self.finder.scorer.spec.view(source)
            ticket.check()
            return self._encoded(source, Crop.of(options.box[0], 0.0), options, kind)

    def _encoded(
        self,
        source: RemoteImage,
        crop: Crop,
        options: CropOptions | CutOptions,
        kind: str | None,
        told: Crop | None = None,
    ) -> EncodedCrop:
        kind = kind or source.format
        self._check_size(crop.layout(options.size)[0])  # a padded one is larger than its crop
        content = source.apply(render, crop, kind, size=options.size, quality=options.quality)
        return EncodedCrop(content, kind, told)

    def score(self, ticket: Ticket, data: bytes, options: ScoreOptions) -> dict[str, Any]:
        """The scores of the caller's boxes, in their order."""
        with self._opened(ticket, data) as source:
            width, height = source.size
            inside = clip(options.boxes, source.size)
            outside = np.abs(inside - options.boxes).max(1) > _SLACK
            if outside.any():
                worst = options.boxes[outside][0].tolist()
                raise BoxError(f"a box lies within (0, 0, {width}, {height}), got {worst}")
            boxes = np.concatenate([inside, [[0.0, 0.0, width, height]]])
            view = self.finder.scorer.spec.view(source)
        scores = self._score(ticket, view, lambda objective: objective(boxes)).tolist()
        full = scores.pop()
        return {
            "source_size": list(source.size),
            "full_frame_score": full,
            "scorer": self.finder.scorer.spec.name,
            "boxes": [
                {"box": box, "score": score, **self._preferred(score, full)}
                for box, score in zip(options.boxes.tolist(), scores, strict=True)
            ],
        }

    def _score(self, ticket: Ticket, view: View, work: Callable[[Objective], Answer]) -> Answer:
        """``work`` in the scorer's thread, with an objective that ends when nobody waits for it."""
        spec = self.finder.scorer.spec

        def watched(objective: Objective) -> Answer:
            return work(ticket.watched(objective, spec.batch_size))

        return self.scoring.ask(view, watched, ticket.check)

    def _preferred(self, score: float, full_frame: float) -> dict[str, float | None]:
        """The probability that people prefer it, None where scores are no log-odds."""
        calibrated = self.finder.scorer.spec.calibrated
        share = round(preference(score - full_frame), 4) if calibrated else None
        return {"preferred_to_full_frame": share}

    @contextlib.contextmanager
    def _opened(self, ticket: Ticket, data: bytes) -> Iterator[RemoteImage]:
        if sniff(data) is None:
            raise ProblemError(
                "not-a-picture",
                f"a photo is {', '.join(FORMATS)} by its content; its name and type do not count",
                rule="format",
            )
        with self.decoders.open(data, _NAME, self.seconds, ticket.check) as source:
            yield source

    def _check_size(self, size: tuple[int, int] | None) -> None:
        if size and size[0] * size[1] > self.max_mpixels * 1e6:
            raise ProblemError(
                "bad-option",
                f"size has at most {self.max_mpixels:g} megapixels, got {size[0]}x{size[1]}",
                rule="size",
                limit=self.max_mpixels,
            )

    def _find(
        self, ticket: Ticket, source: RemoteImage, options: CropOptions
    ) -> tuple[CropResult, ScoreMap | None]:
        started = time.perf_counter()
        request, view = options.request(self.people), self.finder.scorer.spec.view(source)
        if request.people:
            look(source)  # slow, and in the caller's own thread
        find_subjects(request, view)

        def work(objective: Objective) -> tuple[CropResult, ScoreMap | None]:
            result = self.finder.find(source, request, objective=objective, view=view)
            best = result.best
            if not options.heat:
                return result, None
            shape = best.width / best.height
            return result, self.finder.score_map(source, shape, objective=objective)

        result, heat = self._score(ticket, view, work)
        return replace(result, seconds=time.perf_counter() - started), heat


def _heat_record(heat: ScoreMap) -> dict[str, Any]:
    rows, columns = heat.scores.shape
    scores = [[None if np.isnan(each) else each for each in row] for row in heat.scores.tolist()]
    return {"aspect": heat.aspect, "rows": rows, "columns": columns, "scores": scores}

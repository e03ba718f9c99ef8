"""The work itself: bytes and what is asked in, an answer out. Runs in the workers' threads."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from cropper.boxes import Crop, clip
from cropper.decoders import Decoders, RemoteImage
from cropper.errors import BoxError
from cropper.finder import CropFinder
from cropper.identity import KnownPeople, look
from cropper.image import FORMATS, Output, View, sniff
from cropper.render import render
from cropper.result import CropResult, preference
from cropper.score_map import ScoreMap
from cropper.scorers import ScorerSpec
from cropper.scoring_thread import ScoringThread
from cropper.search import Objective
from cropper.serve.admission import Ticket
from cropper.serve.problems import ProblemError
from cropper.serve.questions import CropQuestion, CutQuestion, ScoreQuestion
from cropper.subjects import find_subjects
from cropper.tone import parse_filter
from cropper.turn import Turn

__all__ = ["MEDIA_TYPES", "EncodedCrop", "Handlers", "ServedScorer"]

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
_ROUNDED = 0.01  # px that a corner may lie outside, as /v1/crop rounds them
_SLACK = 1e-6  # px that float arithmetic may put a box outside


@dataclass(frozen=True)
class EncodedCrop:
    """A crop as a file, and what its headers say of it."""

    content: bytes
    format: str  # one of FORMATS
    crop: Crop | None = None  # None: the caller knows the box
    turned: int | None = None  # degrees clockwise, where the photo was to be oriented


@dataclass(frozen=True)
class ServedScorer:
    """A scorer that requests may choose, and the thread that it belongs to."""

    finder: CropFinder
    thread: ScoringThread

    @property
    def spec(self) -> ScorerSpec:
        return self.finder.scorer.spec

    def score(self, ticket: Ticket, view: View, work: Callable[[Objective], Answer]) -> Answer:
        """``work`` in the scorer's thread, with an objective that ends when nobody waits for it."""

        def watched(objective: Objective) -> Answer:
            return work(ticket.watched(objective, self.spec.batch_size))

        return self.thread.ask(view, watched, ticket.check)

    def preferred(self, score: float, full_frame: float) -> dict[str, float | None]:
        """The probability that people prefer it, None where scores are no log-odds."""
        share = round(preference(score - full_frame), 4) if self.spec.calibrated else None
        return {"preferred_to_full_frame": share}


class Handlers:
    """One finder a scorer for all requests; photos are decoded in processes of their own."""

    def __init__(
        self,
        scorers: Mapping[str, ServedScorer],
        decoders: Decoders,
        *,
        seconds: float,
        people: KnownPeople,
    ) -> None:
        """``scorers`` by name, the default first; ``seconds`` to decode and encode a photo."""
        self.scorers, self.decoders, self.people = scorers, decoders, people
        self.max_mpixels, self.seconds = decoders.max_mpixels, seconds

    def crop(self, ticket: Ticket, data: bytes, options: CropQuestion) -> dict[str, Any]:
        """The JSON answer: that of ``cropper best --json``, and more; or a list of them."""
        self._check_size(options.size)
        scorer = self._scorer(options.scorer)
        with self._opened(ticket, data, options) as source:
            found = self._find(ticket, source, options, scorer)
            told = source.notes  # once it was decoded
        answers = [self._answer(source.format, told, scorer, *each) for each in found]
        if len(answers) == 1:
            return answers[0]
        assert options.aspect
        pairs = zip(options.aspect, answers, strict=True)
        return {"answers": [{**answer, "aspect": aspect} for aspect, answer in pairs]}

    def _scorer(self, name: str | None) -> ServedScorer:
        scorer = self.scorers.get(name or next(iter(self.scorers)))
        if scorer is None:
            known = ", ".join(self.scorers)
            raise ProblemError("bad-option", f"scorer is one of {known}, got {name}", rule="scorer")
        return scorer

    def _answer(
        self,
        file_format: str,
        told: Sequence[str],
        scorer: ServedScorer,
        result: CropResult,
        heat: ScoreMap | None,
    ) -> dict[str, Any]:
        best = result.best
        notes = [*told, *result.notes]
        if result.size and result.enlarged(best):
            notes.append("the crop is enlarged to {}x{}".format(*result.size))
        answer = {
            **result.to_dict(),
            "crops": [
                {
                    **result.crop_record(crop),
                    **scorer.preferred(crop.score, result.full_frame_score),
                }
                for crop in result.crops
            ],
            "format": file_format,
            "notes": notes,
        }
        return answer | ({"heat": _heat_record(heat)} if heat else {})

    def cropped(
        self, ticket: Ticket, data: bytes, options: CropQuestion, file_format: str | None
    ) -> EncodedCrop:
        """The best crop as a picture, in the format of the source where ``file_format`` is None."""
        self._check_size(options.size)
        if options.aspect and len(options.aspect) > 1:
            raise ProblemError("bad-option", "aspect is one for a picture", rule="aspect")
        only = options.model_copy(update={"top_k": 1, "heat": False})
        scorer = self._scorer(options.scorer)
        with self._opened(ticket, data, options, self._output(options, file_format)) as source:
            result = self._find(ticket, source, only, scorer)[0][0]
            ticket.check()
            cut = self._encoded(source, result.best, options, file_format)
            up = result.orientation
            return replace(cut, crop=result.best, turned=90 * up.turned if up else None)

    def cut(
        self, ticket: Ticket, data: bytes, options: CutQuestion, file_format: str | None
    ) -> EncodedCrop:
        """The caller's own box, or turned crop, as a picture."""
        self._check_size(options.size)
        if (options.box is None) == (options.corners is None):
            raise ProblemError("bad-option", "box, or corners, is given, and one alone", rule="box")
        scorer = self._scorer(options.scorer)
        with self._opened(ticket, data, options, self._output(options, file_format)) as source:
            if options.size:  # a small JPEG is scaled from what was decoded to be judged: as there
                scorer.spec.view(source)
            ticket.check()
            crop = _own_crop(options, source.size)
            if options.filter:
                crop = replace(crop, filter=parse_filter(options.filter))
            return self._encoded(source, crop, options, file_format)

    def _encoded(
        self,
        source: RemoteImage,
        crop: Crop,
        options: CropQuestion | CutQuestion,
        file_format: str | None,
    ) -> EncodedCrop:
        file_format = file_format or source.format
        self._check_size(crop.layout(options.size)[0])  # a padded one is larger than its crop
        content = source.apply(
            render, crop, file_format, size=options.size, quality=options.quality
        )
        return EncodedCrop(content, file_format)

    def score(self, ticket: Ticket, data: bytes, options: ScoreQuestion) -> dict[str, Any]:
        """The scores of the caller's boxes, in their order."""
        scorer = self._scorer(options.scorer)
        with self._opened(ticket, data, options) as source:
            width, height = source.size
            inside = clip(options.boxes, source.size)
            outside = np.abs(inside - options.boxes).max(1) > _SLACK
            if outside.any():
                worst = options.boxes[outside][0].tolist()
                raise BoxError(f"a box lies within (0, 0, {width}, {height}), got {worst}")
            turn = Turn(source.size, options.angle)
            boxes = turn.fit(np.concatenate([inside, [[0.0, 0.0, width, height]]]))
            view = scorer.spec.view(source)
            view = turn.view(view) if turn.angle else view
        scores = scorer.score(ticket, view, lambda objective: objective(boxes)).tolist()
        full = scores.pop()
        return {
            "source_size": list(source.size),
            "full_frame_score": full,
            "scorer": scorer.spec.name,
            "boxes": [
                {"box": box, "score": score, **scorer.preferred(score, full)}
                for box, score in zip(options.boxes.tolist(), scores, strict=True)
            ],
        }

    @contextlib.contextmanager
    def _opened(
        self,
        ticket: Ticket,
        data: bytes,
        options: CropQuestion | CutQuestion | ScoreQuestion,
        output: Output | None = None,
    ) -> Iterator[RemoteImage]:
        if sniff(data) is None:
            raise ProblemError(
                "not-a-picture",
                f"a photo is {', '.join(FORMATS)} by its content; its name and type do not count",
                rule="format",
            )
        asked = _NAME, self.seconds, ticket.check, output
        with self.decoders.open(data, *asked, weigh=ticket.weigh) as source:
            if options.turned:
                source.turn(options.turned // 90)
            yield source

    def _output(self, options: CropQuestion | CutQuestion, file_format: str | None) -> Output:
        """How large what is encoded may be, as far as it is known before the photo is."""
        pixels = options.size[0] * options.size[1] if options.size else 0.0
        fitted = isinstance(options, CropQuestion) and options.fit != "crop"
        if fitted and not options.size:
            pixels = self.max_mpixels * 1e6
        return Output(file_format, pixels, changed=fitted or options.filter is not None)

    def _check_size(self, size: tuple[int, int] | None) -> None:
        if size and size[0] * size[1] > self.max_mpixels * 1e6:
            raise ProblemError(
                "bad-option",
                f"size has at most {self.max_mpixels:g} megapixels, got {size[0]}x{size[1]}",
                rule="size",
                limit=self.max_mpixels,
            )

    def _find(
        self, ticket: Ticket, source: RemoteImage, options: CropQuestion, scorer: ServedScorer
    ) -> list[tuple[CropResult, ScoreMap | None]]:
        """For each aspect, of one decode and one look."""
        started = time.perf_counter()
        requests = options.requests(self.people)
        if options.orient:
            scorer.finder.set_upright(source)  # slow, and in the caller's own thread, as a look is
        view = scorer.spec.view(source)
        if requests[0].people:
            look(source)
        find_subjects(requests[0], view)

        def work(objective: Objective) -> list[tuple[CropResult, ScoreMap | None]]:
            found = []
            for request in requests:
                result = scorer.finder.find(source, request, objective=objective, view=view)
                heat = None
                if options.heat:  # of the photo as it is, whichever way crops are turned
                    width, height = result.best.output_size
                    heat = scorer.finder.score_map(source, width / height, objective=objective)
                found.append((result, heat))
            return found

        found = scorer.score(ticket, view, work)
        seconds = time.perf_counter() - started
        return [(replace(result, seconds=seconds), heat) for result, heat in found]


def _own_crop(options: CutQuestion, size: tuple[int, int]) -> Crop:
    """What the caller wants to have cut from a photo of ``size`` = (width, height)."""
    if options.corners is None:
        assert options.box is not None
        return Crop.of(options.box[0], 0.0)
    inside = np.clip(options.corners, 0, size)
    if np.abs(inside - options.corners).max() > _ROUNDED:
        raise BoxError(f"corners lie within (0, 0, {size[0]}, {size[1]}), got {options.corners}")
    return Crop.within(tuple((x, y) for x, y in inside.tolist()), 0.0, size)


def _heat_record(heat: ScoreMap) -> dict[str, Any]:
    rows, columns = heat.scores.shape
    scores = [[None if np.isnan(each) else each for each in row] for row in heat.scores.tolist()]
    return {"aspect": heat.aspect, "rows": rows, "columns": columns, "scores": scores}

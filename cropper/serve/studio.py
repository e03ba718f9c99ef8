"""The work itself: bytes and what is asked in, an answer out. Runs in the workers' threads."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cropper.boxes import Crop, clip
from cropper.errors import BoxError
from cropper.finder import CropFinder, ScoreMap
from cropper.image import FORMATS, SourceImage, encode, load_image, sniff
from cropper.result import CropResult, preference
from cropper.search import Objective
from cropper.serve.desk import Scoring, Ticket
from cropper.serve.parameters import CropAsked, CutAsked, ScoreAsked
from cropper.serve.problems import ProblemError

__all__ = ["MEDIA_TYPES", "Picture", "Studio"]

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
_NAME = "the photo"  # in messages; the name that a client gives is not used for anything
_SLACK = 1e-6  # px that float arithmetic may put a box outside


@dataclass(frozen=True)
class Picture:
    """An encoded picture, and what its headers say of the crop."""

    content: bytes
    format: str  # one of FORMATS
    crop: Crop | None = field(default=None)  # None: the caller knows the box


class Studio:
    """One finder for all requests."""

    def __init__(self, finder: CropFinder, scoring: Scoring, max_mpixels: float) -> None:
        self.finder, self.scoring, self.max_mpixels = finder, scoring, max_mpixels

    def crop(self, ticket: Ticket, data: bytes, asked: CropAsked) -> dict[str, Any]:
        """The JSON answer: that of ``cropper best --json``, and more."""
        self._check_size(asked.size)
        source = self._load(data)
        result, heat = self._find(ticket, source, asked)
        best = result.best
        notes = list(source.notes)
        if asked.size and (asked.size[0] > best.width or asked.size[1] > best.height):
            notes.append("the crop is enlarged to {}x{}".format(*asked.size))
        answer = {
            **result.to_dict(),
            "crops": [
                {
                    **crop.to_dict(result.source_size),
                    **self._preferred(crop.score, result.full_frame_score),
                }
                for crop in result.search.crops
            ],
            "format": source.format,
            "notes": notes,
        }
        return answer | ({"heat": _heat_record(heat)} if heat else {})

    def cropped(self, ticket: Ticket, data: bytes, asked: CropAsked, kind: str | None) -> Picture:
        """The best crop as a picture, in the format of the source where ``kind`` is None."""
        self._check_size(asked.size)
        source = self._load(data)
        best = self._find(ticket, source, replace(asked, top_k=1, heat=False))[0].best
        ticket.check()
        cut = source.cut(best.box, asked.size)
        kind = kind or source.format
        return Picture(encode(cut, source, kind, asked.quality), kind, best)

    def cut(self, ticket: Ticket, data: bytes, asked: CutAsked, kind: str | None) -> Picture:
        """The caller's own box as a picture."""
        self._check_size(asked.size)
        source = self._load(data)
        if asked.size:  # a small JPEG is scaled from what was decoded to be judged: here as there
            self.finder.scorer.spec.view(source)
        ticket.check()
        cut = source.cut(asked.box, asked.size)
        kind = kind or source.format
        return Picture(encode(cut, source, kind, asked.quality), kind)

    def score(self, ticket: Ticket, data: bytes, asked: ScoreAsked) -> dict[str, Any]:
        """The scores of the caller's boxes, in their order."""
        source = self._load(data)
        width, height = source.size
        inside = clip(asked.boxes, source.size)
        outside = np.abs(inside - asked.boxes).max(1) > _SLACK
        if outside.any():
            worst = asked.boxes[outside][0].tolist()
            raise BoxError(f"a box lies within (0, 0, {width}, {height}), got {worst}")
        boxes = np.concatenate([inside, [[0.0, 0.0, width, height]]])
        view = self.finder.scorer.spec.view(source)
        scores = self.scoring.ask(ticket, view, lambda objective: objective(boxes)).tolist()
        full = scores.pop()
        return {
            "source_size": list(source.size),
            "full_frame_score": full,
            "scorer": self.finder.scorer.spec.name,
            "boxes": [
                {"box": box, "score": score, **self._preferred(score, full)}
                for box, score in zip(asked.boxes.tolist(), scores, strict=True)
            ],
        }

    def _preferred(self, score: float, full_frame: float) -> dict[str, float | None]:
        """As in ``CropResult``: the probability that people prefer it, None for a scorer's whim."""
        calibrated = self.finder.scorer.spec.calibrated
        share = round(preference(score - full_frame), 4) if calibrated else None
        return {"preferred_to_full_frame": share}

    def _load(self, data: bytes) -> SourceImage:
        if sniff(data) is None:
            raise ProblemError(
                "not-a-picture",
                f"a photo is {', '.join(FORMATS)} by its content; its name and type do not count",
                rule="format",
            )
        return load_image(data, max_mpixels=self.max_mpixels, name=_NAME)

    def _check_size(self, size: tuple[int, int] | None) -> None:
        if size and size[0] * size[1] > self.max_mpixels * 1e6:
            raise ProblemError(
                "bad-option",
                f"size has at most {self.max_mpixels:g} megapixels, got {size[0]}x{size[1]}",
                rule="size",
                limit=self.max_mpixels,
            )

    def _find(
        self, ticket: Ticket, source: SourceImage, asked: CropAsked
    ) -> tuple[CropResult, ScoreMap | None]:
        started = time.perf_counter()
        request = asked.request()

        def work(objective: Objective) -> tuple[CropResult, ScoreMap | None]:
            result = self.finder.find(source, request, objective=objective)
            best = result.best
            if not asked.heat:
                return result, None
            shape = best.width / best.height
            return result, self.finder.score_map(source, shape, objective=objective)

        view = self.finder.scorer.spec.view(source)
        result, heat = self.scoring.ask(ticket, view, work)
        return replace(result, seconds=time.perf_counter() - started), heat


def _heat_record(heat: ScoreMap) -> dict[str, Any]:
    rows, columns = heat.scores.shape
    scores = [[None if np.isnan(each) else each for each in row] for row in heat.scores.tolist()]
    return {"aspect": heat.aspect, "rows": rows, "columns": columns, "scores": scores}

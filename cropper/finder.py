"""A photo, a request and a scorer in, the best crops out: load, bind, search, snap to pixels."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import SLACK, Boxes, Crop, as_boxes, overhang
from cropper.canvas import Canvas
from cropper.errors import ConfigError, extra
from cropper.identity.look import Wanted, find_wanted
from cropper.image import Photo, SourceImage, View, open_photo
from cropper.image.per_view import PerView
from cropper.image.toning import is_grey
from cropper.orientation import find_orientation
from cropper.request import CropFields, CropRequest, constrained
from cropper.result import SEARCH, CropResult, FoundPerson
from cropper.score_map import SCALES, ScoreMap, score_map
from cropper.scorers import DEFAULT_SCORER, BatchScorer, BoundScorer, Describes, Scorer, load_scorer
from cropper.scorers.base import isolated
from cropper.search import Objective, Progress, search
from cropper.search_task import SearchTask, TurnedPhoto, search_config
from cropper.subjects import aspect_for_all, constraints_of, find_subjects, focus_note
from cropper.tilt import find_tilt
from cropper.tone import BEST, parse_filter
from cropper.turn import Orientation, Tilt, Turn

if TYPE_CHECKING:
    from cropper.filter_search import FilterFinder
    from cropper.transform import TransformFinder

__all__ = ["CropFinder", "find_best_crop"]


class CropFinder:
    """Finds crops with one scorer, loaded once.

    >>> CropFinder().find("photo.jpg", aspect="1:1").best.output_size
    (400, 400)
    """

    def __init__(self, scorer: str | Scorer = DEFAULT_SCORER, device: str = "auto") -> None:
        self.scorer = load_scorer(scorer, device) if isinstance(scorer, str) else scorer
        self._made_of = (scorer, device)
        self._transformers: dict[tuple[str, Path | None], TransformFinder] = {}
        self._filters: FilterFinder | None = None
        self._levels: PerView[tuple[Tilt, TurnedPhoto | None]] = PerView()
        self._orientations: PerView[Orientation] = PerView()

    def __reduce__(self) -> tuple[type[CropFinder], tuple[str | Scorer, str]]:
        """Pickled as what it was made of: a scorer by name is loaded again at the other end."""
        return CropFinder, self._made_of

    def bind(self, image: SourceImage) -> Objective:
        """The objective of one picture, without gradients."""
        return self.bind_view(self.scorer.spec.view(image))

    def bind_view(self, view: View) -> Objective:
        """The same, for a picture that is already decoded at the scorer's size."""
        return self.bind_views([view])[0]

    def bind_views(self, views: Sequence[View]) -> list[Objective]:
        """The objective of each picture; a scorer that can do several at once does."""
        with _no_grad(), isolated(f"the scorer {self.scorer.spec.name}"):
            if isinstance(self.scorer, BatchScorer):
                bound = self.scorer.bind_all(views)
            else:
                bound = [self.scorer.bind(view) for view in views]
            objectives = [_without_gradients(each) for each in bound]
        return [
            _alike(objective, view) if view.is_plain else objective
            for objective, view in zip(objectives, views, strict=True)
        ]

    def describe(self, view: View) -> NDArray[np.float32]:
        """What the scorer's network makes of a whole picture before it judges: (D,).

        Raises ConfigError for a scorer that has no such features.
        """
        if not isinstance(self.scorer, Describes):
            raise ConfigError(
                f"{self.scorer.spec.name} has no features of a whole picture: use a scorer that "
                "runs a network on each crop, as selfie"
            )
        with _no_grad():
            return self.scorer.describe(view)

    def prepare(self, request: CropRequest) -> None:
        """Loads what a request's method and filter need, so that ``find`` fails for no lack of it.

        Raises MissingExtraError, MissingModelError, and ConfigError for a scorer that the method
        cannot use.
        """
        if request.method != SEARCH:
            self._transformer(request)
        if request.filter == BEST:
            self._filter_finder()

    def find(
        self,
        photo: Photo,
        request: CropRequest | None = None,
        *,
        progress: Progress | None = None,
        objective: Objective | None = None,
        view: View | None = None,
        **fields: Unpack[CropFields],
    ) -> CropResult:
        """The best crops of a photo, best first, in pixels of the upright source.

        ``photo`` is a path, bytes, an open file, a Pillow image, an (H, W, 3) array or tensor, or a
        SourceImage, which ``orient`` turns. ``fields`` are those of CropRequest, and replace those
        of ``request``. Each crop is scored again as it will be cut. ``objective`` is what ``bind``
        gave for this photo and ``view`` what the scorer sees of it, for several searches of one
        photo. Where no crop
        meets the constraints, the result has those that come nearest and says so in its notes.
        Raises CropTooSmallError where the best has fewer pixels than it has to have, and what
        ``open_photo``, ``CropRequest`` and ``search`` raise.
        """
        started = time.perf_counter()
        request = replace(request or CropRequest(), **fields)
        image = open_photo(photo)
        orientation = self.set_upright(image) if request.orient else None
        if request.method == SEARCH:
            view = view or self.scorer.spec.view(image)
            people = find_wanted(request.people, image) if request.people else None
            result = self._search(self._task(view, request, objective), progress, people)
            result = _with_people(result, request, people) if people else result
        else:
            result = self._transformer(request).find(image, request)
        if request.filter and not result.copied:
            result = self._filtered(result, image, request.filter)
        if not result.copied:
            request.check_pixels(result.best)
        size = None if result.copied else request.size
        return replace(
            result,
            seconds=time.perf_counter() - started,
            size=size,
            orientation=orientation,
            source=image,
        )

    __call__ = find

    def set_upright(self, image: SourceImage) -> Orientation:
        """Turns a photo that surely lies on a side or on its head; looks at each photo once.

        For callers who make its view before ``find`` does.
        """

        def look(image: SourceImage) -> Orientation:
            found = find_orientation(self.scorer.spec.view(image))
            image.turn(found.turned)
            return found

        return self._orientations.get(image, look)

    def _task(self, view: View, request: CropRequest, objective: Objective | None) -> SearchTask:
        """In the photo as it is, or turned: by an angle, or level where it is tilted."""
        tilt, turned = None, None
        if request.angle:
            turned = self._turned(view, request.angle)
        if request.straighten:
            tilt, turned = self._levels.get(view, self._level)
        if turned:
            return SearchTask(turned.view, turned.turn, request, turned.objective, tilt)
        turn = Turn(view.size, 0.0)
        return SearchTask(view, turn, request, objective or self.bind_view(view), tilt)

    def _level(self, view: View) -> tuple[Tilt, TurnedPhoto | None]:
        """The tilt of a photo, and the photo without it where it is to be turned."""
        tilt = find_tilt(view)
        if not tilt.turned:
            return tilt, None
        return tilt, self._turned(view, tilt.turned)

    def _turned(self, view: View, angle: float) -> TurnedPhoto:
        turn = Turn(view.size, angle)
        turned = turn.view(view)
        return TurnedPhoto(turn, turned, self.bind_view(turned))

    def _search(
        self, task: SearchTask, progress: Progress | None, people: Wanted | None = None
    ) -> CropResult:
        request, turn, size = task.request, task.turn, task.view.size
        config = search_config(self.scorer.spec, request)
        own = people.faces if people else ()
        constraints = constraints_of(request, turn, not self.scorer.spec.frames_faces, own)
        faces = find_subjects(request, task.view, own)
        bound = [each.bind(task.view, task.spaces) for each in constraints]
        if request.fit != "crop" and request.has_shape:
            aspect = aspect_for_all(bound, task.spaces)
            if aspect is not None:
                return self._padded(aspect, task, people)
        wanted = constrained(task.objective, bound)
        found = search(lambda boxes: wanted(turn.fit(boxes)), task.spaces, config, progress)
        boxes, notes = task.placed(np.array([crop.box for crop in found.crops]), bound)
        crops, whole, centre = task.ranked(boxes, bound, config.nms_iou)
        if request.focus and (told := focus_note(request.focus, crops[0], size)):
            notes = (*notes, told)
        return CropResult(
            source_size=size,
            search=replace(found, crops=crops),
            full_frame_score=whole,
            centre_score=centre,
            calibrated=self.scorer.spec.calibrated,
            scorer=self.scorer.spec.name,
            seconds=0.0,
            notes=notes,
            faces=None if faces is None else turn.home(face.box for face in faces),
            tilt=task.tilt,
            has_shape=request.has_shape,
        )

    def _padded(self, aspect: float, task: SearchTask, people: Wanted | None) -> CropResult:
        """Crops of another aspect, on canvases of the one that is asked for."""
        asked = task.request
        canvas = Canvas(task.spaces[0].aspect, asked.fit, asked.background)
        other = replace(asked, aspect=aspect, size=None, no_enlarge=False, fit="crop")
        result = self._search(replace(task, request=other), None, people)
        crops = tuple(replace(crop, canvas=canvas) for crop in result.crops)
        notes = (*result.notes, "no crop of this shape holds all that is kept: it is padded")
        return replace(result, search=replace(result.search, crops=crops), notes=notes)

    def _filtered(self, result: CropResult, image: SourceImage, name: str) -> CropResult:
        """With a filter for each crop; boxes and scores stay."""
        if name == BEST:
            finder = self._filter_finder()
            with _no_grad():
                found = [finder.find(image, crop) for crop in result.crops]
            kept = not found[0].tone.changes
            note = f"no filter makes the crop better by {finder.judge.spec.name}: it stays as it is"
        else:
            found = [parse_filter(name)] * len(result.crops)
            kept = is_grey(image.header.mode) and not found[0].changes_grey
            note = f"the photo is grey: `filter={name}` leaves it as it is"
        pairs = zip(result.crops, found, strict=True)
        crops = tuple(replace(crop, filter=each) for crop, each in pairs)
        notes = (*result.notes, *([note] if kept else []))
        return replace(result, search=replace(result.search, crops=crops), notes=notes)

    def _filter_finder(self) -> FilterFinder:
        """Kept for the requests to come. Raises MissingExtraError without torch."""
        if self._filters is None:
            from cropper.filter_search import FilterFinder  # noqa: PLC0415 - few runs need it

            self._filters = FilterFinder(self._made_of[1])
        return self._filters

    def _transformer(self, request: CropRequest) -> TransformFinder:
        """Kept for the requests to come: a localizer is a file to load."""
        key = (request.method, request.localizer)
        if key not in self._transformers:
            with extra("torch"):
                from cropper.transform import TransformFinder  # noqa: PLC0415 - torch is slow
            self._transformers[key] = TransformFinder(self.scorer, *key)
        return self._transformers[key]

    def score_map(
        self,
        image: SourceImage,
        aspect: float,
        scales: Sequence[float] = SCALES,
        columns: int = 48,
        objective: Objective | None = None,
    ) -> ScoreMap:
        """The best score over ``scales`` at each of about ``columns`` by as many square places.

        ``objective`` is what ``bind`` gave for this picture, if it was bound before.
        """
        return score_map(objective or self.bind(image), image.size, aspect, scales, columns)


def find_best_crop(
    photo: Photo,
    request: CropRequest | None = None,
    *,
    scorer: str | Scorer = DEFAULT_SCORER,
    device: str = "auto",
    **fields: Unpack[CropFields],
) -> CropResult:
    """One photo, one call; for many photos make one CropFinder."""
    return CropFinder(scorer, device).find(photo, request, **fields)


def _with_people(result: CropResult, request: CropRequest, people: Wanted) -> CropResult:
    """Told who was found; the whole photo where nobody was and that is asked for."""
    crop = as_boxes(result.best.box)
    found = tuple(
        FoundPerson(
            match.person.name,
            face.box,
            match.stranger_rate,
            kept=bool(overhang(as_boxes(face.box), crop)[0, 0] <= SLACK),
        )
        for face, match in people.found
    )
    result = replace(result, people=found, absent=people.absent)
    result = replace(result, notes=(*result.notes, *result.people_notes))
    if found or request.if_absent != "copy":
        return result
    whole = Crop.of(np.array([0.0, 0.0, *result.source_size]), result.full_frame_score)
    search, notes = replace(result.search, crops=(whole,)), result.people_notes
    return replace(result, search=search, notes=notes, has_shape=False, copied=True)


def _alike(objective: Objective, view: View) -> Objective:
    """All crops of a photo of one colour are one picture: what a scorer says of them is noise."""
    whole = objective(view.whole)[0]
    return lambda boxes: np.full(len(boxes), whole, dtype=np.float64)


def _without_gradients(bound: BoundScorer) -> Objective:
    def objective(boxes: Boxes) -> NDArray[np.float64]:
        with _no_grad():
            return bound(boxes)

    return objective


def _no_grad() -> AbstractContextManager[object]:
    """Gradients off, where torch is there to have any."""
    torch = sys.modules.get("torch")
    return torch.no_grad() if torch else nullcontext()

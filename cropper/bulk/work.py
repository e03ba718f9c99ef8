"""One photo, from the file to its crops: what a worker does, here or on another machine."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from cropper.boxes import Crop
from cropper.bulk.find import PhotoFinder
from cropper.bulk.options import BulkOptions
from cropper.bulk.outcome import STAYS, Cropped, Failed, FileRole, Outcome, Written
from cropper.bulk.plan import PlannedCrop, PlannedPhoto
from cropper.bulk.signature import Signature, digest
from cropper.bulk.trees import Tree
from cropper.bulk.xmp import sidecar
from cropper.decoders import Decoders, RemoteImage
from cropper.errors import CropperError, ImageReadError, ImageWriteError
from cropper.image import SourceImage, encode, format_for, from_array, lost_note
from cropper.render import render
from cropper.request import CropFields
from cropper.result import SEARCH, CropResult, preference
from cropper.stores import UnsureWriteError

if TYPE_CHECKING:
    from cropper.canvas import Size
    from cropper.image.toning import Paint

__all__ = ["PhotoJob", "crop_photo"]

# After which no other file is written either
_FOR_ALL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.ENOSYS}


@dataclass(frozen=True)
class PhotoJob:
    """One photo of a run; it travels to a worker."""

    photo: PlannedPhoto
    source: Tree  # of the photos, as the workers see it
    root: Tree  # of the crops
    options: BulkOptions
    own: CropFields = field(default_factory=CropFields)  # of the request, for this photo alone


def crop_photo(
    job: PhotoJob, finder: PhotoFinder, decoders: Decoders, check: Callable[[], None]
) -> Outcome:
    """Never raises: whatever is wrong with one photo is its outcome and nobody else's.

    What ``check`` raises while the photo is decoded ends that.
    """
    started = time.perf_counter()
    files = _Files(job, check)
    name, seconds = job.source.named(job.photo.source), job.options.time_limit
    try:
        data, signature = job.source.read(job.photo.source, check)
        with decoders.open(data, name, seconds, check) as image:
            cropped = _crop(job, finder, image, signature, files)
    except Exception as error:
        return _failure(job, error, files.written)
    return replace(cropped, result=replace(cropped.result, seconds=time.perf_counter() - started))


class _Files:
    """What is written for a photo; known also where a later file fails."""

    def __init__(self, job: PhotoJob, check: Callable[[], None]) -> None:
        self.job, self.check = job, check
        self.written: list[Written] = []

    def add(
        self,
        content: bytes,
        planned: PlannedCrop,
        crop: Crop,
        what: FileRole = FileRole.CROP,
        size: Size | None = None,
    ) -> None:
        """To where nothing is, or in the place of the file that the plan saw."""
        there = dict(self.job.photo.present).get(planned.path)
        place = planned.target, planned.rank, crop, what, size
        try:
            signature = self.job.root.write(content, planned.path, there, self.check)
        except UnsureWriteError:
            unseen = Signature(len(content), 0, 0, digest(content))
            self.written.append(Written(planned.path, unseen, *place))
            raise
        self.written.append(Written(planned.path, signature, *place))


def _crop(
    job: PhotoJob,
    finder: PhotoFinder,
    image: RemoteImage,
    signature: Signature,
    files: _Files,
) -> Cropped:
    photo, options = job.photo, job.options
    sizes = [request.size for request in options.requests if request.size]
    if len(sizes) == len(options.requests) and options.method == SEARCH and not options.linear:
        image.expect(sizes)  # one pass over a JPEG for its crops and its scorer
    results = finder.find(image, job.own)
    if_absent = replace(options.requests[0], **job.own).if_absent
    skips = if_absent == "skip" and any(each.shows_nobody for each in results)
    wanted = [each.copied or (_gain(each) >= options.min_gain and not skips) for each in results]
    notes = [*image.notes, *dict.fromkeys(note for each in results for note in each.notes)]
    for planned in photo.crops:
        result = results[planned.target]
        if not wanted[planned.target] or planned.rank > len(result.crops):
            continue
        crop = result.crops[planned.rank - 1]
        painter, size, paint = None if result.copied else finder.painter, result.size, None
        if painter:
            size = painter.size_of(crop, size)
            paint = partial(painter.paint, notes=notes, check=files.check)
        content = _rendered(planned.path, image, crop, size, options=options, paint=paint)
        files.add(content, planned, crop, size=size if painter else None)
        lost = None if options.strip else lost_note(image.header, format_for(planned.path))
        if lost and lost not in notes:
            notes.append(lost)
        if result.size and result.enlarged(crop):
            notes.append(f"{planned.path} is enlarged to {result.size[0]}x{result.size[1]}")
    there = dict(photo.present)
    notes += [f"{x.path} {STAYS}" for x in photo.crops if not wanted[x.target] and x.path in there]
    first = results[0]
    if photo.sidecar and wanted[0]:
        content = _sidecar(image, first.best)
        files.add(content, PlannedCrop(0, 1, photo.sidecar), first.best, FileRole.SIDECAR)
    if photo.overlay and wanted[0]:
        content = _explain(photo.overlay, job, finder, image, first)
        files.add(content, PlannedCrop(0, 1, photo.overlay), first.best, FileRole.OVERLAY)
    total = replace(first.search, crops=(first.best,), evaluations=_evaluations(results))
    size = next((each.size for each in files.written), None) or first.size
    told = replace(first, search=total, source=None, notes=(), size=size)
    return Cropped(photo.source, signature, told, tuple(files.written), tuple(notes))


def _sidecar(image: SourceImage, crop: Crop) -> bytes:
    quad, size = image.stored_points(crop.quad), image.stored_size(image.size)
    return sidecar(quad, size, image.header.orientation)


def _rendered(
    path: str,
    image: RemoteImage,
    crop: Crop,
    size: Size | None,
    *,
    options: BulkOptions,
    paint: Paint | None,
) -> bytes:
    """In the decoder; what is painted, which takes minutes and torch, is here."""
    if paint:
        return render(image, crop, format_for(path), size=size, paint=paint, **options.how)
    return image.apply(render, crop, format_for(path), size=size, **options.how)


def _gain(result: CropResult) -> float:
    return preference(result.best.score - result.full_frame_score)


def _explain(
    path: str, job: PhotoJob, finder: PhotoFinder, image: SourceImage, result: CropResult
) -> bytes:
    from cropper.report import explain  # noqa: PLC0415 - most runs draw none

    overlay = explain(finder.finder, image, result)
    return encode(overlay, from_array(overlay), format_for(path), job.options.quality)


def _evaluations(results: Sequence[CropResult]) -> int:
    """Requests of one crop space share their search."""
    each = {id(result.search): result.search.evaluations for result in results}
    return sum(each.values())


def _failure(job: PhotoJob, error: Exception, written: Sequence[Written]) -> Failed:
    name = job.source.named(job.photo.source)
    message = str(error) or ("not enough memory" if isinstance(error, MemoryError) else "")
    if not isinstance(error, CropperError | MemoryError):
        message = f"{type(error).__name__}: {message}"
    if name not in message:
        message = f"{name}: {message}"
    cause = error if isinstance(error, OSError) else error.__cause__
    stops = isinstance(error, OSError | ImageWriteError) and (
        isinstance(cause, OSError) and cause.errno in _FOR_ALL
    )
    return Failed(
        job.photo.source,
        error=type(error).__name__,
        reason=_reason(error),
        message=message,
        stops=stops,
        written=tuple(written),
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ImageReadError):
        return error.reason
    if isinstance(error, ImageWriteError):
        return "not written"
    return "out of memory" if isinstance(error, MemoryError) else "other errors"

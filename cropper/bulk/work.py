"""One photo, from the file to its crops: what a worker does, here or on another machine."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cropper.boxes import Crop
from cropper.bulk.judge import Found, Judge
from cropper.bulk.options import BulkOptions
from cropper.bulk.outcome import CROP, DONE, FAILED, LEFT, OVERLAY, SIDECAR, Outcome, Written
from cropper.bulk.plan import PlannedCrop, PlannedPhoto
from cropper.bulk.signature import Signature, digest
from cropper.bulk.xmp import sidecar
from cropper.errors import CropperError, ImageReadError, ImageWriteError
from cropper.image import (
    SourceImage,
    encode,
    format_for,
    from_array,
    load_image,
    sniff,
    write_atomic,
)
from cropper.result import SEARCH, CropResult, preference

__all__ = ["Job", "crop_photo"]

_HEAD = 4096  # bytes that tell a format
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


@dataclass(frozen=True)
class Job:
    """What all photos of a run share; it travels to the workers with each of them."""

    source: str  # the input folder, as the workers see it
    root: str  # the output folder
    options: BulkOptions


def crop_photo(photo: PlannedPhoto, job: Job, judge: Judge) -> Outcome:
    """Never raises: whatever is wrong with one photo is its outcome and nobody else's."""
    started = time.perf_counter()
    written: list[Written] = []
    try:
        outcome = _crop(photo, job, judge, written)
    except Exception as error:
        outcome = replace(_failure(photo, job, error), written=tuple(written))
    return replace(outcome, seconds=time.perf_counter() - started)


def _crop(photo: PlannedPhoto, job: Job, judge: Judge, written: list[Written]) -> Outcome:
    """Fills ``written`` as it goes, so that it is known also where a later file fails."""
    path = Path(job.source, photo.source)
    data, signature = _read(path)
    image = load_image(data, max_mpixels=job.options.max_mpixels, name=str(path))
    targets = job.options.targets()
    sizes = [target.size for target in targets if target.size]
    if len(sizes) == len(targets) and job.options.method == SEARCH:
        image.expect(sizes)  # one pass over a JPEG for its crops and its judge
    found = judge.judge(image)
    wanted = [_gain(each.result) >= job.options.min_gain for each in found]
    for planned in photo.crops:
        crops = found[planned.target].result.search.crops
        if wanted[planned.target] and planned.rank <= len(crops):
            size = targets[planned.target].size
            warp = found[planned.target].warp(planned.rank - 1)
            crop = crops[planned.rank - 1]
            if warp and not warp.upright:
                cut = image.warp(warp.corners, size or warp.output_size)
            else:
                cut = image.cut(crop.box, size)
            content = encode(cut, image, format_for(planned.path), job.options.quality)
            each = _write(content, job, planned, crop)
            written.append(replace(each, warp=warp.to_dict()) if warp else each)
    first = found[0].result
    if photo.sidecar and wanted[0]:
        content = sidecar(image.stored_box(first.best.box), image.header.orientation)
        described = _write(content, job, PlannedCrop(0, 1, photo.sidecar), first.best)
        written.append(replace(described, what=SIDECAR))
    if photo.overlay and wanted[0]:
        written.append(_explain(photo.overlay, job, judge, image, found[0]))
    return Outcome(
        source=photo.source,
        state=DONE if written else LEFT,
        signature=signature,
        source_size=image.size,
        full_frame_score=first.full_frame_score,
        centre_score=first.centre_score,
        calibrated=first.calibrated,
        scorer=first.scorer,
        candidates=_candidates(found),
        best=first.best.box,
        best_score=first.best.score,
        written=tuple(written),
        notes=(*image.notes, *_enlarged(written, job.options)),
    )


def _read(path: Path) -> tuple[bytes, Signature]:
    """The content and what the file was when it was read; of no picture, the head alone."""
    try:
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            data = file.read(_HEAD)
            data = data + file.read() if sniff(data) else data
    except OSError as error:
        raise ImageReadError(f"{path}: cannot be read: {error.strerror}", "unreadable") from error
    return data, Signature.of(stat, digest(data))


def _write(content: bytes, job: Job, planned: PlannedCrop, crop: Crop) -> Written:
    place = Path(job.root, planned.path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageWriteError(
            f"{place.parent}: the folder cannot be made: {error.strerror}"
        ) from error
    write_atomic(content, place, overwrite=True)  # that it may be replaced was planned
    signature = Signature.of(place.lstat(), digest(content))
    return Written(planned.path, signature, planned.target, planned.rank, crop.box, crop.score)


def _gain(result: CropResult) -> float:
    return preference(result.best.score - result.full_frame_score)


def _explain(path: str, job: Job, judge: Judge, image: SourceImage, found: Found) -> Written:
    """The overlay of the first target."""
    from cropper.report import explain  # noqa: PLC0415 - most runs draw none

    picture = explain(judge.finder, image, found.result, found.warps)
    content = encode(picture, from_array(picture), format_for(path), job.options.quality)
    written = _write(content, job, PlannedCrop(0, 1, path), found.result.best)
    return replace(written, what=OVERLAY)


def _candidates(found: Sequence[Found]) -> int:
    """Targets of one aspect share their result."""
    return sum({id(each): each.result.search.evaluations for each in found}.values())


def _enlarged(written: Sequence[Written], options: BulkOptions) -> list[str]:
    notes = []
    for each in written:
        size = options.targets()[each.target].size if each.what == CROP else None
        if size and (size[0] > each.crop.width or size[1] > each.crop.height):
            notes.append(f"{each.path} is enlarged to {size[0]}x{size[1]}")
    return notes


def _failure(photo: PlannedPhoto, job: Job, error: Exception) -> Outcome:
    name = str(Path(job.source, photo.source))
    message = str(error) or ("not enough memory" if isinstance(error, MemoryError) else "")
    if not isinstance(error, CropperError | MemoryError):
        message = f"{type(error).__name__}: {message}"
    if name not in message:
        message = f"{name}: {message}"
    cause = error if isinstance(error, OSError) else error.__cause__
    stops = isinstance(error, OSError | ImageWriteError) and (
        isinstance(cause, OSError) and cause.errno in _NO_ROOM
    )
    return Outcome(
        source=photo.source,
        state=FAILED,
        kind=type(error).__name__,
        reason=_reason(error),
        message=message,
        stops=stops,
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ImageReadError):
        return error.reason
    if isinstance(error, ImageWriteError):
        return "not written"
    return "out of memory" if isinstance(error, MemoryError) else "other errors"

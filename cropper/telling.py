"""What ``cropper best`` says: lines on standard error, JSON or a picture on standard output."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cropper.boxes import Crop
from cropper.errors import ImageWriteError
from cropper.naming import Job
from cropper.result import CropResult

if TYPE_CHECKING:
    from spatial_transformer.affine import Warp

__all__ = ["print_json", "record_of", "say", "text_of", "write_standard"]

_UNDECIDED = 0.05  # this close to one half, people hardly prefer either
_SEEN = 0.05  # degrees; less is told as none


def record_of(
    job: Job,
    result: CropResult,
    crops: Sequence[Crop],
    written: Sequence[str],
    warps: Sequence[Warp],
) -> dict[str, Any]:
    """The JSON record of one picture."""
    more = [warp.to_dict() for warp in warps[: len(crops)]] or [{} for _ in crops]
    record = {"input": job.source, "output": written[0], **result.to_dict(), **more[0]}
    if len(crops) > 1:
        record["crops"] = [
            {"output": path, **crop.to_dict(result.source_size), **warped}
            for path, crop, warped in zip(written, crops, more, strict=True)
        ]
    return record


def text_of(
    job: Job,
    result: CropResult,
    crops: Sequence[Crop],
    written: Sequence[str],
    warps: Sequence[Warp],
    *,
    dry_run: bool = False,
    verbose: bool = False,
) -> list[str]:
    """A line for each crop; ``verbose`` adds how they were found to the last."""
    verb = "would be " if dry_run else ""
    size = "{}x{}".format(*result.source_size)
    turned = [None if warp.upright else warp for warp in warps] or [None] * len(crops)
    lines = []
    for crop, path, warp in zip(crops, written, turned, strict=False):
        place = f"{crop.width:.0f}x{crop.height:.0f}+{crop.x0:.0f}+{crop.y0:.0f} of {size}"
        if warp:
            place = f"{_turned(warp)}, of {size}"
        lines.append(
            f"{job.source} -> {verb}{path}: {place}, score {crop.score:.2f} "
            f"(full frame {result.full_frame_score:.2f})"
        )
    lines[0] += _certainty(result, turned[0] is None)
    if verbose:
        found = result.search
        lines[-1] += (
            f"\n  {result.scorer}, {found.strategy}: {found.evaluations} crops in {found.rounds} "
            f"rounds, ended by {found.stop}, {result.seconds:.2f} s"
        )
    return lines


def _turned(warp: Warp) -> str:
    """The crop's own size, its top left corner and its angles."""
    (left, top), (right, end), _, (lower, bottom) = warp.corners
    turn = math.degrees(math.atan2(end - top, right - left))
    lean = turn - math.degrees(math.atan2(left - lower, bottom - top))
    told = "{}x{}".format(*warp.output_size) + f" at ({round(left)}, {round(top)})"
    if abs(turn) >= _SEEN:
        told += f", turned {abs(turn):.1f} degrees {'anti' if turn < 0 else ''}clockwise"
    return told if abs(lean) < _SEEN else f"{told}, sheared {abs(lean):.1f} degrees"


def _certainty(result: CropResult, upright: bool) -> str:
    """How many people would prefer the best crop, where the scorer can say."""
    whole, centre = result.preferred_to_full_frame, result.preferred_to_centre
    if whole is None or centre is None:
        return ""
    if upright and result.best.box == (0, 0, *result.source_size):
        return "; the whole picture is its best crop"
    if result.best.score < result.full_frame_score:
        return f"; no better than the full frame ({whole:.0%} prefer it)"
    if abs(whole - 0.5) < _UNDECIDED:
        return f"; hardly better than the full frame ({whole:.0%} prefer it)"
    return f"; {whole:.0%} prefer it to the full frame, {centre:.0%} to a centred one"


def write_standard(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        raise _output_failed(error) from error


def _output_failed(error: OSError) -> ImageWriteError:
    # Python would try once more to flush at exit, and fail with a traceback
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ImageWriteError(f"standard output cannot be written: {error.strerror}")


def print_json(record: dict[str, Any]) -> None:
    try:
        print(json.dumps(record), flush=True)
    except OSError as error:
        raise _output_failed(error) from error


def say(line: str) -> None:
    print(f"cropper: {line}", file=sys.stderr, flush=True)

"""What commands say: lines on standard error, JSON or a picture on standard output."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from typing import Any

from cropper.boxes import Corners, Crop
from cropper.errors import ImageWriteError, in_shell_words, lost_output, printable, tell
from cropper.result import CropResult

__all__ = ["print_json", "print_line", "record_of", "say", "text_of", "verdicts", "write_standard"]

_UNDECIDED = 0.05  # this close to one half, people hardly prefer either
_SEEN = 0.05  # degrees; less is told as none


def record_of(
    source: str, result: CropResult, crops: Sequence[Crop], written: Sequence[str]
) -> dict[str, Any]:
    """The JSON record of one photo, of which ``crops`` are ``written``."""
    record = {"input": source, "output": written[0], **result.to_dict()}
    if len(crops) > 1:
        record["crops"] = [
            {"output": path, **result.crop_record(crop)}
            for path, crop in zip(written, crops, strict=True)
        ]
    return record


def text_of(
    source: str,
    result: CropResult,
    crops: Sequence[Crop],
    written: Sequence[str],
    *,
    dry_run: bool = False,
    verbose: bool = False,
) -> list[str]:
    """A line for each crop; ``verbose`` adds one on how they were found."""
    verb = "would be " if dry_run else ""
    size = "{}x{}".format(*result.source_size)
    lines = []
    for crop, path in zip(crops, written, strict=False):
        place = f"{crop.width:.0f}x{crop.height:.0f}+{crop.x0:.0f}+{crop.y0:.0f} of {size}"
        if crop.corners:
            place = f"{_turned(crop, crop.corners)}, of {size}"
        lines.append(
            f"{source} -> {verb}{path}: {place}, score {crop.score:.2f} "
            f"(full frame {result.full_frame_score:.2f}){_filtered(crop)}"
        )
    lines[0] += "".join(f"; {each}" for each in verdicts(result))
    if verbose:
        found = result.search
        lines.append(
            f"  {result.scorer}, {found.strategy}: {found.evaluations} crops in {found.rounds} "
            f"rounds, ended by {found.stop}, {result.seconds:.2f} s"
        )
    return lines


def _turned(crop: Crop, corners: Corners) -> str:
    """The crop's own size, its top left corner and its angles."""
    (left, top), (right, end), _, (lower, bottom) = corners
    turn = math.degrees(math.atan2(end - top, right - left))
    lean = turn - math.degrees(math.atan2(left - lower, bottom - top))
    told = "{}x{}".format(*crop.output_size) + f" at ({round(left)}, {round(top)})"
    if abs(turn) >= _SEEN:
        told += f", turned {abs(turn):.1f} degrees {'anti' if turn < 0 else ''}clockwise"
    return told if abs(lean) < _SEEN else f"{told}, sheared {abs(lean):.1f} degrees"


def _filtered(crop: Crop) -> str:
    """What its filter does, and by how much a judge prefers that."""
    if not (crop.filter and crop.filter.tone.changes):
        return ""
    told = f", filter {crop.filter.name}"
    if crop.filter.gain is not None:
        numbers = (f"{name} {value:g}" for name, value in crop.filter.tone.changes.items())
        told += f" ({', '.join(numbers)}: {crop.filter.gain:+.2f} by its judge)"
    return told


def verdicts(result: CropResult) -> list[str]:
    """What can be said of how much better the best crop is, and of why a photo was not turned."""
    told = (_set_upright(result), _certainty(result), _left_tilted(result))
    return [each for each in told if each]


def _certainty(result: CropResult) -> str:
    """How many people would prefer the best crop, where the scorer can say."""
    whole, centre = result.preferred_to_full_frame, result.preferred_to_centre
    if result.copied:
        return "the whole photo is copied"
    if whole is None or centre is None:
        return ""
    if not result.best.corners and result.best.box == (0, 0, *result.source_size):
        return "the whole picture is its best crop"
    share, other = (centre, "a centred crop") if result.has_shape else (whole, "the full frame")
    if share < 0.5:
        kept = ": heads are kept whole in it" if result.faces and not result.notes else ""
        return f"no better than {other} ({share:.0%} prefer it){kept}"
    if share - 0.5 < _UNDECIDED:
        return f"hardly better than {other} ({share:.0%} prefer it)"
    more = "" if result.has_shape else f", {centre:.0%} to a centred one"
    return f"{share:.0%} prefer it to {other}{more}"


def _set_upright(result: CropResult) -> str:
    """How a photo was set upright, or why not."""
    found = result.orientation
    if found is None:
        return ""
    turn = f"turned {90 * found.quarters} degrees clockwise"
    if found.turned:
        return f"set upright: {turn}"
    if not found.quarters:
        return "upright as it is"
    return f"left as it is: likely upright {turn}, but only {found.probability:.0%} sure"


def _left_tilted(result: CropResult) -> str:
    """Why a photo that was to be straightened was not turned."""
    tilt = result.tilt
    if tilt is None or tilt.turned:
        return ""
    if tilt.is_level:
        return "level as it is"
    way = "anti" if tilt.angle < 0 else ""
    return (
        f"not turned: likely tilted by {abs(tilt.angle):.1f} degrees {way}clockwise, "
        f"but only {tilt.probability:.0%} sure"
    )


def write_standard(data: bytes) -> None:
    """To standard output. Raises ImageWriteError."""
    if sys.stdout is None:
        raise ImageWriteError("standard output is closed: nothing can be written to it")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        raise lost_output(error) from error


def print_line(line: str) -> bool:
    """To standard output: controls but tabs written out, names that are no UTF-8 as they are.

    Whether somebody reads on: a reader that has left, as `head` does, is no failure of the work.
    Raises ImageWriteError for any other trouble.
    """
    try:
        line = "\t".join(map(printable, line.split("\t")))
        write_standard(line.encode("utf-8", "surrogateescape") + b"\n")
    except ImageWriteError as error:
        if not isinstance(error.__cause__, BrokenPipeError):
            raise
        return False
    return True


def print_json(record: dict[str, Any]) -> bool:
    return print_line(json.dumps(record))


def say(line: str) -> None:
    """To standard error."""
    tell(f"cropper: {in_shell_words(line)}")

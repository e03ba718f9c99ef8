"""``annotations.json``: a list of objects, one a photo, beside the photos of a data set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Boxes
from cropper.errors import DataError

__all__ = ["ANNOTATIONS", "fixations_of", "read_annotations", "share_kept"]

ANNOTATIONS = "annotations.json"


def read_annotations(
    path: Path, required: Sequence[str] = (), remedy: str = "correct or replace the file"
) -> list[dict[str, Any]]:
    """The objects of a file, each with the ``required`` keys. Raises DataError with ``remedy``."""
    try:
        entries = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): {remedy}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not readable JSON ({error}): {remedy}") from error
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise DataError(f"{path} is a list of objects, one a photo: {remedy}")
    for each in entries:
        if missing := [key for key in required if key not in each]:
            raise DataError(f"{path}: every entry has {missing[0]!r}, got {each!r:.200}: {remedy}")
    return entries


def fixations_of(entry: Mapping[str, Any]) -> NDArray[np.float64]:
    """(F, 3): viewer, x and y of ``entry["fixations"]``, those in the photo.

    Without each viewer's first, which lies where the experiment made them look: at the centre.
    Raises ValueError for what is not rows of at least three numbers.
    """
    rows = np.array([row[:3] for row in entry["fixations"]], dtype=np.float64).reshape(-1, 3)
    _, first = np.unique(rows[:, 0], return_index=True)
    later = np.delete(rows, first, 0)
    inside = ((later[:, 1:] >= 0) & (later[:, 1:] <= 1)).all(1)
    return np.asarray(later[inside])


def share_kept(fixations: NDArray[np.float64], boxes: Boxes) -> NDArray[np.float64]:
    """(F, 2), (N, 4), both normalised -> (N,): the share of the fixations that lie in each box."""
    points = fixations[None]
    inside = (points >= boxes[:, None, :2]) & (points <= boxes[:, None, 2:])
    return np.asarray(inside.all(2).mean(1))

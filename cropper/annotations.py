"""``annotations.json``: a list of objects, one a photo, beside the photos of a data set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cropper.errors import DataError

__all__ = ["ANNOTATIONS", "read_annotations"]

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

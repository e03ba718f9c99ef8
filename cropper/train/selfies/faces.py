"""The faces of labelled pictures, and ``--require-face``: only pictures with one, as in 2015."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from cropper.errors import DataError, ImageReadError
from cropper.image import load_image
from cropper.scorers.base import LEAST_SIDE, seen
from cropper.scorers.selfie import largest_face
from cropper.threads import cores
from cropper.train.selfies.data import Selfies

__all__ = ["look_for_faces", "with_faces"]

_TELL_EVERY = 500
_UNREADABLE = (np.inf,) * 4


def look_for_faces(
    selfies: Selfies, log: Callable[[str], None], long_side: int = LEAST_SIDE
) -> Selfies:
    """With the largest face of each: (N, 4) xyxy normalised to the picture.

    NaN where none is found, infinity where the picture cannot be read. ``long_side`` is that of
    the scorer to be trained, which then finds the same faces.
    """

    def look(path: Path) -> tuple[float, ...]:
        try:
            found = largest_face(seen(load_image(path), long_side))
        except ImageReadError:
            return _UNREADABLE
        return (np.nan,) * 4 if found is None else tuple(found.tolist())

    faces = np.full((len(selfies), 4), np.nan)
    with ThreadPoolExecutor(cores()) as pool:
        for row, face in enumerate(pool.map(look, selfies.paths)):
            faces[row] = face
            if (row + 1) % _TELL_EVERY == 0:
                found = np.isfinite(faces[: row + 1, 0]).sum()
                log(f"faces: {row + 1}/{len(selfies)} pictures, {found} with a face")
    return replace(selfies, face=faces)


def with_faces(selfies: Selfies) -> Selfies:
    """Those that ``look_for_faces`` has found a face in."""
    assert selfies.face is not None
    kept = np.flatnonzero(np.isfinite(selfies.face[:, 0]))
    if not len(kept):
        raise DataError(f"no face in any of {len(selfies)} pictures: leave `require_face` out")
    unreadable = int(np.isinf(selfies.face[:, 0]).sum())
    without = len(selfies) - len(kept) - unreadable
    found = selfies.take(kept)
    lines = f"{-without:10,} without a face\n{-unreadable:10,} that cannot be read\n"
    facts = found.facts | {"without a face": without, "unreadable": unreadable}
    summary = f"{found.summary}\n\n{lines}{len(found):10,} left"
    return replace(found, summary=summary, facts=facts)

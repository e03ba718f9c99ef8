"""``--require-face``: only pictures with a face are trained on, as in 2015."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cropper.errors import DataError, ImageReadError
from cropper.faces import find_faces
from cropper.image import load_image
from cropper.train.selfies.data import Selfies

__all__ = ["with_faces"]

_TELL_EVERY = 500
_LONG_SIDE = 448  # px of the view that is looked at


def with_faces(selfies: Selfies, log: Callable[[str], None]) -> Selfies:
    """Those that a face is found in."""
    kept, unreadable = [], 0
    for row, path in enumerate(selfies.paths):
        try:
            if find_faces(load_image(path).view(_LONG_SIDE)):
                kept.append(row)
        except ImageReadError:
            unreadable += 1
        if (row + 1) % _TELL_EVERY == 0:
            log(f"faces: {row + 1}/{len(selfies)} pictures, {len(kept)} kept")
    if not kept:
        raise DataError(f"no face in any of {len(selfies)} pictures: leave `require_face` out")
    without = len(selfies) - len(kept) - unreadable
    found = selfies.take(np.array(kept, dtype=np.intp))
    lines = f"{-without:10,} without a face\n{-unreadable:10,} that cannot be read\n"
    facts = found.facts | {"without a face": without, "unreadable": unreadable}
    summary = f"{found.summary}\n\n{lines}{len(found):10,} left"
    return replace(found, summary=summary, facts=facts)

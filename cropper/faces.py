"""Is there a face: OpenCV's cascade (Viola and Jones 2001), whose model comes in its package.

An extra: ``pip install 'cropper[faces]'``.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from cropper.errors import MissingModelError
from cropper.image import View

__all__ = ["FaceFinder"]

_TILTS = (0, -20, 20)  # degrees; selfies are tilted, and the cascade knows upright faces alone
_NEIGHBOURS = 3  # overlapping detections that make a face
_SMALLEST = 0.08  # of the picture's shorter side


class FaceFinder:
    """Frontal faces, upright or a little tilted."""

    long_side = 320  # px of the view that is looked at

    def __init__(self) -> None:
        """Raises MissingModelError without OpenCV, or with one that has no cascades."""
        try:
            self._cv: Any = importlib.import_module("cv2")
            model = Path(self._cv.data.haarcascades, "haarcascade_frontalface_alt2.xml")
            self._cascade: Any = self._cv.CascadeClassifier(str(model))
        except (ImportError, AttributeError) as error:
            raise MissingModelError(
                f"finding faces is an extra ({error}): pip install 'cropper[faces]'"
            ) from error
        if self._cascade.empty():
            raise MissingModelError(f"no face model at {model}: pip install 'cropper[faces]'")

    def has_face(self, view: View) -> bool:
        """Tells of the whole view."""
        grey = self._cv.cvtColor(view.pixels, self._cv.COLOR_RGB2GRAY)
        height, width = grey.shape
        side = max(int(min(grey.shape) * _SMALLEST), 12)
        for tilt in _TILTS:
            turned = grey
            if tilt:
                turn = self._cv.getRotationMatrix2D((width / 2, height / 2), tilt, 1.0)
                turned = self._cv.warpAffine(
                    grey, turn, (width, height), borderMode=self._cv.BORDER_REPLICATE
                )
            found = self._cascade.detectMultiScale(
                np.ascontiguousarray(turned), 1.1, _NEIGHBOURS, minSize=(side, side)
            )
            if len(found):
                return True
        return False

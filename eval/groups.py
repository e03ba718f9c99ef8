"""Kinds of photos, to tell a figure for each: by orientation, with and without faces.

Faces come from YuNet (Wu et al. 2023), a detector whose model the user brings as an ONNX file with
outputs ``cls_*`` and ``obj_*`` at three strides, of any input size or of a fixed one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
)

from cropper.errors import MissingModelError
from cropper.image import SourceImage

__all__ = ["FaceKind", "Kind", "orientation"]

Kind = Callable[[SourceImage], str]  # a photo -> the name of the group that it belongs to

_LONG_SIDE = 512  # px of the view in which faces are looked for
_LEAST = 0.6  # of YuNet's score, the detector's usual threshold
_STRIDES = (8, 16, 32)


def orientation(image: SourceImage) -> str:
    width, height = image.size
    return "landscape" if width > height else "portrait" if width < height else "square"


class FaceKind:
    """Tells photos with a face from those without."""

    def __init__(self, model: Path) -> None:
        """Raises MissingModelError for a file that is no YuNet."""
        try:
            self._session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile) as error:
            reason = str(error).splitlines()[0]
            raise MissingModelError(f"{model} is no YuNet that can be loaded: {reason}") from error
        self._names = [f"{part}_{stride}" for stride in _STRIDES for part in ("cls", "obj")]
        picture = self._session.get_inputs()[0]
        self._input = picture.name
        # (height, width) that the model takes, where it takes no other
        self._fixed = [side for side in picture.shape[2:] if isinstance(side, int)]
        if missing := set(self._names) - {each.name for each in self._session.get_outputs()}:
            raise MissingModelError(f"{model} is no YuNet: it has no output {min(missing)}")

    def __call__(self, image: SourceImage) -> str:
        pixels = image.view(min([_LONG_SIDE, *self._fixed])).pixels
        height, width = self._fixed or (-(-side // 32) * 32 for side in pixels.shape[:2])
        padded = np.zeros((height, width, 3), np.float32)
        padded[: pixels.shape[0], : pixels.shape[1]] = pixels[..., ::-1]  # OpenCV's BGR
        found = self._session.run(self._names, {self._input: padded.transpose(2, 0, 1)[None]})
        scores = [
            np.sqrt((a * b).clip(0)).max() for a, b in zip(found[::2], found[1::2], strict=True)
        ]
        return "with a face" if max(scores) >= _LEAST else "without a face"

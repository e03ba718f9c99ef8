"""Faces, by YuNet (Wu et al. 2023), whose model comes with the package, and heads around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import clip, nms
from cropper.errors import MissingModelError
from cropper.image import View
from cropper.image.per_view import PerView
from cropper.onnx import LOAD_ERRORS, open_session

__all__ = ["Face", "FaceFinder", "find_faces"]

_MODEL = Path(__file__).parent / "scorers" / "weights" / "yunet.onnx"
_LONG_SIDES = (448,)  # px of what is looked at; more finds smaller faces and takes longer
_LEAST = 0.6  # of YuNet's score, the detector's usual threshold
_STRIDES = (8, 16, 32)
_OVERLAP = 0.3  # IoU above which two detections are one face
# What a head adds to the box of its face, in sides of that: hair above, hair beside, chin below
_HAIR, _EARS, _CHIN = 0.45, 0.2, 0.1


@dataclass(frozen=True)
class Face:
    """One face, in px of the upright photo."""

    box: tuple[float, float, float, float]
    score: float  # in [0, 1]
    # Eyes, nose and corners of the mouth, (x, y) px; of each pair the one at the left comes first
    points: tuple[tuple[float, float], ...] = ()

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    def head(self, size: tuple[int, int], room: float = 0.0) -> tuple[float, float, float, float]:
        """The box of the head with its hair, in a photo of ``size`` = (width, height).

        ``room`` is left above it, and half as much at the other sides, in heights of the face.
        """
        x0, y0, x1, y1 = self.box
        width, height = x1 - x0, y1 - y0
        beside, above = _EARS * width + room / 2 * height, (_HAIR + room) * height
        head = [x0 - beside, y0 - above, x1 + beside, y1 + (_CHIN + room / 2) * height]
        left, top, right, bottom = clip(np.array([head]), size)[0].tolist()
        return (left, top, right, bottom)


class FaceFinder:
    """Frontal and half-turned faces. Threads may share it."""

    def __init__(self, model: Path | None = None, long_sides: Sequence[int] = _LONG_SIDES) -> None:
        """``model`` is another YuNet; photos are looked at once with each of ``long_sides`` px.

        Raises MissingModelError for a file that is no YuNet.
        """
        path, self._long_sides = model or _MODEL, long_sides
        try:
            self._session = open_session(path.read_bytes())
        except (OSError, *LOAD_ERRORS) as error:
            reason = str(error).splitlines()[0]
            raise MissingModelError(f"{path} is no YuNet that can be loaded: {reason}") from error
        parts = ("cls", "obj", "bbox", "kps")
        self._names = [f"{part}_{stride}" for stride in _STRIDES for part in parts]
        given = self._session.get_inputs()[0]
        self._input = given.name
        # (height, width) that the model takes, where it takes no other
        self._fixed = [side for side in given.shape[2:] if isinstance(side, int)]
        if missing := set(self._names) - {each.name for each in self._session.get_outputs()}:
            raise MissingModelError(f"{path} is no YuNet: it has no output {min(missing)}")
        self._known: PerView[tuple[Face, ...]] = PerView()

    def find(self, view: View) -> tuple[Face, ...]:
        """The faces of a photo, the largest first; found once for a view, in whichever thread."""
        return self._known.get(view, self._find)

    def _find(self, view: View) -> tuple[Face, ...]:
        seen = [self._detections(view, side) for side in self._long_sides]
        scores, points = (np.concatenate(each) for each in zip(*seen, strict=True))
        order = np.argsort(-scores, kind="stable")
        scores, points = scores[order], points[order]
        boxes = points[:, :2].reshape(-1, 4)
        kept = nms(boxes, _OVERLAP, len(boxes))
        faces = []
        for box, score, marks in zip(
            clip(boxes[kept], view.size).tolist(), scores[kept], points[kept, 2:], strict=True
        ):
            if box[2] > box[0] and box[3] > box[1]:
                five = tuple((x, y) for x, y in marks.tolist())
                faces.append(Face((box[0], box[1], box[2], box[3]), float(score), five))
        return tuple(sorted(faces, key=lambda face: -face.height))

    def _detections(
        self, view: View, long_side: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N,) scores, and (N, 7, 2) px of the photo: two corners of the box, five points."""
        rows, columns = view.pixels.shape[:2]
        scale = min(1.0, min([long_side, *self._fixed]) / max(rows, columns))
        width, height = max(round(columns * scale), 1), max(round(rows * scale), 1)
        pixels = view.resized(width, height) if scale < 1 else view.pixels
        full = self._fixed or [-(-side // 32) * 32 for side in (height, width)]
        padded = np.zeros((1, 3, *full), np.float32)
        padded[0, :, :height, :width] = pixels[..., ::-1].transpose(2, 0, 1)  # OpenCV's BGR
        found = self._session.run(self._names, {self._input: padded})
        outputs = (found[start : start + 4] for start in range(0, len(found), 4))
        parts = [
            _decoded(stride, four, full[1]) for stride, four in zip(_STRIDES, outputs, strict=True)
        ]
        scores, points = (np.concatenate(each) for each in zip(*parts, strict=True))
        return scores, points * (np.array(view.size) / (width, height))


def _decoded(
    stride: int, outputs: Sequence[NDArray[np.float32]], width: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What one stride is sure of: (N,) scores, and (N, 7, 2) px of the input as above."""
    classes, objects, shapes, marks = outputs
    scores = np.sqrt((classes * objects).clip(0, 1)).reshape(-1).astype(np.float64)
    cells = np.flatnonzero(scores >= _LEAST)
    x, y, log_width, log_height = shapes.reshape(-1, 4)[cells].T.astype(np.float64)
    columns = width // stride
    corner = np.stack([cells % columns, cells // columns], 1)
    centre = corner + np.stack([x, y], 1)
    half = np.exp(np.stack([log_width, log_height], 1)) / 2
    points = corner[:, None] + marks.reshape(-1, 5, 2)[cells].astype(np.float64)
    box = np.stack([centre - half, centre + half], 1)
    return scores[cells], np.concatenate([box, points], 1) * stride


@lru_cache(1)
def _shared() -> FaceFinder:
    return FaceFinder()


def find_faces(view: View) -> tuple[Face, ...]:
    """By the package's model, loaded once."""
    return _shared().find(view)

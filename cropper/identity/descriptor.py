"""Faces as numbers: aligned by their five points, and encoded by a network.

The network is dlib's (King 2017), on ONNX Runtime; its weights come with the package. Two faces of
one person have encodings that lie near each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from cropper.errors import MissingModelError
from cropper.faces import Face
from cropper.identity.config import NUMBERS, SIDE, TEMPLATE, WEIGHTS
from cropper.image import View
from cropper.onnx import LOAD_ERRORS, open_session

__all__ = ["Descriptor", "Encodings", "aligned", "misfit", "shared_descriptor"]

Encodings = NDArray[np.float32]  # (N, 128); Euclidean distances between them mean something
_GRAPH = WEIGHTS.with_suffix(".onnx")
_BATCH = 32  # faces at once: more are no faster on a CPU


def aligned(view: View, faces: Sequence[Face]) -> NDArray[np.uint8]:
    """(N, 150, 150, 3): each face turned, moved and scaled so that its points lie where all do."""
    chips = np.empty((len(faces), SIDE, SIDE, 3), np.uint8)
    square = np.array([[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]], np.float64)
    for chip, face in zip(chips, faces, strict=True):
        linear, shift = _similarity(TEMPLATE, np.array(face.points))
        chip[:] = view.read(square @ linear.T + shift, (SIDE, SIDE))
    return chips


def misfit(face: Face) -> float:
    """How far its points lie from where they would in a frontal face: root mean square, in sides
    of the aligned face."""
    points = np.array(face.points)
    linear, shift = _similarity(TEMPLATE, points)
    off = TEMPLATE @ linear.T + shift - points
    return float(np.sqrt((off**2).sum(1).mean() / np.linalg.det(linear)) / SIDE)


def _similarity(
    source: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(2, 2) and (2,): the turn, scale and shift that bring points (N, 2) nearest to others.

    Least squares, in closed form: in the complex plane it is target = a source + b.
    """
    unit = np.array([1, 1j])
    x, y = (source - source.mean(0)) @ unit, (target - target.mean(0)) @ unit
    factor = np.vdot(x, y) / np.vdot(x, x)
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return linear, target.mean(0) - linear @ source.mean(0)


class Descriptor:
    """Encodes aligned faces. Threads may share it."""

    def __init__(self, path: Path | None = None) -> None:
        """``path`` are other weights of the same network, as ``cropper train faces`` writes them.

        Raises MissingModelError for a file that has none.
        """
        path = path or WEIGHTS
        try:
            weights = {
                name: np.ascontiguousarray(value, np.float32)
                for name, value in load_file(path).items()
                if not name.startswith("head.")  # of two faces, not of one
            }
            self._session = open_session(_GRAPH.read_bytes(), weights)
        except (OSError, SafetensorError, *LOAD_ERRORS) as error:
            reason = str(error).splitlines()[0]
            raise MissingModelError(f"{path} is no face descriptor: {reason}") from error

    def encode(self, chips: NDArray[np.uint8]) -> Encodings:
        """(N, 150, 150, 3) uint8, RGB, as ``aligned`` gives them -> (N, 128)."""
        parts = [
            self._session.run(None, {"faces": chips[start : start + _BATCH]})[0]
            for start in range(0, len(chips), _BATCH)
        ]
        return np.concatenate([np.empty((0, NUMBERS), np.float32), *parts])


@lru_cache(1)
def shared_descriptor() -> Descriptor:
    """The package's, loaded once."""
    return Descriptor()

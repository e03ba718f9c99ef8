"""CropNet on a CPU without torch: ONNX Runtime for trunk and neck, NumPy for the head.

The same function as ``network.CropNet`` (a test compares them box by box). Importing torch takes
longer than cropping a photo, so this is the default on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from cropper.boxes import Boxes, normalise
from cropper.errors import MissingModelError
from cropper.image import View
from cropper.onnx import LOAD_ERRORS, open_session
from cropper.scorers.base import BoundScorer, Scorer, ScorerSpec
from cropper.scorers.cropnet.config import STRIDE, TAPS, CropNetConfig, input_size, seen_mirrored
from cropper.scorers.cropnet.sampling_numpy import (
    Floats,
    Folded,
    NumpyPyramid,
    groups,
    mip_levels,
    read_boxes,
    read_lattice,
)
from cropper.scorers.loading import scorer_at

__all__ = ["OnnxCropNetScorer", "load", "open_trunk"]

_GRAPH = Path(__file__).parents[1] / "weights" / "cropnet.onnx"
_BATCH = 16_384  # boxes at once: the more, the more of them share a lattice
_BLOCK = 2048  # boxes through the head at once: their features fit the cache
_GEOMETRY = 8
_IN_GRAPH = ("trunk.", "head.taps.", "head.reduce.")  # the rest is the head's, in NumPy


def load(header: dict[str, Any], path: Path, spec: ScorerSpec) -> Scorer | None:
    """The scorer in a checkpoint; None where the package's graph is of another config."""
    config, usual = CropNetConfig(**header["config"]), CropNetConfig()
    if (config.fused, config.channels) != (usual.fused, usual.channels):
        return None
    return OnnxCropNetScorer(path, config, replace(spec, batch_size=_BATCH))


def open_trunk(path: Path) -> Any:
    """A session of the package's graph, of ``export``, with the weights in a checkpoint.

    Raises what ``load_file`` and ``open_session`` raise.
    """
    return _open(_weights_of(path))


def _weights_of(path: Path) -> dict[str, Floats]:
    return {key: np.ascontiguousarray(each, np.float32) for key, each in load_file(path).items()}


def _open(weights: dict[str, Floats]) -> Any:
    named = {key: each for key, each in weights.items() if key.startswith(_IN_GRAPH)}
    return open_session(_GRAPH.read_bytes(), named)


@dataclass(frozen=True)
class _Features:
    """What the head needs of one picture: maps, and the first layer with its cells folded in."""

    maps: NumpyPyramid
    symmetric: Floats  # (K_even + rod^2 + geometry + 1, hidden)
    antisymmetric: Floats  # (K_odd + rod^2 + 1, hidden)
    aspect: float  # log of width / height of the network's input
    density: Floats | None  # (h, w): of fixations over the cells of the map, sum 1


class OnnxCropNetScorer:
    """CropNet as a scorer on a CPU."""

    def __init__(self, path: Path, config: CropNetConfig, spec: ScorerSpec) -> None:
        self.spec = spec
        self.config = config
        self._path = path
        try:
            weights = _weights_of(path)
            self._session = _open(weights)
            self._head = _Head(weights, config)
        except (AttributeError, KeyError, TypeError, ValueError, *LOAD_ERRORS) as error:
            raise MissingModelError(f"{path} does not fit its own header: {error}") from error

    @cached_property
    def twin(self) -> Scorer:
        """The same weights on torch, for those who need gradients or affine crops."""
        return scorer_at(self._path, "cpu", torch=True)

    def bind(self, view: View) -> BoundScorer:
        pixels = view.resized(*input_size(view.size, self.config.pixels))
        step = -1 if seen_mirrored(pixels) else 1
        seen = np.ascontiguousarray(pixels[None, :, ::step])
        maps, pooled = self._session.run(["maps", "pooled"], {"pixels": seen})
        features = self._head.bind(maps[0, :, :, ::step], pooled[0])

        def score(boxes: Boxes) -> NDArray[np.floating]:
            return self._head.score(features, normalise(boxes, view.size))

        return BoundScorer(score, view.size, self.spec.batch_size)


class _Head:
    """BoxHead in NumPy; see there for what each term means."""

    def __init__(self, weights: dict[str, Floats], config: CropNetConfig) -> None:
        shapes = _shapes(config)

        def get(name: str) -> Floats:
            found = weights[f"head.{name}"]
            if found.shape != shapes[name]:
                raise ValueError(f"head.{name} has shape {found.shape}, not {shapes[name]}")
            return found

        self.config = config
        half, channels, side = config.roi // 2, config.channels, config.roi
        self.even = self._rows(get("roi_even.weight"), channels, side, side - half)
        self.odd = self._rows(get("roi_odd.weight"), channels, side, half)
        rod = get("rod").transpose(1, 2, 0, 3)  # (rod, rod, channels, hidden)
        self.cells = np.stack([rod + rod[:, ::-1], rod - rod[:, ::-1]]) / 2
        self.bias = get("roi_even.bias")
        self.geometry_even = get("geometry_even.weight").T
        self.geometry_odd = get("geometry_odd.weight").T
        self.context = get("context.weight")
        self.out = get("out.0.weight").T, get("out.0.bias"), get("out.2.weight")[0]
        self.last_bias = float(get("out.2.bias")[0])
        if config.gaze:
            self.gaze = get("gaze.weight")[0, :, 0, 0]  # its bias changes no density
            self.gaze_weights = get("gaze_weights")

    @staticmethod
    def _rows(weight: Floats, channels: int, rows: int, columns: int) -> Floats:
        """(hidden, channels * rows * columns) -> (rows * columns * channels, hidden)."""
        split = weight.reshape(-1, channels, rows, columns)
        return np.ascontiguousarray(split.transpose(2, 3, 1, 0).reshape(-1, len(weight)))

    def bind(self, fused: Floats, pooled: Floats) -> _Features:
        """(channels, h, w) and (320,) -> what scoring needs."""
        config = self.config
        maps = mip_levels(np.ascontiguousarray(fused.transpose(1, 2, 0)))
        height, width = fused.shape[1:]
        whole = _to_map(np.array([[0.0, 0.0, 1.0, 1.0]]), (width, height))
        grid = read_boxes(maps, whole, config.rod).unfold()[0]
        cells = np.einsum("ijc,pijch->pijh", grid, self.cells).reshape(2, config.rod**2, -1)
        constant = self.bias + self.context @ pooled
        return _Features(
            maps,
            np.concatenate([self.even, cells[0], self.geometry_even, constant[None]]),
            np.concatenate([self.odd, cells[1], self.geometry_odd]),
            math.log((width - 1) / max(height - 1, 1)),
            self._density(maps.levels[0]) if config.gaze else None,
        )

    def _density(self, fused: Floats) -> Floats:
        """(h, w, channels) -> (h, w)."""
        logits = fused @ self.gaze
        unscaled = np.exp(logits - logits.max())
        density: Floats = unscaled / unscaled.sum()
        return density

    def score(self, features: _Features, boxes: NDArray[np.float64]) -> Floats:
        """(N, 4) normalised xyxy -> (N,) logits."""
        height, width, _ = features.maps.levels[0].shape
        where = _to_map(boxes, (width, height))
        scores = np.empty(len(boxes), np.float32)
        side = self.config.roi
        for rows, lattice in groups(where, _BLOCK):
            if lattice is None:
                read = read_boxes(features.maps, where[rows], side)
                scores[rows] = self._judge(features, boxes[rows], read)
                continue
            x0, y0, column, row = lattice
            shared = read_lattice(features.maps, x0, y0, where[rows[0]], side)
            for part, read in _blocks(shared, column, row):
                scores[rows[part]] = self._judge(features, boxes[rows[part]], read)
        return scores

    def _judge(self, features: _Features, boxes: NDArray[np.float64], read: Folded) -> Floats:
        """Boxes with what was read of them, (..., roi, K) -> (n,)."""
        kept, turned = _geometry(boxes, features.aspect)
        outside = _outside(boxes, self.config.rod)
        ones = np.ones((len(boxes), 1), np.float32)
        s = _joined(read.symmetric, outside, kept, ones) @ features.symmetric
        a = _joined(read.antisymmetric, outside, turned) @ features.antisymmetric
        hidden = s + a
        np.maximum(hidden, 0, out=hidden)
        hidden += np.maximum(np.subtract(s, a, out=s), 0, out=s)
        weight, bias, last = self.out
        out: Floats = np.maximum(hidden @ weight + bias, 0) @ last + self.last_bias
        if features.density is not None:
            out += _gaze_kept(features.density, boxes) @ self.gaze_weights
        return out


def _shapes(config: CropNetConfig) -> dict[str, tuple[int, ...]]:
    """Of the head's tensors that NumPy reads."""
    hidden, channels, side = config.hidden, config.channels, config.roi
    half, inner = side // 2, hidden // 2
    return {
        "roi_even.weight": (hidden, channels * side * (side - half)),
        "roi_even.bias": (hidden,),
        "roi_odd.weight": (hidden, channels * side * half),
        "rod": (channels, config.rod, config.rod, hidden),
        "geometry_even.weight": (hidden, _GEOMETRY),
        "geometry_odd.weight": (hidden, 1),
        "context.weight": (hidden, max(TAPS.values())),
        "out.0.weight": (inner, hidden),
        "out.0.bias": (inner,),
        "out.2.weight": (1, inner),
        "out.2.bias": (1,),
        "gaze.weight": (1, channels, 1, 1),
        "gaze_weights": (2,),
    }


def _blocks(
    shared: Folded, column: NDArray[np.intp], row: NDArray[np.intp]
) -> Iterator[tuple[slice, Folded]]:
    """(Y, roi, X, K) of a lattice -> slices of its boxes with what was read of them.

    A whole lattice in order, as a grid search asks for it, is handed on without a copy, as
    (y, X, roi, K).
    """
    values = shared.values
    rows, columns = values.shape[0], values.shape[2]
    if len(row) == rows * columns and (row * columns + column == np.arange(len(row))).all():
        step = max(_BLOCK // columns, 1)
        for y in range(0, rows, step):
            part = slice(y * columns, min(y + step, rows) * columns)
            yield part, replace(shared, values=values[y : y + step].transpose(0, 2, 1, 3))
        return
    for start in range(0, len(row), _BLOCK):
        part = slice(start, start + _BLOCK)
        yield part, replace(shared, values=values[row[part], :, column[part]])


def _joined(read: Floats, *rest: Floats) -> Floats:
    """(..., roi, K) and (n, D) each -> (n, roi * K + D...), each copied once."""
    *lead, side, depth = read.shape
    count = math.prod(lead)
    out = np.empty((*lead, side * depth + sum(each.shape[1] for each in rest)), np.float32)
    for index in range(side):
        out[..., index * depth : (index + 1) * depth] = read[..., index, :]
    out, start = out.reshape(count, -1), side * depth
    for each in rest:
        out[:, start : start + each.shape[1]] = each
        start += each.shape[1]
    return out


def _to_map(boxes: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Boxes normalised to the picture -> normalised to the map, whose pixel i lies on 16 i."""
    cells = np.array(size * 2, dtype=np.float64)
    pixels = STRIDE * (cells - 1) + 1  # the input's sides
    moved: NDArray[np.float64] = (boxes * pixels + (STRIDE - 1) / 2) / (STRIDE * cells)
    return moved


def _geometry(boxes: NDArray[np.float64], aspect: float) -> tuple[Floats, Floats]:
    """Place and shape, (n, 8) that a mirror keeps and (n, 1) whose sign it turns."""
    x0, y0, x1, y1 = boxes.T
    width, height = x1 - x0, y1 - y0
    off = (x0 + x1) - 1
    shape = np.log(width / height) + aspect
    kept = [y0, 1 - y1, width, height, width * height, np.abs(off), shape, np.abs(shape)]
    return np.stack(kept, 1).astype(np.float32), off[:, None].astype(np.float32)


def _outside(boxes: NDArray[np.float64], cells: int) -> Floats:
    """(n, 4) -> (n, cells * cells): the share of each cell that a box cuts away."""
    across, down = _covered(boxes, cells, cells)
    return (1 - down[:, :, None] * across[:, None, :]).reshape(len(boxes), -1)


def _covered(boxes: NDArray[np.float64], columns: int, rows: int) -> tuple[Floats, Floats]:
    """(n, 4) -> (n, columns), (n, rows): the share of each column and row that a box covers."""
    found = []
    for axis, cells in enumerate((columns, rows)):
        edges = np.arange(cells) / cells
        low = np.maximum(boxes[:, axis, None], edges)
        high = np.minimum(boxes[:, axis + 2, None], edges + 1 / cells)
        found.append(((high - low).clip(0) * cells).astype(np.float32))
    return found[0], found[1]


def _gaze_kept(density: Floats, boxes: NDArray[np.float64]) -> Floats:
    """(h, w), (n, 4) -> (n, 2): the share of fixations that a box keeps, and its area."""
    height, width = density.shape
    across, down = _covered(_to_map(boxes, (width, height)), width, height)
    share = ((down @ density) * across).sum(1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1).astype(np.float32)
    return np.stack([share, area], 1)

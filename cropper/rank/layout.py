"""Pictures that look alike side by side: t-SNE to the plane, then a grid without overlap.

scikit-learn and SciPy are an extra: ``pip install 'cropper[map]'``.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropper.errors import NoInputError, extra

__all__ = ["embed", "grid_for", "need", "on_grid"]

Floats = NDArray[np.float64]
Cells = NDArray[np.intp]
Block = tuple[int, int, int, int]  # top, left, bottom, right

_COMPONENTS = 50  # of the features that t-SNE sees; the rest is noise and time
_BLOCK = 400  # cells that are assigned at once: the cost grows with the cube of the count


def need(name: str) -> Any:
    """A module of the extra ``map``. Raises MissingExtraError."""
    with extra("map"):
        return importlib.import_module(name)


def embed(features: NDArray[np.float32], seed: int = 0) -> Floats:
    """(N, D) -> (N, 2) in [0, 1], by t-SNE (van der Maaten and Hinton 2008) of L2 distances."""
    count = len(features)
    if count < 3:
        raise NoInputError(f"a map takes 3 pictures or more, got {count}")
    decomposition, manifold = need("sklearn.decomposition"), need("sklearn.manifold")
    components = min(_COMPONENTS, count, features.shape[1])
    reduced = decomposition.PCA(components, svd_solver="randomized", random_state=seed)
    small = reduced.fit_transform(features.astype(np.float64))
    tsne = manifold.TSNE(
        perplexity=min(30.0, (count - 1) / 3), init="pca", random_state=seed, max_iter=750
    )
    points: Floats = tsne.fit_transform(small).astype(np.float64)
    low, high = points.min(0), points.max(0)
    return np.asarray((points - low) / np.maximum(high - low, 1e-12))


def grid_for(count: int, aspect: float = 4 / 3) -> tuple[int, int]:
    """(rows, columns) of the smallest grid of about ``aspect`` that has room for ``count``."""
    columns = max(math.ceil(math.sqrt(count * aspect)), 1)
    return math.ceil(count / columns), columns


def on_grid(points: Floats, rows: int, columns: int) -> NDArray[np.intp]:
    """(N, 2) in [0, 1] -> (N, 2) cells (row, column), each given once.

    The plane is halved until a block is small, each half with its share of the points, and within
    a block the sum of squared distances from points to cells is the least there is.
    """
    if len(points) > rows * columns:
        raise ValueError(f"{len(points)} points do not fit into {rows} x {columns} cells")
    cells = np.full((len(points), 2), -1, dtype=np.intp)
    _fill(cells, points, np.arange(len(points)), (0, 0, rows, columns))
    return cells


def _fill(cells: Cells, points: Floats, members: Cells, block: Block) -> None:
    """Give ``members`` cells of a block."""
    top, left, bottom, right = block
    height, width = bottom - top, right - left
    if not len(members):
        return
    if height * width <= _BLOCK:
        _assign(cells, points, members, block)
        return
    across = width >= height
    length, other = (width, height) if across else (height, width)
    half = length // 2
    room_first, room_second = half * other, (length - half) * other
    count = min(max(round(len(members) * (half / length)), len(members) - room_second), room_first)
    order = members[np.argsort(points[members, 0 if across else 1], kind="stable")]
    if across:
        blocks = (top, left, bottom, left + half), (top, left + half, bottom, right)
    else:
        blocks = (top, left, top + half, right), (top + half, left, bottom, right)
    _fill(cells, points, order[:count], blocks[0])
    _fill(cells, points, order[count:], blocks[1])


def _assign(cells: Cells, points: Floats, members: Cells, block: Block) -> None:
    top, left, bottom, right = block
    ys, xs = np.meshgrid(np.arange(top, bottom), np.arange(left, right), indexing="ij")
    places = np.stack([ys.ravel(), xs.ravel()], 1)
    inside = points[members]
    low, high = inside.min(0), inside.max(0)
    spread = (inside - low) / np.maximum(high - low, 1e-12)  # over the whole block
    wanted = spread[:, ::-1] * [bottom - top - 1, right - left - 1] + [top, left]
    cost = ((wanted[:, None] - places[None]) ** 2).sum(2)
    rows, chosen = need("scipy.optimize").linear_sum_assignment(cost)
    cells[members[rows]] = places[chosen]

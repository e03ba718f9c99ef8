"""Where the face is in liked selfies, from ranked tiles and random crops of them.

A crop of a tile has its face where simple arithmetic says. So the tiles give both densities of
``cropper.scorers.selfie``: of the face in liked tiles, and in any crops. Cross-validation says what
the ratio and the ConvNet's taste are worth at telling a liked tile from a random crop of one, each
alone and as they are used together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cropper.faces import find_faces
from cropper.image import View
from cropper.scorers.selfie import FaceGeometry, Gaussian, place_of
from cropper.statistics import cluster_bootstrap
from cropper.train.selfies.quality import auc
from cropper.train.selfies.tile_data import Tiles

__all__ = ["ENOUGH", "Taste", "geometry_of", "learn_geometry", "places_in_crops"]

Floats = NDArray[np.float64]
Log = Callable[[str], None]
_LIKED = 1.0  # place above which a tile is liked: that of the best row of the continuum
_CROPS, _SMALLEST, _LARGEST = 8, 0.5, 0.95  # random crops of each tile, and their sides
ENOUGH = 20  # liked pictures with a face; fewer give no density
_RARE = 0.01  # of whole tiles have a smaller face than a selfie has
_FOLDS = 10
_SEEN = 256  # px of a tile's long side when faces are looked for


@dataclass(frozen=True)
class Taste:
    """The ConvNet, as it is learned from tiles."""

    features: Callable[[NDArray[np.intp], Floats], Floats]  # N rows, (N, K, 4) boxes: (N, K, D)
    head: Callable[[NDArray[np.bool_]], tuple[Floats, float]]  # (D,) and bias, from some tiles


def learn_geometry(
    tiles: Tiles, chosen: NDArray[np.bool_], taste: Taste, seed: int, log: Log
) -> FaceGeometry | None:
    """From the ``chosen`` tiles that have a face; None where too few of them are liked."""
    faces = {row: face for row in np.flatnonzero(chosen) if (face := _face(tiles.pixels[row]))}
    rows = np.array(list(faces), dtype=np.intp)
    liked = tiles.place[rows] > _LIKED
    if liked.sum() < ENOUGH:
        log(f"{liked.sum()} liked tiles have a face: {ENOUGH} are needed to say where it belongs")
        return None
    boxes = _crops(len(rows), np.random.default_rng(seed))
    places = _places(np.array([faces[row] for row in rows]), boxes)
    ratios, tastes = np.empty(boxes.shape[:2]), np.empty(boxes.shape[:2])
    features = taste.features(rows, boxes)
    order = np.random.default_rng(seed).permutation(len(rows))
    for fold in range(_FOLDS):
        held_out = order[fold::_FOLDS]
        used = ~tiles.like(rows[held_out])
        weight, bias = taste.head(used)
        tastes[held_out] = features[held_out] @ weight + bias
        known = used[rows]
        geometry = geometry_of(places[known], liked[known])
        where = torch.from_numpy(places[held_out].reshape(-1, 3))
        ratios[held_out] = geometry.log_ratio(where).view(len(held_out), -1).numpy()
    _tell({"face": ratios, "taste": tastes, "both": ratios + tastes}, liked, log)
    return geometry_of(places, liked)


def places_in_crops(faces: Floats, seed: int) -> Floats:
    """(N, 4) normalised -> (N, 1 + 8, 3): in the whole picture first, then in random crops."""
    return _places(faces, _crops(len(faces), np.random.default_rng(seed)))


def _crops(count: int, rng: np.random.Generator) -> Floats:
    """(N, 1 + 8, 4) normalised: the whole tile first, then random crops of its shape."""
    sides = np.concatenate(
        [np.ones((count, 1)), rng.uniform(_SMALLEST, _LARGEST, (count, _CROPS))], 1
    )
    corners = rng.uniform(0, 1, (count, _CROPS + 1, 2)) * (1 - sides)[..., None]
    return np.concatenate([corners, corners + sides[..., None]], 2)


def _face(tile: NDArray[np.uint8]) -> tuple[float, ...] | None:
    """The largest, normalised."""
    height, width = tile.shape[:2]
    larger = max(_SEEN / max(width, height), 1.0)
    seen = View(tile, (width, height)).resized(round(width * larger), round(height * larger))
    faces = find_faces(View(seen, (1, 1)))
    return faces[0].box if faces else None


def _places(faces: Floats, boxes: Floats) -> Floats:
    """(N, 4) and (N, K, 4) -> (N, K, 3)."""
    pairs = zip(torch.from_numpy(faces), torch.from_numpy(boxes), strict=True)
    return torch.stack([place_of(face, own) for face, own in pairs]).numpy()


def geometry_of(places: Floats, liked: NDArray[np.bool_]) -> FaceGeometry:
    """(N, 1 + 8, 3), of whole pictures and of their crops, and which of these are liked."""
    usual = Gaussian.of(places[:, 1:].reshape(-1, 3))
    return FaceGeometry(
        Gaussian.of(places[liked, 0]), usual, float(np.quantile(places[:, 0, 2], _RARE))
    )


def _tell(scores: dict[str, Floats], liked: NDArray[np.bool_], log: Log) -> None:
    """How well each tells liked tiles from crops of any."""
    tile = np.concatenate([np.flatnonzero(liked), np.repeat(np.arange(len(liked)), _CROPS)])
    label = np.repeat([1, 0], [liked.sum(), len(liked) * _CROPS]).astype(np.int8)
    log(f"{liked.sum()} liked tiles against {_CROPS} crops of each of {len(liked)}, held out, AUC:")
    for name, found in scores.items():
        told = np.concatenate([found[liked, 0], found[:, 1:].ravel()])

        def area(rows: NDArray[np.intp], told: Floats = told) -> float:
            return auc(told[rows], label[rows])

        low, high = cluster_bootstrap(area, tile)
        log(f"  {auc(told, label):.3f} [{low:.3f}, {high:.3f}]  {name}")

"""``cropper train selfies --tiles``: the package's scorer ``selfie``, from ranked tiles.

The tiles are what a network of 2015 thought of selfies that it had not seen: the best, the worst,
and a continuum of rows from best to worst. A linear head on the trunk of a CropNet learns the
place between best and worst, in closed form (ridge regression). What could give the place away
without the picture is taken out:

- the tiles' frame of one pixel, and white borders around the photo; and what white and black
  borders around the trimmed tiles change in the features is worth nothing to the head, or a search
  would look for white walls;
- resolution: the head learns from the tiles of full size among themselves, and from all tiles
  among themselves at the detail of the smallest. Both sets are centred by themselves, so that
  detail cannot be worth anything.

Left and right are alike: a crop's score is the mean with its mirror image.

In cross-validation, near-duplicates of a held-out tile are held out with it: the best and worst
tiles are the ends of the continuum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cropper.errors import ConfigError, DataError
from cropper.image import make_folder
from cropper.scorers import WEIGHTS
from cropper.scorers.checkpoint import save_scorer, trunk_digest, trunk_from
from cropper.scorers.convnet import Preprocessing, TrunkClassifier
from cropper.scorers.loading import resolve_device
from cropper.scorers.probe import probe
from cropper.statistics import cluster_bootstrap, spearman
from cropper.train.selfies.geometry import Taste, learn_geometry
from cropper.train.selfies.tile_data import Tiles, read_tiles

__all__ = ["TilesConfig", "TilesQuality", "train_tiles"]

Floats = NDArray[np.float64]
_BATCH = 16
_WHOLE = np.array([[0.0, 0.0, 1.0, 1.0]])


@dataclass(frozen=True)
class TilesConfig:
    side: int = 129  # px of the trunk's input
    bands: int = 3  # upper, middle and lower part of a crop: a face is liked high up
    full: int = 100  # px from which a tile is of full size
    coarse: int = 45  # px at which all tiles are compared
    coarse_weight: float = 0.3
    best: float = 1.1  # place of the best tiles, where the continuum goes from 1 to -1
    worst: float = -1.3
    ridge: float = 1000.0  # on standardised features
    border: float = 0.08  # width of the borders that are worth nothing, of the shorter side
    indifference: float = 1.0  # weight of a border's effect on the score, squared
    folds: int = 10
    repeats: int = 5  # shuffles into folds
    seed: int = 0


@dataclass(frozen=True)
class TilesQuality:
    """Of held-out tiles of the continuum."""

    count: int
    correlation: float  # Spearman's with the row, the mean over the shuffles
    low: float  # 95 % bootstrap interval over tiles
    high: float


def train_tiles(
    root: Path,
    trunk: Path | None,
    out: Path,
    config: TilesConfig | None = None,
    *,
    seed: int = 0,
    device: str = "auto",
    log: Callable[[str], None] = print,
) -> TilesQuality:
    """Cross-validate, train on all tiles, write ``out / selfie.safetensors``.

    ``trunk`` is a CropNet checkpoint that is to lie beside the result; None is the package's.
    """
    config = config or TilesConfig(seed=seed)
    trunk = trunk or WEIGHTS / "cropnet.safetensors"
    _check_trunk(trunk, out)
    tiles = read_tiles(root, best=config.best, worst=config.worst, least=2 * config.folds)
    if (small := tiles.sides[tiles.row >= 0] < config.full).any():
        raise DataError(
            f"{root}: {small.sum()} tiles of the continuum are under {config.full} px, and a head "
            "learns from tiles of full size: leave them out"
        )
    net = TrunkClassifier(**_head(config)).to(resolve_device(device))
    net.to(memory_format=torch.channels_last).trunk.load_state_dict(trunk_from(trunk))
    levels = [
        _Level.see(net, tiles, config, detail=detail, weight=weight, log=log)
        for detail, weight in ((None, 1.0), (config.coarse, config.coarse_weight))
    ]
    borders = _border_effects(net, tiles, config, levels[0])
    quality = _cross_validate(levels, tiles, config, borders)
    log(
        f"held-out tiles of the continuum ({quality.count}): Spearman {quality.correlation:.3f} "
        f"[{quality.low:.3f}, {quality.high:.3f}], {config.repeats} x {config.folds} folds"
    )
    weight, bias = _fit(levels, np.ones(len(tiles.place), dtype=bool), config, borders)
    solved = {"weight": torch.from_numpy(weight)[None], "bias": torch.tensor([bias])}
    net.head.load_state_dict(solved)
    _tell_effects(net, tiles, config, log)
    header = _header(config, quality, trunk, tiles)

    def crops(rows: NDArray[np.intp], boxes: Floats) -> Floats:
        look = partial(_look, net, _preprocessing(config))
        seen = zip(rows, boxes, strict=True)
        return np.stack([look([tiles.pixels[row]], own).mean(0) for row, own in seen])

    taste = Taste(crops, lambda used: _fit(levels, used, config, borders))
    geometry = learn_geometry(tiles, tiles.sides >= config.full, taste, config.seed, log)
    if geometry:
        header |= {"kind": "selfie", "geometry": geometry.to_dict()}
    save_scorer(net, header, out / "selfie.safetensors", leave_out="trunk.")
    log(f"wrote {out / 'selfie.safetensors'}")
    return quality


def _check_trunk(trunk: Path, out: Path) -> None:
    """Raises ConfigError where another lies in the folder, which is made."""
    make_folder(out)
    if (out / trunk.name).exists() and trunk_digest(out / trunk.name) != trunk_digest(trunk):
        raise ConfigError(f"{out} has another {trunk.name}: train on that one with `trunk`")


def _tell_effects(
    net: TrunkClassifier, tiles: Tiles, config: TilesConfig, log: Callable[[str], None]
) -> None:
    """What the head likes, on the continuum; the whole range from best to worst row is 2."""
    weight = net.head.weight[0].detach().cpu().double().numpy()  # type: ignore[index]

    def score(pictures: Sequence[NDArray[np.uint8]]) -> Floats:
        parts = [pictures[at : at + _BATCH] for at in range(0, len(pictures), _BATCH)]
        seen = [_look(net, _preprocessing(config), list(part)).mean(0) for part in parts]
        return np.asarray(np.concatenate(seen) @ weight)

    pictures = [tiles.pixels[row] for row in np.flatnonzero(tiles.row >= 0)]
    log(f"change of the score of {len(pictures)} tiles, where best to worst row is 2:")
    for effect in probe(score, pictures):
        log(f"  {effect.mean:+.2f} [{effect.low:+.2f}, {effect.high:+.2f}]  {effect.change}")


@dataclass(frozen=True)
class _Level:
    """The tiles at one level of detail; those that lack it have weight 0."""

    features: Floats  # (2, N, D): of each tile and of its mirror image
    place: Floats  # (N,)
    weight: Floats  # (N,)

    @classmethod
    def see(
        cls,
        net: TrunkClassifier,
        tiles: Tiles,
        config: TilesConfig,
        *,
        detail: int | None,
        weight: float,
        log: Callable[[str], None],
    ) -> _Level:
        """``detail`` None is that of the tiles of full size, which are alone there."""
        preprocessing = _preprocessing(config, detail)
        sharp = tiles.sides >= (config.full if detail is None else detail)
        width = sum(net.trunk.channels) * net.bands
        features = np.zeros((2, len(sharp), width))
        rows = np.flatnonzero(sharp)
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH]
            features[:, part] = _look(net, preprocessing, [tiles.pixels[row] for row in part])
        log(f"{len(rows)} of {len(sharp)} tiles seen at {detail or 'full'} px")
        return cls(features, tiles.place, np.where(sharp, weight, 0.0))


@torch.no_grad()
def _look(
    net: TrunkClassifier,
    preprocessing: Preprocessing,
    tiles: list[NDArray[np.uint8]],
    boxes: Floats = _WHOLE,
) -> Floats:
    """(K, 4) normalised boxes of each tile -> (2, N * K, D): as they are, and mirrored."""
    device = next(net.parameters()).device
    where = torch.from_numpy(boxes).float().to(device)
    crops = torch.cat(
        [
            preprocessing.read(preprocessing.levels(torch.from_numpy(tile).to(device)), where)
            for tile in tiles
        ]
    )
    both = torch.stack([net.features(crops), net.features(crops.flip(3))])
    return np.asarray(both.cpu().numpy(), dtype=np.float64)


def _border_effects(
    net: TrunkClassifier, tiles: Tiles, config: TilesConfig, level: _Level
) -> Floats:
    """(2, N, D): what a white and a black border change in the features of the tiles of a level."""
    effects = np.zeros_like(level.features)
    rows = np.flatnonzero(level.weight > 0)
    plain = level.features.mean(0)
    for which, grey in enumerate((255, 0)):
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH]
            framed = [_framed(tiles.pixels[row], config.border, grey) for row in part]
            effects[which, part] = _look(net, _preprocessing(config), framed).mean(0) - plain[part]
    return effects


def _framed(pixels: NDArray[np.uint8], width: float, grey: int) -> NDArray[np.uint8]:
    edge = round(width * min(pixels.shape[:2]))
    return np.pad(pixels, ((edge, edge), (edge, edge), (0, 0)), constant_values=grey)


def _fit(
    levels: list[_Level], used: NDArray[np.bool_], config: TilesConfig, borders: Floats
) -> tuple[Floats, float]:
    """Weights (D,) and bias for features of the first level.

    Each level is centred by itself; all are scaled by the first one's spread.
    """
    gram: Any = 0.0
    moment: Any = 0.0
    first = levels[0]
    rows = used & (first.weight > 0)
    scale = first.features[:, rows].reshape(-1, first.features.shape[2]).std(0) + 1e-3
    for level in levels:
        part = used & (level.weight > 0)
        weight = level.weight[part]
        seen = level.features[:, part] / scale
        seen = seen - np.average(seen.mean(0), axis=0, weights=weight)
        place = level.place[part] - np.average(level.place[part], weights=weight)
        for each in seen:
            weighed = each * weight[:, None]
            gram = gram + weighed.T @ each
            moment = moment + weighed.T @ place
    for effect in borders[:, rows] / scale:
        gram = gram + config.indifference * effect.T @ effect
    solved = np.linalg.solve(gram + config.ridge * np.eye(len(scale)), moment) / scale
    centre = np.average(first.features[:, rows].mean(0), axis=0, weights=first.weight[rows])
    mean = np.average(first.place[rows], weights=first.weight[rows])
    return np.asarray(solved), float(mean - centre @ solved)


def _cross_validate(
    levels: list[_Level], tiles: Tiles, config: TilesConfig, borders: Floats
) -> TilesQuality:
    rows = np.flatnonzero(tiles.row >= 0)
    scores = np.zeros((config.repeats, len(tiles.row)))
    seen = levels[0].features.mean(0)  # as the scorer sees a crop
    for repeat in range(config.repeats):
        shuffled = np.random.default_rng((config.seed, repeat)).permutation(rows)
        for fold in range(config.folds):
            held_out = shuffled[fold :: config.folds]
            used = ~tiles.like(held_out)
            weight, bias = _fit(levels, used, config, borders)
            scores[repeat, held_out] = seen[held_out] @ weight + bias

    def correlation(chosen: NDArray[np.intp]) -> float:
        part = rows[chosen]
        found = [spearman(each[part], -tiles.row[part].astype(float)) for each in scores]
        return float(np.mean(found))

    low, high = cluster_bootstrap(correlation, np.arange(len(rows)), config.seed)
    return TilesQuality(len(rows), correlation(np.arange(len(rows))), low, high)


def _head(config: TilesConfig) -> dict[str, Any]:
    return {"hidden": 0, "bands": config.bands, "mirrored": True}


def _preprocessing(config: TilesConfig, detail: int | None = None) -> Preprocessing:
    half = (0.5, 0.5, 0.5)
    return Preprocessing(config.side, half, half, detail)


def _header(
    config: TilesConfig, quality: TilesQuality, trunk: Path, tiles: Tiles
) -> dict[str, Any]:
    return {
        "kind": "convnet",
        "name": "selfie",
        "summary": "what a network of 2015 liked about selfies, with the biases of likes",
        "licence": "Apache-2.0",
        "long_side": 320,
        "batch_size": 4096,
        "backbone": "trunk",
        "head": _head(config),
        "preprocessing": _preprocessing(config).to_dict(),
        "trunk": {"file": trunk.name, "sha256": trunk_digest(trunk)},
        "data": {"format": "ranked tiles", "tiles": len(tiles.place)},
        "recipe": asdict(config),
        "validation": {"held out": "tiles of the continuum", **asdict(quality)},
    }

"""``--method stn|localizer|search+stn``: crops that may be turned, by the spatial transformer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from cropper.boxes import Boxes, Crop, normalise, snap
from cropper.errors import ConfigError
from cropper.image import SourceImage
from cropper.request import COSTLY_BUDGET, CropRequest
from cropper.result import AFFINE_METHODS, CropResult
from cropper.sampling import theta_from_boxes
from cropper.scorers import Scorer
from cropper.scorers.affine import BoundAffine, as_affine
from cropper.search import SearchConfig, search
from cropper.space import CropSpace
from spatial_transformer.affine import AffineCrop, Warp
from spatial_transformer.localizer import localizer_for
from spatial_transformer.objective import RobustConfig
from spatial_transformer.recipe import RECIPES, AscentTask, follow

__all__ = ["TransformFinder", "winners_of"]

_BUDGET = 2000  # evaluations, where each is cheap


class TransformFinder:
    """What ``CropFinder`` is for boxes, for crops in six parameters.

    Crops are turned, and sheared only with ``shear``: nobody asks for a slanted photo.
    ``localizer`` is a file; None is the package's own. Raises ConfigError for a scorer that knows
    boxes alone, MissingModelError where the method needs a localizer and there is none.
    """

    def __init__(self, scorer: Scorer, method: str, localizer: Path | None = None) -> None:
        if method not in AFFINE_METHODS:
            raise ConfigError(f"method is one of {', '.join(AFFINE_METHODS)}, got {method!r}")
        self.scorer, self.method = as_affine(scorer), method
        self.localizer = localizer_for(self.scorer, localizer) if method == "localizer" else None

    @torch.no_grad()
    def find(self, image: SourceImage, request: CropRequest) -> CropResult:
        """As ``CropFinder.find``. Scores are single looks, comparable with the search's."""
        space = AffineCrop.of(
            image.size, request.searched_aspect, request.min_scale, request.max_scale
        )
        bound = self.scorer.bind_affine(self.scorer.spec.view(image))
        costly = self.scorer.spec.costly
        work = AscentTask(
            bound,
            space,
            request.budget or (COSTLY_BUDGET if costly else _BUDGET),
            RobustConfig.suited(costly),
            request.seed,
            request.top_k,
            winners_of(bound, request.spaces(image.size), request.strategy, request.seed),
            self.localizer,
        )
        recipe = replace(RECIPES[self.method], shear=request.shear)
        warps, found, _ = follow(recipe, work)
        warps = tuple(_on_pixels(warp, image.size) for warp in warps)
        thetas = torch.stack([torch.tensor(warp.theta) for warp in warps])
        whole = torch.eye(2, 3)[None]
        middle = thetas[:1].clone()
        middle[:, :, 2] = 0
        if request.has_shape:
            box = request.spaces(image.size)[0].centred
            middle = theta_from_boxes(torch.from_numpy(normalise(box, image.size))).to(middle)
        scores = bound(torch.cat([thetas, whole, middle])).double().cpu().numpy()
        crops = tuple(
            _crop(warp, score, image.size) for warp, score in zip(warps, scores[:-2], strict=True)
        )
        return CropResult(
            source_size=image.size,
            search=replace(found, crops=crops, strategy=self.method),
            full_frame_score=float(scores[-2]),
            centre_score=float(scores[-1]),
            calibrated=self.scorer.spec.calibrated,
            scorer=self.scorer.spec.name,
            seconds=0.0,
            has_shape=request.has_shape,
        )


def winners_of(
    bound: BoundAffine, spaces: Sequence[CropSpace], strategy: str | None = None, seed: int = 0
) -> Callable[..., tuple[Boxes, int, int]]:
    """A search of boxes for a recipe that starts from winners, by halving unless it is told."""

    def objective(boxes: Boxes) -> Boxes:
        with torch.no_grad():
            theta = theta_from_boxes(torch.from_numpy(normalise(boxes, bound.size)))
            return bound(theta).double().cpu().numpy()

    def winners(count: int, budget: int, overlap: float = 0.7) -> tuple[Boxes, int, int]:
        config = SearchConfig(strategy or "halving", budget, seed, count, overlap)
        found = search(objective, spaces, config)
        return np.array([crop.box for crop in found.crops]), found.evaluations, found.rounds

    return winners


def _on_pixels(warp: Warp, size: tuple[int, int]) -> Warp:
    """An upright crop moved to whole pixels, so that it can be copied; any other is not changed."""
    if not warp.upright:
        return warp
    box = snap(warp.box[None], size)
    return Warp.of(theta_from_boxes(torch.from_numpy(normalise(box, size)))[0], size)


def _crop(warp: Warp, score: float, size: tuple[int, int]) -> Crop:
    if warp.upright:
        return Crop.of(warp.box.round(6), score)
    return Crop.within(warp.corners, score, size)

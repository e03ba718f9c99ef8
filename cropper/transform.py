"""``--method stn|localizer|search+stn``: crops that may be turned, by the spatial transformer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cropper.boxes import Boxes, Crop, normalise, snap
from cropper.errors import ConfigError
from cropper.image import SourceImage
from cropper.request import COSTLY_BUDGET, CropRequest
from cropper.result import AFFINE_METHODS, CropResult, SearchResult, StopReason
from cropper.sampling import theta_from_boxes
from cropper.scorers import Scorer
from cropper.scorers.affine import BoundAffine, as_affine
from cropper.search import SearchConfig, search
from spatial_transformer.affine import AffineCrop, Warp
from spatial_transformer.localizer import Localizer, localizer_for
from spatial_transformer.objective import RobustConfig, RobustObjective
from spatial_transformer.optimize import OptimizeConfig, climb, suited_method

__all__ = ["TransformFinder"]

_BUDGET = 2000  # evaluations, where each is cheap
_STARTS = 4  # random ones of 'stn'; winners of the search of 'search+stn'


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
        if not request.shear:
            space = replace(space, shear=0.0)
        bound = self.scorer.bind_affine(self.scorer.spec.view(image))
        if self.localizer is not None:
            warps, found = self._localize(self.localizer, bound, space)
        else:
            warps, found = self._climb(bound, space, request)
        warps = tuple(_on_pixels(warp, image.size) for warp in warps)
        thetas = torch.stack([torch.tensor(warp.theta) for warp in warps])
        whole = torch.eye(2, 3)[None]
        middle = thetas[:1].clone()
        middle[:, :, 2] = 0
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
        )

    def _localize(
        self, localizer: Localizer, bound: BoundAffine, space: AffineCrop
    ) -> tuple[tuple[Warp, ...], SearchResult]:
        warp = Warp.of(space.theta(localizer.params(bound, space))[0], space.size)
        return (warp,), SearchResult((), self.method, 1, 1, StopReason.CONVERGED)

    def _climb(
        self, bound: BoundAffine, space: AffineCrop, request: CropRequest
    ) -> tuple[tuple[Warp, ...], SearchResult]:
        costly = self.scorer.spec.costly
        budget = request.budget or (COSTLY_BUDGET if costly else _BUDGET)
        spent, rounds = 0, 0
        if self.method == "search+stn":
            starts, spent, rounds = _winners(bound, space, request, budget // 2)
        else:
            drawn = space.sample(_STARTS, np.random.default_rng(request.seed))
            starts = torch.cat([space.identity, drawn])
        objective = RobustObjective([bound], space, RobustConfig.suited(costly), request.seed)
        method = suited_method(bound)
        config = OptimizeConfig(method, budget - spent, request.seed, request.top_k)
        found, trajectory = climb(objective, starts, config)
        ends = {path.end.box.tobytes(): path.end for path in reversed(trajectory.paths)}
        warps = tuple(ends[np.array(crop.box).tobytes()] for crop in found.crops)
        total = replace(found, evaluations=found.evaluations + spent, rounds=found.rounds + rounds)
        return warps, total


def _winners(
    bound: BoundAffine, space: AffineCrop, request: CropRequest, budget: int
) -> tuple[Tensor, int, int]:
    """Diverse starts on ``budget``, what they cost, and in how many rounds."""
    count = max(_STARTS, request.top_k)
    config = SearchConfig(request.strategy or "halving", budget, request.seed, count)

    def objective(boxes: Boxes) -> Boxes:
        theta = theta_from_boxes(torch.from_numpy(normalise(boxes, space.size)))
        return bound(theta).double().cpu().numpy()

    found = search(objective, request.spaces(space.size), config)
    starts = space.from_boxes(np.array([crop.box for crop in found.crops]))
    return starts, found.evaluations, found.rounds


def _on_pixels(warp: Warp, size: tuple[int, int]) -> Warp:
    """An upright crop moved to whole pixels, so that it can be copied; any other is not changed."""
    if not warp.upright:
        return warp
    box = snap(warp.box[None], size)
    return Warp.of(theta_from_boxes(torch.from_numpy(normalise(box, size)))[0], size)


def _crop(warp: Warp, score: float, size: tuple[int, int]) -> Crop:
    """With the box of the whole pixels that the crop touches."""
    box = warp.box.round(6)
    low, high = np.floor(box[:2]), np.ceil(box[2:])
    around = np.concatenate([np.clip(low, 0, size), np.clip(high, 0, size)])
    return Crop.of(around, score, None if warp.upright else warp.corners)

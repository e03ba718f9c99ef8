"""``--method stn|localizer|search+stn``: crops that may be turned, by the spatial transformer."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cropper.boxes import Boxes, Crop, normalise, snap
from cropper.errors import ConfigError
from cropper.finder import COSTLY_BUDGET, CropFinder
from cropper.image import SourceImage
from cropper.result import TRANSFORMS, CropResult, SearchResult, StopReason
from cropper.sampling import theta_from_boxes
from cropper.scorers.affine import BoundAffine, as_affine
from cropper.search import SearchConfig, search
from cropper.space import crop_spaces
from spatial_transformer.affine import AffineCrop, Warp
from spatial_transformer.localizer import localizer_for
from spatial_transformer.objective import RobustConfig, RobustObjective
from spatial_transformer.optimize import OptimizeConfig, climb, suited_method

__all__ = ["TransformFinder", "Warped"]

_BUDGET = 2000  # evaluations, where each is cheap
_STARTS = 4  # random ones of 'stn'; winners of the search of 'search+stn'


@dataclass(frozen=True)
class Warped:
    """The best crops of one picture, best first."""

    result: CropResult  # its boxes are those around the crops, in whole pixels
    warps: tuple[Warp, ...]  # the crops; an upright one lies on whole pixels


class TransformFinder:
    """What ``CropFinder`` is for boxes, for crops in six parameters.

    Crops are turned, and sheared only with ``shear``: nobody asks for a slanted photo.
    ``localizer`` is a file; None is the package's own. Raises ConfigError for a scorer that knows
    boxes alone, MissingModelError where the method needs a localizer and there is none.
    """

    def __init__(
        self,
        finder: CropFinder,
        method: str,
        *,
        budget: int | None = None,
        seed: int = 0,
        top_k: int = 1,
        strategy: str = "halving",
        shear: bool = False,
        localizer: Path | None = None,
    ) -> None:
        if method not in TRANSFORMS:
            raise ConfigError(f"a transform is one of {', '.join(TRANSFORMS)}, got {method!r}")
        self.scorer, self.shear = as_affine(finder.scorer), shear
        self.method, self.seed, self.top_k, self.strategy = method, seed, top_k, strategy
        costly = self.scorer.spec.costly
        self.budget = budget or (COSTLY_BUDGET if costly else _BUDGET)
        self.robust = RobustConfig.suited(costly)
        self.localizer = localizer_for(self.scorer, localizer) if method == "localizer" else None

    @torch.no_grad()
    def find(
        self,
        image: SourceImage,
        *,
        aspect: str | float = "original",
        min_scale: float = 0.5,
        max_scale: float = 1.0,
    ) -> Warped:
        """As ``CropFinder.find``. Scores are single looks, comparable with the search's."""
        started = time.perf_counter()
        space = AffineCrop.of(image.size, aspect, min_scale, max_scale)
        if not self.shear:
            space = replace(space, shear=0.0)
        bound = self.scorer.bind_affine(self.scorer.spec.view(image))
        if self.method == "localizer":
            warps, found = self._localize(bound, space)
        else:
            warps, found = self._climb(bound, space, aspect)
        warps = tuple(_on_pixels(warp, image.size) for warp in warps)
        thetas = torch.stack([torch.tensor(warp.theta) for warp in warps])
        whole = torch.eye(2, 3)[None]
        middle = thetas[:1].clone()
        middle[:, :, 2] = 0
        scores = bound(torch.cat([thetas, whole, middle])).double().cpu().numpy()
        crops = tuple(
            Crop.of(_around(warp, image.size), score)
            for warp, score in zip(warps, scores[:-2], strict=True)
        )
        result = CropResult(
            source_size=image.size,
            search=SearchResult(crops, self.method, found.evaluations, found.rounds, found.stop),
            full_frame_score=float(scores[-2]),
            centre_score=float(scores[-1]),
            calibrated=self.scorer.spec.calibrated,
            scorer=self.scorer.spec.name,
            seconds=time.perf_counter() - started,
        )
        return Warped(result, warps)

    def _localize(
        self, bound: BoundAffine, space: AffineCrop
    ) -> tuple[tuple[Warp, ...], SearchResult]:
        assert self.localizer is not None
        theta = space.theta(self.localizer.params(bound, space))[0]
        warp = Warp.of(theta, space.size)
        crop = Crop.of(warp.box, 0.0)
        return (warp,), SearchResult((crop,), self.method, 1, 1, StopReason.CONVERGED)

    def _climb(
        self, bound: BoundAffine, space: AffineCrop, aspect: str | float
    ) -> tuple[tuple[Warp, ...], SearchResult]:
        spent, rounds = 0, 0
        if self.method == "search+stn":
            starts, spent, rounds = self._winners(bound, space, aspect)
        else:
            drawn = space.sample(_STARTS, np.random.default_rng(self.seed))
            starts = torch.cat([space.identity, drawn])
        objective = RobustObjective([bound], space, self.robust, self.seed)
        config = OptimizeConfig(suited_method(bound), self.budget - spent, self.seed, self.top_k)
        found, trajectory = climb(objective, starts, config)
        ends = {path.end.box.tobytes(): path.end for path in reversed(trajectory.paths)}
        warps = tuple(ends[np.array(crop.box).tobytes()] for crop in found.crops)
        total = SearchResult(
            found.crops,
            self.method,
            found.evaluations + spent,
            found.rounds + rounds,
            found.stop,
        )
        return warps, total

    def _winners(
        self, bound: BoundAffine, space: AffineCrop, aspect: str | float
    ) -> tuple[Tensor, int, int]:
        """Diverse starts on half of the budget, what they cost, and in how many rounds."""
        spaces = crop_spaces(space.size, aspect, space.min_scale, space.max_scale)
        count = max(_STARTS, self.top_k)
        config = SearchConfig(self.strategy, self.budget // 2, self.seed, count)

        def objective(boxes: Boxes) -> Boxes:
            theta = theta_from_boxes(torch.from_numpy(normalise(boxes, space.size)))
            return bound(theta).double().cpu().numpy()

        found = search(objective, spaces, config)
        starts = space.from_boxes(np.array([crop.box for crop in found.crops]))
        return starts, found.evaluations, found.rounds


def _on_pixels(warp: Warp, size: tuple[int, int]) -> Warp:
    """An upright crop on whole pixels, so that it can be copied; any other as it is."""
    if not warp.upright:
        return warp
    box = snap(warp.box[None], size)
    return Warp.of(theta_from_boxes(torch.from_numpy(normalise(box, size)))[0], size)


def _around(warp: Warp, size: tuple[int, int]) -> Boxes:
    """(4,): the whole pixels that the crop touches."""
    box = warp.box.round(6)
    low, high = np.floor(box[:2]), np.ceil(box[2:])
    return np.concatenate([np.clip(low, 0, size), np.clip(high, 0, size)])

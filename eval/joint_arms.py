"""Angle and box together or one after the other: ways to the best level crop of a tilted photo.

What is climbed is a sum of logarithms: the taste of the scorer for a crop, read in six parameters,
and the probability, by the tilt network's one pass over the photo, that it is level to within a
degree at the crop's angle. A turn shifts the edge directions of that pass, so that its odds are a
curve over the angle, and every angle on the way costs nothing more.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cropper.boxes import area
from cropper.finder import CropFinder
from cropper.image import View, from_array, load_image
from cropper.request import CropRequest
from cropper.scorers.affine import JUDGED, BoundAffine, Reading, as_affine
from cropper.statistics import bootstrap
from cropper.tilt import ANGLES
from eval.angle_arms import against
from eval.levelness import SOURCE_SIDE, Levelness
from eval.photos import Progress, of_split
from eval.quads import polygon_area
from eval.report import aligned
from eval.tilt import FOUND, frame_overlap, level_frame, surest_guess, turned_views
from spatial_transformer.affine import AffineCrop, corners_of
from spatial_transformer.objective import RobustObjective
from spatial_transformer.optimize import OptimizeConfig, climb

__all__ = ["JOINT_ARMS", "JointTrial", "LevelTaste", "measure_joint", "render_joint"]

Floats = NDArray[np.float64]

_MOST = 15.0  # degrees that a crop is turned by, at most
_BUDGET = 1000  # evaluations of an ascent
_STARTS = 12  # angles of the even grid
_WINNERS = 4  # of a search
_LEAST_SCALE = 0.7


class LevelTaste:
    """A bound scorer's taste and the log-probability that a crop is level; a BoundAffine."""

    def __init__(self, bound: BoundAffine, view: View) -> None:
        self._bound = bound
        self.size, self.reads_pixels = bound.size, bound.reads_pixels
        self.mirror_invariant = bound.mirror_invariant
        with torch.no_grad():
            chance = Levelness(view).log_odds(torch.zeros(1)).softmax(1)
        near = F.conv1d(chance[None], torch.ones(1, 1, 5), padding=2)  # as a tilt's probability
        self._curve = near[0, 0].log()

    def __call__(self, theta: Tensor, reading: Reading = JUDGED) -> Tensor:
        return self._bound(theta, reading) + self.level(theta)

    def level(self, theta: Tensor) -> Tensor:
        """(N, 2, 3) -> (N,): the log-probability alone, linear between half degrees."""
        width, height = self.size
        down = torch.atan2(-theta[:, 0, 1] * width, theta[:, 1, 1] * height)  # of the crop
        place = (torch.rad2deg(down) - float(ANGLES[0])) * 2
        place = place.clamp(0, len(ANGLES) - 1.001)
        low = place.detach().floor().long()
        share = place - low
        return self._curve[low] * (1 - share) + self._curve[low + 1] * share


@dataclass(frozen=True)
class _Tilted:
    """A tilted photo and what every arm may use."""

    view: View
    finder: CropFinder
    space: AffineCrop
    taste: LevelTaste

    @classmethod
    def of(cls, view: View, finder: CropFinder) -> _Tilted:
        height, width = view.pixels.shape[:2]
        photo = from_array(view.pixels)
        bound = as_affine(finder.scorer).bind_affine(finder.scorer.spec.view(photo))
        space = AffineCrop((width, height), width / height, _LEAST_SCALE)
        space = replace(space, rotation=math.radians(_MOST), shear=0.0)
        return cls(view, finder, space, LevelTaste(bound, view))

    def search(self, angle: float, count: int = 1) -> Tensor:
        """(count, 6): the best crops of the photo turned by an angle, as the product finds them."""
        request = CropRequest(
            aspect="original", min_scale=_LEAST_SCALE, keep=("none",), angle=angle, top_k=count
        )
        found = self.finder.find(self.view.pixels, request)
        quads = torch.tensor([crop.quad for crop in found.crops], dtype=torch.float64)
        return self.space.params(_theta(quads, self.space.size))

    def climb(self, starts: Tensor) -> Tensor:
        """(S, 6) -> (1, 6): the best that an ascent in angle and box finds from them."""
        objective = RobustObjective([self.taste], self.space)
        config = OptimizeConfig("feature", budget=_BUDGET, parameters=6)
        _, trajectory = climb(objective, starts, config)
        return self.space.params(torch.tensor(trajectory.best.end.theta, dtype=torch.float64)[None])

    def dozen(self) -> Tensor:
        """(12, 6): the largest crops at even angles."""
        starts = self.space.identity.repeat(_STARTS, 1)
        even = (2 * torch.arange(_STARTS) + 1) / _STARTS - 1
        starts[:, 4] = torch.deg2rad(_MOST * even)
        return self.space.project(starts)


def _theta(quads: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, 4, 2) corners, px, of parallelograms -> (N, 2, 3)."""
    placed = quads / quads.new_tensor(size) * 2 - 1
    first, second, _, fourth = placed.unbind(1)
    return torch.stack([(second - first) / 2, (fourth - first) / 2, placed.mean(1)], 2)


def _one_pass(tilted: _Tilted) -> float:
    return float(np.clip(surest_guess(tilted.view), -_MOST, _MOST))


JOINT_ARMS: dict[str, Callable[[_Tilted], Tensor]] = {
    "search, upright": lambda photo: photo.search(0.0),
    "angle, then search": lambda photo: photo.search(_one_pass(photo)),
    "search, then both": lambda photo: photo.climb(photo.search(0.0, _WINNERS)),
    "both from a dozen angles": lambda photo: photo.climb(photo.dozen()),
    "angle, search, then both": lambda photo: photo.climb(photo.search(_one_pass(photo), _WINNERS)),
}
UPRIGHT, IN_TURN = "search, upright", "angle, then search"


@dataclass(frozen=True)
class JointTrial:
    """One photo, by T turns and A arms."""

    truth: Floats  # (T,) degrees
    angle: Floats  # (T, A) of the crop, degrees
    value: Floats  # (T, A): taste and log-probability of the crop
    overlap: Floats  # (T, A): IoU with the frame that was turned away
    area: Floats  # (T, A): the crop's, of that frame's
    seconds: Floats  # (T, A), of the processor


def measure_joint(
    root: Path,
    split: str,
    *,
    turns: int = 2,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[JointTrial]:
    """All arms on the photos of a split that can be read, each turned ``turns`` times.

    Raises DataError where there is none.
    """
    finder = CropFinder("cropnet", "cpu")

    def tried(index: int, path: Path) -> JointTrial:
        rng = np.random.default_rng([seed, index])
        truth, rows = [], []
        for angle, view in turned_views(load_image(path), turns, rng, SOURCE_SIDE):
            tilted = _Tilted.of(view, finder)
            truth.append(angle)
            rows.append([_by(arm, tilted, angle) for arm in JOINT_ARMS.values()])
        return JointTrial(np.array(truth), *np.moveaxis(np.array(rows), 2, 0))

    return of_split(root, split, tried, limit=limit, progress=progress)


def _by(
    arm: Callable[[_Tilted], Tensor], tilted: _Tilted, truth: float
) -> tuple[float, float, float, float, float]:
    """Of one arm: angle, value, overlap, area and seconds."""
    start = time.process_time()
    params = arm(tilted)[:1]
    seconds = time.process_time() - start
    size = tilted.space.size
    with torch.no_grad():
        theta = tilted.space.theta(params)
        value = float(tilted.taste(theta.float()))
    corners = corners_of(theta, size)[0].numpy()
    overlap = frame_overlap(corners, size, truth)
    share = polygon_area(corners) / float(area(level_frame(size, truth))[0])
    return math.degrees(params[0, 4].item()), value, overlap, share, seconds


def render_joint(trials: Sequence[JointTrial]) -> str:
    """Plain text."""
    truth = np.stack([each.truth for each in trials])[..., None]  # (P, T, 1)
    wrong = np.abs(np.stack([each.angle for each in trials]) - truth)  # (P, T, A)
    value, overlap, size, seconds = (
        np.stack([getattr(each, name) for each in trials])
        for name in ("value", "overlap", "area", "seconds")
    )
    names = list(JOINT_ARMS)
    upright, turn = names.index(UPRIGHT), names.index(IN_TURN)
    rows = [
        ["arm", "ms", f"value less {IN_TURN}'s", "mean error", "less its", "within a degree",
         "of the level frame's area", "IoU with it", "less its", "nearer to it than upright"]
    ]  # fmt: skip
    for index, name in enumerate(names):
        nearer = bootstrap((overlap[..., index] > overlap[..., upright]).mean(1))
        rows.append(
            [
                name,
                f"{1000 * np.median(seconds[..., index]):.0f}",
                against(value.mean(1), index, turn),
                f"{wrong[..., index].mean():.2f}",
                against(wrong.mean(1), index, turn),
                f"{bootstrap((wrong[..., index] <= 1).mean(1)):.0%}",
                f"{size[..., index].mean():.2f}",
                f"{overlap[..., index].mean():.3f}",
                against(overlap.mean(1), index, turn, "+.3f"),
                "" if index == upright else f"{nearer:.0%}",
            ]
        )
    turns = truth.shape[1]
    head = f"{len(trials)} photos, each turned {turns} times by up to {FOUND:.0f} degrees"
    return f"{head}\n{aligned(rows)}"

"""Search against spatial transformer: every arm on the same photos, scorer, budget and seed.

The scorer that was climbed cannot say whether the crop got better, so a judge that it never met
does: another seed, other photos, another trunk. Both scores of a photo are in units of their spread
over random crops of that photo, so that photos weigh alike.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cropper.boxes import Boxes, normalise
from cropper.errors import ConfigError, DataError, ImageReadError
from cropper.image import load_image
from cropper.scorers import WEIGHTS, Scorer
from cropper.scorers.affine import BoundAffine, as_affine
from cropper.scorers.checkpoint import trunk_digest
from cropper.scorers.header import read_header
from eval.arms import Arm, Context, available_arms
from eval.datasets import Example, Skip
from eval.metrics import boundary_error
from eval.photos import Progress, counted
from eval.quads import quad_iou
from spatial_transformer.affine import PARAMS, Warp
from spatial_transformer.localizer import Localizer
from spatial_transformer.objective import RobustConfig, inside
from spatial_transformer.optimize import Path as Climb

__all__ = [
    "DRIFT",
    "JUDGE",
    "NEAR",
    "ArmResult",
    "ArmScores",
    "AscentStart",
    "CompareConfig",
    "Comparison",
    "held_out",
    "run_comparison",
]

JUDGE = Path(__file__).parent / "weights" / "judge.safetensors"
# of the package's judge with the package's scorers
_SHARED = "architecture, its start and half of FCDB's photos; not the trunk's tuning, seed or gaze"
_PACKAGED = ("cropnet", "convnet", "selfie")
NEAR = 0.01  # of the photo's sides: an end whose corners all lie this near to its start's is there
PROBE = 0.02  # of the crop's side: a better crop this far along one parameter: no local optimum
GAIN = 0.05  # spreads: a gain of the own score that counts
DRIFT = 0.05  # spreads: a loss by the judge that counts
_REFERENCE_CROPS = 48  # random ones that give a score its spread on a photo
_JITTERS = 16  # warps of 1 % that a score should survive


@dataclass(frozen=True)
class CompareConfig:
    budget: int = 1000  # evaluations an arm and photo
    seed: int = 0
    min_scale: float = 0.6  # as the benchmark's, for the same reason


@dataclass(frozen=True)
class AscentStart:
    """What became of one start of a transformer."""

    stuck: bool  # the accepted crop is within NEAR of a start that a step of PROBE improves
    drifted: bool  # own score up by GAIN, judge down by DRIFT
    last_stuck: bool  # the same of where the ascent stopped, before acceptance
    last_drifted: bool
    last_left: bool  # a corner of that lies outside of the photo


@dataclass(frozen=True)
class ArmResult:
    """One arm on one photo."""

    warp: Warp
    own: float  # by the scorer that was climbed, spreads above a random crop
    judge: float  # by the held-out judge, likewise
    jitter_loss: float  # of the own score, under warps of 1 %
    iou: float | None  # with the human box that it overlaps best
    bde: float | None  # of the box that it would be without its turn, to that human box
    seconds: float  # binding the photo included
    evaluations: int
    starts: tuple[AscentStart, ...]
    climbs: tuple[Climb, ...]


@dataclass(frozen=True)
class ArmScores:
    name: str
    about: str
    parameters: int
    photos: tuple[ArmResult, ...]  # as Comparison.photos


@dataclass(frozen=True)
class Comparison:
    photos: tuple[Path, ...]
    humans: tuple[Boxes, ...]  # (K, 4) in [0, 1] of each photo, K may be 0
    arms: tuple[ArmScores, ...]
    skipped: tuple[Skip, ...]


def run_comparison(
    examples: Sequence[Example],
    scorer: Scorer,
    judge: Scorer,
    config: CompareConfig | None = None,
    *,
    localizer: Localizer | None = None,
    only: Sequence[str] = (),
    between: Sequence[tuple[str, str]] = (),
    progress: Progress | None = None,
) -> Comparison:
    """Every arm that the scorer can take, or those named in ``only``, on every readable photo.

    Raises ConfigError for an unknown arm, before any is run, also one of a pair ``between`` which
    differences will be asked for; and DataError where no photo can be read.
    """
    config = config or CompareConfig()
    photos: list[Path] = []
    humans: list[Boxes] = []
    rows: list[list[ArmResult]] = []
    skipped: list[Skip] = []
    arms: tuple[Arm, ...] = ()
    for example in counted(examples, progress):
        try:
            photo = _Photo(example, scorer, judge, config, localizer)
        except ImageReadError as error:
            skipped.append(Skip(example.path.name, str(error)))
            continue
        arms = arms or _chosen(available_arms(photo.context.bound, localizer), only, between)
        rows.append([photo.measure(arm) for arm in arms])
        photos.append(example.path)
        humans.append(example.boxes)
    if progress:
        progress(len(examples), len(examples))
    if not rows:
        raise DataError(f"none of the {len(examples)} photos could be read: give other photos")
    scores = tuple(
        ArmScores(arm.name, arm.about, arm.parameters, tuple(row[index] for row in rows))
        for index, arm in enumerate(arms)
    )
    return Comparison(tuple(photos), tuple(humans), scores, tuple(skipped))


def held_out(scorer: str, judge: str) -> tuple[tuple[str, str], ...]:
    """How each of the two was trained, for people to read.

    Raises ConfigError for a judge that is the scorer, or shares its seed or its trunk's training.
    """
    if scorer == judge:
        raise ConfigError("the judge is the scorer itself: train one that it never met")
    said = []
    for role, name in (("scorer", scorer), ("judge", judge)):
        path = Path(name) if Path(name).suffix else WEIGHTS / f"{name}.safetensors"
        said.append((role, path, read_header(path) if path.is_file() else {}))
    (_, our_file, ours), (_, their_file, theirs) = said
    trunks = [_trunk(our_file, ours), _trunk(their_file, theirs)]
    ours, theirs = ours.get("trained", {}), theirs.get("trained", {})
    if ours.get("seed") is not None and ours.get("seed") == theirs.get("seed"):
        raise ConfigError(f"scorer and judge share the seed {ours['seed']}: train one with another")
    if trunks[0] and trunks[0] == trunks[1]:
        raise ConfigError("scorer and judge share one trunk's weights: train one with another")
    notes = [
        (f"{role} trained", ", ".join(f"{k} {v}" for k, v in header["trained"].items()))
        for role, _, header in said
        if "trained" in header
    ]
    if "fold" in ours and "fold" in theirs:
        shared = "some in both" if _share_photos(ours["fold"], theirs["fold"]) else "none in both"
        notes.append(("photos of the two trainings, if of one data set", shared))
    if Path(judge) == JUDGE and scorer in _PACKAGED:
        part = "" if scorer == "cropnet" else "the trunk's "
        notes.append(("judge shares with the scorer", part + _SHARED))
    return tuple(notes)


def _trunk(path: Path, header: dict[str, Any]) -> str | None:
    """SHA-256 of the trunk that a scorer's features come from, where it has one."""
    if "trunk" in header:
        return str(header["trunk"]["sha256"])
    return trunk_digest(path) if header.get("kind") == "cropnet" else None


def _share_photos(one: str, other: str) -> bool:
    """Whether folds k/n, every n-th photo from the k-th on, have a photo in common."""
    (k, n), (other_k, other_n) = (map(int, fold.split("/")) for fold in (one, other))
    return (k - other_k) % math.gcd(n, other_n) == 0


def _chosen(
    arms: tuple[Arm, ...], only: Sequence[str], between: Sequence[tuple[str, str]]
) -> tuple[Arm, ...]:
    known = {arm.name for arm in arms}
    asked = [*only, *(name for pair in between for name in pair)]
    if unknown := [name for name in asked if name not in known]:
        raise ConfigError(
            f"no arm {unknown[0]!r} for this scorer: choose from {', '.join(sorted(known))}"
        )
    return tuple(arm for arm in arms if not only or arm.name in asked)


class _Photo:
    """One photo, bound to the scorer and to the judge."""

    def __init__(
        self,
        example: Example,
        scorer: Scorer,
        judge: Scorer,
        config: CompareConfig,
        localizer: Localizer | None,
    ) -> None:
        self.example = example
        self.image = load_image(example.path)
        started = time.perf_counter()
        with torch.no_grad():
            bound = as_affine(scorer).bind_affine(scorer.spec.view(self.image))
        self.bind_seconds = time.perf_counter() - started
        with torch.no_grad():
            judging = as_affine(judge).bind_affine(judge.spec.view(self.image))
        robust = RobustConfig.suited(scorer.spec.costly)
        self.context = Context(
            self.image, bound, config.budget, config.seed, config.min_scale, robust, localizer
        )
        self.space = self.context.space("free")
        rng = np.random.default_rng((config.seed, 7))
        self.reference = self.space.theta(self.space.sample(_REFERENCE_CROPS, rng))
        self.own, self.judge = (self._in_spreads(each) for each in (bound, judging))
        half = rng.normal(0, 0.01, (_JITTERS // 2, PARAMS))
        self.jitters = torch.from_numpy(np.concatenate([half, -half]))

    def _in_spreads(self, bound: BoundAffine) -> Callable[[Tensor], NDArray[np.float64]]:
        def raw(theta: Tensor) -> NDArray[np.float64]:
            with torch.no_grad():
                return bound(theta.float()).double().cpu().numpy()

        known = raw(self.reference)
        mean, spread = known.mean(), max(float(known.std()), 1e-6)
        return lambda theta: (raw(theta) - mean) / spread

    def measure(self, arm: Arm) -> ArmResult:
        started = time.perf_counter()
        found = arm.run(self.context)
        seconds = time.perf_counter() - started + self.bind_seconds
        theta = _theta(found.warp)
        own = float(self.own(theta)[0])
        params = self.space.params(theta)
        around = self.space.theta(self.space.move(params.expand(_JITTERS, -1), self.jitters))
        overlap, error = self._against_humans(found.warp)
        climbs = found.trajectory.paths if found.trajectory else ()
        return ArmResult(
            found.warp,
            own,
            float(self.judge(theta)[0]),
            own - float(self.own(around).mean()),
            overlap,
            error,
            seconds,
            found.evaluations,
            tuple(self._start(climb, arm) for climb in climbs),
            climbs,
        )

    def _against_humans(self, warp: Warp) -> tuple[float | None, float | None]:
        boxes = self.example.boxes
        if not len(boxes):
            return None, None
        overlaps = quad_iou(np.array(warp.corners) / self.image.size, boxes)
        best = int(overlaps.argmax())
        box = normalise(warp.equal_area_box(self.image.size)[None], self.image.size)
        return float(overlaps[best]), float(boundary_error(box, boxes[best : best + 1])[0])

    def _start(self, climb: Climb, arm: Arm) -> AscentStart:
        thetas = torch.cat([_theta(warp) for warp in (climb.start, climb.end, climb.last)])
        own, judge = self.own(thetas), self.judge(thetas)
        size = self.image.size
        improvable = self._improvable(climb.start, own[0], arm)
        drifted = (own - own[0] > GAIN) & (judge - judge[0] < -DRIFT)
        return AscentStart(
            stuck=improvable and _near(climb.start, climb.end, size),
            drifted=bool(drifted[1]),
            last_stuck=improvable and _near(climb.start, climb.last, size),
            last_drifted=bool(drifted[2]),
            last_left=not bool(inside(_theta(climb.last))[0]),
        )

    def _improvable(self, start: Warp, own: float, arm: Arm) -> bool:
        """Whether a step of PROBE along one of the arm's parameters gains."""
        free = torch.eye(PARAMS, dtype=torch.float64)[: arm.parameters]
        moves = PROBE * torch.cat([free, -free])
        params = self.space.params(_theta(start)).expand(len(moves), -1)
        tried = self.space.theta(self.space.move(params, moves))
        return bool(self.own(tried).max() - own > GAIN)


def _theta(warp: Warp) -> Tensor:
    return torch.tensor(warp.theta, dtype=torch.float64)[None]


def _near(one: Warp, other: Warp, size: tuple[int, int]) -> bool:
    gap = np.abs(np.array(one.corners) - np.array(other.corners)) / size
    return bool(gap.max() < NEAR)

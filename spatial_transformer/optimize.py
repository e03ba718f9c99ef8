"""Climbing the score from a few starts, in up to six affine parameters.

Read it as: starts, an ascent by one of OPTIMIZERS that leaves every judged crop in an archive, and
acceptance, which compares the best of the archive with their start by the robust score. So what is
returned is never below its start. All of them pay from one budget: a scored crop is one evaluation,
a backward pass counts as two more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from cropper.boxes import Crop, nms
from cropper.errors import ConfigError
from cropper.result import SearchResult, StopReason
from cropper.scorers.affine import JUDGED, BoundAffine, Reading
from spatial_transformer.affine import PARAMS, Warp
from spatial_transformer.chart import Chart, RawCrop
from spatial_transformer.objective import RobustObjective

__all__ = [
    "OPTIMIZERS",
    "OptimizeConfig",
    "Path",
    "Trajectory",
    "climb",
    "suited_optimizer",
]

GRADIENT_COST = 3  # evaluations of a forward and a backward pass
_FREE = {3: (1, 1, 1, 0, 0, 0), 4: (1, 1, 1, 1, 0, 0), 6: (1, 1, 1, 1, 1, 1)}
_FINALISTS = 4  # of each start, that acceptance looks at where the budget allows
_NMS = 0.7  # IoU of the boxes around two returned crops, at most
_KEPT = 40  # crops of a path


@dataclass(frozen=True)
class OptimizeConfig:
    optimizer: str = "es"  # needs no slope, so that any score will do; see suited_optimizer
    budget: int = 1000  # evaluations at most, acceptance included
    seed: int = 0
    top_k: int = 1  # crops returned, best first
    parameters: int = 6  # 3: scale and place; 4: and aspect; 6: and rotation and shear
    step: float = 0.04  # of an ascent at first, in shares of the crop's side; a tenth at last
    jitter: int = 6  # warps that the slope of 'jitter' is averaged over, in antithetic pairs
    spread: float = 0.04  # of these warps, in shares of the crop's side
    pairs: int = 8  # antithetic pairs of a generation of 'es'
    sigma: float = 0.06  # their spread at first; a tenth at last

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            known = ", ".join(OPTIMIZERS)
            raise ConfigError(f"optimizer is one of {known}, got {self.optimizer!r}")
        if self.parameters not in _FREE:
            raise ConfigError(f"parameters are 3, 4 or 6, got {self.parameters}")
        for name in ("budget", "top_k", "jitter", "pairs"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Path:
    """What became of one start."""

    start: Warp
    start_score: float  # robust, as acceptance sees it
    end: Warp  # the accepted crop: the start, where nothing better was found
    end_score: float
    last: Warp  # where the ascent itself stopped, accepted or not; may leave the picture ('pixel')
    warps: tuple[Warp, ...]  # on the way, at most 40
    scores: tuple[float, ...]  # of these, one look each


@dataclass(frozen=True)
class Trajectory:
    optimizer: str
    paths: tuple[Path, ...]  # best end first

    @property
    def best(self) -> Path:
        return self.paths[0]


def climb(
    objective: RobustObjective, starts: Tensor, config: OptimizeConfig
) -> tuple[SearchResult, Trajectory]:
    """Affine crops from (S, 6) starts, best first, and how they were found.

    The result's boxes are those around the crops; the crops themselves are the trajectory's. Raises
    ConfigError for a budget too small for the optimizer.
    """
    run = _Run(objective, objective.space.project(starts.double()), config)
    OPTIMIZERS[config.optimizer](run)
    paths = sorted(run.accept(), key=lambda path: -path.end_score)
    boxes = np.stack([path.end.box for path in paths])
    kept = nms(boxes, _NMS, config.top_k)
    result = SearchResult(
        crops=tuple(Crop.of(boxes[index], paths[index].end_score) for index in kept),
        strategy=config.optimizer,
        evaluations=objective.evaluations,
        rounds=run.rounds,
        stop=StopReason.BUDGET,
    )
    return result, Trajectory(config.optimizer, tuple(paths))


@dataclass
class _Run:
    """The state of one climb."""

    objective: RobustObjective
    starts: Tensor  # (S, 6)
    config: OptimizeConfig
    rounds: int = 0
    seen: list[Tensor] = field(default_factory=list)  # (S, k, 6) judged crops, a round each
    scores: list[Tensor] = field(default_factory=list)  # (S, k)
    last: Tensor | None = None  # (S, 2, 3)

    def __post_init__(self) -> None:
        self.finalists = _FINALISTS
        while self.finalists > 1 and self.reserve > self.config.budget // 8:
            self.finalists -= 1
        self.free = torch.tensor(_FREE[self.config.parameters], dtype=torch.float64)
        self.rng = np.random.default_rng((self.config.seed, 2))
        self.judge(self.starts[:, None])

    @property
    def reserve(self) -> int:
        """Evaluations that acceptance will take."""
        return len(self.starts) * (1 + self.finalists) * self.objective.looks

    def rounds_of(self, cost: int) -> int:
        """How many rounds of ``cost`` evaluations a start the budget pays for."""
        one_look = len(self.starts) * len(self.objective.scorers)
        needed = self.objective.evaluations + self.reserve + one_look  # the look at the last mean
        count = (self.config.budget - needed) // (cost * one_look)
        if count < 1:
            raise ConfigError(
                f"{self.config.optimizer!r} from {len(self.starts)} starts takes at least "
                f"{needed + cost * one_look} evaluations: raise the budget of "
                f"{self.config.budget}, or give fewer starts"
            )
        return count

    def warps(self, count: int) -> Tensor:
        """(count, 6) moves in antithetic pairs."""
        half = self.rng.normal(0, self.config.spread, (count // 2, PARAMS))
        return torch.from_numpy(np.concatenate([half, -half])) * self.free

    @torch.no_grad()
    def judge(self, params: Tensor) -> Tensor:
        """(S, k, 6) -> (S, k) scores, one look each; they join the archive."""
        theta = self.objective.space.theta(params.flatten(0, 1))
        scores = self.objective.look(theta).reshape(params.shape[:2])
        self.seen.append(params)
        self.scores.append(scores)
        self.rounds += 1
        return scores

    @torch.no_grad()
    def accept(self) -> list[Path]:
        seen, scores = torch.cat(self.seen, 1), torch.cat(self.scores, 1)
        top = scores[:, 1:].topk(min(self.finalists, scores.shape[1] - 1), 1).indices + 1
        finalists = torch.cat([torch.zeros_like(top[:, :1]), top], 1)  # the start is the first
        rows = torch.arange(len(seen))[:, None]
        params = seen[rows, finalists]  # (S, F, 6)
        anchors = self.starts[:, None].expand_as(params)
        robust = self.objective.accept(params.flatten(0, 1), anchors.flatten(0, 1))
        robust = robust.reshape(params.shape[:2])
        winner = robust.argmax(1)  # of equal ones the first, so that the start wins a tie
        return [
            self._path(index, params[index], robust[index], winner[index]) for index in rows[:, 0]
        ]

    def _path(self, index: Tensor, params: Tensor, robust: Tensor, winner: Tensor) -> Path:
        space, size = self.objective.space, self.objective.space.size
        start, end = space.theta(torch.stack([params[0], params[winner]]))
        # of a round's crops, the one that was liked best
        best = [scores[index].argmax() for scores in self.scores]
        rounds = np.linspace(0, len(best) - 1, min(_KEPT, len(best))).round().astype(int)
        way = torch.stack([self.seen[r][index, best[r]] for r in rounds])
        last = self.last[index] if self.last is not None else end
        return Path(
            Warp.of(start, size),
            robust[0].item(),
            Warp.of(end, size),
            robust[winner].item(),
            Warp.of(last, size),
            tuple(Warp.of(each, size) for each in space.theta(way)),
            tuple(self.scores[r][index, best[r]].item() for r in rounds),
        )


def _ascend(
    run: _Run,
    chart: Chart,
    params: Tensor,
    readings: Callable[[float], Reading],
    looks: int = 1,
) -> None:
    """Adam (Kingma and Ba 2015) in moves, its step falling to a tenth.

    ``readings`` gives the reading at each share of the way. With several ``looks`` the slope is the
    mean over as many small warps of the crop.
    """
    count = run.rounds_of(GRADIENT_COST * looks + 1)
    mean, square = torch.zeros_like(params), torch.zeros_like(params)
    for number in range(1, count + 1):
        done = (number - 1) / count
        warps = run.warps(looks) if looks > 1 else None
        slope = _slope(run, chart, params, readings(done), warps)
        mean = 0.8 * mean + 0.2 * slope  # shorter memories than usual: there are few rounds
        square = 0.95 * square + 0.05 * slope.square()
        scaled = (mean / (1 - 0.8**number)) / ((square / (1 - 0.95**number)).sqrt() + 1e-12)
        params = chart.move(params, run.config.step * 0.1**done * scaled).detach()
        run.judge(chart.bounded(run.objective.space, params)[:, None])
    run.last = chart.theta(params)


def _slope(
    run: _Run, chart: Chart, params: Tensor, reading: Reading, warps: Tensor | None
) -> Tensor:
    """(S, P) params -> (S, P): the slope by moves."""
    tracked = params.detach().requires_grad_()
    with torch.enable_grad():  # whatever the caller has switched off
        around = tracked
        if warps is not None:
            repeated = tracked.repeat_interleave(len(warps), 0)
            around = chart.move(repeated, warps.repeat(len(params), 1))
        scores = run.objective.look(chart.theta(around), reading)
        run.objective.evaluations += (GRADIENT_COST - 1) * len(scores) * len(run.objective.scorers)
        (gradient,) = torch.autograd.grad(scores.sum() * (len(params) / len(scores)), tracked)
    slopes = chart.slopes(params, gradient)
    return slopes * run.free if chart is run.objective.space else slopes


def _pixel(run: _Run, parameters: int) -> None:
    """The origin's way: raw theta, bilinear sampling, nothing that keeps it in the picture."""
    if not all(scorer.reads_pixels for scorer in run.objective.scorers):
        raise ConfigError(
            "'pixel' and 'pixel3' take a scorer that looks at the crop's own pixels: convnet"
        )
    chart = RawCrop(run.objective.space.theta(run.starts), parameters)
    _ascend(run, chart, chart.start, lambda _: Reading(antialias=False))


def _pyramid(run: _Run) -> None:
    """Antialiased, coarse to fine."""
    coarsest = 4 if all(scorer.reads_pixels for scorer in run.objective.scorers) else 2

    def reading(done: float) -> Reading:
        return Reading(coarse=round(coarsest * max(0.0, 1 - 1.5 * done)))

    _ascend(run, run.objective.space, run.starts, reading)


def _jitter(run: _Run) -> None:
    """The slope averaged over small warps: of the surface as it looks from a step away."""
    looks = 2 * math.ceil(run.config.jitter / 2)
    _ascend(run, run.objective.space, run.starts, lambda _: JUDGED, looks)


def _feature(run: _Run) -> None:
    """The slope through the feature map of the whole picture."""
    _ascend(run, run.objective.space, run.starts, lambda _: Reading(features=True))


def _es(run: _Run) -> None:
    """Antithetic evolution strategies: weighted recombination, the spread falling to a tenth.

    After Hansen's (mu/mu_w, lambda) with mirrored samples (Brockhoff et al. 2010), without the
    adaptation of covariances, for which there are too few generations.
    """
    space, pairs = run.objective.space, run.config.pairs
    count = run.rounds_of(2 * pairs)
    ranks = torch.arange(1, pairs + 1, dtype=torch.float64)
    weights = torch.log(torch.tensor(pairs + 0.5)) - torch.log(ranks)
    weights = weights / weights.sum()
    mean = run.starts
    for number in range(count):
        sigma = run.config.sigma * 0.1 ** (number / count)
        half = torch.from_numpy(run.rng.normal(0, sigma, (len(mean), pairs, PARAMS))) * run.free
        moves = torch.cat([half, -half], 1)  # (S, 2 pairs, 6)
        tried = space.move(mean.repeat_interleave(2 * pairs, 0), moves.flatten(0, 1))
        scores = run.judge(tried.reshape(len(mean), 2 * pairs, PARAMS))
        best = scores.topk(pairs, 1).indices
        chosen = moves.gather(1, best[..., None].expand(-1, -1, PARAMS))
        mean = space.move(mean, (weights[:, None] * chosen).sum(1))
    run.judge(mean[:, None])
    run.last = space.theta(mean)


def suited_optimizer(bound: BoundAffine) -> str:
    """Slopes where scores come from a feature map, which is smooth, and none where from pixels."""
    return "es" if bound.reads_pixels else "feature"


OPTIMIZERS: dict[str, Callable[[_Run], None]] = {
    "pixel": lambda run: _pixel(run, 6),
    "pixel3": lambda run: _pixel(run, 3),
    "pyramid": _pyramid,
    "jitter": _jitter,
    "feature": _feature,
    "es": _es,
}

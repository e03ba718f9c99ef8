"""What an ascent climbs, and what decides whether it got anywhere.

Gradient ascent on the input of a network finds warps that please the network and nobody else. Four
things hold it back, all in ``accept``: the score is the mean over small warps of the crop and its
mirror image, so that a crop has to be good in its surroundings too; of several scorers, doubt
counts against a crop; leaving the start costs (a proximal term); and so does an area or an aspect
that is unlike what people choose. Every score is of a crop inside the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cropper.errors import ConfigError, ScorerOutputError
from cropper.sampling import decompose
from cropper.scorers.affine import JUDGED, BoundAffine, Reading
from spatial_transformer.affine import PARAMS, AffineCrop, corners_of

__all__ = ["Prior", "RobustConfig", "RobustObjective", "inside"]

_CALIBRATION = 24  # random crops that tell each scorer's mean and spread, where there are several


@dataclass(frozen=True)
class Prior:
    """A normal distribution that pulls on a quantity; off where the weight is 0."""

    mean: float
    spread: float
    weight: float = 0.0  # score lost one spread from the mean

    def __call__(self, values: Tensor) -> Tensor:
        return self.weight * ((values - self.mean) / self.spread).square()


@dataclass(frozen=True)
class RobustConfig:
    jitter: int = 8  # small warps, in antithetic pairs, that acceptance averages over
    spread: float = 0.01  # of these warps, in shares of the crop's side
    flip: bool = True  # average over the mirrored reading too, where the scorer tells them apart
    caution: float = 0.5  # spreads between scorers that are taken off their mean
    proximal: float = (
        0.0  # score lost a unit of the corners' mean square way, of the picture's sides
    )
    # people's crops on FCDB's training photos: 0.68 of the area in the median, about the own aspect
    log_area: Prior = Prior(-0.46, 0.3)
    log_aspect: Prior = Prior(0.0, 0.3)  # relative to the picture's

    @classmethod
    def suited(cls, costly: bool) -> RobustConfig:
        """Fewer warps where each look is a network pass, or the ascent gets nothing."""
        return cls(jitter=2) if costly else cls()

    def __post_init__(self) -> None:
        if self.jitter < 0 or self.jitter % 2 or self.spread <= 0:
            raise ConfigError(
                f"jitter is an even count and spread above 0, got {self.jitter} and {self.spread}"
            )


class RobustObjective:
    """Scores of one picture's crops by one or several scorers, counted.

    ``look`` is one reading of a crop; ``accept`` is the robust score. Both take theta (N, 2, 3) and
    give (N,), and both are differentiable.
    """

    def __init__(
        self,
        scorers: Sequence[BoundAffine],
        space: AffineCrop,
        config: RobustConfig | None = None,
        seed: int = 0,
    ) -> None:
        if not scorers:
            raise ConfigError("an objective needs at least one scorer, got none")
        self.scorers, self.space = tuple(scorers), space
        self.config = config or RobustConfig()
        self.evaluations = 0  # crops that were scored, each scorer's and each warp's look counted
        rng = np.random.default_rng((seed, 1))
        half = rng.normal(0, self.config.spread, (self.config.jitter // 2, PARAMS))
        # one set for all crops, so that comparing two of them is not comparing two draws
        self.warps = torch.from_numpy(np.concatenate([half, -half]))
        self._units = [(0.0, 1.0)] * len(self.scorers)
        if len(self.scorers) > 1:
            self._calibrate(rng)

    @property
    def looks(self) -> int:
        """Evaluations that one crop's ``accept`` takes."""
        mirrored = self.config.flip and not all(each.mirror_invariant for each in self.scorers)
        return (1 + self.config.jitter) * (1 + mirrored) * len(self.scorers)

    def look(self, theta: Tensor, reading: Reading = JUDGED) -> Tensor:
        """One reading by each scorer: their mean, less doubt and priors."""
        self.evaluations += len(theta) * len(self.scorers)
        scores = []
        for scorer, (mean, spread) in zip(self.scorers, self._units, strict=True):
            each = scorer(theta.float(), reading)
            if each.shape != (len(theta),):
                raise ScorerOutputError(
                    f"a scorer gives one score a crop: {len(theta)} crops, got {tuple(each.shape)}"
                )
            scores.append((each.double().cpu() - mean) / spread)
        stacked = torch.stack(scores)
        if not torch.isfinite(stacked).all():
            raise ScorerOutputError("scores are finite, got a NaN or infinity")
        score = stacked.mean(0)
        if len(scores) > 1:
            score = score - self.config.caution * stacked.std(0, unbiased=False)
        return score - self._prior(theta)

    def accept(self, params: Tensor, anchors: Tensor) -> Tensor:
        """(N, 6) params and the (N, 6) that they started from -> robust scores (N,)."""
        moves = torch.cat([torch.zeros(1, PARAMS, dtype=params.dtype), self.warps])
        around = self.space.move(
            params.repeat_interleave(len(moves), 0), moves.repeat(len(params), 1)
        )
        theta = self.space.theta(around)
        if self.looks > len(moves) * len(self.scorers):
            theta = torch.stack([theta, mirrored(theta)], 1).flatten(0, 1)
        score = self.look(theta).reshape(len(params), -1).mean(1)
        return score - self.config.proximal * self._distance(params, anchors)

    def _distance(self, params: Tensor, anchors: Tensor) -> Tensor:
        """(N,): the mean square way of the corners, in shares of the picture's sides."""
        unit = (1, 1)
        gap = corners_of(self.space.theta(params), unit) - corners_of(
            self.space.theta(anchors), unit
        )
        return gap.square().sum(2).mean(1)

    def _prior(self, theta: Tensor) -> Tensor:
        area, shape = self.config.log_area, self.config.log_aspect
        if not (area.weight or shape.weight):
            return theta.new_zeros(len(theta))
        width, height = self.space.size
        sides, _, _ = decompose(theta.double(), self.space.size)
        log_area = torch.log(sides.prod(1) / (width * height))
        log_aspect = torch.log(sides[:, 0] / sides[:, 1] * (height / width))
        return area(log_area) + shape(log_aspect)

    @torch.no_grad()
    def _calibrate(self, rng: np.random.Generator) -> None:
        theta = self.space.theta(self.space.sample(_CALIBRATION, rng)).float()
        for index, scorer in enumerate(self.scorers):
            scores = scorer(theta).double()
            self._units[index] = (scores.mean().item(), max(scores.std().item(), 1e-6))
        self.evaluations += _CALIBRATION * len(self.scorers)


def mirrored(theta: Tensor) -> Tensor:
    """(N, 2, 3) that read the same crops from right to left."""
    return theta * theta.new_tensor([-1.0, 1.0, 1.0])


def inside(theta: Tensor, slack: float = 1e-6) -> Tensor:
    """(N, 2, 3) -> (N,) bool: crops whose four corners lie in the picture."""
    corners = corners_of(theta, (1, 1))
    return ((corners >= -slack) & (corners <= 1 + slack)).flatten(1).all(1)

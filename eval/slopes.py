"""Why backprop through resampled pixels sticks: its slope against the true one, by downscale.

The true slope is that of the surface that a crop moves over: central differences over a reach of a
few output pixels of the score of an antialiased crop (each output pixel averages 4 x 4 reads). An
estimate is as good as the cosine between the two, over the six parameters in shares of the crop's
side. The downscale, source px per output px, is set by the network's input side. CropNet, whose
score is read from a feature map and from no pixels, is held against itself over the same reach.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cropper.errors import ConfigError, extra
from cropper.image import View, load_image
from cropper.sampling import pyramid, sample_affine
from cropper.scorers import load_scorer
from cropper.scorers.affine import JUDGED, Reading, as_affine
from cropper.scorers.convnet import ConvNetScorer
from cropper.statistics import Interval, bootstrap
from eval.photos import Progress, counted
from spatial_transformer.affine import PARAMS, AffineCrop

__all__ = ["ESTIMATES", "MAP", "SlopeAgreement", "measure_slopes", "plot_slopes"]

SIDES = (321, 161, 97, 65)  # px of the network's input
REACH = 6  # output px of an input of 161 px, either way: what a step of an ascent covers
_FORWARDS = 32  # of the evolution strategies
_JITTERS = 16  # warps of the averaged gradient
_SUPER = 4  # reads a side of an output pixel, for the true slope
_CROPS = 2  # a photo
MAP = "cropnet, backprop"

Score = Callable[[Tensor, Reading], Tensor]


@dataclass(frozen=True)
class SlopeAgreement:
    """Cosines of one estimate with the true slope, at one input side."""

    estimate: str
    side: int  # px; 0 for cropnet, which reads no pixels
    downscale: float  # source px per output px, the mean over crops; 0 for cropnet
    cosine: Interval  # over crops


@dataclass(frozen=True)
class _Site:
    """One crop of one photo, where slopes are compared."""

    space: AffineCrop
    params: Tensor  # (1, 6)
    score: Score
    exact: Callable[[Tensor], Tensor]  # theta -> scores of crops that average many reads a pixel
    rng: np.random.Generator
    reach: float  # in moves

    def at(self, moves: Tensor, reading: Reading = JUDGED) -> Tensor:
        """(N, 6) moves -> (N,) scores there."""
        around = self.space.move(self.params.expand(len(moves), -1), moves)
        return self.score(self.space.theta(around), reading).double()

    def backprop(self, reading: Reading, warps: Tensor | None = None) -> Tensor:
        """(6,): the mean slope by moves over warps, by backprop."""
        moves = torch.zeros(1, PARAMS, dtype=torch.float64) if warps is None else warps
        moves = moves.clone().requires_grad_()
        (slope,) = torch.autograd.grad(self.at(moves, reading).mean(), moves)
        return slope.sum(0)

    def warps(self, count: int) -> Tensor:
        half = self.rng.normal(0, self.reach, (count // 2, PARAMS))
        return torch.from_numpy(np.concatenate([half, -half]))

    def true(self) -> Tensor:
        steps = self.reach * torch.eye(PARAMS, dtype=torch.float64)
        with torch.no_grad():
            around = self.space.move(self.params.expand(2 * PARAMS, -1), torch.cat([steps, -steps]))
            ahead, behind = self.exact(self.space.theta(around)).double().chunk(2)
        return (ahead - behind) / (2 * self.reach)

    def evolved(self) -> Tensor:
        moves = self.warps(_FORWARDS)
        with torch.no_grad():
            scores = self.at(moves)
        return ((scores - scores.mean())[:, None] * moves).mean(0)


ESTIMATES: dict[str, Callable[[_Site], Tensor]] = {
    "bilinear, backprop": lambda site: site.backprop(Reading(antialias=False)),
    "pyramid, backprop": lambda site: site.backprop(JUDGED),
    "pyramid, backprop over 16 warps": lambda site: site.backprop(JUDGED, site.warps(_JITTERS)),
    "feature map, backprop": lambda site: site.backprop(Reading(features=True)),
    "evolution strategies, 32 forwards": _Site.evolved,
}


def measure_slopes(
    photos: Sequence[Path],
    *,
    sides: Sequence[int] = SIDES,
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> tuple[SlopeAgreement, ...]:
    """Every estimate at every side, with the package's scorers, over two crops a photo."""
    scorer, maps = load_scorer("convnet", device), as_affine(load_scorer("cropnet", device))
    assert isinstance(scorer, ConvNetScorer)
    if not photos:
        raise ConfigError("slopes are measured on photos: name at least one")
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for done, path in enumerate(counted(photos, progress)):
        image = load_image(path)
        view = image.view(max(image.size))  # every pixel, so that there is something to alias
        space = AffineCrop.of(image.size, "free")
        rng = np.random.default_rng((seed, done))
        drawn = space.sample(_CROPS, rng)
        bound = maps.bind_affine(maps.spec.view(image))
        for params in drawn[:, None]:
            site = _Site(space, params, bound, bound, rng, REACH / 161)
            cosine = F.cosine_similarity(site.backprop(JUDGED), site.true(), dim=0).item()
            found.setdefault((MAP, 0), []).append((0.0, cosine))
        for side in sides:
            score, exact = _scores(scorer, view, side)
            for params in drawn[:, None]:
                site = _Site(space, params, score, exact, rng, REACH / 161)
                truth = site.true()
                downscale = _downscale(space, params, side)
                for name, estimate in ESTIMATES.items():
                    cosine = F.cosine_similarity(estimate(site), truth, dim=0).item()
                    found.setdefault((name, side), []).append((downscale, cosine))
    return tuple(
        SlopeAgreement(
            name,
            side,
            float(np.mean([downscale for downscale, _ in rows])),
            bootstrap([cosine for _, cosine in rows], seed=seed),
        )
        for (name, side), rows in found.items()
    )


def _scores(
    scorer: ConvNetScorer, view: View, side: int
) -> tuple[Score, Callable[[Tensor], Tensor]]:
    """The scorer at another input side, as it reads crops and as it should."""
    prepared = replace(scorer.preprocessing, side=side)
    other = ConvNetScorer(scorer.module, prepared, scorer.spec, scorer.device)
    levels = pyramid(scorer.pixels(view))

    def exact(theta: Tensor) -> Tensor:
        many = (side * _SUPER, side * _SUPER)
        scores = []
        for chunk in torch.split(theta.to(levels.levels[0]), 4):
            crops = F.avg_pool2d(sample_affine(levels, chunk, many), _SUPER)
            scores.append(scorer.module(crops).flatten())
        return torch.cat(scores)

    return other.bind_affine(view), exact


def _downscale(space: AffineCrop, params: Tensor, side: int) -> float:
    theta = space.theta(params)[0, :, :2].abs().sum(1).numpy()
    return float((theta * space.size).mean() / side)


def plot_slopes(found: Sequence[SlopeAgreement], path: Path, title: str) -> None:
    """Cosine over downscale, a line an estimate; the format by the file's extension."""
    with extra("plot"):
        import matplotlib as mpl  # noqa: PLC0415 - an extra
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend is chosen

    figure, axes = plt.subplots(figsize=(9, 4.2))
    for name in ESTIMATES:
        rows = sorted((each for each in found if each.estimate == name), key=lambda e: e.downscale)
        where = [row.downscale for row in rows]
        axes.plot(where, [row.cosine.mean for row in rows], marker="o", label=name)
        low, high = [row.cosine.low for row in rows], [row.cosine.high for row in rows]
        axes.fill_between(where, low, high, alpha=0.12)
    (smooth,) = (each.cosine for each in found if each.estimate == MAP)
    axes.axhline(smooth.mean, color="0.3", linestyle="--", label=MAP)
    axes.axhspan(smooth.low, smooth.high, color="0.3", alpha=0.08, linewidth=0)
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set_xscale("log")
    ticks = sorted({round(each.downscale, 1) for each in found if each.side})
    axes.set_xticks(ticks, [f"{tick}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("downscale, source px per output px")
    axes.set_ylabel("cosine with the true slope")
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)

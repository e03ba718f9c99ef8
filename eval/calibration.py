"""Whether score differences are what they say: the log-odds that people prefer a crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropper.errors import DataError, extra
from cropper.finder import CropFinder
from cropper.image import load_image
from eval.datasets import Dataset
from eval.photos import Progress, counted

__all__ = ["Bin", "Calibration", "calibration_of", "draw_calibration", "measure_calibration"]
__all__ += ["render_calibration"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bin:
    """Pairs of about the same predicted probability."""

    pairs: int
    predicted: float  # mean probability that the higher scored crop is preferred
    observed: float  # share of the votes that it got


@dataclass(frozen=True)
class Calibration:
    dataset: str
    scorer: str
    pairs: int
    bins: tuple[Bin, ...]
    log_loss: float  # nats a vote
    chance_loss: float  # of saying one half always


def measure_calibration(
    dataset: Dataset,
    scorer: str,
    device: str = "auto",
    limit: int | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Over all pairs of the dataset. Raises DataError where it has none."""
    finder = CropFinder(scorer, device)
    gains, wins, votes = [], [], []
    examples = [each for each in dataset.examples if each.pairs is not None][:limit]
    for example in counted(examples, progress):
        assert example.pairs is not None
        image = load_image(example.path)
        objective = finder.bind(image)
        size = np.array(image.size * 2, dtype=np.float64)
        gains.append(objective(example.pairs.a * size) - objective(example.pairs.b * size))
        total = example.pairs.votes_a + example.pairs.votes_b
        wins.append(example.pairs.votes_a / total)
        votes.append(total)
    if not gains:
        raise DataError(f"{dataset.name} has no pairs: calibration needs votes between two crops")
    every = [np.concatenate(each).astype(np.float64) for each in (gains, wins, votes)]
    return calibration_of(*every, dataset=dataset.name, scorer=scorer)


def calibration_of(
    gains: Floats,
    wins: Floats,
    votes: Floats,
    *,
    dataset: str = "",
    scorer: str = "",
    bins: int = 8,
) -> Calibration:
    """(P,) each: score differences, shares of votes for the first crop, counts of votes."""
    turned = np.where(gains < 0, -1, 1)
    shares = np.where(turned > 0, wins, 1 - wins)  # of the crop that is scored higher
    chance = 1 / (1 + np.exp(-np.abs(gains)))
    parts = np.array_split(np.argsort(chance, kind="stable"), bins)
    table = tuple(
        Bin(
            len(rows),
            float(np.average(chance[rows], weights=votes[rows])),
            float(np.average(shares[rows], weights=votes[rows])),
        )
        for rows in parts
        if len(rows)
    )
    safe = chance.clip(1e-12, 1 - 1e-12)
    losses = -(shares * np.log(safe) + (1 - shares) * np.log1p(-safe))
    loss = float(np.average(losses, weights=votes))
    return Calibration(dataset, scorer, len(gains), table, loss, float(np.log(2)))


def render_calibration(result: Calibration) -> str:
    lines = [
        f"{result.dataset}, {result.scorer}: {result.pairs} pairs; a vote costs "
        f"{result.log_loss:.4f} nats, {result.chance_loss:.4f} by chance",
        "",
        f"{'pairs':>6} {'predicted':>10} {'observed':>9}",
    ]
    lines += [f"{b.pairs:6} {b.predicted:10.3f} {b.observed:9.3f}" for b in result.bins]
    return "\n".join(lines)


def draw_calibration(result: Calibration, path: Path) -> None:
    """A reliability plot (Niculescu-Mizil and Caruana 2005), by matplotlib."""
    with extra("plot"):
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0.5, 1], [0.5, 1], color="0.7", linewidth=1)
    points: Sequence[Bin] = result.bins
    axes.plot([b.predicted for b in points], [b.observed for b in points], marker="o")
    axes.set(
        xlabel="predicted that people prefer the crop", ylabel="share of votes", xlim=(0.48, 1.0),
        ylim=(0.48, 1.0), title=f"{result.scorer} on {result.dataset}",
    )  # fmt: skip
    figure.savefig(path)

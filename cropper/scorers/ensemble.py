"""Several judges as one: ``cropnet+convnet``, or weighed, ``cropnet*0.7+convnet*0.3``.

Scores of different judges have no common unit. So each judge's scores of a picture are
standardised by its scores of the same fixed crops of that picture, all over it and at several
sizes; the sum is then one of standard deviations. What a box scores does not depend on which other
boxes are asked about. Like its parts, an ensemble compares crops of one picture; its scores say
nothing across pictures.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Boxes
from cropper.errors import ConfigError
from cropper.image import View
from cropper.scorers.base import BoundScorer, Scorer, ScorerSpec
from cropper.space import CropSpace

__all__ = ["EnsemblePart", "EnsembleScorer", "parse_parts", "reference_boxes"]

_STRIDE = 0.25  # of the reference crops: 51, which a costly judge can afford
_LEAST = 1e-9  # a spread below is that of a judge without an opinion


@dataclass(frozen=True)
class EnsemblePart:
    name: str
    weight: float  # of its standardised score; below 0 the judge's taste is turned round


def parse_parts(text: str) -> tuple[EnsemblePart, ...] | None:
    """``a+b*0.3`` -> its parts, weights 1 where none is named; None where it is one plain name.

    Raises ConfigError for an empty name or a weight that is no number other than 0.
    """
    if not re.search(r"[+*]", text):
        return None
    parts = []
    for piece in text.split("+"):
        name, star, weight = (word.strip() for word in piece.partition("*"))
        try:
            value = float(weight) if star else 1.0
        except ValueError:
            value = math.nan
        if not name or not math.isfinite(value) or value == 0:
            raise ConfigError(
                f"an ensemble is written as in cropnet+mine.safetensors or "
                f"cropnet*0.7+mine.safetensors*0.3, got {text!r}"
            )
        parts.append(EnsemblePart(name, value))
    names = [part.name for part in parts]
    if len(set(names)) < len(names):
        raise ConfigError(f"a scorer is named once in an ensemble, got {text!r}: raise its weight")
    return tuple(parts)


def reference_boxes(size: tuple[int, int]) -> Boxes:
    """The crops that standardise: a coarse grid of the picture's own aspect, the same each time."""
    space = CropSpace(size, size[0] / size[1])
    return space.boxes(space.grid(_STRIDE))


class EnsembleScorer:
    """The weighted sum of its parts' standardised scores."""

    def __init__(self, parts: Sequence[EnsemblePart], scorers: Sequence[Scorer]) -> None:
        """``scorers`` as ``parts``, loaded."""
        self.parts = tuple(parts)
        self.scorers = tuple(scorers)
        specs = [scorer.spec for scorer in scorers]
        name = "+".join(
            part.name if part.weight == 1 else f"{part.name}*{part.weight:g}" for part in parts
        )
        self.spec = ScorerSpec(
            name=name,
            long_side=max(spec.long_side for spec in specs),
            batch_size=max(spec.batch_size for spec in specs),  # each part has its own within
            costly=any(spec.costly for spec in specs),
            summary=f"standardised sum of {len(specs)} scorers",
            licence="; ".join(dict.fromkeys(spec.licence for spec in specs)),
            device=next((spec.device for spec in specs if spec.device != "cpu"), "cpu"),
        )

    def bind(self, view: View) -> BoundScorer:
        judges = [
            _standardised(scorer.bind(view), part.weight)
            for scorer, part in zip(self.scorers, self.parts, strict=True)
        ]

        def score(boxes: Boxes) -> NDArray[np.float64]:
            return np.asarray(np.sum([judge(boxes) for judge in judges], axis=0))

        return BoundScorer(score, view.size, self.spec.batch_size)


def _standardised(bound: BoundScorer, weight: float) -> Callable[[Boxes], NDArray[np.float64]]:
    known = bound(reference_boxes(bound.size))
    mean, spread = float(known.mean()), float(known.std())
    factor = weight / spread if spread > _LEAST else 0.0

    def score(boxes: Boxes) -> NDArray[np.float64]:
        return (bound(boxes) - mean) * factor

    return score

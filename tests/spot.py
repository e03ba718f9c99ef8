"""The spot scorer, in a module that costs a process little to import."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Boxes, area
from cropper.image import View
from cropper.scorers import BoundScorer, ScorerSpec, registry

SHARE = 0.36  # of the picture's area that it likes best


class SpotScorer:
    """Likes crops of one size, centred on the brightest part: their place is known beforehand."""

    spec = ScorerSpec("spot", 512, 4096, False, "for tests", "none", calibrated=True)

    def bind(self, view: View) -> BoundScorer:
        grey = view.pixels.mean(2)
        rows, columns = np.nonzero(grey >= 0.97 * grey.max())
        size = np.array(view.size, dtype=np.float64)
        spot = (np.array([columns.mean(), rows.mean()]) + 0.5) / grey.shape[::-1]

        def score(boxes: Boxes) -> NDArray[np.float64]:
            centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / size
            off = np.abs(centres - spot).sum(1) + np.abs(area(boxes) / size.prod() - SHARE)
            return -np.asarray(off)

        return BoundScorer(score, view.size, self.spec.batch_size)


def spot_factory(device: str) -> SpotScorer:
    return SpotScorer()


def register() -> None:
    """``--scorer spot`` for the rest of this process."""
    registry.register_scorer("spot")(spot_factory)

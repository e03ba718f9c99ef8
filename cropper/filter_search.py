"""Filter ``best``: the tone that the selfie scorer likes best for a crop, within bounds.

A compass search in a few numbers of a tone, from the named filters: each of its steps asks the
judge about both neighbours along every axis, and the steps are halved where none is better. The
judge sees each crop as it would be written, smaller. A border is not searched: the judge was
trained to ignore borders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace

from cropper.boxes import Crop
from cropper.image import SourceImage, View
from cropper.image.toning import is_grey, looked_at, toned
from cropper.render import cut
from cropper.scorers import Scorer, load_scorer
from cropper.tone import BEST, FILTERS, Filter, Tone

__all__ = ["BOUNDS", "JUDGE", "WORTH_IT", "FilterFinder", "compass_search"]

JUDGE = "selfie"
WORTH_IT = 0.03  # of the judge's score, whose range from the best to the worst of 2015 is 2
BOUNDS: Mapping[str, tuple[float, float]] = {
    "brightness": (0.9, 1.1),
    "contrast": (0.75, 1.0),
    "saturation": (0.0, 1.2),
    "warmth": (0.0, 0.2),
    "fade": (0.0, 0.15),
}
_OF_COLOURS = ("saturation", "warmth")
_STEPS = (0.5, 0.25)  # of a bound's width
_EVALUATIONS = 60  # tones that the judge is asked about at most

Point = tuple[float, ...]


class FilterFinder:
    """Finds filters with the selfie scorer, loaded once."""

    def __init__(self, device: str = "auto", judge: Scorer | None = None) -> None:
        """Raises MissingExtraError without torch."""
        self.judge = judge or load_scorer(JUDGE, device)

    def find(self, image: SourceImage, crop: Crop) -> Filter:
        """The best tone for a crop; none at all where it is not better by WORTH_IT.

        Raises what ``SourceImage.cut`` and ``SourceImage.warp`` raise.
        """
        longest = self.judge.spec.long_side
        scale = min(longest / max(crop.output_size), 1.0)
        width, height = (max(round(side * scale), 1) for side in crop.output_size)
        picture = cut(image, replace(crop, canvas=None, filter=None), (width, height))
        span, profile = image.span, image.header.icc
        grey = is_grey(picture.mode)
        names = [name for name in BOUNDS if not (grey and name in _OF_COLOURS)]

        def score(point: Point) -> float:
            changed = toned(picture, _tone(names, point), span, profile)
            return self._score(looked_at(changed, span, profile))

        low, high = zip(*(BOUNDS[name] for name in names), strict=True)
        starts = [_point(names, tone) for tone in (Tone(), *FILTERS.values())]
        point, best, before = compass_search(score, starts, low, high)
        gain = best - before
        if gain < WORTH_IT:
            return Filter(BEST, Tone(), 0.0)
        return Filter(BEST, _tone(names, point), round(gain, 4))

    def _score(self, view: View) -> float:
        return float(self.judge.bind(view)(view.whole)[0])


def compass_search(
    objective: Callable[[Point], float],
    starts: Sequence[Point],
    low: Point,
    high: Point,
    *,
    steps: Sequence[float] = _STEPS,
    evaluations: int = _EVALUATIONS,
) -> tuple[Point, float, float]:
    """The best point found, its value and that of the first start; points stay in low to high.

    Starts outside are moved to the bounds. ``steps`` are shares of the bounds' widths, from the
    first to the last. The objective is asked about each point once, at most ``evaluations`` times.
    """
    known: dict[Point, float] = {}

    def ask(points: Sequence[Point]) -> None:
        for each in points:
            if each not in known and len(known) < evaluations:
                known[each] = objective(each)

    inside = [_clipped(start, low, high) for start in starts]
    ask(inside)
    best = max(known, key=known.__getitem__)
    for step in steps:
        while True:
            ask(
                [
                    _clipped(_moved(best, axis, way * step * (high[axis] - low[axis])), low, high)
                    for axis in range(len(best))
                    for way in (-1, 1)
                ]
            )
            better = max(known, key=known.__getitem__)
            if better == best:
                break
            best = better
    return best, known[best], known[inside[0]]


def _clipped(point: Point, low: Point, high: Point) -> Point:
    """Rounded too, so that a step forth and a step back are one point."""
    return tuple(
        min(max(round(value, 6), least), most)
        for value, least, most in zip(point, low, high, strict=True)
    )


def _moved(point: Point, axis: int, by: float) -> Point:
    return (*point[:axis], point[axis] + by, *point[axis + 1 :])


def _tone(names: Sequence[str], point: Point) -> Tone:
    return Tone(**dict(zip(names, point, strict=True)))


def _point(names: Sequence[str], tone: Tone) -> Point:
    values = asdict(tone)
    return tuple(float(values[name]) for name in names)

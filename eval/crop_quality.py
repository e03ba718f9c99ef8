"""Methods x photos -> one score a method and photo; no statistics and no printing.

Two protocols. ``given``: the aspect of the human crop (in pixels) is known and the method picks
size and place; with several human crops each is asked for and held against itself. ``free``: the
method picks the aspect too, and one crop is held against all human crops. Photos with rated crops
(GAICD) and with voted pairs (FCDB) are scored as they are, without a search.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cropper.boxes import Boxes, normalise
from cropper.errors import ConfigError, DataError, ImageReadError
from cropper.image import SourceImage, load_image
from cropper.statistics import pearson, spearman
from eval.datasets import Dataset, Example, Pairs, Rated, Skip
from eval.groups import Grouping
from eval.methods import Method
from eval.metrics import PairCount, accuracy_at, against_humans, count_pairs, equal_area
from eval.photos import Progress, counted

__all__ = [
    "DEFAULT_MIN_SCALE",
    "PROTOCOLS",
    "Benchmark",
    "Cropping",
    "MethodScores",
    "PhotoScore",
    "Ranking",
    "run_benchmark",
]

PROTOCOLS = ("given", "free")

# Of the largest box's side: 98 % of the expert crops of FCDB's train and val photos reach 0.61 and
# 95 % reach 0.68, so that what is below costs candidates and false maxima for little to gain.
DEFAULT_MIN_SCALE = 0.6

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Cropping:
    """One method's crops of one photo against the human ones."""

    boxes: tuple[Box, ...]  # xyxy in [0, 1]: one for each human crop (given) or one (free)
    iou: float  # given: mean over the human crops; free: with the best of them
    bde: float
    mean_iou: float  # over all human crops
    mean_bde: float
    seconds: float  # a crop: reading, decoding for scoring, scoring and search
    candidates: int  # boxes compared for a crop


@dataclass(frozen=True)
class Ranking:
    """Rank agreement over one photo's rated crops."""

    srcc: float
    pcc: float
    acc_5: tuple[float, ...]  # AccK/5 for K = 1 ... 4
    acc_10: tuple[float, ...]  # AccK/10


@dataclass(frozen=True)
class PhotoScore:
    """What one method did on one photo; None where the photo or the method has no say."""

    cropping: Cropping | None = None
    equal_pairs: PairCount | None = None  # pairs of equal area alone
    all_pairs: PairCount | None = None
    ranking: Ranking | None = None


@dataclass(frozen=True)
class MethodScores:
    name: str
    photos: tuple[PhotoScore, ...]  # as Benchmark.photos


@dataclass(frozen=True)
class Benchmark:
    dataset: str
    split: str
    protocol: str
    photos: tuple[str, ...]
    human_crops: int  # the most that any photo has
    methods: tuple[MethodScores, ...]
    skipped: tuple[Skip, ...]  # annotated photos that no method was measured on
    groupings: tuple[tuple[str, ...], ...] = ()  # the groups that each photo belongs to

    def of(self, group: str) -> Benchmark:
        """Its photos of one group alone."""
        rows = [row for row, groups in enumerate(self.groupings) if group in groups]
        methods = (
            replace(method, photos=tuple(method.photos[row] for row in rows))
            for method in self.methods
        )
        photos = tuple(self.photos[row] for row in rows)
        return replace(
            self,
            photos=photos,
            groupings=tuple(self.groupings[row] for row in rows),
            methods=tuple(methods),
        )


def run_benchmark(
    dataset: Dataset,
    methods: Sequence[Method],
    protocol: str = "given",
    limit: int | None = None,
    progress: Progress | None = None,
    *,
    groupings: Sequence[Grouping] = (),
    crops_alone: bool = False,
) -> Benchmark:
    """Measure every method on the same photos, the first ``limit`` of the dataset.

    ``groupings`` sort the photos into groups. ``crops_alone`` leaves out what no protocol changes:
    pairs and rated crops.

    A photo that cannot be read, or on which one method fails, is left out for all and named in
    ``skipped``. Raises DataError where none is left, and whatever a scorer raises.
    """
    if protocol not in PROTOCOLS:
        raise ConfigError(f"protocol is one of {', '.join(PROTOCOLS)}, got {protocol!r}")
    names = [method.name for method in methods]
    if len(set(names)) < len(names):
        raise ConfigError(f"methods have different names, got {', '.join(names)}")
    examples = dataset.examples[:limit]
    photos: list[str] = []
    groups: list[tuple[str, ...]] = []
    rows: list[list[PhotoScore]] = []  # a photo, then a method
    skipped = list(dataset.skipped)
    for example in counted(examples, progress):
        try:
            image = load_image(example.path)
            belongs = tuple(grouping(image) for grouping in groupings)
            rows.append([_measure(method, example, protocol, crops_alone) for method in methods])
            groups.append(belongs)
            photos.append(example.path.name)
        except (ImageReadError, DataError) as error:
            skipped.append(Skip(example.path.name, str(error)))
    if progress:
        progress(len(examples), len(examples))
    if not rows:
        raise DataError(
            f"{dataset.name}: none of the {len(examples)} photos could be measured; "
            f"the first: {skipped[-1].reason if skipped else 'there is none'}"
        )
    columns = zip(names, zip(*rows, strict=True), strict=True)
    return Benchmark(
        dataset.name,
        dataset.split,
        protocol,
        tuple(photos),
        max(len(example.boxes) for example in examples),
        tuple(MethodScores(name, scores) for name, scores in columns),
        tuple(skipped),
        tuple(groups),
    )


def _measure(method: Method, example: Example, protocol: str, crops_alone: bool) -> PhotoScore:
    image = load_image(example.path)
    cropping = None
    if len(example.boxes):
        cropping = (_given if protocol == "given" else _free)(method, image, example)
    if crops_alone:
        return PhotoScore(cropping)
    equal, every = _pairs(method, image, example.pairs)
    return PhotoScore(cropping, equal, every, _ranking(method, image, example.rated))


def _given(method: Method, image: SourceImage, example: Example) -> Cropping:
    """One search for each human crop; human crops of one aspect, to a thousandth, share it."""
    sides = (example.boxes[:, 2:] - example.boxes[:, :2]) * np.array(image.size)
    aspects = sides[:, 0] / sides[:, 1]
    found: dict[float, _Timed] = {}
    for aspect in aspects:
        key = round(float(np.log(aspect)), 3)
        if key not in found:
            found[key] = _timed(method, example, float(aspect))
    picks = [found[round(float(np.log(aspect)), 3)] for aspect in aspects]
    pairs = [
        against_humans(pick.box, human[None])
        for pick, human in zip(picks, example.boxes, strict=True)
    ]
    overlap, error = (float(np.mean(v)) for v in ([p.iou for p in pairs], [p.bde for p in pairs]))
    return Cropping(
        tuple(pick.box for pick in picks),
        *(overlap, error, overlap, error),
        seconds=float(np.mean([pick.seconds for pick in found.values()])),
        candidates=round(np.mean([pick.candidates for pick in found.values()])),
    )


def _free(method: Method, image: SourceImage, example: Example) -> Cropping:
    pick = _timed(method, example, None)
    to = against_humans(pick.box, example.boxes)
    return Cropping(
        (pick.box,), to.iou, to.bde, to.mean_iou, to.mean_bde, pick.seconds, pick.candidates
    )


@dataclass(frozen=True)
class _Timed:
    box: Box  # in [0, 1]
    candidates: int
    seconds: float


def _timed(method: Method, example: Example, aspect: float | None) -> _Timed:
    """One crop from the file on, so that no method finds pixels that another has decoded."""
    start = time.perf_counter()
    image = load_image(example.path)
    choice = method.crop(image, aspect)
    seconds = time.perf_counter() - start
    box = normalise(np.array([choice.box]), image.size)[0]
    return _Timed(tuple(box.tolist()), choice.candidates, seconds)


def _pairs(
    method: Method, image: SourceImage, pairs: Pairs | None
) -> tuple[PairCount | None, PairCount | None]:
    """(pairs of equal area, all pairs)."""
    if not pairs:
        return None, None
    scores = method.score(image, _pixels(np.concatenate([pairs.a, pairs.b]), image))
    if scores is None:
        return None, None
    a, b = np.split(scores, 2)
    equal = equal_area(pairs.a, pairs.b)
    return (
        count_pairs(a[equal], b[equal], pairs.votes_a[equal], pairs.votes_b[equal]),
        count_pairs(a, b, pairs.votes_a, pairs.votes_b),
    )


def _ranking(method: Method, image: SourceImage, rated: Rated | None) -> Ranking | None:
    scores = method.score(image, _pixels(rated.boxes, image)) if rated else None
    if scores is None or rated is None:
        return None
    return Ranking(
        spearman(scores, rated.mos),
        pearson(scores, rated.mos),
        tuple(accuracy_at(scores, rated.mos, k, 5) for k in range(1, 5)),
        tuple(accuracy_at(scores, rated.mos, k, 10) for k in range(1, 5)),
    )


def _pixels(boxes: Boxes, image: SourceImage) -> Boxes:
    return boxes * np.array(image.size * 2, dtype=np.float64)

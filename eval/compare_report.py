"""A comparison as text, as JSON and as one HTML file that needs no network."""

from __future__ import annotations

import base64
import dataclasses
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cropper.image import encode, from_array, load_image
from cropper.statistics import Interval, bootstrap, paired_bootstrap
from eval.arms import REFERENCE
from eval.compare import DRIFT, GAIN, NEAR, PROBE, ArmResult, ArmScores, Comparison
from eval.environment import Environment
from eval.report import aligned
from spatial_transformer.affine import Warp

__all__ = [
    "CompareReport",
    "Difference",
    "Row",
    "difference",
    "render_html",
    "render_text",
    "summarise_arms",
    "to_json",
]

_THUMBNAIL = 320  # px of the long side in the HTML report
_FREE = "search free"


@dataclass(frozen=True)
class Row:
    """One arm over all photos. Shares are of photos, but those of starts where it says so."""

    name: str
    about: str
    parameters: int
    own: Interval  # spreads above a random crop
    judge: Interval
    gain: Interval | None  # judge, less the reference's; paired
    wins: Interval | None  # share of photos where the judge prefers it to the reference; ties half
    wins_free: Interval | None  # the same against the search with free aspect
    iou: Interval | None
    bde: Interval | None
    jitter_loss: float
    stuck: Interval | None  # of starts
    drifted: Interval | None  # of starts
    last_stuck: Interval | None  # of starts, of where the ascent itself stopped
    last_drifted: Interval | None
    last_left: Interval | None
    seconds: float  # median
    evaluations: float  # median


@dataclass(frozen=True)
class Difference:
    """One arm less another, paired by photo."""

    one: str
    other: str
    own: Interval
    judge: Interval
    wins: Interval  # share of photos where the judge prefers the one; ties half
    iou: Interval | None


@dataclass(frozen=True)
class CompareReport:
    comparison: Comparison
    rows: tuple[Row, ...]
    settings: tuple[tuple[str, str], ...]
    environment: Environment
    command: str
    differences: tuple[Difference, ...] = ()


def summarise_arms(comparison: Comparison, seed: int = 0) -> tuple[Row, ...]:
    """A row an arm, with 95 % bootstrap intervals over photos."""
    by_name = {arm.name: arm for arm in comparison.arms}
    reference, free = by_name.get(REFERENCE), by_name.get(_FREE)
    return tuple(_row(arm, reference, free, seed) for arm in comparison.arms)


def _row(arm: ArmScores, reference: ArmScores | None, free: ArmScores | None, seed: int) -> Row:
    def mean(of: Callable[[ArmResult], float | None]) -> Interval | None:
        values = [value for photo in arm.photos if (value := of(photo)) is not None]
        return bootstrap(values, seed=seed) if values else None

    def starts(field: str) -> Interval | None:
        return mean(
            lambda photo: (
                float(np.mean([getattr(start, field) for start in photo.starts]))
                if photo.starts
                else None
            )
        )

    judge = _judges(arm)
    gain = wins = None
    if reference and reference is not arm:
        gain = paired_bootstrap(judge, _judges(reference), seed=seed)
        wins = _wins(judge, _judges(reference), seed)
    return Row(
        arm.name,
        arm.about,
        arm.parameters,
        bootstrap([photo.own for photo in arm.photos], seed=seed),
        bootstrap(judge, seed=seed),
        gain,
        wins,
        _wins(judge, _judges(free), seed) if free and free is not arm else None,
        mean(lambda photo: photo.iou),
        mean(lambda photo: photo.bde),
        statistics.mean(photo.jitter_loss for photo in arm.photos),
        starts("stuck"),
        starts("drifted"),
        starts("last_stuck"),
        starts("last_drifted"),
        starts("last_left"),
        statistics.median(photo.seconds for photo in arm.photos),
        statistics.median(photo.evaluations for photo in arm.photos),
    )


def difference(comparison: Comparison, one: str, other: str, seed: int = 0) -> Difference:
    """Of two arms that were run."""
    by_name = {arm.name: arm.photos for arm in comparison.arms}
    pair = by_name[one], by_name[other]
    own = [[photo.own for photo in photos] for photos in pair]
    judge = [[photo.judge for photo in photos] for photos in pair]
    overlaps = [[p.iou for p in photos if p.iou is not None] for photos in pair]
    return Difference(
        one,
        other,
        paired_bootstrap(*own, seed=seed),
        paired_bootstrap(*judge, seed=seed),
        _wins(judge[0], judge[1], seed),
        paired_bootstrap(*overlaps, seed=seed) if overlaps[0] else None,
    )


def _judges(arm: ArmScores) -> list[float]:
    return [photo.judge for photo in arm.photos]


def _wins(one: Sequence[float], other: Sequence[float], seed: int) -> Interval:
    signs = np.sign(np.round(np.subtract(one, other), 6))
    return bootstrap((1 + signs) / 2, seed=seed)


TERMS = (
    ("own", "score by the scorer that was climbed, in spreads of random crops of the photo"),
    ("judge", "the same by a scorer that was not climbed; below: how each of the two was trained"),
    ("gain", f"judge, less that of '{REFERENCE}' on the same photo"),
    ("wins", f"share of photos whose crop the judge prefers to that of '{REFERENCE}'"),
    ("wins free", f"the same against '{_FREE}', which may choose the aspect too"),
    ("IoU, BDE", "overlap with, and edge distance to, the nearest human crop"),
    ("jitter", "own score lost when the crop is warped by 1 %"),
    (
        "stuck",
        f"starts whose accepted crop is within {NEAR:.0%} of a start that a step of {PROBE:.0%} "
        f"along one parameter would better by {GAIN} spreads",
    ),
    ("drifted", f"starts where own went up by {GAIN} spreads and the judge down by {DRIFT}"),
    ("last", "the same of where the ascent itself stopped, before acceptance; left: not inside"),
    ("evaluations", "crops scored a photo; a backward pass counts as two more"),
    ("s", "median seconds a photo, reading the file excluded"),
)
_HEADER = (
    "arm",
    "parameters",
    "own",
    "judge",
    "gain",
    "wins",
    "wins free",
    "IoU",
    "BDE",
    "jitter",
    "stuck",
    "drifted",
    "last stuck",
    "last drifted",
    "last left",
    "s",
    "evaluations",
)
_DIFFERENCE_HEADER = ("paired difference", "own", "judge", "judge prefers the first", "IoU")


def _cells(row: Row) -> list[str]:
    return [
        row.name,
        str(row.parameters),
        _number(row.own),
        _number(row.judge),
        _bounded(row.gain, "+.2f"),
        _bounded(row.wins, ".0%"),
        _bounded(row.wins_free, ".0%"),
        _number(row.iou, ".3f"),
        _number(row.bde, ".3f"),
        f"{row.jitter_loss:.2f}",
        *(
            _number(each, ".1%")
            for each in (
                row.stuck,
                row.drifted,
                row.last_stuck,
                row.last_drifted,
                row.last_left,
            )
        ),
        f"{row.seconds:.2f}",
        f"{row.evaluations:.0f}",
    ]


def _difference_cells(found: Difference) -> list[str]:
    return [
        f"{found.one} - {found.other}",
        _bounded(found.own, "+.3f"),
        _bounded(found.judge, "+.3f"),
        _bounded(found.wins, ".0%"),
        _bounded(found.iou, "+.3f"),
    ]


def _number(value: Interval | None, form: str = ".2f") -> str:
    return "" if value is None else format(value.mean, form)


def _bounded(value: Interval | None, form: str) -> str:
    return "" if value is None else format(value, form)


def render_text(report: CompareReport) -> str:
    table = aligned([list(_HEADER), *map(_cells, report.rows)])
    if report.differences:
        rows = [list(_DIFFERENCE_HEADER), *map(_difference_cells, report.differences)]
        table += "\n\n" + aligned(rows)
    count = len(report.comparison.photos)
    lines = [
        f"{count} photo{'s' if count != 1 else ''}; [95 % bootstrap interval over photos]",
        *(f"{term}: {text}" for term, text in TERMS),
        *(f"skipped: {skip.photo}: {skip.reason}" for skip in report.comparison.skipped),
        ", ".join(f"{name} {value}" for name, value in report.settings),
        str(report.environment),
        report.command,
    ]
    return table + "\n\n" + "\n".join(lines)


def to_json(report: CompareReport) -> str:
    """All of it, trajectories included, as one JSON object; photos by their file names."""

    def plain(value: Any) -> Any:
        if isinstance(value, Path):
            return value.name
        if isinstance(value, np.ndarray):
            return value.tolist()
        raise TypeError(f"no JSON for {type(value)}")

    record = dataclasses.asdict(report)
    return json.dumps(record, indent=1, allow_nan=False, default=plain) + "\n"


def render_html(report: CompareReport, shown: int) -> str:
    """``shown`` photos, the first of the comparison, with every arm's crop drawn on them."""
    from jinja2 import Environment as Templates  # noqa: PLC0415 - only this page needs it
    from jinja2 import PackageLoader  # noqa: PLC0415

    templates = Templates(loader=PackageLoader("eval"), autoescape=True, trim_blocks=True)
    return templates.get_template("compare.html").render(
        header=_HEADER,
        rows=[(row, _cells(row)) for row in report.rows],
        difference_header=_DIFFERENCE_HEADER,
        differences=[_difference_cells(found) for found in report.differences],
        terms=TERMS,
        photos=[
            _photo(report.comparison, index)
            for index in range(min(shown, len(report.comparison.photos)))
        ],
        count=len(report.comparison.photos),
        report=report,
    )


def _photo(comparison: Comparison, index: int) -> dict[str, Any]:
    """What the page draws of one photo; coordinates in px of its thumbnail."""
    path = comparison.photos[index]
    view = load_image(path).view(_THUMBNAIL)
    height, width = view.pixels.shape[:2]
    scale = np.array([width / view.size[0], height / view.size[1]])
    small = from_array(view.pixels)
    thumbnail = encode(small.cut((0, 0, width, height)), small, "JPEG", 75)

    def points(warp: Warp) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in np.array(warp.corners) * scale)

    def centres(warps: Sequence[Warp]) -> str:
        places = [np.array(warp.corners).mean(0) * scale for warp in warps]
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)

    panels = [
        {
            "name": arm.name,
            "quad": points(arm.photos[index].warp),
            "own": arm.photos[index].own,
            "judge": arm.photos[index].judge,
            "climbs": [
                {"start": points(climb.start), "way": centres([climb.start, *climb.warps])}
                for climb in arm.photos[index].climbs
            ],
        }
        for arm in comparison.arms
    ]
    humans = comparison.humans[index] * ([width, height] * 2)
    return {
        "name": path.name,
        "size": (width, height),
        "data": base64.b64encode(thumbnail).decode(),
        "humans": [(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in humans.tolist()],
        "panels": panels,
    }

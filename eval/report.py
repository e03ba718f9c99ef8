"""A benchmark as text for people and as JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cropper.statistics import Interval
from eval.crop_quality import Benchmark, MethodScores
from eval.environment import Environment
from eval.summary import METRICS, REFERENCE, Group, Statistic

__all__ = ["Report", "aligned", "render", "to_json", "write_json", "write_text"]

_HEADERS = {metric.key: metric.header for metric in METRICS}


@dataclass(frozen=True)
class Report:
    """Everything that a figure needs to be believed and repeated."""

    benchmark: Benchmark
    statistics: tuple[Statistic, ...]
    settings: tuple[tuple[str, str], ...]  # (name, value), as they were in force
    notes: tuple[str, ...]  # methods that were asked for and could not run
    environment: Environment
    command: str
    groups: tuple[Group, ...] = ()


def render(report: Report) -> str:
    """Plain text: a table for crops, pairs and ranking each, where the data has them, then how."""
    bench = report.benchmark
    several = bench.human_crops > 1
    title = f"{bench.dataset}, split {bench.split}, aspect {bench.protocol}, {_photos(bench)}"
    tables = [
        _table("crops", report, ["iou", "bde"], differences=["iou", "bde"], cost=True),
        # given: each human crop is met by its own search, so there is nothing else to average
        _table("all human crops", report, ["mean_iou", "mean_bde"], differences=["mean_iou"])
        if several and bench.protocol == "free"
        else "",
        _groups(report),
        _table("pairs", report, ["equal_pairs", "all_pairs"], differences=["equal_pairs"]),
        _table("ranking", report, ["srcc", "pcc"], differences=["srcc"]),
        _table(
            "ranking",
            report,
            ["acc_1_5", "acc_4_5", "acc_5", "acc_1_10", "acc_4_10", "acc_10"],
            intervals=False,
        ),
    ]
    return "\n\n".join([title, *filter(None, tables), _footer(report, several)])


def _table(
    name: str,
    report: Report,
    keys: Sequence[str],
    *,
    differences: Sequence[str] = (),
    intervals: bool = True,
    cost: bool = False,
) -> str:
    """One row a method that has the first metric; '' where none has."""
    cells = {(s.method, s.metric): s for s in report.statistics}
    rows = [[name, *(_HEADERS[key] for key in keys)]]
    rows[0] += [f"{_HEADERS[key][:-2]} - {REFERENCE}" for key in differences]
    rows[0] += ["ms", "candidates"] if cost else []
    for method in report.benchmark.methods:
        if (method.name, keys[0]) not in cells:
            continue
        row = [method.name]
        row += [_interval(cells[method.name, key].value, intervals) for key in keys]
        for key in differences:
            difference = cells[method.name, key].difference
            row.append(_interval(difference, intervals, "+") if difference else "")
        rows.append(row + (_cost(method) if cost else []))
    return aligned(rows) if len(rows) > 1 else ""


def _groups(report: Report) -> str:
    """One row a group of photos and method."""
    rows = [["photos", "crops", "IoU ↑", "BDE ↓", f"IoU - {REFERENCE}"]]
    for group in report.groups:
        cells = {(s.method, s.metric): s for s in group.statistics}
        for method in report.benchmark.methods:
            iou, bde = (cells.get((method.name, key)) for key in ("iou", "bde"))
            if iou and bde:
                figures = [_interval(cell.value, True) for cell in (iou, bde)]
                figures.append(_interval(iou.difference, True, "+") if iou.difference else "")
                rows.append([f"{group.photos} {group.name}", method.name, *figures])
    return aligned(rows) if len(rows) > 1 else ""


def aligned(rows: list[list[str]]) -> str:
    """Columns under their headers, with a line between."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _interval(value: Interval, bounds: bool, sign: str = "") -> str:
    text = _number(value.mean, sign)
    return f"{text} [{_number(value.low, sign)}, {_number(value.high, sign)}]" if bounds else text


def _number(value: float, sign: str = "") -> str:
    """Four digits, without a zero in front: .7008, +.0123, 1.0000."""
    text = f"{value:{sign}.4f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 and "1." not in text else text


def _cost(method: MethodScores) -> list[str]:
    crops = [photo.cropping for photo in method.photos if photo.cropping]
    milliseconds = 1000 * statistics.median(crop.seconds for crop in crops)
    return [
        f"{milliseconds:.1f}" if milliseconds < 10 else f"{milliseconds:.0f}",
        f"{statistics.median(crop.candidates for crop in crops):.0f}",
    ]


def _photos(bench: Benchmark) -> str:
    return f"{len(bench.photos)} photo{'s' if len(bench.photos) != 1 else ''}"


def _footer(report: Report, several: bool) -> str:
    bench = report.benchmark
    alike = [groups[0] for groups in zip(*bench.groupings, strict=True) if len(set(groups)) == 1]
    lines = [
        f"all {_photos(bench)}: {', '.join(alike)}" if alike else "",
        f"[95 % bootstrap interval over photos]; differences to '{REFERENCE}' are paired by photo.",
        "ms and candidates: median a crop, from the encoded file to the box.",
    ]
    if several:
        how = {
            "given": "a search for each human crop's aspect, held against that crop, averaged",
            "free": "one crop, held against the human crop that it overlaps best",
        }
        lines.append(f"Up to {bench.human_crops} human crops a photo: {how[bench.protocol]}.")
    if pairs := [s for s in report.statistics if s.metric in ("equal_pairs", "all_pairs")]:
        counts = {_HEADERS[s.metric][:-2]: s.count for s in pairs}
        listing = ", ".join(f"{count} {name}" for name, count in counts.items())
        lines.append(f"Share of {listing} as the majority voted; as scorers 'full frame' prefers")
        lines.append("the larger crop and 'centre' the more central one.")
    for reason, count in Counter(skip.reason for skip in bench.skipped).most_common(5):
        lines.append(f"skipped: {count} x {reason}")
    lines += [f"not run: {note}" for note in report.notes]
    lines.append(", ".join(f"{name} {value}" for name, value in report.settings))
    return "\n".join([*filter(None, lines), str(report.environment), report.command])


def to_json(reports: Sequence[Report]) -> str:
    """All of the reports by protocol, scores by photo included, as one JSON object."""
    listing = {report.benchmark.protocol: dataclasses.asdict(report) for report in reports}
    return json.dumps(listing, indent=1, allow_nan=False) + "\n"


def write_json(reports: Sequence[Report], path: Path) -> None:
    """``to_json`` into a file. Raises OSError."""
    write_text(to_json(reports), path)


def write_text(text: str, path: Path) -> None:
    """Whole or not at all: written beside ``path``, then renamed. Raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, "utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)

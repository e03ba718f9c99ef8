"""The curves of one training. Without matplotlib, an extra, the log says how to get them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cropper.train.selfies.quality import Quality

__all__ = ["plot_crops", "plot_curve", "plot_one_shot"]

Log = Callable[[str], None]


def plot_crops(table: Path, target: Path, log: Log) -> None:
    """Loss and validated IoU by epoch from ``log.jsonl``, as a picture."""
    figure = _figure(8, table, target, log)
    if figure is None:
        return
    rows, epochs = _rows(table)
    losses, overlaps = figure.subplots(1, 2)
    losses.plot(epochs, [row["loss"] for row in rows], "o-")
    losses.set(xlabel="epoch", ylabel="loss in training")
    overlaps.plot(epochs, [row["given"] for row in rows], "o-", label="aspect given")
    overlaps.plot(epochs, [row["free"] for row in rows], "o-", label="free aspect")
    overlaps.set(xlabel="epoch", ylabel="IoU with the expert's crop", title="photos not trained on")
    overlaps.legend()
    _save(figure, target, log)


def plot_curve(table: Path, target: Path, best: Quality, log: Log) -> None:
    """Loss and AUC by epoch from ``log.jsonl``, and predicted against observed, as a picture."""
    figure = _figure(12, table, target, log)
    if figure is None:
        return
    rows, epochs = _rows(table)
    losses, areas, trust = figure.subplots(1, 3)
    losses.plot(epochs, [row["loss"] for row in rows], "o-", label="training")
    losses.plot(epochs, [row["val_loss"] for row in rows], "o-", label="held-out users")
    losses.set(xlabel="epoch", ylabel="cross entropy")
    losses.legend()
    areas.plot(epochs, [row["auc"] for row in rows], "o-", label="AUC")
    areas.plot(epochs, [row["accuracy"] for row in rows], "o-", label="accuracy")
    areas.axhline(0.5, color="grey", lw=1)
    areas.set(xlabel="epoch", title="held-out users")
    areas.legend()
    trust.plot([0, 1], [0, 1], color="grey", lw=1)
    trust.plot([b.predicted for b in best.bins], [b.observed for b in best.bins], "o-")
    trust.set(xlabel="predicted share liked", ylabel="observed", xlim=(0, 1), ylim=(0, 1))
    _save(figure, target, log)


def plot_one_shot(table: Path, target: Path, log: Log) -> None:
    """The share of faces given a wrong one of K people, by K, from ``measures.json``."""
    figure = _figure(6, table, target, log)
    if figure is None:
        return
    axes = figure.subplots()
    people: list[int] = []
    for name, found in json.loads(table.read_text("utf-8")).items():
        if shots := found.get("one_shot"):
            people = [int(count) for count in shots]
            wrong = [1 - share for share in shots.values()]
            axes.plot(people, wrong, "o-", label=name)
            if name == "before":
                line = [min(wrong[0] * (count - 1), 1.0) for count in people]
                axes.plot(people, line, color="grey", lw=1, label="before, 2 people, K - 1 times")
    axes.set(xscale="log", xlabel="K people known by a photo each", ylabel="given a wrong name")
    axes.set(ylim=(0, None))
    axes.set_xticks(people, [str(count) for count in people])
    axes.minorticks_off()
    axes.legend()
    _save(figure, target, log)


def _figure(width: float, table: Path, target: Path, log: Log) -> Any | None:
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and slow
    except ImportError:
        log(f"no {target.name}: pip install 'cropper[plot]' draws it from {table}")
        return None
    return Figure(figsize=(width, 3.6), layout="constrained")


def _rows(table: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """Rows and their epochs; an epoch that was cut off and done again counts once."""
    lines = map(json.loads, table.read_text("utf-8").splitlines())
    rows = {row["epoch"]: row for row in lines}
    return list(rows.values()), list(rows)


def _save(figure: Any, target: Path, log: Log) -> None:
    for axes in figure.axes:
        if axes.get_xlabel() == "epoch":
            axes.xaxis.get_major_locator().set_params(integer=True)
    figure.savefig(target, dpi=120)
    log(f"wrote {target}")

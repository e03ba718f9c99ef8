"""The curves of one training, and how far its probabilities can be trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from cropper.train.quality import Quality

__all__ = ["plot_curve"]


def plot_curve(table: Path, target: Path, best: Quality, log: Callable[[str], None]) -> None:
    """Loss and AUC by epoch from ``log.jsonl``, and predicted against observed, as a picture.

    matplotlib is an extra; without it the log says how to get the picture.
    """
    try:
        import matplotlib  # noqa: PLC0415 - an extra, and slow

        matplotlib.use("Agg")
        from matplotlib import pyplot  # noqa: PLC0415
    except ImportError:
        log(f"no {target.name}: pip install 'cropper[plot]' draws it from {table}")
        return
    rows = [json.loads(line) for line in table.read_text("utf-8").splitlines()]
    epochs = [row["epoch"] for row in rows]
    figure, (losses, areas, trust) = pyplot.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
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
    for axes in (losses, areas):
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.savefig(target, dpi=120)
    pyplot.close(figure)
    log(f"wrote {target}")

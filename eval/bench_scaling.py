"""What grows with what: one crop against picture size and candidates, a folder against its photos.

Each curve has its slope in log-log axes over its upper half: 1 is linear, 0 is no growth.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cropper import BulkOptions, crop_folder
from cropper.errors import DataError, extra
from cropper.finder import CropFinder
from cropper.image import load_image
from cropper.request import CropRequest
from cropper.search import SearchConfig, search
from cropper.space import crop_spaces
from eval.bench import Timing, synthetic_photo, times
from eval.environment import read_environment

__all__ = ["Curve", "plot_curves", "render_scaling", "run_scaling"]

_MEGAPIXELS = (0.75, 1.5, 3, 6, 12, 24, 48)
_BUDGETS = (100, 300, 1000, 3000, 10_000, 30_000, 100_000)
_FOLDERS = (5, 10, 20, 40, 80)


@dataclass(frozen=True)
class Curve:
    """Times of one kind of work at several sizes."""

    name: str
    unit: str  # of the sizes
    sizes: tuple[float, ...]
    timings: tuple[Timing, ...]

    @property
    def slope(self) -> float:
        """Of log time over log size, in the upper half of the sizes."""
        half = min(len(self.sizes) // 2, len(self.sizes) - 2)
        x = np.log(self.sizes[half:])
        y = np.log([timing.median for timing in self.timings[half:]])
        return float(np.polyfit(x, y, 1)[0])


def run_scaling(
    scorer: str = "cropnet", repeats: int = 5, *, largest: float = 1.0, device: str = "auto"
) -> list[Curve]:
    """``largest`` is the share of each list of sizes that is run, at least two of each."""
    finder = CropFinder(scorer, device)

    def upto(sizes: Sequence[float]) -> Sequence[float]:
        return sizes[: max(2, round(largest * len(sizes)))]

    return [
        *_pictures(finder, upto(_MEGAPIXELS), repeats),
        *_candidates(finder, upto(_BUDGETS), repeats),
        _folders(scorer, upto(_FOLDERS), max(2, repeats // 2)),
    ]


def _curve(
    name: str, unit: str, sizes: Sequence[float], work: Callable[[float], Callable[[], object]],
    repeats: int,
) -> Curve:  # fmt: skip
    timings = (Timing(f"{name}, {size:g} {unit}", times(work(size), repeats)) for size in sizes)
    return Curve(name, unit, tuple(sizes), tuple(timings))


def _pictures(finder: CropFinder, sizes: Sequence[float], repeats: int) -> list[Curve]:
    photos = {}
    for size in sizes:
        height = round((size * 1e6 * 3 / 4) ** 0.5)
        photos[size] = synthetic_photo(height * 4 // 3, height)
    spec = finder.scorer.spec

    def decode(size: float) -> Callable[[], object]:
        return lambda: spec.view(load_image(photos[size]))

    def find(size: float) -> Callable[[], object]:
        image = load_image(photos[size])
        spec.view(image)
        return lambda: finder.find(image)

    def cut(size: float) -> Callable[[], object]:
        width, height = load_image(photos[size]).size
        box = (0, 0, width * 3 // 4, height * 3 // 4)
        return lambda: load_image(photos[size]).cut(box)

    works = {"decode for scoring": decode, "decode and find": find, "full decode and cut": cut}
    return [_curve(name, "megapixels", sizes, work, repeats) for name, work in works.items()]


def _candidates(finder: CropFinder, sizes: Sequence[float], repeats: int) -> list[Curve]:
    image = load_image(synthetic_photo(1200, 900))
    objective, space = finder.bind(image), crop_spaces(image.size, "original", 0.5)

    def under(strategy: str) -> Callable[[float], Callable[[], object]]:
        def work(budget: float) -> Callable[[], object]:
            config = SearchConfig(strategy, int(budget))
            return lambda: search(objective, space, config)

        return work

    return [
        _curve(f"{strategy} search", "candidates", sizes, under(strategy), repeats)
        for strategy in ("grid", "halving")
    ]


def _folders(scorer: str, sizes: Sequence[float], repeats: int) -> Curve:
    with tempfile.TemporaryDirectory(prefix="cropper-scaling-") as name:
        root = Path(name)
        photos = [synthetic_photo(1500, 1000, seed) for seed in range(8)]
        for size in sizes:
            (root / str(size)).mkdir()
            for index in range(int(size)):
                (root / str(size) / f"{index:03}.jpg").write_bytes(photos[index % len(photos)])
        runs = iter(range(10**6))

        def work(size: float) -> Callable[[], object]:
            def run() -> None:
                out = root / f"out-{next(runs)}"
                options = BulkOptions((CropRequest(size=(512, 512)),), scorer=scorer)
                report = crop_folder(root / str(size), out, options)
                if report.exit_code:
                    raise DataError(f"cropper bulk: {report.summary}")

            return run

        return _curve("cropper bulk", "photos", sizes, work, repeats)


def render_scaling(curves: Sequence[Curve]) -> str:
    lines = []
    for curve in curves:
        lines.append(f"{curve.name}: slope {curve.slope:.2f} in the upper half")
        for size, timing in zip(curve.sizes, curve.timings, strict=True):
            low, high = (1000 * value for value in timing.spread)
            lines.append(
                f"  {size:9g} {curve.unit:11} {1000 * timing.median:9.1f} ms "
                f"{low:9.1f}-{high:.1f} ms"
            )
    return "\n".join([*lines, "", str(read_environment())])


def plot_curves(curves: Sequence[Curve], path: Path) -> None:
    """One panel a unit, by matplotlib."""
    with extra("plot"):
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
        from matplotlib.ticker import NullFormatter  # noqa: PLC0415
    units = list(dict.fromkeys(curve.unit for curve in curves))
    figure = Figure(figsize=(4 * len(units), 3.4), layout="constrained")
    panels = figure.subplots(1, len(units), squeeze=False)[0]
    for unit, axes in zip(units, panels, strict=True):
        shown = [curve for curve in curves if curve.unit == unit]
        for curve in shown:
            medians = [1000 * timing.median for timing in curve.timings]
            axes.plot(curve.sizes, medians, marker="o", label=curve.name)
        axes.set(xscale="log", yscale="log", xlabel=unit, ylabel="ms")
        sizes = shown[0].sizes
        axes.set_xticks(sizes, labels=[f"{size / 1000:g}k" if size >= 1000 else f"{size:g}"
                                       for size in sizes])  # fmt: skip
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_formatter(NullFormatter())
        axes.legend(frameon=False)
    figure.savefig(path)

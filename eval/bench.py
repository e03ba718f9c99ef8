"""How fast one picture is cropped, stage by stage, against a peer or a bound in the same run.

The candidates are those that the grid search asks for. Two baselines: Pillow's own reduced decode
(``draft``), and for CropNet's head on a CPU the time that its multiply-adds take at the rate of a
large matrix product of NumPy's.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cropper.boxes import Boxes
from cropper.errors import ConfigError
from cropper.faces import FaceFinder
from cropper.finder import CropFinder
from cropper.image import encode, from_array, load_image
from cropper.orientation import find_orientation
from cropper.request import CropRequest
from cropper.scorers.cropnet.config import CropNetConfig
from cropper.search import SearchConfig, search
from cropper.search_task import search_config
from cropper.space import crop_spaces
from cropper.tilt import find_tilt
from eval.environment import Environment, read_environment

__all__ = ["BenchReport", "Timing", "ratios_told", "render_bench", "run_bench", "synthetic_photo"]
__all__ += ["times"]


@dataclass(frozen=True)
class Timing:
    """Repeated wall-clock times of one stage, s."""

    name: str
    seconds: tuple[float, ...]
    baseline: str | None = None  # name of the timing that it is held against

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles."""
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return low, high


@dataclass(frozen=True)
class BenchReport:
    picture: str
    candidates: int
    timings: tuple[Timing, ...]
    environment: Environment


def run_bench(
    picture: Path | None = None,
    *,
    scorer: str = "cropnet",
    device: str = "auto",
    candidates: int = 10_000,
    repeats: int = 15,
) -> BenchReport:
    """Time every stage of one crop. ``picture`` None is a synthetic 12-megapixel JPEG."""
    if repeats < 2:
        raise ConfigError(f"a spread takes at least 2 repeats, got {repeats}")
    data = picture.read_bytes() if picture else synthetic_photo()
    finder = CropFinder(scorer, device)
    spec = finder.scorer.spec
    image = load_image(data)
    view = spec.view(image)
    space = crop_spaces(image.size)
    faces = FaceFinder()
    config, usual = SearchConfig(budget=candidates), search_config(spec, CropRequest())
    boxes = _asked_for(finder, data, config)
    objective = finder.bind_view(view)
    stages: list[tuple[str, Callable[[], object], str | None]] = [
        ("Pillow draft decode", lambda: _draft(data, spec.long_side), None),
        ("decode for scoring", lambda: spec.view(load_image(data)), "Pillow draft decode"),
        ("trunk (bind)", lambda: finder.bind_view(view), None),
        (f"{len(boxes)} candidates", lambda: objective(boxes), None),
        ("search around them", lambda: search(lambda b: -b[:, 0], space, config), None),
        ("grid after decode, in all", lambda: search(finder.bind_view(view), space, config), None),
        ("usual, after decode", lambda: search(finder.bind_view(view), space, usual), None),
        ("faces", lambda: faces.find(replace(view)), None),  # a copy: one view is asked about once
        ("tilt", lambda: find_tilt(view), None),
        ("orientation", lambda: find_orientation(view), None),
    ]
    timings = [Timing(name, times(work, repeats), base) for name, work, base in stages]
    if isinstance(config_of := getattr(finder.scorer, "config", None), CropNetConfig):
        bound = _bound(len(boxes) * config_of.head_multiply_adds, repeats)
        timings[3] = replace(timings[3], baseline=bound.name)
        timings.insert(3, bound)
    shown = str(picture) if picture else "synthetic photo"
    size = f"{shown}, {image.size[0]}x{image.size[1]}"
    return BenchReport(size, len(boxes), tuple(timings), read_environment())


def _bound(multiply_adds: int, repeats: int) -> Timing:
    """So many multiply-adds in a matrix product of 1536 x 1536 by 1536 x 1536."""
    side = 1536
    a = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)
    seconds = times(lambda: a @ a, repeats)
    share = multiply_adds / side**3
    return Timing("their matrix products' bound", tuple(share * each for each in seconds))


def _asked_for(finder: CropFinder, data: bytes, config: SearchConfig) -> Boxes:
    """The boxes that a search of the budget scores."""
    image = load_image(data)
    asked: list[Boxes] = []

    def record(boxes: Boxes) -> NDArray[np.float64]:
        asked.append(boxes)
        return -boxes[:, 0]

    search(record, crop_spaces(image.size), config)
    return np.concatenate(asked)


def _draft(data: bytes, side: int) -> None:
    from PIL import Image  # noqa: PLC0415 - the peer, beside our own decoder

    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (side, side))
        image.convert("RGB").thumbnail((side, side))


def times(work: Callable[[], object], repeats: int) -> tuple[float, ...]:
    """After two rounds of warm-up. Scores come back as NumPy arrays, so a GPU is done by then."""
    for _ in range(2):
        work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return tuple(seconds)


def synthetic_photo(width: int = 4000, height: int = 3000, seed: int = 0) -> bytes:
    """A JPEG of smooth structure at all sizes, about as large a file as a photo's."""
    rng = np.random.default_rng(seed)
    pixels = np.zeros((height, width, 3), np.float32)
    for step in (8, 32, 128, 512):
        coarse = rng.normal(0, 16, (-(-height // step), -(-width // step), 3)).astype(np.float32)
        pixels += coarse.repeat(step, 0).repeat(step, 1)[:height, :width]
    image = from_array((pixels + 128).clip(0, 255).astype(np.uint8))
    whole = (0.0, 0.0, float(width), float(height))
    return encode(image.cut(whole), image, "JPEG", 92)


def render_bench(report: BenchReport) -> str:
    medians = {timing.name: timing.median for timing in report.timings}
    lines = [report.picture, "", f"{'stage':28} {'median':>9} {'quartiles':>17}  against"]
    for timing in report.timings:
        low, high = (1000 * value for value in timing.spread)
        against = ""
        if timing.baseline:
            against = f"{timing.median / medians[timing.baseline]:.2f}x {timing.baseline}"
        row = f"{timing.name:28} {1000 * timing.median:6.1f} ms {low:8.1f}-{high:.1f} ms"
        lines.append(f"{row:56}  {against}".rstrip())
    return "\n".join([*lines, "", str(report.environment)])


def ratios_told(own: ArrayLike, others: ArrayLike) -> str:
    """Two times (R,) of runs in pairs: the median of their ratios and its range, as text."""
    ratios = np.array(own) / np.array(others)
    return f"{np.median(ratios):.2f} [{ratios.min():.2f}, {ratios.max():.2f}]"

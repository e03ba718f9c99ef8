"""What workers of Dask and a store cost: `crop_folder` over the same photos in several ways.

Time is taken from the outcome of a third of the photos to one of the last: no start and no end is
in it. Processor time is that of this process, its workers and their decoders together. The store is
fsspec's in the memory of this process, which workers of a cluster do not see.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cropper.bulk import BulkOptions, Outcome, Watcher, crop_folder
from cropper.bulk.pipeline import open_backend
from cropper.errors import DataError
from cropper.request import CropRequest
from cropper.stores import Store, StoreLimits
from cropper.threads import cores
from eval.bench import ratios_told, synthetic_photo
from eval.photos import Progress
from eval.processes import processor

__all__ = ["Way", "render_cluster", "run_cluster"]

_CROP = 512  # px, both sides of crops, where photos are as large
_REST = 5.0  # s
_STORE = "memory://cropper-cluster"


@dataclass(frozen=True)
class Way:
    """One way of cropping the photos, by rounds."""

    name: str
    seconds: tuple[float, ...]  # wall clock, a photo
    processor: tuple[float, ...]  # s a photo, of all processes
    own: tuple[float, ...]  # s a photo, of the process that plans, hands out and notes
    idle: float  # s a second of the wall clock, of its workers without work


class _Window(Watcher):
    """Seconds from one outcome to a later one."""

    def __init__(self, first: int, last: int) -> None:
        self._edges, self._done = (first, last), 0
        self._times: list[tuple[float, float, float]] = []

    def finished(self, outcome: Outcome) -> None:
        self._done += 1
        if self._done in self._edges:
            self._times.append((time.perf_counter(), processor(os.getpid()), time.process_time()))

    @property
    def of_a_photo(self) -> tuple[float, float, float]:
        """Wall clock, processor, and that of this process."""
        start, end = np.array(self._times)
        seconds, spent, own = ((end - start) / (self._edges[1] - self._edges[0])).tolist()
        return seconds, spent, own


def run_cluster(
    photos: int = 60,
    rounds: int = 3,
    workers: int = 4,
    size: tuple[int, int] = (3000, 2000),
    progress: Progress | None = None,
) -> list[Way]:
    """``photos`` of ``size`` px to 512 x 512, the ways in turns. Raises DataError for a failure.

    The first way is that of one process, the reference.
    """
    side = min(_CROP, *size)
    local = BulkOptions((CropRequest(size=(side, side)),), restart=True, overwrite=True)
    with tempfile.TemporaryDirectory(prefix="cropper-cluster-") as folder:
        _write(Path(folder, "in"), photos, size)
        ways = {
            f"{cores()} threads": local,
            f"{cores()} threads, a store": replace(local, manifest=Path(folder, "manifest")),
        }
        for count in sorted({1, workers}):
            asked = replace(local, backend="dask", workers=count)
            ways[f"{count} worker{'s' * (count > 1)} of Dask"] = asked
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
        for number in range(rounds):
            for place, (name, options) in enumerate(ways.items()):
                window = _Window(photos // 3, photos - workers)
                root = folder if options.manifest is None else _STORE
                report = crop_folder(f"{root}/in", f"{root}/out", options, watcher=window)
                if report.exit_code:
                    raise DataError(f"{name}: {report.summary}")
                found[name].append(window.of_a_photo)
                if progress:
                    progress(number * len(ways) + place + 1, rounds * len(ways))
    done = []
    for name, each in found.items():
        seconds, spent, own = zip(*each, strict=True)
        done.append(Way(name, seconds, spent, own, _idle(ways[name])))
    return done


def _idle(options: BulkOptions) -> float:
    if options.backend == "local":
        return 0.0
    with open_backend(options, threading.Event(), lambda _: None):
        time.sleep(_REST)
        before = processor(os.getpid())
        time.sleep(_REST)
        return (processor(os.getpid()) - before) / _REST


def _write(folder: Path, photos: int, size: tuple[int, int]) -> None:
    """Into a folder, and into the store."""
    folder.mkdir()
    store = Store.for_output(f"{_STORE}/in", StoreLimits())
    for index in range(photos):
        data, name = synthetic_photo(*size, seed=index), f"{index:03}.jpg"
        (folder / name).write_bytes(data)
        store.write(data, name)


def render_cluster(found: Sequence[Way]) -> str:
    """Plain text: medians, and the ratios of the rounds with their range."""
    usual = found[0]
    lines = [
        f"{'':24}{'processor':>12}{'against ' + usual.name:>24}{'photos/s':>10}"
        f"{'first process':>15}{'idle, a second':>16}"
    ]
    for way in found:
        against = ratios_told(way.processor, usual.processor)
        spent = f"{1000 * np.median(way.processor):.0f} ms"
        lines.append(
            f"{way.name:24}{spent:>12}{against:>24}{1 / np.median(way.seconds):>10.1f}"
            f"{1000 * np.median(way.own):>12.1f} ms{1000 * way.idle:>13.0f} ms"
        )
    return "\n".join(lines)

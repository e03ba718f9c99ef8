"""Where the processor time of one photo of a folder goes: its stages in one process.

What runs in a decoder runs here too, so that the way between two processes is in none of them.
With OMP_NUM_THREADS=1 they take what they take in a folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cropper.bulk import BulkOptions
from cropper.bulk.find import load_photo_finder
from cropper.faces import find_faces
from cropper.image import load_image, write_below
from cropper.render import render
from cropper.request import CropRequest
from eval.bench import synthetic_photo

__all__ = ["render_stages", "run_stages"]


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        before = time.process_time()
        yield
        self.seconds.setdefault(name, []).append(time.process_time() - before)


def run_stages(photos: int, size: tuple[int, int], crop: tuple[int, int]) -> dict[str, float]:
    """Median processor seconds of each stage, of ``photos`` synthetic ones after a first."""
    clock = _Clock()
    stage = clock.stage
    with tempfile.TemporaryDirectory() as folder:
        finder = load_photo_finder(BulkOptions((CropRequest(size=crop),)))
        for index in range(photos + 1):
            data = synthetic_photo(*size, seed=index)
            with stage("digest"):
                hashlib.sha256(data).hexdigest()
            with stage("header"):
                image = load_image(data, max_mpixels=200, name=str(index))
            with stage("decode, scaled"):
                image.expect([crop])
            with stage("the scorer's view"):
                view = finder.finder.scorer.spec.view(image)
            with stage("network"):
                objective = finder.finder.bind_view(view)
            with stage("faces"):
                find_faces(view)
            with stage("search"):
                result = finder.finder.find(
                    image, finder.requests[0], objective=objective, view=view
                )
            with stage("resize and encode"):
                content = render(image, result.best, "JPEG", size=crop, quality=92)
            with stage("write"):
                write_below(content, Path(folder), f"{index}.jpg", replaces=None)
    return {name: float(np.median(each[1:])) for name, each in clock.seconds.items()}


def render_stages(found: dict[str, float]) -> str:
    total = {**found, "all": sum(found.values())}
    return "\n".join(f"{name:20}{1000 * each:6.1f} ms" for name, each in total.items())

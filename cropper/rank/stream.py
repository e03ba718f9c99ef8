"""Pictures one after another, read ahead by threads, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cropper.errors import CropperError
from cropper.finder import CropFinder
from cropper.image import SourceImage, View, load_image

__all__ = ["ScoredPhoto", "UnreadablePhoto", "read_ahead", "score_pictures", "whole_score"]

Seen = TypeVar("Seen")
_READERS = 2  # threads; decoders let go of Python's lock
_AHEAD = 8  # pictures decoded and not yet used


@dataclass(frozen=True)
class ScoredPhoto:
    path: Path
    score: float  # of the whole picture
    size: tuple[int, int]  # (width, height), px


@dataclass(frozen=True)
class UnreadablePhoto:
    path: Path
    reason: str


def read_ahead(
    paths: Iterable[Path], look: Callable[[SourceImage], Seen]
) -> Iterator[tuple[Path, Seen | UnreadablePhoto]]:
    """What ``look`` sees of every picture, in order; or why it cannot be read."""

    def load(path: Path) -> Seen | UnreadablePhoto:
        try:
            return look(load_image(path))
        except (CropperError, MemoryError) as error:
            return UnreadablePhoto(path, str(error) or "not enough memory")

    waiting: deque[tuple[Path, Future[Seen | UnreadablePhoto]]] = deque()
    pool = ThreadPoolExecutor(_READERS)
    try:
        for path in paths:
            waiting.append((path, pool.submit(load, path)))
            if len(waiting) > _AHEAD:
                first, answer = waiting.popleft()
                yield first, answer.result()
        while waiting:
            first, answer = waiting.popleft()
            yield first, answer.result()
    finally:
        pool.shutdown(cancel_futures=True)


def whole_score(finder: CropFinder, view: View) -> float:
    """Of a picture that is not cropped."""
    return float(finder.bind_view(view)(view.whole)[0])


def score_pictures(
    paths: Iterable[Path], finder: CropFinder
) -> Iterator[ScoredPhoto | UnreadablePhoto]:
    """Every picture's score as a whole, in order; a bad file does not stop the others."""
    for path, view in read_ahead(paths, finder.scorer.spec.view):
        if isinstance(view, UnreadablePhoto):
            yield view
            continue
        try:
            yield ScoredPhoto(path, whole_score(finder, view), view.size)
        except (CropperError, MemoryError) as error:
            yield UnreadablePhoto(path, f"{path}: {str(error) or 'not enough memory'}")

"""Pictures one after another, read ahead by threads, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cropper.console import print_json, say
from cropper.errors import CropperError, NoInputError
from cropper.finder import CropFinder
from cropper.image import SourceImage, View, load_image
from cropper.listing import list_pictures

__all__ = ["Pictures", "Progress", "ScoredPhoto", "UnreadablePhoto", "read_ahead"]
__all__ += ["score_pictures", "whole_score"]

Progress = Callable[[int, int], None]
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


class Pictures:
    """Files, and those below folders. A bad file is told of and does not stop the others."""

    def __init__(
        self, inputs: Sequence[str], as_json: bool, progress: Progress | None, field: str = "path"
    ) -> None:
        """``field`` of a JSON record is the file's name. Raises NoInputError."""
        self.paths = list_pictures(inputs)
        self.as_json, self.progress, self.field = as_json, progress, field
        self.failed = 0

    def counted(self, items: Iterable[Seen]) -> Iterator[Seen]:
        """One for each picture; it is counted when it has been used."""
        for done, item in enumerate(items, 1):
            yield item
            if self.progress:
                self.progress(done, len(self.paths))

    def seen(self, look: Callable[[SourceImage], Seen]) -> Iterator[tuple[Path, Seen]]:
        """What ``look`` sees of every picture that can be read, in order."""
        yield from self._readable(self.counted(read_ahead(self.paths, look)))

    def seen_again(
        self, paths: Iterable[Path], look: Callable[[SourceImage], Seen]
    ) -> Iterator[tuple[Path, Seen]]:
        """The same of some of them, which are not counted, and may be gone meanwhile."""
        yield from self._readable(read_ahead(paths, look))

    def scored(self, finder: CropFinder) -> Iterator[ScoredPhoto]:
        """The score of every picture as a whole, in order."""
        for each in self.counted(score_pictures(self.paths, finder)):
            if isinstance(each, UnreadablePhoto):
                self.fail(each.path, each.reason)
            else:
                yield each

    def _readable(
        self, found: Iterable[tuple[Path, Seen | UnreadablePhoto]]
    ) -> Iterator[tuple[Path, Seen]]:
        for path, seen in found:
            if isinstance(seen, UnreadablePhoto):
                self.fail(path, seen.reason)
            else:
                yield path, seen

    def fail(self, path: Path, reason: str) -> None:
        self.failed += 1
        say(f"error: {reason}")
        if self.as_json:
            print_json({self.field: str(path), "error": reason})

    def check(self, found: object) -> None:
        """Raises NoInputError where nothing is found."""
        if not found:
            raise NoInputError(f"none of {len(self.paths)} pictures could be read")

    def end(self) -> int:
        """The exit code."""
        if self.failed:
            say(f"{self.failed} of {len(self.paths)} failed")
        return 1 if self.failed else 0

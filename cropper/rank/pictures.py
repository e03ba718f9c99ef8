"""The pictures of one command, one after another: counted, the bad ones told, in one exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from cropper.console import print_json, say
from cropper.errors import NoInputError
from cropper.finder import CropFinder
from cropper.image import SourceImage
from cropper.listing import list_pictures
from cropper.rank.stream import ScoredPhoto, UnreadablePhoto, read_ahead, score_pictures

__all__ = ["Pictures", "Progress"]

Progress = Callable[[int, int], None]
T = TypeVar("T")


class Pictures:
    """Files, and those below folders. A bad file is told of and does not stop the others."""

    def __init__(
        self, inputs: Sequence[str], as_json: bool, progress: Progress | None, field: str = "path"
    ) -> None:
        """``field`` of a JSON record is the file's name. Raises NoInputError."""
        self.paths = list_pictures(inputs)
        self.as_json, self.progress, self.field = as_json, progress, field
        self.failed = 0

    def counted(self, items: Iterable[T]) -> Iterator[T]:
        """One for each picture; it is counted when it has been used."""
        for done, item in enumerate(items, 1):
            yield item
            if self.progress:
                self.progress(done, len(self.paths))

    def seen(self, look: Callable[[SourceImage], T]) -> Iterator[tuple[Path, T]]:
        """What ``look`` sees of every picture that can be read, in order."""
        yield from self._readable(self.counted(read_ahead(self.paths, look)))

    def seen_again(
        self, paths: Iterable[Path], look: Callable[[SourceImage], T]
    ) -> Iterator[tuple[Path, T]]:
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
        self, found: Iterable[tuple[Path, T | UnreadablePhoto]]
    ) -> Iterator[tuple[Path, T]]:
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

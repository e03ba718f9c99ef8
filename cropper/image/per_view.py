"""What is found in a view or a photo, kept for as long as that is there."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from cropper.image.source import SourceImage
from cropper.image.view import View

__all__ = ["PerView"]

Found = TypeVar("Found")
Seen = TypeVar("Seen", View, SourceImage)


class PerView(Generic[Found]):
    """Each is looked at once, in whichever thread. What is found may not hold the view."""

    def __init__(self) -> None:
        self._found: dict[int, Found] = {}  # of views that are still there, by id

    def __len__(self) -> int:
        return len(self._found)

    def get(self, view: Seen, find: Callable[[Seen], Found]) -> Found:
        """What ``find`` found in the view when it was first asked about."""
        if (key := id(view)) not in self._found:
            self._found[key] = find(view)
            weakref.finalize(view, self._found.pop, key, None)
        return self._found[key]

"""What is found in a view or a photo, kept for as long as that is there."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from cropper.image.source import SourceImage
from cropper.image.view import View

__all__ = ["PerView"]

Found = TypeVar("Found")
Seen = TypeVar("Seen", View, SourceImage)


class _Look(Generic[Found]):
    """Found by the first thread that asks; others wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: list[Found] = []

    def get(self, find: Callable[[], Found]) -> Found:
        with self._lock:
            if not self._found:
                self._found.append(find())
            return self._found[0]


class PerView(Generic[Found]):
    """Each is looked at once, in whichever thread. What is found may not hold the view."""

    def __init__(self) -> None:
        self._looks: dict[int, _Look[Found]] = {}  # at views that are still there, by id

    def __len__(self) -> int:
        return len(self._looks)

    def get(self, view: Seen, find: Callable[[Seen], Found]) -> Found:
        """What ``find`` found in the view when it was first asked about."""
        new = _Look[Found]()
        look = self._looks.setdefault(id(view), new)
        if look is new:
            weakref.finalize(view, self._looks.pop, id(view), None)
        return look.get(lambda: find(view))

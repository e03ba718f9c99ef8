"""Kinds of photos, to tell a figure for each: by orientation, with and without faces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cropper.faces import FaceFinder
from cropper.image import SourceImage

__all__ = ["FaceGrouping", "Grouping", "orientation"]

Grouping = Callable[[SourceImage], str]  # a photo -> the name of the group that it belongs to

_LONG_SIDE = 512  # px of the view in which faces are looked for


def orientation(image: SourceImage) -> str:
    width, height = image.size
    return "landscape" if width > height else "portrait" if width < height else "square"


class FaceGrouping:
    """Tells photos with a face from those without."""

    def __init__(self, model: Path | None = None) -> None:
        """``model`` is another YuNet than the package's; raises what ``FaceFinder`` raises."""
        self._finder = FaceFinder(model)

    def __call__(self, image: SourceImage) -> str:
        found = self._finder.find(image.view(_LONG_SIDE))
        return "with a face" if found else "without a face"

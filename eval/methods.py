"""The croppers that the benchmark holds against each other.

A method picks one crop of a photo, for a given aspect (width / height in pixels) or, where the
aspect is None, for any aspect it likes; some methods also score boxes that others drew.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from cropper.boxes import Boxes, area
from cropper.errors import DataError
from cropper.finder import CropFinder
from cropper.image import SourceImage, from_array
from cropper.request import CropRequest
from cropper.space import CropSpace

__all__ = [
    "Baselines",
    "Centre",
    "Choice",
    "FullFrame",
    "LibVips",
    "Method",
    "ScorerMethod",
    "SmartCrop",
    "installed_baselines",
    "load_scorer_method",
]

Scores = NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True)
class Choice:
    """The crop that a method picked."""

    box: tuple[float, float, float, float]  # xyxy, px of the upright photo
    candidates: int = 1  # boxes that were compared to find it


class Method(Protocol):
    @property
    def name(self) -> str: ...

    def crop(self, image: SourceImage, aspect: float | None) -> Choice:
        """The best crop; raises DataError where the method finds none in this photo."""
        ...

    def score(self, image: SourceImage, boxes: Boxes) -> Scores | None:
        """(N, 4) px -> (N,), higher is better; None from a method that cannot."""
        ...


@dataclass(frozen=True)
class FullFrame:
    """No crop at all. As a scorer: the larger crop wins."""

    name: str = "full frame"

    def crop(self, image: SourceImage, aspect: float | None) -> Choice:
        width, height = image.size
        return Choice((0.0, 0.0, float(width), float(height)))

    def score(self, image: SourceImage, boxes: Boxes) -> Scores | None:
        # to 0.1 %: boxes of one size in whole pixels tie
        return (area(boxes) / (image.size[0] * image.size[1])).round(3)


@dataclass(frozen=True)
class Centre:
    """The largest centred box of the aspect, or 0.90 of the photo where the aspect is free.

    As a scorer: the crop whose centre is nearer to the photo's wins.
    """

    name: str = "centre"
    free_scale: float = 0.9  # the best constant on FCDB's training photos, to 0.05

    def crop(self, image: SourceImage, aspect: float | None) -> Choice:
        scale = self.free_scale if aspect is None else 1.0
        space = CropSpace(image.size, aspect or image.size[0] / image.size[1])
        return Choice(tuple(space.boxes([[scale, 0.5, 0.5]])[0].tolist()))

    def score(self, image: SourceImage, boxes: Boxes) -> Scores | None:
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / np.array(image.size)
        return np.asarray(-np.hypot(*(centres - 0.5).T))


@dataclass(frozen=True)
class ScorerMethod:
    """The product: a global search that asks a scorer."""

    name: str
    finder: CropFinder
    request: CropRequest

    def crop(self, image: SourceImage, aspect: float | None) -> Choice:
        result = self.finder.find(image, self.request, aspect="free" if aspect is None else aspect)
        return Choice(result.best.box, result.search.evaluations)

    def score(self, image: SourceImage, boxes: Boxes) -> Scores | None:
        return np.asarray(self.finder.bind(image)(boxes), dtype=np.float64)


def load_scorer_method(name: str, request: CropRequest, device: str = "auto") -> ScorerMethod:
    """The method of a scorer's name or weights file; raises MissingModelError for another."""
    return ScorerMethod(name, CropFinder(name, device), request)


@dataclass(frozen=True)
class SmartCrop:
    """smartcrop.py with its defaults; where the aspect is free, the photo's own."""

    name: str = "smartcrop.py"
    long_side: int = 256  # px of the crop asked for; it reads the photo at about this size

    def crop(self, image: SourceImage, aspect: float | None) -> Choice:
        width, height = image.size
        aspect = aspect or width / height
        unit = min(self.long_side, width, height * aspect) / max(aspect, 1.0)
        ask = [max(round(side * unit), 1) for side in (aspect, 1.0)]
        module = importlib.import_module("smartcrop")
        found = _outside(self.name, lambda: module.SmartCrop().crop(_picture(image), *ask))
        top = found["top_crop"]
        x, y = float(top["x"]), float(top["y"])
        box = (x, y, min(x + top["width"], width), min(y + top["height"], height))
        return Choice(box, len(found["crops"]))

    def score(self, image: SourceImage, boxes: Boxes) -> Scores | None:
        return None


@dataclass(frozen=True)
class LibVips:
    """libvips' smartcrop: the largest box of the aspect, slid to where it sees most."""

    interesting: str  # 'attention' or 'entropy'

    @property
    def name(self) -> str:
        return f"pyvips {self.interesting}"

    def crop(self, image: SourceImage, aspect: float | None) -> Choice:
        width, height = image.size
        aspect = aspect or width / height
        sides = CropSpace(image.size, aspect).largest * image.size
        ask = np.maximum(np.floor(sides + 0.5), 1).astype(int).tolist()
        module = importlib.import_module("pyvips")

        def offsets() -> tuple[int, int]:
            pixels = module.Image.new_from_array(image.view(max(width, height)).pixels)
            cut = pixels.smartcrop(*ask, interesting=self.interesting)
            return -cut.xoffset, -cut.yoffset  # an extracted area remembers where it was

        x, y = _outside(self.name, offsets)
        return Choice((x, y, x + ask[0], y + ask[1]))

    def score(self, image: SourceImage, boxes: Boxes) -> Scores | None:
        return None


@dataclass(frozen=True)
class Baselines:
    """Croppers of others that can run here, and why the rest can't."""

    methods: tuple[Method, ...]
    missing: tuple[str, ...]  # one line each


def installed_baselines(protocol: str) -> Baselines:
    """smartcrop.py and libvips, where their packages are; libvips has no crop of free aspect."""
    methods: list[Method] = []
    missing: list[str] = []
    wanted: list[tuple[str, Method]] = [("smartcrop", SmartCrop())]
    for interesting in ("attention", "entropy"):
        if protocol == "free":
            missing.append(f"pyvips {interesting}: asked for the photo's aspect it keeps it whole")
        else:
            wanted.append(("pyvips", LibVips(interesting)))
    for package, method in wanted:
        try:
            importlib.import_module(package)
        except (ImportError, OSError) as error:  # OSError: pyvips without its library
            missing.append(f"{method.name}: {error} (pip install 'cropper[baselines]')")
        else:
            methods.append(method)
    return Baselines(tuple(methods), tuple(missing))


def _picture(image: SourceImage) -> Any:
    """The whole photo as a Pillow image, upright and in sRGB, as every scorer sees it."""
    width, height = image.size
    return from_array(image.view(max(width, height)).pixels).cut((0, 0, width, height))


def _outside(name: str, call: Callable[[], T]) -> T:
    """Another package's answer, its failures as DataError: they count as photos not measured."""
    try:
        return call()
    except Exception as error:
        message = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise DataError(f"{name} finds no crop: {message}") from error

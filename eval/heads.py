"""Whether crops cut heads that they could hold: people's first complaint about a cropper.

A photo counts if one or two faces are found in it, by the package's detector at a larger size than
the product uses. A head is the face with its hair (``Face.head``). It counts for a shape whose
largest box could hold it whole, and it is cut where more than a fiftieth of its height, and more
than two pixels, are outside of the crop. Of two that count and do not fit together, every crop cuts
one: the last row is what no crop can go below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropper.errors import CropperError, DataError
from cropper.faces import FaceFinder
from cropper.image import load_image
from cropper.space import CropSpace, parse_aspect
from cropper.statistics import Interval, bootstrap
from eval.methods import Method
from eval.photos import Progress, counted

__all__ = ["SHAPES", "HeadsCut", "measure_heads", "render_heads"]

SHAPES = ("16:9", "1:1", "4:5", "9:16")
_LONG_SIDE = 640  # px of the view in which faces are looked for
_MOST = 2  # faces
_SMALLEST = 0.06  # of the photo's height, the largest face
_IN_GROUP = 0.35  # of the largest face's height, the other one


@dataclass(frozen=True)
class HeadsCut:
    """The share of heads that are cut, by shape, with its 95 % interval over heads."""

    method: str
    shares: tuple[Interval | None, ...]  # as SHAPES; None where no head fits
    heads: tuple[int, ...]  # that each shape could hold


def measure_heads(
    paths: Sequence[Path],
    methods: Sequence[Method],
    progress: Progress | None = None,
) -> tuple[int, list[HeadsCut]]:
    """The photos that count, and what each method does. Raises DataError where none counts."""
    finder = FaceFinder(long_sides=[_LONG_SIDE])
    cut: dict[tuple[int, str], list[bool]] = {}
    photos = 0
    for path in counted(paths, progress):
        try:
            image = load_image(path)
            faces = finder.find(image.view(_LONG_SIDE))
        except CropperError:
            continue
        tall = [face.box[3] - face.box[1] for face in faces]
        if not 1 <= len(faces) <= _MOST or tall[0] < _SMALLEST * image.size[1]:
            continue
        photos += 1
        group = [
            face for face, height in zip(faces, tall, strict=True) if height >= _IN_GROUP * tall[0]
        ]
        heads = np.array([face.head(image.size) for face in group])
        for shape in SHAPES:
            room = CropSpace(image.size, parse_aspect(shape)).largest * image.size
            fitting = heads[((heads[:, 2:] - heads[:, :2]) <= room).all(1)]
            slack = np.maximum((fitting[:, 3] - fitting[:, 1]) / 50, 2.0)
            for index, method in enumerate(methods):
                box = np.array(method.crop(image, parse_aspect(shape)).box)
                out = np.concatenate([box[:2] - fitting[:, :2], fitting[:, 2:] - box[2:]], 1).max(1)
                cut.setdefault((index, shape), []).extend(out > slack)
            least = cut.setdefault((len(methods), shape), [])
            least.extend(_cut_at_least(fitting, slack, room))
    if not photos:
        raise DataError(f"no photo of one or two people among {len(paths)}: name others")
    names = [*(method.name for method in methods), "least possible"]
    rows = [[cut[index, shape] for shape in SHAPES] for index in range(len(names))]
    return photos, [
        HeadsCut(name, tuple(bootstrap(x) if x else None for x in row), tuple(map(len, row)))
        for name, row in zip(names, rows, strict=True)
    ]


def _cut_at_least(
    heads: NDArray[np.float64], slack: NDArray[np.float64], room: NDArray[np.float64]
) -> list[bool]:
    """At most two heads (M, 4), px, each of which fits ``room`` (2,) alone: what any crop cuts."""
    if len(heads) < 2:
        return [False] * len(heads)
    far, near = heads[:, 2:] - slack[:, None], heads[:, :2] + slack[:, None]
    return [False, bool((far.max(0) - near.min(0) > room).any())]


def render_heads(photos: int, found: Sequence[HeadsCut]) -> str:
    """Plain text."""
    lines = [f"heads cut that the shape could hold, {photos} photos of one or two people"]
    lines.append(f"{'':24}" + "".join(f"{shape:>22}" for shape in SHAPES))
    for each in found:
        told = [f"{x:.1%}" if x else "-" for x in each.shares]
        lines.append(f"{each.method:24}" + "".join(f"{text:>22}" for text in told))
    lines.append(f"{'heads':24}" + "".join(f"{count:>22}" for count in found[0].heads))
    return "\n".join(lines)

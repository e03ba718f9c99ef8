"""Whether a person is found in a crowd and kept whole: faces of other photos, planted in it.

What is planted is mirrored, made as small as the crowd's own faces and compressed. Where the people
are a folder a person, each is known by one photo and planted from another; else both are of one
photo, which is easier. Each crowd is also asked about the person without the planted face, where to
find anybody is wrong.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cropper.boxes import as_boxes, iou
from cropper.errors import CropperError, DataError
from cropper.faces import Face
from cropper.finder import CropFinder
from cropper.identity import SeenFace, look
from cropper.image import load_image
from cropper.listing import list_pictures
from cropper.person import Person
from cropper.result import CropResult
from eval.photos import Progress, counted

__all__ = ["Planted", "measure_planted", "render_planted"]

Pixels = NDArray[np.uint8]
_ASPECTS = ("1:1", "4:5", "16:9", "9:16")
_CROWD = 3  # faces, at least
_LARGE = 60  # px, height of a face that is planted elsewhere
_QUALITY = 75
_SAME = 0.3  # IoU of the planted face with the one that was found


@dataclass(frozen=True)
class Planted:
    crowds: int
    found: int  # the planted face, and no other
    whole: int  # of those, heads that lie in the crop
    wrong: int  # another face was kept
    wrong_silent: int  # and nothing told of a doubt
    false: int  # somebody was kept in the crowd alone
    false_silent: int


@dataclass(frozen=True)
class _Head:
    pixels: Pixels
    face: Face  # in these pixels
    person: Person


def measure_planted(
    crowds: Sequence[Path],
    people: Path,
    *,
    height: int = 40,
    seed: int = 0,
    progress: Progress | None = None,
) -> Planted:
    """A planted face has ``height`` px at least, where the person's own photo has them.

    Raises DataError where there is no crowd, or nobody to plant.
    """
    everybody = _people(people)
    rng, finder = np.random.default_rng(seed), CropFinder()
    counts = dict.fromkeys(Planted.__dataclass_fields__, 0)
    for path in counted(crowds, progress):
        try:
            image = load_image(path)
            pixels, seen = image.view(max(image.size)).pixels, look(image)
        except CropperError:
            continue
        if len(seen) < _CROWD:
            continue
        heads = everybody[int(rng.integers(len(everybody)))]
        head = heads[int(rng.integers(len(heads)))]
        aspect = _ASPECTS[counts["crowds"] % len(_ASPECTS)]
        usual = float(np.median([each.face.height for each in seen]))
        crowd, planted = _plant(pixels, seen, head, max(usual, height), rng)
        _count(counts, finder.find(crowd, aspect=aspect, keep=(head.person,)), planted)
        alone = finder.find(image, aspect=aspect, keep=(head.person,))
        counts["false"] += bool(alone.people)
        counts["false_silent"] += bool(alone.people) and not _doubts(alone)
    if not counts["crowds"]:
        raise DataError(f"no photo of {_CROWD} faces or more among {len(crowds)}")
    return Planted(**counts)


def _count(counts: dict[str, int], result: CropResult, planted: Face) -> None:
    counts["crowds"] += 1
    if not result.people:
        return
    (found,) = result.people
    if iou(as_boxes(found.box), as_boxes(planted.box))[0, 0] < _SAME:
        counts["wrong"] += 1
        counts["wrong_silent"] += not _doubts(result)
        return
    counts["found"] += 1
    head = np.array(planted.head(result.source_size))
    low, high = np.array(result.best.box[:2]), np.array(result.best.box[2:])
    slack = 0.05 * (head[3] - head[1])  # by which two detections of a face differ
    inside = (low <= head[:2] + slack).all() and (high >= head[2:] - slack).all()
    counts["whole"] += bool(inside)


def _doubts(result: CropResult) -> bool:
    return any(each.unsure for each in result.people or ())


def _people(folder: Path) -> list[list[_Head]]:
    """The heads of each person, in another photo than the one that they are known by."""
    folders = sorted(each for each in folder.iterdir() if each.is_dir())
    people = []
    for each in folders:
        own = [head for path in list_pictures([each]) for head in _heads(path)[:1]]
        known = [head.person for head in own]
        pairs = zip(own, known[1:] + known[:1], strict=True)
        if len(own) > 1:
            people.append([replace(head, person=person) for head, person in pairs])
    if not folders:
        people = [[head] for path in list_pictures([folder]) for head in _heads(path)]
    if not people:
        raise DataError(
            f"{folder} shows nobody to plant: it takes readable faces of {_LARGE} px, and in a "
            "folder a person two photos of each"
        )
    return people


def _heads(path: Path) -> list[_Head]:
    """The large faces of a photo, with what is around them."""
    try:
        image = load_image(path)
        pixels, seen = image.view(max(image.size)).pixels, look(image)
    except CropperError:
        return []
    heads = []
    for each in seen:
        x0, y0, x1, y1 = each.face.box
        if each.encoding is None or y1 - y0 < _LARGE:
            continue
        left, top, right, bottom = (round(edge) for edge in each.face.head(image.size, 0.2))
        inside = Face((x0 - left, y0 - top, x1 - left, y1 - top), each.face.score)
        person = Person(path.stem, (each.encoding,))
        heads.append(_Head(pixels[top:bottom, left:right], inside, person))
    return heads


def _plant(
    pixels: Pixels,
    seen: Sequence[SeenFace],
    head: _Head,
    height: float,
    rng: np.random.Generator,
) -> tuple[Pixels, Face]:
    """The crowd with the head where it hides the least of other faces, and its face there."""
    x0, y0, x1, y1 = head.face.box
    scale = min(height / (y1 - y0), 1.0)
    rows, columns = (max(round(side * scale), 1) for side in head.pixels.shape[:2])
    rows, columns = min(rows, len(pixels)), min(columns, pixels.shape[1])
    picture = Image.fromarray(head.pixels).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    data = io.BytesIO()
    picture.resize((columns, rows), Image.Resampling.LANCZOS).save(data, "JPEG", quality=_QUALITY)
    small = np.array(Image.open(data))
    faces = as_boxes([each.face.box for each in seen])
    tops = rng.integers(0, len(pixels) - rows + 1, 64)
    lefts = rng.integers(0, pixels.shape[1] - columns + 1, 64)
    places = np.stack([lefts, tops, lefts + columns, tops + rows], 1).astype(np.float64)
    left, top, right, bottom = places[iou(places, faces).sum(1).argmin()].astype(int).tolist()
    crowd = pixels.copy()
    crowd[top:bottom, left:right] = small
    wide = head.pixels.shape[1]
    unit = np.array([columns / wide, rows / len(head.pixels)] * 2)
    box = np.array([wide - x1, y0, wide - x0, y1]) * unit + (left, top, left, top)
    edges = box.tolist()
    return crowd, Face((edges[0], edges[1], edges[2], edges[3]), head.face.score)


def render_planted(found: Planted) -> str:
    """Plain text."""
    of = found.crowds
    return "\n".join(
        [
            f"{of} crowds with one person planted",
            f"{'found':32}{found.found / of:8.1%}",
            f"{'whole in the crop':32}{found.whole / of:8.1%}",
            f"{'another face kept':32}{found.wrong / of:8.1%}, {found.wrong_silent} in silence",
            f"{'the same crowds without them':32}",
            f"{'somebody kept':32}{found.false / of:8.1%}, {found.false_silent} in silence",
        ]
    )

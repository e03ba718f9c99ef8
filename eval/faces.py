"""How many of the faces that people drew boxes around are found, and whom the detector fails.

``annotations.json`` lists ``{image, faces}``, a face being a ``box`` (xyxy in [0, 1]) and a 1 for
each of frontal, profile, back and occluded that it is. A face is found where a detection overlaps
it by an IoU of 0.3: boxes of different hands differ by as much.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropper.annotations import ANNOTATIONS, read_annotations
from cropper.boxes import as_boxes, iou
from cropper.errors import DataError
from cropper.faces import FaceFinder
from cropper.image import load_image
from eval.photos import Progress, counted

__all__ = ["measure_faces", "render_faces"]

_KINDS = ("frontal", "profile", "occluded", "back")
_OVERLAP = 0.3
_LARGE = 0.08  # of the photo's height

Counts = dict[str, tuple[int, int]]  # group -> found, of how many


def measure_faces(root: Path, long_side: int, progress: Progress | None = None) -> Counts:
    """By size and kind, and detections that are no face. Raises DataError without drawn faces."""
    entries = [
        each for each in read_annotations(root / ANNOTATIONS, ("image",)) if each.get("faces")
    ]
    if not entries:
        raise DataError(
            f"{root / ANNOTATIONS} has no photo with drawn faces: give one with 'faces'"
        )
    finder = FaceFinder(long_sides=[long_side])
    counts: dict[str, list[bool]] = defaultdict(list)
    for entry in counted(entries, progress):
        image = load_image(root / str(entry["image"]))
        drawn = as_boxes([face["box"] for face in entry["faces"]])
        size = np.array(image.size * 2)
        found = [face.box for face in finder.find(image.view(max(image.size)))]
        overlaps = iou(drawn, as_boxes(found) / size if found else np.empty((0, 4)))
        near: NDArray[np.bool_] = overlaps >= _OVERLAP
        hits: list[bool] = np.any(near, axis=1).tolist()
        for face, box, hit in zip(entry["faces"], drawn, hits, strict=True):
            kind = next(name for name in reversed(_KINDS) if face.get(name) or name == "frontal")
            large = "large" if box[3] - box[1] >= _LARGE else "small"
            counts[f"{large} {kind}"].append(hit)
        counts["detections that are drawn"] += np.any(near, axis=0).tolist()
    return {name: (sum(each), len(each)) for name, each in sorted(counts.items())}


def render_faces(counts: Counts, long_side: int) -> str:
    """Plain text."""
    lines = [f"faces found at {long_side} px, of those drawn by hand"]
    lines += [
        f"{name:28}{hit:6} of {of:6}{hit / max(of, 1):8.0%}" for name, (hit, of) in counts.items()
    ]
    return "\n".join(lines)

"""What ``selfie`` makes of photos of people: sheets to look at, sweeps, and how it goes with scale.

A network that was trained on whole pictures runs to crops that nobody would post: to the smallest
ones allowed, or to many places that are each a little better than their neighbours. So the share of
photos whose best crop is at the smallest scale is counted, and of those whose score has one broad
hill over scale, where the best crop is made larger and smaller about its centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropper.errors import DataError, extra
from cropper.finder import CropFinder
from cropper.image import SourceImage, load_image
from cropper.render import write_picture
from cropper.report import LabelledCrop, ReportedPhoto, draw_overlay, draw_sheet
from cropper.request import CropRequest
from cropper.result import CropResult
from cropper.scorers.selfie import largest_face, place_of
from cropper.space import CropSpace
from cropper.statistics import Interval
from eval.photos import Progress, of_readable

__all__ = ["Seen", "draw_selfies", "hills", "measure_selfies", "render_selfies", "share_of"]

Floats = NDArray[np.float64]
_SCALES, _PLACES = 24, 14  # steps of the sweeps, over scale and in a row of places
_EDGE = 1.02  # of the smallest scale, and its inverse of the largest: at the bound
_DIP = 0.1  # of a sweep's range: less is no valley
_UPPER = 0.25  # of a sweep's range: near the top
_SELFIE = 0.2  # of the side: a face this large makes a selfie
_QUALITY = 85


@dataclass(frozen=True)
class Seen:
    """One photo, its best crop by either scorer, and the second one's score over scale."""

    path: Path
    before: CropResult
    after: CropResult
    space: CropSpace
    face: float  # of the largest, share of the photo's side; 0 without one
    scales: Floats  # (S,), of the largest box, rising
    scores: Floats  # (S,), of the best crop at these scales, about its centre

    @property
    def scale(self) -> float:
        """Of the best crop."""
        return float(self.space.params(np.array([self.after.best.box]))[0, 0])


def measure_selfies(
    paths: Sequence[Path],
    before: CropFinder,
    after: CropFinder,
    request: CropRequest,
    progress: Progress | None = None,
) -> list[Seen]:
    """Photos that cannot be read are passed over; raises DataError where none can be."""

    def seen(_: int, path: Path) -> Seen:
        return _see(path, load_image(path), before, after, request)

    found = of_readable(paths, seen, progress)
    if not found:
        raise DataError(f"none of {len(paths)} photos can be read: name others")
    return found


def _see(
    path: Path, image: SourceImage, before: CropFinder, after: CropFinder, request: CropRequest
) -> Seen:
    best = after.find(image, request)
    (space,) = request.spaces(image.size)
    scales = np.geomspace(space.min_scale, space.max_scale, _SCALES).astype(np.float64)
    params = np.repeat(space.params(np.array([best.best.box])), _SCALES, 0)
    params[:, 0] = scales
    face = largest_face(after.scorer.spec.view(image))
    size = 0.0
    if face is not None:
        size = place_of(face, face.new_tensor([[0, 0, 1, 1]]))[0, 2].exp().item()
    scores = np.asarray(after.bind(image)(space.boxes(params)), np.float64)
    return Seen(path, before.find(image, request), best, space, size, scales, scores)


def hills(scores: Floats, dip: float = _DIP) -> int:
    """Local maxima of (S,) values, but for those that a dip of less than ``dip`` of the range
    parts from a higher one."""
    least = dip * float(np.ptp(scores))
    count, low, high, rising = 0, np.inf, -np.inf, True
    for value in [*scores.tolist(), -np.inf]:
        low, high = min(low, value), max(high, value)
        if rising and value < high - least:
            count, rising, low = count + 1, False, value
        elif not rising and value > low + least:
            rising, high = True, value
    return count


def share_of(hits: int, count: int) -> Interval:
    """With Wilson's 95 % interval, which knows that none of a few is not none."""
    share, spread = hits / count, 1.96**2 / count
    middle = share + spread / 2
    half = (share * (1 - share) * spread + spread**2 / 4) ** 0.5
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return Interval(share, max(low, 0.0), min(high, 1.0))


def render_selfies(found: Sequence[Seen], names: tuple[str, str]) -> str:
    """Plain text: shares of photos with 95 % intervals."""
    selfies = [each for each in found if each.face >= _SELFIE]
    lines = []
    for what, group in (("all photos", found), (f"faces of {_SELFIE:g} and more", selfies)):
        if not group:
            continue
        lines.append(f"{what} ({len(group)}), {names[1]}")
        low, scale, high = np.array(
            [(each.space.min_scale, each.scale, each.space.max_scale) for each in group]
        ).T
        one_hill = np.array([hills(each.scores) == 1 for each in group])
        shares = {
            "best crop at the smallest scale": scale <= low * _EDGE,
            "best crop at the largest scale": scale >= high / _EDGE,
            "one hill over scale": one_hill,
        }
        for name, share in shares.items():
            lines.append(f"  {name:34} {share_of(int(share.sum()), len(share)):.1%}")
        widths = [float((e.scores >= e.scores.max() - _UPPER * np.ptp(e.scores)).mean())
                  for e in group]  # fmt: skip
        lines.append(
            f"  {'scales in the upper quarter':34} {np.median(widths):6.1%} of them, in the median"
        )
    return "\n".join(lines)


def draw_selfies(
    found: Sequence[Seen], swept: int, finder: CropFinder, names: tuple[str, str], folder: Path
) -> list[Path]:
    """``sheet.jpg``: each photo before and after; ``sweep.jpg``: of the first ``swept`` the score
    over place and over scale. Others of these names are replaced."""
    pairs = []
    for each in found:
        view = finder.scorer.spec.view(load_image(each.path))
        for name, result in zip(names, (each.before, each.after), strict=True):
            pairs.append(
                ReportedPhoto(
                    name=each.path.name,
                    view=view,
                    size=result.source_size,
                    crops=(LabelledCrop(name, result.best),),
                    full_frame_score=result.full_frame_score,
                    preferred=None,
                    skipped=False,
                    seconds=result.seconds,
                )
            )
    made = [folder / "sheet.jpg"]
    sheet = np.asarray(draw_sheet(pairs, columns=4))
    write_picture(sheet, made[0], _QUALITY, overwrite=True)
    if swept:
        made.append(folder / "sweep.jpg")
        _draw_sweeps(found[:swept], finder, made[1])
    return made


def _draw_sweeps(found: Sequence[Seen], finder: CropFinder, path: Path) -> None:
    """A row a photo, by matplotlib."""
    with extra("plot"):
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    figure = Figure(figsize=(8, 2.6 * len(found)), layout="constrained")
    rows = figure.subplots(len(found), 2, squeeze=False)
    for each, (place, scale) in zip(found, rows, strict=True):
        image = load_image(each.path)
        best = each.after.best
        heat = finder.score_map(image, best.width / best.height, columns=_PLACES)
        place.imshow(draw_overlay(image.view(480), [best], heat.scores))
        place.set(title="best score at each place", xticks=[], yticks=[], ylabel=each.path.name)
        scale.plot(each.scales, each.scores, "o-", ms=3)
        scale.axvline(each.scale, color="grey", lw=1)
        scale.set(title=f"score over scale: {hills(each.scores)} hill(s)", xlabel="scale")
    figure.savefig(path, dpi=80)

"""How alike strangers are, and how far a face moves from itself when its picture gets worse.

Every face that can be read counts, and each is taken for another person's than all others': true of
photos of strangers, and what is wrong of it makes the shares larger than they are. Faces of which
one is a copy of the other are left out.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cropper.errors import CropperError, DataError
from cropper.identity import RATE, SeenFace, farthest, look
from cropper.image import SourceImage, from_array, load_image
from eval.photos import Progress, counted

__all__ = [
    "DEGRADATIONS",
    "Strangers",
    "measure_degraded",
    "measure_strangers",
    "render_degraded",
    "render_strangers",
]

Pixels = NDArray[np.uint8]
SHARES = (1e-4, 1e-3, 1e-2, 1e-1, 0.5)
_COPY = 0.1  # of distance: below it two faces are one picture
_LARGE = 60  # px, height of faces that are degraded
_CHUNK = 1000  # rows of the matrix of distances at once


@dataclass(frozen=True)
class Strangers:
    photos: int
    faces: int
    pairs: tuple[int, int]  # across photos, within one
    distances: tuple[float, ...]  # across photos, at SHARES
    within: tuple[float, ...]  # shares of pairs within a photo that are as near as those


def measure_strangers(paths: Sequence[Path], progress: Progress | None = None) -> Strangers:
    """Raises DataError where there are too few faces for a share of 1 in 10,000."""
    found, photos = [], []
    for number, (_, seen) in enumerate(_looked_at(paths, progress)):
        own = [each.encoding for each in seen if each.encoding]
        found += own
        photos += [number] * len(own)
    encodings, photo = np.array(found, np.float64), np.array(photos)
    if len(found) ** 2 / 2 < 10 / min(SHARES):
        raise DataError(f"{len(found)} faces are too few: name photos of 500 people or more")
    across, within = [], []
    for start in range(0, len(encodings), _CHUNK):
        rows = slice(start, start + _CHUNK)
        gaps = np.linalg.norm(encodings[rows, None] - encodings[None], axis=2)
        later = np.arange(len(encodings)) > np.arange(start, start + len(gaps))[:, None]
        own = photo[rows, None] == photo
        across.append(gaps[later & ~own & (gaps > _COPY)])
        within.append(gaps[later & own & (gaps > _COPY)])
    far, near = np.concatenate(across), np.concatenate(within)
    limits = np.quantile(far, SHARES)
    shares = [float(np.mean(near <= limit)) if len(near) else np.nan for limit in limits]
    return Strangers(
        len({*photos}), len(found), (len(far), len(near)), tuple(limits.tolist()), tuple(shares)
    )


def render_strangers(found: Strangers) -> str:
    """Plain text."""
    lines = [
        f"{found.faces} faces of {found.photos} photos, {found.pairs[0]} pairs across photos, "
        f"{found.pairs[1]} within one",
        f"{'share of strangers':>20}{'distance':>10}{'share within a photo':>22}",
    ]
    rows = zip(SHARES, found.distances, found.within, strict=True)
    lines += [f"{share:20g}{limit:10.3f}{within:22.2%}" for share, limit, within in rows]
    return "\n".join(lines)


def _resized(pixels: Pixels, share: float) -> Pixels:
    picture = Image.fromarray(pixels)
    size = (max(round(picture.width * share), 1), max(round(picture.height * share), 1))
    return np.array(picture.resize(size, Image.Resampling.LANCZOS))


def _quarter(pixels: Pixels) -> Pixels:
    """A quarter of the resolution, at the old size."""
    small = Image.fromarray(_resized(pixels, 0.25))
    return np.array(small.resize(pixels.shape[1::-1], Image.Resampling.BICUBIC))


def _turned(pixels: Pixels) -> Pixels:
    picture = Image.fromarray(pixels)
    return np.array(picture.rotate(30, Image.Resampling.BICUBIC, expand=True))


def _dim(pixels: Pixels) -> Pixels:
    """A tenth of the light, by a sensor with 8 bits and noise of 2 levels, brightened."""
    noise = np.random.default_rng(0).normal(0, 2, pixels.shape)
    linear = (pixels / 255.0) ** 2.2 * 0.1
    dark = np.clip((linear ** (1 / 2.2)) * 255 + noise, 0, 255).round()
    return np.asarray(np.clip(dark * 10 ** (1 / 2.2), 0, 255), np.uint8)


def _jpeg(pixels: Pixels) -> Pixels:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=20)
    return np.array(Image.open(data))


def _half_hidden(pixels: Pixels) -> Pixels:
    """The lower half of the face, which lies in the middle of the picture, behind grey."""
    covered = pixels.copy()
    covered[len(pixels) * 11 // 20 :] = 127
    return covered


DEGRADATIONS: dict[str, Callable[[Pixels], Pixels]] = {
    "as it is": lambda pixels: pixels,
    "mirrored": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "a quarter of the resolution": _quarter,
    "turned by 30 degrees": _turned,
    "a tenth of the light": _dim,
    "JPEG of quality 20": _jpeg,
    "lower half hidden": _half_hidden,
}


def measure_degraded(
    paths: Sequence[Path], progress: Progress | None = None
) -> dict[str, tuple[int, int, int]]:
    """By degradation: faces that are known again at the shipped rate, that are read, and all."""
    counts = {name: [0, 0, 0] for name in DEGRADATIONS}
    limit = farthest(RATE)
    for image, seen in _looked_at(paths, progress):
        pixels = image.view(max(image.size)).pixels
        for each in seen:
            x0, y0, x1, y1 = each.face.box
            if each.encoding is None or y1 - y0 < _LARGE:
                continue
            around = _around(pixels, ((x0 + x1) / 2, (y0 + y1) / 2), y1 - y0)
            for name, degrade in DEGRADATIONS.items():
                other = look(from_array(degrade(around)))
                gap = _gap(each, other)
                counts[name][0] += gap <= limit
                counts[name][1] += bool(np.isfinite(gap))
                counts[name][2] += 1
    if not counts["as it is"][2]:
        raise DataError(f"no face of {_LARGE} px that can be read in {len(paths)} pictures")
    return {name: (known, read, of) for name, (known, read, of) in counts.items()}


def render_degraded(counts: dict[str, tuple[int, int, int]]) -> str:
    """Plain text."""
    lines = [f"{'faces against themselves':30}{'known again':>14}{'found and read':>16}"]
    lines += [
        f"{name:30}{known / of:14.1%}{read / of:16.1%}"
        for name, (known, read, of) in counts.items()
    ]
    return "\n".join([*lines, f"{next(iter(counts.values()))[2]} faces"])


def _around(pixels: Pixels, centre: tuple[float, float], height: float) -> Pixels:
    """A square of three heights of the face, edge pixels going on outside of the photo."""
    half = round(1.5 * height)
    x, y = round(centre[0]), round(centre[1])
    rows = np.clip(np.arange(y - half, y + half), 0, len(pixels) - 1)
    columns = np.clip(np.arange(x - half, x + half), 0, pixels.shape[1] - 1)
    return np.ascontiguousarray(pixels[rows[:, None], columns])


def _gap(one: SeenFace, others: Sequence[SeenFace]) -> float:
    """To the nearest of the faces that can be read; infinite where there is none."""
    own = np.array(one.encoding)
    read = [np.array(each.encoding) for each in others if each.encoding]
    return float(min((np.linalg.norm(own - other) for other in read), default=np.inf))


def _looked_at(
    paths: Sequence[Path], progress: Progress | None
) -> Iterator[tuple[SourceImage, tuple[SeenFace, ...]]]:
    """Photos that can be read, with their faces."""
    for path in counted(paths, progress):
        try:
            image = load_image(path)
            yield image, look(image)
        except CropperError:
            continue

"""Crops as pictures: cut or warp, filter, paint, pad, encode, write.

The one way from a crop to a file.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cropper.boxes import Crop, as_boxes
from cropper.canvas import Canvas
from cropper.errors import ConfigError
from cropper.image import (
    Photo,
    SourceImage,
    check_target,
    encode,
    from_array,
    make_folder,
    open_photo,
    writable_format,
    write_atomic,
)
from cropper.image.padding import laid
from cropper.image.toning import Paint, painted, toned
from cropper.stores import Store

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "as_html",
    "check_free",
    "check_no_input",
    "check_output",
    "cut",
    "render",
    "save_crop",
    "write",
    "write_picture",
]

_NOTEBOOK = 480  # px, long side of what a notebook shows


def cut(
    source: SourceImage,
    crop: Crop,
    size: tuple[int, int] | None = None,
    *,
    linear: bool = False,
    paint: Paint | None = None,
) -> Image.Image:
    """The crop's pixels from the full resolution, in ``size`` = (width, height) px if given.

    With ``linear`` what becomes one of these is averaged as light. ``paint`` makes other pixels of
    the crop, after its filter and before anything is laid around it.

    A crop on a canvas is as large as fits into ``size``, and what is around it is filled. A filter
    changes the crop, and what is filled with it, but no colour that was asked for; its border is
    around all.
    """
    whole, (left, top, right, bottom) = crop.framed(size)
    inside, (x0, y0, x1, y1) = crop.unframed((right - left, bottom - top) if size else None)
    own = None if size is None else (x1 - x0, y1 - y0)
    if crop.corners:
        picture = source.warp(crop.corners, own or crop.output_size, linear=linear)
    else:
        picture = source.cut(crop.box, own, linear=linear)
    profile = source.header.icc
    if crop.filter:
        picture = toned(picture, crop.filter.tone, source.span, profile)
    if paint:
        picture = painted(picture, paint, source.span, profile)
    if crop.canvas:
        picture = laid(picture, crop.canvas, inside, (x0, y0), profile)
    if whole == inside:
        return picture
    return laid(picture, Canvas(whole[0] / whole[1], "pad"), whole, (left, top), profile)


def render(
    source: SourceImage,
    crop: Crop,
    format: str,  # noqa: A002 - Pillow's name for it
    *,
    size: tuple[int, int] | None = None,
    quality: int = 92,
    strip: bool = False,
    linear: bool = False,
    paint: Paint | None = None,
) -> bytes:
    """The crop as a file of ``format``, as ``cut`` and ``encode`` make it.

    Raises what ``SourceImage.cut``, ``SourceImage.warp`` and ``encode`` raise.
    """
    picture = cut(source, crop, size, linear=linear, paint=paint)
    return encode(picture, source, format, quality, strip=strip)


def write(data: bytes, target: Path | Store, *, overwrite: bool, fsync: bool = True) -> None:
    """A whole file, in a folder that is made where it is missing. Raises ImageWriteError."""
    if isinstance(target, Store):
        target.put(data, overwrite=overwrite)
        return
    make_folder(target.parent)
    write_atomic(data, target, overwrite=overwrite, fsync=fsync)


def check_output(target: Path, *, overwrite: bool) -> None:
    """As ``check_free``, and ConfigError for a name that tells no format."""
    writable_format(target)
    check_free(target, overwrite=overwrite)


def check_no_input(target: Path, inputs: Iterable[str]) -> None:
    """Raises ConfigError for a file that is named to be read too."""
    place = target.resolve()
    if target.exists() and any(Path(name).resolve() == place for name in inputs):
        raise ConfigError(f"{target} is an input and would be overwritten: write elsewhere")


def check_free(target: Path, *, overwrite: bool) -> None:
    """Raises ConfigError for a file that may not be replaced."""
    if target.exists() and not overwrite:
        raise ConfigError(f"{target} exists: use `overwrite`, or write elsewhere")


def write_picture(
    pixels: NDArray[np.uint8], target: Path, quality: int, *, overwrite: bool
) -> None:
    """(H, W, 3) as a file whose name tells the format. Raises ImageWriteError."""
    source = from_array(pixels)
    whole = Crop.of(np.array([0.0, 0.0, *source.size]), 0.0)
    data = render(source, whole, writable_format(target), quality=quality)
    write(data, target, overwrite=overwrite)


def save_crop(
    photo: Photo,
    crop: Crop | ArrayLike,
    target: str | Path,
    *,
    size: tuple[int, int] | None = None,
    quality: int = 92,
    strip: bool = False,
    linear: bool = False,
    overwrite: bool = False,
) -> None:
    """Cuts a crop or a box (4,) px into a file named by extension, in a folder that is there.

    ``strip`` leaves out EXIF and IPTC and keeps the colour profile; ``linear`` resizes to ``size``
    in linear light.
    Raises what ``open_photo``, ``writable_format``, ``render`` and ``write_atomic`` raise.
    """
    target = Path(target)
    file_format = writable_format(target)
    check_target(target, overwrite=overwrite)  # rather now than after the work
    if not isinstance(crop, Crop):
        crop = Crop.of(as_boxes(crop)[0], 0.0)
    source = open_photo(photo)
    data = render(source, crop, file_format, size=size, quality=quality, strip=strip, linear=linear)
    write_atomic(data, target, overwrite=overwrite)


def as_html(source: SourceImage, crops: Sequence[Crop], size: tuple[int, int] | None) -> str:
    """The photo with frames around its crops, the best one bright, beside the best crop itself."""
    width, height = source.size
    frames = "".join(
        '<polygon fill="none" stroke="{}" stroke-width="{}" points="{}"/>'.format(
            "#ffd23c" if rank == 0 else "#96c8ff",
            max(width, height) / (120 if rank == 0 else 240),
            " ".join(f"{x:g},{y:g}" for x, y in crop.quad),
        )
        for rank, crop in reversed(list(enumerate(crops)))
    )
    (wide, high), _ = crops[0].layout(size)
    scale = min(1.0, _NOTEBOOK / max(wide, high))
    best = cut(source, crops[0], (max(round(wide * scale), 1), max(round(high * scale), 1)))
    photo = _data_uri(from_array(source.view(_NOTEBOOK).pixels))
    return (
        f'<svg viewBox="0 0 {width} {height}" style="height: 240px; max-width: 60%">'
        f'<image width="{width}" height="{height}" href="{photo}"/>{frames}</svg> '
        f'<img style="height: 240px; object-fit: contain" src="{_data_uri(from_array(best))}">'
    )


def _data_uri(source: SourceImage) -> str:
    whole = Crop.of(np.array([0.0, 0.0, *source.size]), 0.0)
    return "data:image/jpeg;base64," + base64.b64encode(render(source, whole, "JPEG")).decode()

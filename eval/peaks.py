"""The most memory that a decoder takes for 59 megapixels, beside the estimate by its header."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from cropper.boxes import Crop
from cropper.decoders import Decoders
from cropper.errors import ImageWriteError
from cropper.image import FORMATS, Output, SourceImage, encode, from_array, needed
from cropper.render import render
from eval.bombs import HEAVY, heavy_files

__all__ = ["Peak", "render_peaks", "run_peaks"]

_SIZE = 7500, HEAVY // 7500
_SECONDS = 600.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Peak:
    """What one photo took, in bytes."""

    name: str
    viewed: int  # decoded, and looked at
    viewed_most: int  # by the estimate
    encoded: int  # and all of it encoded in its own format
    encoded_most: int
    failed: bool  # where that took more than a decoder may have


def photos() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Name -> one of 59 megapixels, made when it is asked for."""
    for name, content in heavy_files().items():
        yield f"{name}, a bomb", partial(bytes, content)
    for kind in FORMATS:
        if kind != "HEIF" or find_spec("pillow_heif"):
            yield kind, partial(_photo, kind)
    for dtype, samples in (("f8", 1), ("f4", 3), ("u2", 3), ("u4", 4)):
        name = f"TIFF of {samples} x {8 * np.dtype(dtype).itemsize} bits ({dtype[0]})"
        yield name, partial(_deep, dtype, samples)


def _photo(kind: str) -> bytes:
    source = from_array(np.zeros((*_SIZE[::-1], 3), np.uint8))
    return encode(source.cut((0, 0, *_SIZE)), source, kind, 50)


def _deep(dtype: str, samples: int) -> bytes:
    import tifffile  # noqa: PLC0415 - of an extra

    shape = _SIZE[::-1] if samples == 1 else (*_SIZE[::-1], samples)
    file = io.BytesIO()
    kind = "minisblack" if samples == 1 else "rgb"
    alpha = ["unassalpha"] if samples == 4 else None
    tifffile.imwrite(
        file, np.zeros(shape, dtype), photometric=kind, extrasamples=alpha, compression="zlib"
    )
    return file.getvalue()


def run_peaks(progress: Progress | None = None) -> list[Peak]:
    """One decoder for each photo, asked as the service asks it."""
    found, made = [], [*photos()]
    for done, (name, content) in enumerate(made):
        if progress:
            progress(done, len(made))
        with (
            Decoders(max_mpixels=60) as decoders,
            decoders.open(content(), name, _SECONDS) as image,
        ):
            header = image.header
            before = image.apply(_resident, "VmRSS")
            image.view(512)
            viewed = image.apply(_resident, "VmHWM") - before
            image.apply(_forget_peak)
            whole = Crop.of(np.array([0.0, 0.0, *image.size]), 0.0)
            failed = False
            try:
                image.apply(render, whole, image.format)
            except ImageWriteError:  # above what a decoder may take
                failed = True
            encoded = image.apply(_resident, "VmHWM") - before
            output = Output(None)
            most = needed(header), needed(header, output)
            found.append(Peak(name, viewed, most[0], encoded, most[1], failed))
    return found


def _resident(image: SourceImage, what: str) -> int:
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition(f"{what}:")[2].split()[0]) * 1024


def _forget_peak(image: SourceImage) -> None:
    Path("/proc/self/clear_refs").write_text("5", "ascii")


def render_peaks(peaks: list[Peak]) -> str:
    width = max(len(each.name) for each in peaks)
    lines = [f"{'59 megapixels':{width}}  view: took  at most  encoded: took  at most  (MB)"]
    for each in peaks:
        lines.append(
            f"{each.name:{width}}  {each.viewed / 1e6:10.0f}  {each.viewed_most / 1e6:7.0f}"
            f"  {each.encoded / 1e6:13.0f}  {each.encoded_most / 1e6:7.0f}"
            f"{'  failed: too much' if each.failed else ''}"
        )
    return "\n".join(lines)

"""Folders per second: `crop_folder` beside smartcrop.py and libvips on the same photos.

All take turns, round by round, in one process that is warm; each makes crops of the same sizes of
all photos, by as many threads as there are cores, from files to files; peers look at a photo again
for each size. Only `crop_folder` syncs what it writes, and keeps a manifest. The floor finds
nothing: a scaled decode and the encoding of a corner of it, by libjpeg-turbo.
"""

from __future__ import annotations

import importlib
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cropper.bulk import BulkOptions, crop_folder
from cropper.errors import DataError
from cropper.request import CropRequest
from cropper.threads import cores
from eval.bench import synthetic_photo
from eval.environment import Environment, read_environment

__all__ = ["BulkBench", "Contender", "render_bulk_bench", "run_bulk_bench"]

REFERENCE = "pyvips attention"
_QUALITY = 92

Size = tuple[int, int]  # width, height, px
Work = Callable[[Path, Path], None]  # a folder of photos, a folder for the crops
Crop = Callable[[Any, Path, Path, Size], None]  # of a photo, into a file


@dataclass(frozen=True)
class Contender:
    """One cropper's rounds."""

    name: str
    seconds: tuple[float, ...]  # wall, a round
    cpu: tuple[float, ...]  # s of all cores, a round

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class BulkBench:
    photos: int
    size: Size  # of each photo
    crops: tuple[Size, ...]
    workers: int
    contenders: tuple[Contender, ...]
    missing: tuple[str, ...]
    environment: Environment


def run_bulk_bench(
    photos: int = 50,
    rounds: int = 3,
    scorer: str = "cropnet",
    size: Size = (3000, 2000),
    crops: Sequence[Size] = ((512, 512),),
) -> BulkBench:
    """Raises DataError where a cropper fails on a photo."""
    found, missing = _contenders(scorer, crops)
    seconds: dict[str, list[float]] = {name: [] for name in found}
    cpu: dict[str, list[float]] = {name: [] for name in found}
    with tempfile.TemporaryDirectory(prefix="cropper-bench-") as name:
        folder = Path(name)
        (folder / "in").mkdir()
        (folder / "few").mkdir()
        for index in range(photos):
            data = synthetic_photo(*size, seed=index)
            (folder / "in" / f"{index:03}.jpg").write_bytes(data)
            if index < 2:
                (folder / "few" / f"{index:03}.jpg").write_bytes(data)
        for contender, work in found.items():
            _out(folder, f"warm {contender}", work, folder / "few", len(crops))
        for round_ in range(rounds):
            for contender, work in found.items():
                cpu_before, before = _cpu(), time.perf_counter()
                _out(folder, f"{round_} {contender}", work, folder / "in", len(crops))
                seconds[contender].append(time.perf_counter() - before)
                cpu[contender].append(_cpu() - cpu_before)
    contenders = (Contender(name, tuple(seconds[name]), tuple(cpu[name])) for name in found)
    return BulkBench(
        photos, size, tuple(crops), cores(), tuple(contenders), missing, read_environment()
    )


def _out(folder: Path, name: str, work: Work, photos: Path, crops: int) -> None:
    out = folder / name
    out.mkdir()
    work(photos, out)
    made, wanted = len(list(out.glob("*.jpg"))), crops * len(list(photos.iterdir()))
    if made != wanted:
        raise DataError(f"{name}: {made} crops of {wanted} photos")


def _cpu() -> float:
    """Seconds of this process and of those that it has started and that have ended."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(each)[:2]) for each in whose)


def _contenders(scorer: str, crops: Sequence[Size]) -> tuple[dict[str, Work], tuple[str, ...]]:
    requests = tuple(CropRequest(size=crop) for crop in crops)
    asked = BulkOptions(requests, scorer=scorer)
    found: dict[str, Work] = {"cropper bulk": lambda photos, out: _cropper(asked, photos, out)}
    missing = []
    others: dict[str, tuple[str, Crop]] = {
        REFERENCE: ("pyvips", _vips),
        "smartcrop.py": ("smartcrop", _smartcrop),
        "decode and encode": ("simplejpeg", _floor),
    }
    for name, (package, crop) in others.items():
        try:
            module = importlib.import_module(package)
        except (ImportError, OSError) as error:  # OSError: pyvips without its library
            missing.append(f"{name}: {error} (pip install 'cropper[baselines]')")
        else:
            found[name] = _threaded(crop, module, crops)
    return found, tuple(missing)


def _cropper(asked: BulkOptions, photos: Path, out: Path) -> None:
    report = crop_folder(photos, out, asked)
    if report.exit_code:
        raise DataError(f"cropper bulk: {report.summary}")


def _threaded(crop: Crop, module: Any, sizes: Sequence[Size]) -> Work:
    def each(job: tuple[Path, Path]) -> None:
        photo, out = job
        for width, height in sizes:
            target = out / f"{photo.stem}_{width}x{height}.jpg"
            crop(module, photo, target, (width, height))

    def work(photos: Path, out: Path) -> None:
        with ThreadPoolExecutor(cores()) as pool:
            for _ in pool.map(each, ((path, out) for path in sorted(photos.iterdir()))):
                pass

    return work


def _vips(module: Any, photo: Path, target: Path, size: Size) -> None:
    """Scaled while it is decoded, the way its documentation recommends."""
    width, height = size
    thumbnail = module.Image.thumbnail(str(photo), width, height=height, crop="attention")
    thumbnail.write_to_file(str(target), Q=_QUALITY)


def _smartcrop(module: Any, photo: Path, target: Path, size: Size) -> None:
    from PIL import Image  # noqa: PLC0415 - the peer works on Pillow's pictures

    image = Image.open(photo).convert("RGB")
    best = module.SmartCrop().crop(image, *size)["top_crop"]
    x, y, width, height = (best[key] for key in ("x", "y", "width", "height"))
    image.resize(size, Image.Resampling.LANCZOS, box=(x, y, x + width, y + height)).save(
        target, quality=_QUALITY
    )


def _floor(module: Any, photo: Path, target: Path, size: Size) -> None:
    """Scaled by a power of two to no less than the size of the crop, and no pixel averaged."""
    data, (width, height) = photo.read_bytes(), size
    rows, columns = module.decode_jpeg_header(data)[:2]
    scale = next(
        each for each in (8, 4, 2, 1) if columns // each >= width and rows // each >= height
    )
    pixels = module.decode_jpeg(data, min_width=columns // scale, min_height=rows // scale)
    corner = np.ascontiguousarray(pixels[:height, :width])
    target.write_bytes(module.encode_jpeg(corner, quality=_QUALITY, colorsubsampling="420"))


def render_bulk_bench(bench: BulkBench) -> str:
    named = {contender.name: contender for contender in bench.contenders}
    crops = " and ".join(f"{width}x{height}" for width, height in bench.crops)
    lines = [
        f"{bench.photos} synthetic photos {bench.size[0]}x{bench.size[1]} to {crops}, "
        f"{bench.workers} threads, median of {len(bench.contenders[0].seconds)} rounds",
        "",
        f"{'':18} {'photos/s':>9} {'slowest-fastest':>17} {'CPU ms/photo':>13}  "
        f"against {REFERENCE}",
    ]
    for contender in bench.contenders:
        rates = [bench.photos / seconds for seconds in contender.seconds]
        milliseconds = 1000 * statistics.median(contender.cpu) / bench.photos
        row = f"{contender.name:18} {bench.photos / contender.median:9.1f} "
        row += f"{min(rates):8.1f}-{max(rates):<8.1f} {milliseconds:13.0f}"
        if REFERENCE in named and contender.name != REFERENCE:
            peer = named[REFERENCE]
            spent = [own / its for own, its in zip(contender.cpu, peer.cpu, strict=True)]
            row += f"  {peer.median / contender.median:.2f} x photos/s, "
            row += f"{statistics.median(spent):.2f} x CPU [{min(spent):.2f}, {max(spent):.2f}]"
        lines.append(row)
    lines += [f"not run: {each}" for each in bench.missing]
    return "\n".join([*lines, "", str(bench.environment)])

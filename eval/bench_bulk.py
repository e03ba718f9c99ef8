"""Folders per second: `crop_folder` beside smartcrop.py and libvips on the same photos.

All take turns, round by round, in one process that is warm; each makes crops of one size of all
photos, by as many threads as there are cores, from files to files. Only `crop_folder` syncs what it
writes, and keeps a manifest.
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

from cropper.bulk import BulkOptions, crop_folder
from cropper.errors import DataError
from cropper.request import CropRequest
from cropper.threads import cores
from eval.bench import synthetic_photo
from eval.environment import Environment, read_environment

__all__ = ["BulkBench", "Contender", "render_bulk_bench", "run_bulk_bench"]

CROP = (512, 512)
REFERENCE = "pyvips attention"

Work = Callable[[Path, Path], None]  # a folder of photos, a folder for the crops


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
    size: tuple[int, int]  # of each photo, px
    workers: int
    contenders: tuple[Contender, ...]
    missing: tuple[str, ...]
    environment: Environment


def run_bulk_bench(
    photos: int = 50,
    rounds: int = 3,
    scorer: str = "cropnet",
    size: tuple[int, int] = (3000, 2000),
) -> BulkBench:
    """Raises DataError where a cropper fails on a photo."""
    found, missing = _contenders(scorer)
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
            _out(folder, f"warm {contender}", work, folder / "few")
        for round_ in range(rounds):
            for contender, work in found.items():
                cpu_before, before = _cpu(), time.perf_counter()
                _out(folder, f"{round_} {contender}", work, folder / "in")
                seconds[contender].append(time.perf_counter() - before)
                cpu[contender].append(_cpu() - cpu_before)
    contenders = (Contender(name, tuple(seconds[name]), tuple(cpu[name])) for name in found)
    return BulkBench(photos, size, cores(), tuple(contenders), missing, read_environment())


def _out(folder: Path, name: str, work: Work, photos: Path) -> None:
    out = folder / name
    out.mkdir()
    work(photos, out)
    made, wanted = len(list(out.glob("*.jpg"))), len(list(photos.iterdir()))
    if made != wanted:
        raise DataError(f"{name}: {made} crops of {wanted} photos")


def _cpu() -> float:
    """Seconds of this process and of those that it has started and that have ended."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(each)[:2]) for each in whose)


def _contenders(scorer: str) -> tuple[dict[str, Work], tuple[str, ...]]:
    found: dict[str, Work] = {"cropper bulk": lambda photos, out: _cropper(scorer, photos, out)}
    missing = []
    others = {REFERENCE: ("pyvips", _vips), "smartcrop.py": ("smartcrop", _smartcrop)}
    for name, (package, crop) in others.items():
        try:
            module = importlib.import_module(package)
        except (ImportError, OSError) as error:  # OSError: pyvips without its library
            missing.append(f"{name}: {error} (pip install 'cropper[baselines]')")
        else:
            found[name] = _threaded(crop, module)
    return found, tuple(missing)


def _cropper(scorer: str, photos: Path, out: Path) -> None:
    report = crop_folder(photos, out, BulkOptions((CropRequest(size=CROP),), scorer=scorer))
    if report.exit_code:
        raise DataError(f"cropper bulk: {report.summary}")


def _threaded(crop: Callable[[Any, Path, Path], None], module: Any) -> Work:
    def work(photos: Path, out: Path) -> None:
        paths: Sequence[Path] = sorted(photos.iterdir())
        with ThreadPoolExecutor(cores()) as pool:
            for _ in pool.map(lambda path: crop(module, path, out / path.name), paths):
                pass

    return work


def _vips(module: Any, photo: Path, target: Path) -> None:
    """Scaled while it is decoded, the way its documentation recommends."""
    width, height = CROP
    thumbnail = module.Image.thumbnail(str(photo), width, height=height, crop="attention")
    thumbnail.write_to_file(str(target), Q=92)


def _smartcrop(module: Any, photo: Path, target: Path) -> None:
    from PIL import Image  # noqa: PLC0415 - the peer works on Pillow's pictures

    image = Image.open(photo).convert("RGB")
    best = module.SmartCrop().crop(image, *CROP)["top_crop"]
    x, y, width, height = (best[key] for key in ("x", "y", "width", "height"))
    image.resize(CROP, Image.Resampling.LANCZOS, box=(x, y, x + width, y + height)).save(
        target, quality=92
    )


def render_bulk_bench(bench: BulkBench) -> str:
    medians = {contender.name: contender.median for contender in bench.contenders}
    lines = [
        f"{bench.photos} synthetic photos {bench.size[0]}x{bench.size[1]} to {CROP[0]}x{CROP[1]}, "
        f"{bench.workers} threads, median of {len(bench.contenders[0].seconds)} rounds",
        "",
        f"{'':18} {'photos/s':>9} {'slowest-fastest':>17} {'CPU ms/photo':>13}  against",
    ]
    for contender in bench.contenders:
        rates = [bench.photos / seconds for seconds in contender.seconds]
        milliseconds = 1000 * statistics.median(contender.cpu) / bench.photos
        row = f"{contender.name:18} {bench.photos / contender.median:9.1f} "
        row += f"{min(rates):8.1f}-{max(rates):<8.1f} {milliseconds:13.0f}"
        if REFERENCE in medians and contender.name != REFERENCE:
            row += f"  {medians[REFERENCE] / contender.median:.2f}x {REFERENCE}"
        lines.append(row)
    lines += [f"not run: {each}" for each in bench.missing]
    return "\n".join([*lines, "", str(bench.environment)])

"""Attacks on the product, on this machine alone: what strange files, clients and neighbours can do.

Folders are attacked between their plan and their work. The attacks are bounded in time and number,
and connect to the loopback address alone.
"""

from __future__ import annotations

import collections
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from cropper.boxes import Crop
from cropper.bulk import BulkOptions, Watcher, crop_folder
from cropper.bulk.prepare import Prepared
from cropper.decoders import Decoders
from cropper.errors import CropperError
from cropper.image import encode, from_array
from cropper.render import render
from cropper.request import CropRequest
from cropper.scorers import register_scorer, scorer_names
from eval.attack_service import Attack, Progress, attack_service
from eval.crash import QuickScorer, run_crash, write_photos

__all__ = ["render_attacks", "run_attacks"]

_FUZZED = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")


def _fuzz(number: int, seed: int, progress: Progress | None) -> Attack:
    """Damaged files of each format, decoded and encoded as the service does."""
    rng = np.random.default_rng(seed)
    source = from_array(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    whole = [encode(source.cut((0, 0, 64, 48)), source, kind) for kind in _FUZZED]
    kinds: collections.Counter[str] = collections.Counter()
    with Decoders(max_mpixels=60) as decoders:
        for index in range(number):
            content = bytearray(whole[index % len(whole)])
            for _ in range(rng.integers(1, 8)):
                content[rng.integers(len(content))] = rng.integers(256)
            if index % 5 == 0:
                del content[rng.integers(len(content)) :]
            try:
                with decoders.open(bytes(content), "fuzzed", 20) as image:
                    image.view(512)
                    crop = Crop.of(np.array([0.0, 0.0, *image.size]), 0.0)
                    image.apply(render, crop, image.format, size=(16, 16))
                kinds["read"] += 1
            except CropperError as error:
                ended = getattr(error, "reason", "") in ("decoder ended", "too slow")
                kinds["a decoder ended" if ended else "refused"] += 1
            except MemoryError:
                kinds["refused"] += 1
            except Exception as error:
                kinds[type(error).__name__] += 1
            if progress and index % 100 == 0:
                progress(index, number)
    held = not kinds.keys() - {"read", "refused", "a decoder ended"}
    told = ", ".join(f"{count} {what}" for what, count in sorted(kinds.items()))
    return Attack("fuzzed files", number, held, told)


class _Meanwhile(Watcher):
    """Does something between a run's plan and its work."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act

    def started(self, prepared: Prepared) -> None:
        self.act()


def _link(place: str, target: str) -> Callable[[Path], None]:
    """What is at a place is put aside, and a link to another place put there."""

    def act(folder: Path) -> None:
        path = folder / place
        if path.exists():
            path.rename(f"{path}.aside")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(folder / target)

    return act


def _pipe(folder: Path) -> None:
    path = folder / "in/0000/000001.jpg"
    path.unlink()
    os.mkfifo(path)


def _moved(folder: Path) -> None:
    (folder / "out").rename(folder / "elsewhere")


def _foreign(folder: Path) -> None:
    (folder / "out/0000").mkdir(parents=True)
    (folder / "out/0000/000001.jpg").write_bytes(b"somebody else's")


_RACES: dict[str, tuple[Callable[[Path], None], int]] = {  # the exit code that is right
    "a link at a target": (_link("out/0000/000001.jpg", "victim"), 1),
    "an output folder that becomes a link to the input": (_link("out/0000", "in/0000"), 1),
    "an output root that becomes a link to the input": (_link("out", "in"), 5),
    "an output root that is moved": (_moved, 5),
    "a file that comes up at a target": (_foreign, 1),
    "a source that becomes a link out": (_link("in/0000/000001.jpg", "victim"), 1),
    "a source that becomes a pipe": (_pipe, 1),
}


def _races(rounds: int, seed: int) -> Iterator[Attack]:
    if "quick" not in scorer_names():
        register_scorer("quick")(lambda device: QuickScorer())
    rng = random.Random(seed)
    for name, (act, right) in _RACES.items():
        harmed, codes = 0, collections.Counter[int]()
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(prefix="cropper-attack-") as place:
                folder = Path(place)
                write_photos(folder / "in", 4, rng.randrange(1 << 30))
                (folder / "victim").write_bytes(b"somebody else's")
                before = {p.read_bytes() for p in folder.rglob("*") if p.is_file()}
                options = BulkOptions(
                    (CropRequest(budget=100, keep=("none",)),),
                    scorer="quick",
                    overwrite=rng.random() < 0.5,
                )
                watcher = _Meanwhile(lambda act=act, folder=folder: act(folder))  # type: ignore[misc]
                report = crop_folder(folder / "in", folder / "out", options, watcher=watcher)
                codes[report.exit_code] += 1
                after = {p.read_bytes() for p in folder.rglob("*") if p.is_file()}
                lost = 1 if act is _pipe else 0  # the attacker's own doing
                harmed += len(before - after) > lost
        told = ", ".join(f"exit code {code}: {count}" for code, count in sorted(codes.items()))
        held = not harmed and set(codes) == {right}
        yield Attack(name, rounds, held, f"{harmed} files of others harmed; {told}")


def run_attacks(
    seconds: float = 5,
    fuzzed: int = 10_000,
    kills: int = 500,
    seed: int = 0,
    progress: Progress | None = None,
) -> Iterator[Attack]:
    """``seconds`` of each attack on the service, then folders; what each came to, as it ends.

    Raises DataError where the service does not start, or cuts an honest client off.
    """
    yield from attack_service(seconds, progress)
    yield from _races(max(1, kills // 100), seed)
    yield _fuzz(fuzzed, seed, progress)
    crash = run_crash(kills, seed=seed, progress=progress)
    told = f"torn {crash.torn}, lost {crash.lost}, extra {crash.extra}, mixed up {crash.mixed}"
    yield Attack("kills", crash.rounds, crash.sound, told)


def render_attacks(attacks: list[Attack]) -> str:
    width = max(len(each.name) for each in attacks)
    lines = [f"{'attack':{width}}  {'tries':>9}  held  what happened"]
    for each in attacks:
        held = "yes" if each.held else "NO"
        lines.append(f"{each.name:{width}}  {each.tries:9}  {held:4}  {each.told}")
    return "\n".join(lines)

"""Time, memory and costs of style transfer by size, beside plain passes of its network."""

from __future__ import annotations

import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from eval.bench import synthetic_photo
from eval.painting import drawn_painting

__all__ = ["LevelRun", "render_style", "run_style"]

_PASSES = 5
_PHOTO, _PAINTING = (2000, 1500), 1024  # px


@dataclass(frozen=True)
class LevelRun:
    """One size of a descent, the finer ones after the coarser in one process."""

    size: tuple[int, int]  # (width, height), px
    steps: tuple[float, ...]  # s of the processor for each, but for the first
    plain: float  # s of the processor for a pass of the network and its gradient, the median
    peak: float  # MB resident until its end
    told: float  # MB that such a descent is said to take, beside what was taken before it
    styles: tuple[float, float]  # cost at its first and last step
    contents: tuple[float, float]


def run_style(backbone: str, size: int, steps: int = 100) -> list[LevelRun]:
    """All sizes up to ``size`` px, in a process of its own, whose memory is nobody else's."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as pool:
        return pool.submit(_measured, backbone, size, steps).result()


def _measured(name: str, size: int, steps: int) -> list[LevelRun]:
    from cropper.image import load_image  # noqa: PLC0415 - in the process that is measured
    from cropper.style import StyleConfig, load_backbone, transfer  # noqa: PLC0415
    from cropper.style.descent import memory_of  # noqa: PLC0415

    config = StyleConfig(size=size, steps=steps)
    backbone = load_backbone(name)
    photo = load_image(synthetic_photo(*_PHOTO, 0))
    before = _peak()
    levels: dict[tuple[int, int], list[tuple[float, float, float, float]]] = {}
    for step in transfer(photo, drawn_painting(_PAINTING), backbone, config):
        height, width = step.pixels.shape[:2]
        told = (time.process_time(), step.costs.style, step.costs.content, _peak())
        levels.setdefault((width, height), []).append(told)
    found = []
    for (own, rows), (_, count) in zip(levels.items(), config.levels(), strict=True):
        seconds, styles, contents, peaks = zip(*rows, strict=True)
        needed = memory_of(backbone, StyleConfig(size=max(own), steps=count), own)
        found.append(
            LevelRun(
                own,
                tuple(np.diff(seconds).tolist()),
                _plain(backbone, own),
                peaks[-1],
                before + needed / 1e6,
                (styles[0], styles[-1]),
                (contents[0], contents[-1]),
            )
        )
    return found


def _plain(backbone: object, size: tuple[int, int]) -> float:
    import torch  # noqa: PLC0415

    from cropper.style import Backbone  # noqa: PLC0415

    network: Backbone = backbone  # type: ignore[assignment]
    taken = []
    for _ in range(_PASSES):
        picture = torch.rand(1, 3, *size[::-1], requires_grad=True)
        started = time.process_time()
        features = network(picture, {network.content_layer, *network.style_layers})
        torch.stack([each.mean() for each in features.values()]).sum().backward()  # type: ignore[no-untyped-call]
        taken.append(time.process_time() - started)
    return float(np.median(taken))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def render_style(found: list[LevelRun]) -> str:
    """A table: medians with quartiles."""
    rows = [
        "| long side | a step, s of processor | of a plain pass | peak memory | told | style cost "
        "| content cost |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in found:
        low, middle, high = np.percentile(each.steps or (np.nan,), (25, 50, 75))
        rows.append(
            f"| {max(each.size)} px | {middle:.2f} [{low:.2f}, {high:.2f}] "
            f"| {middle / each.plain:.2f} | {each.peak / 1e3:.1f} GB | {each.told / 1e3:.1f} GB "
            f"| {each.styles[0]:.3f} -> {each.styles[1]:.3f} "
            f"| {each.contents[0]:.3f} -> {each.contents[1]:.3f} |"
        )
    total = sum(sum(each.steps) for each in found) / 60
    return "\n".join(rows) + f"\n\nAll steps together: {total:.1f} minutes of processor"

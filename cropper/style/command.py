"""``cropper style`` without its shell: files in, a file out, exit code out."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cropper.console import print_json, say
from cropper.errors import ConfigError, extra
from cropper.image import check_target, encode, from_array, load_image, writable_format
from cropper.render import write
from cropper.style.backbone import load_backbone
from cropper.style.transfer import Step, StyleConfig, transfer

__all__ = ["StyleOptions", "style"]

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class StyleOptions:
    like: str
    output: Path
    config: StyleConfig
    backbone: str = "vgg19"
    frames: Path | None = None  # a folder
    every: int = 10  # steps between two frames
    plot: Path | None = None
    quality: int = 92
    max_mpixels: float = 200
    as_json: bool = False
    overwrite: bool = False


def style(photo: str, options: StyleOptions, progress: Progress | None = None) -> int:
    """Writes the photo in the manner of another picture.

    Interrupted, it writes what it has reached, and raises KeyboardInterrupt.
    """
    _check(options)
    source, like = (
        load_image(each, max_mpixels=options.max_mpixels) for each in (photo, options.like)
    )
    steps: list[Step] = []
    try:
        for step in transfer(source, like, load_backbone(options.backbone), options.config):
            steps = [*steps[-1:], step] if options.plot is None else [*steps, step]
            if progress:
                progress(step.number, step.total, _told(step))
            if options.frames and step.number % options.every == 0:
                _save(step, options.frames / f"{step.number:05}.png", 100, overwrite=True)
    finally:
        if steps:
            _finish(photo, steps, options)
    return 0


def _check(options: StyleOptions) -> None:
    """Rather before the work than after it."""
    if options.every < 1:
        raise ConfigError(f"`every` is at least 1, got {options.every}")
    writable_format(options.output)
    for target in (options.output, options.plot):
        if target is not None and target.parent.is_dir():
            check_target(target, overwrite=options.overwrite)
    if options.plot is not None:
        with extra("plot"):
            import matplotlib as mpl  # noqa: F401, PLC0415


def _finish(photo: str, steps: Sequence[Step], options: StyleOptions) -> None:
    last = steps[-1]
    _save(last, options.output, options.quality, overwrite=options.overwrite)
    if options.plot is not None:
        _plot(steps, options.plot, overwrite=options.overwrite)
    height, width = last.pixels.shape[:2]
    if options.as_json:
        record = {"input": photo, "like": options.like, "output": str(options.output)}
        costs = {"content": last.costs.content, "style": last.costs.style}
        print_json({**record, "size": [width, height], "step": last.number, **costs})
    else:
        early = "" if last.number == last.total else f", ended at step {last.number}"
        say(f"{photo} -> {options.output}: {width}x{height}, {_told(last)}{early}")


def _told(step: Step) -> str:
    return f"content cost {step.costs.content:.3f}, style cost {step.costs.style:.3f}"


def _save(step: Step, target: Path, quality: int, *, overwrite: bool) -> None:
    source = from_array(step.pixels)
    picture = source.cut((0, 0, *source.size))
    write(encode(picture, source, writable_format(target), quality), target, overwrite=overwrite)


def _plot(steps: Sequence[Step], target: Path, *, overwrite: bool) -> None:
    """Both costs over the steps, in the format that the name tells."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    axes = (figure := Figure(layout="constrained")).subplots()
    for name in ("content", "style"):
        axes.semilogy([max(getattr(each.costs, name), 1e-6) for each in steps], label=name)
    axes.set(xlabel="step", ylabel="cost")
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format=target.suffix[1:] or "png")
    write(buffer.getvalue(), target, overwrite=overwrite)

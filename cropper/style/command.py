"""``cropper style`` without its shell: files in, a file out, exit code out."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cropper.console import print_json, say
from cropper.errors import ConfigError, extra
from cropper.image import load_image
from cropper.render import check_free, check_output, write, write_picture
from cropper.style.backbone import load_backbone
from cropper.style.config import StyleConfig
from cropper.style.costs import Costs
from cropper.style.descent import DescentStep, transfer

__all__ = ["StyleOptions", "style"]

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class StyleOptions:
    like: str
    output: Path
    config: StyleConfig
    backbone: str = "trunk"
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
    costs: list[Costs] = []
    last: DescentStep | None = None
    try:
        for last in transfer(source, like, load_backbone(options.backbone), options.config):
            costs.append(last.costs)
            if progress:
                progress(last.number, last.total, last.told)
            if options.frames and last.number % options.every == 0:
                frame = _frame(options.frames, last.number)
                write_picture(last.pixels, frame, 100, overwrite=options.overwrite)
    finally:
        if last is not None:
            _finish(photo, last, costs, options)
    return 0


def _check(options: StyleOptions) -> None:
    """Rather before the work than after it."""
    if options.every < 1:
        raise ConfigError(f"`every` is at least 1, got {options.every}")
    check_output(options.output, overwrite=options.overwrite)
    if options.frames:
        for number in range(options.every, _total(options.config) + 1, options.every):
            check_free(_frame(options.frames, number), overwrite=options.overwrite)
    if options.plot is not None:
        check_free(options.plot, overwrite=options.overwrite)
        _check_plot(options.plot)


def _total(config: StyleConfig) -> int:
    """Steps at most."""
    return sum(steps for _, steps in config.levels())


def _frame(folder: Path, number: int) -> Path:
    return folder / f"{number:05}.png"


def _check_plot(target: Path) -> None:
    """Raises MissingExtraError, and ConfigError for a name that tells no format of plots."""
    with extra("plot"):
        from matplotlib.figure import Figure  # noqa: PLC0415
    known = Figure().canvas.get_supported_filetypes()
    if target.suffix[1:] not in known:
        raise ConfigError(f"{target}: the extension tells the format, one of {', '.join(known)}")


def _finish(photo: str, last: DescentStep, costs: Sequence[Costs], options: StyleOptions) -> None:
    write_picture(last.pixels, options.output, options.quality, overwrite=options.overwrite)
    if options.plot is not None:
        _plot(costs, options.plot, overwrite=options.overwrite)
    height, width = last.pixels.shape[:2]
    if options.as_json:
        record = {"input": photo, "like": options.like, "output": str(options.output)}
        ends = {"content": last.costs.content, "style": last.costs.style}
        print_json({**record, "size": [width, height], "step": last.number, **ends})
    else:
        early = "" if last.number == last.total else f", ended at step {last.number}"
        say(f"{photo} -> {options.output}: {width}x{height}, {last.told}{early}")


def _plot(costs: Sequence[Costs], target: Path, *, overwrite: bool) -> None:
    """Both costs over the steps, in the format that the name tells."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    axes = (figure := Figure(layout="constrained")).subplots()
    for name in ("content", "style"):
        axes.semilogy([max(getattr(each, name), 1e-6) for each in costs], label=name)
    axes.set(xlabel="step", ylabel="cost")
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format=target.suffix[1:])
    write(buffer.getvalue(), target, overwrite=overwrite)

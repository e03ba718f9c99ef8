"""``cropper see`` without its shell: pictures in, a sheet or an overlay out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropper.console import print_json, print_line, say
from cropper.errors import ConfigError, NoInputError
from cropper.finder import CropFinder
from cropper.image import SourceImage, View, load_image
from cropper.listing import list_pictures
from cropper.rank.commands import Failures, counted
from cropper.rank.sheet import Canvas, fitted
from cropper.rank.stream import UnreadablePhoto, read_ahead
from cropper.render import check_no_input, check_output, write_picture
from cropper.report.overlay import SIDE, draw_overlay
from cropper.request import CropRequest
from cropper.scorers import load_scorer
from cropper.see.units import Patch, TopPatches, trunk_tower
from cropper.see.why import score_losses

__all__ = ["UnitsOptions", "WhyOptions", "see_units", "see_why"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class UnitsOptions:
    output: Path
    layer: str = "block6"
    units: int = 9
    top: int = 9
    scorer: str = "convnet"
    tile: int = 96  # px
    quality: int = 90
    as_json: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class WhyOptions:
    output: Path
    request: CropRequest = field(default_factory=CropRequest)
    scorer: str = "cropnet"
    device: str = "auto"
    quality: int = 90
    as_json: bool = False
    overwrite: bool = False


def see_units(
    inputs: Sequence[str], options: UnitsOptions, progress: Progress | None = None
) -> int:
    """A sheet with a row for each unit, best patch first, and a line for each."""
    check_output(options.output, overwrite=options.overwrite)
    paths = list_pictures(inputs)
    check_no_input(options.output, inputs)
    tower = trunk_tower(load_scorer(options.scorer, "cpu"), options.layer)
    found = TopPatches(tower, options.top)
    failures = Failures(options.as_json)
    for path, view in counted(read_ahead(paths, tower.view), len(paths), progress):
        if isinstance(view, UnreadablePhoto):
            failures.add(view)
        else:
            found.add(path, view)
    chosen = found.choose(options.units)
    if not chosen:
        raise NoInputError(f"none of {len(paths)} pictures could be read")
    sheet = Canvas(len(chosen), options.top, options.tile)
    for row, (_, patches) in enumerate(chosen):
        for column, patch in enumerate(patches):
            sheet.put(row, column, _tile(patch, options.tile))
    write_picture(sheet.pixels, options.output, options.quality, overwrite=options.overwrite)
    for unit, patches in chosen:  # after the sheet: who reads them may leave early
        _tell_unit(unit, patches, options)
    return failures.end(len(paths))


def see_why(photo: str, options: WhyOptions, progress: Progress | None = None) -> int:
    """An overlay: the best crop, and bright what its score hangs on."""
    check_output(options.output, overwrite=options.overwrite)
    check_no_input(options.output, [photo])
    image = load_image(photo)
    finder = CropFinder(options.scorer, options.device)
    result = finder.find(image, options.request)
    if result.best.corners:
        raise ConfigError(
            "a turned crop's score is not explained: leave `straighten` and `angle` out"
        )
    view = finder.scorer.spec.view(image)
    losses = score_losses(finder, view, result.best.box, progress=progress)
    picture = draw_overlay(image.view(SIDE), result.crops[:1], losses)
    write_picture(np.asarray(picture), options.output, options.quality, overwrite=options.overwrite)
    _tell_why(photo, image, losses, options)
    return 0


def _tile(patch: Patch, tile: int) -> NDArray[np.uint8]:
    height, width = patch.pixels.shape[:2]
    return fitted(View(patch.pixels, (width, height)), tile)


def _tell_unit(unit: int, patches: Sequence[Patch], options: UnitsOptions) -> None:
    if options.as_json:
        of = [{"input": str(p.path), "value": p.value, "box": list(p.box)} for p in patches]
        print_json({"layer": options.layer, "unit": unit, "patches": of})
    else:
        names = " ".join(patch.path.name for patch in patches)
        print_line(f"{options.layer} {unit}\t{patches[0].value:.2f}\t{names}")


def _tell_why(
    photo: str, image: SourceImage, losses: NDArray[np.float64], options: WhyOptions
) -> None:
    """Where the score hangs most, in the photo's pixels."""
    if options.as_json:
        print_json({"input": photo, "output": str(options.output), "losses": losses.tolist()})
        return
    row, column = np.unravel_index(int(losses.argmax()), losses.shape)
    rows, columns = losses.shape
    x, y = (column + 0.5) / columns * image.size[0], (row + 0.5) / rows * image.size[1]
    least = f", and gains {-losses.min():.2f} elsewhere" if losses.min() < 0 else ""
    say(
        f"{photo} -> {options.output}: the score loses {losses.max():.2f} where the photo is "
        f"blurred around ({x:.0f}, {y:.0f}){least}"
    )

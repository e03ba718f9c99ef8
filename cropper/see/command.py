"""``cropper see`` without its shell: pictures in, a sheet, a page or an overlay out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropper.console import print_json, print_line, say
from cropper.errors import ConfigError
from cropper.finder import CropFinder
from cropper.image import SourceImage, load_image
from cropper.rank.sheet import SheetOptions, TileSheet, fitted
from cropper.rank.stream import Pictures, Progress
from cropper.render import check_free, check_no_input, check_output, write, write_picture
from cropper.report import render_layers
from cropper.report.overlay import SIDE, draw_overlay
from cropper.request import CropRequest
from cropper.scorers import load_scorer
from cropper.scorers.affine import as_pixels
from cropper.see.page import Chosen, Place, check_page, layers_shown
from cropper.see.units import Patch, TopPatches, Tower, tower_of
from cropper.see.why import STEPS, attribute_score, score_losses

__all__ = ["UnitsOptions", "WhyOptions", "see_units", "see_why"]

_LAYER = "block6"  # of a sheet


@dataclass(frozen=True)
class UnitsOptions(SheetOptions):
    """``output`` or ``report`` is given."""

    output: Path | None = None  # a sheet of one layer
    report: Path | None = None  # a page of all layers
    layer: str | None = None  # one of the scorer's; of a sheet, None is block6
    units: int = 9  # of a layer
    top: int = 9
    scorer: str = "convnet"
    tile: int = 96  # px


@dataclass(frozen=True)
class WhyOptions(SheetOptions):
    output: Path
    request: CropRequest = field(default_factory=CropRequest)
    by: str = "occlusion"  # or gradients
    steps: int = STEPS  # of gradients
    scorer: str = "cropnet"
    device: str = "auto"


def see_units(
    inputs: Sequence[str], options: UnitsOptions, progress: Progress | None = None
) -> int:
    """A sheet of a layer, a row for each unit with its best patch first, or a page of all layers.

    Prints a line for each unit.
    """
    target = _checked_target(options)
    pictures = Pictures(inputs, options.as_json, progress)
    check_no_input(target, inputs)
    tower = tower_of(load_scorer(options.scorer, "cpu"))
    layer = options.layer or ("" if options.report else _LAYER)
    found = TopPatches(tower, [layer] if layer else [], options.top)
    if options.report:
        check_page(len(found.layers), options.units, options.top)
    for path, view in pictures.seen(tower.view):
        found.add(path, view)
    chosen = found.choose(options.units)
    pictures.check(any(chosen.values()))
    tiles = _tiles(chosen, tower, options.tile, pictures)
    if options.report:
        layers = layers_shown(found, chosen, tiles, target.resolve().parent)
        summary = (
            f"{len(pictures.paths) - pictures.failed} photos. Of each layer the units that stand "
            "out most, each with the parts of photos that excite it most, one of a photo."
        )
        page = render_layers(f"What {options.scorer} sees", summary, layers, options.tile)
        write(page.encode(), target, overwrite=options.overwrite)
    else:
        sheet = TileSheet(len(chosen[layer]), options.top, options.tile)
        for (_, row, column), pixels in tiles:
            sheet.put(row, column, pixels)
        write_picture(sheet.pixels, target, options.quality, overwrite=options.overwrite)
    for name, units in chosen.items():  # after the file: who reads them may leave early
        for unit, patches in units:
            _tell_unit(name, unit, patches, options.as_json)
    return pictures.end()


def _checked_target(options: UnitsOptions) -> Path:
    """Raises ConfigError for none or two, and for one that may not be written."""
    if options.output and not options.report:
        check_output(options.output, overwrite=options.overwrite)
        return options.output
    if options.output or not options.report:
        raise ConfigError("name a sheet with `output`, or a page of all layers with `report`")
    if options.report.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"the report is a page, as in layers.html, got {options.report}")
    check_free(options.report, overwrite=options.overwrite)
    return options.report


def see_why(photo: str, options: WhyOptions, progress: Progress | None = None) -> int:
    """An overlay: the best crop, and bright what its score hangs on."""
    check_output(options.output, overwrite=options.overwrite)
    check_no_input(options.output, [photo])
    image = load_image(photo)
    by_gradients = options.by == "gradients"
    finder = CropFinder(options.scorer, "cpu" if by_gradients else options.device)  # in 32 bits
    if by_gradients:
        as_pixels(finder.scorer)  # rather now than after a search
    result = finder.find(image, options.request)
    if result.best.corners:
        raise ConfigError(
            "a turned crop's score is not explained: leave `straighten` and `angle` out"
        )
    view, box = finder.scorer.spec.view(image), result.best.box
    facts: dict[str, float] = {}
    if by_gradients:
        found = attribute_score(finder.scorer, view, box, steps=options.steps, progress=progress)
        parts = found.parts
        facts = {"score": found.score, "blurred": found.blurred, "missing": found.missing}
    else:
        parts = score_losses(finder, view, box, progress=progress)
    picture = draw_overlay(image.view(SIDE), result.crops[:1], parts)
    write_picture(np.asarray(picture), options.output, options.quality, overwrite=options.overwrite)
    if options.as_json:
        facts |= {"losses": parts.tolist()}
        print_json({"input": photo, "output": str(options.output), "by": options.by, **facts})
    else:
        say(f"{photo} -> {options.output}: {_told(parts, facts, image)}")
    return 0


def _tiles(
    chosen: Chosen, tower: Tower, tile: int, pictures: Pictures
) -> Iterator[tuple[Place, NDArray[np.uint8]]]:
    """Every patch in its place, ``tile`` px.

    Its photo is read once more for it, so that a run over many keeps names and boxes alone.
    """
    photos: dict[Path, list[tuple[Place, Patch]]] = {}
    for layer, units in chosen.items():
        for row, (_, patches) in enumerate(units):
            for column, patch in enumerate(patches):
                photos.setdefault(patch.path, []).append(((layer, row, column), patch))
    for path, view in pictures.seen_again(photos, tower.view):
        for place, patch in photos[path]:
            shown = patch.of(view)
            if shown.pixels.size:  # else the photo has become another
                yield place, fitted(shown, tile)


def _tell_unit(layer: str, unit: int, patches: Sequence[Patch], as_json: bool) -> None:
    if as_json:
        of = [{"input": str(p.path), "value": p.value, "box": list(p.box)} for p in patches]
        print_json({"layer": layer, "unit": unit, "patches": of})
    else:
        names = " ".join(patch.path.name for patch in patches)
        print_line(f"{layer} {unit}\t{patches[0].value:.2f}\t{names}")


def _told(parts: NDArray[np.float64], facts: Mapping[str, float], image: SourceImage) -> str:
    """Where the score hangs most, in the photo's pixels."""
    row, column = np.unravel_index(int(parts.argmax()), parts.shape)
    rows, columns = parts.shape
    x, y = (column + 0.5) / columns * image.size[0], (row + 0.5) / rows * image.size[1]
    place, most, least = f"around ({x:.0f}, {y:.0f})", parts.max(), parts.min()
    if not facts:
        gains = f", and gains {-least:.2f} elsewhere" if least < 0 else ""
        return f"the score loses {most:.2f} where the photo is blurred {place}{gains}"
    costs = f", and another {least:+.2f}" if least < 0 else ""
    return (
        f"the score is {facts['score']:.2f}, and {facts['blurred']:.2f} of the blurred photo: the "
        f"part {place} brings {most:+.2f}{costs}; {facts['missing']:+.2f} is missing, and more "
        "`steps` find it"
    )

"""The page of a network's layers, from the patches that were found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropper.errors import ConfigError
from cropper.image import View
from cropper.report import LayerShown, PatchShown, data_uri, file_link
from cropper.see.units import Patch, TopPatches

__all__ = ["Chosen", "Place", "check_page", "layers_shown"]

Chosen = Mapping[str, Sequence[tuple[int, Sequence[Patch]]]]  # of each layer, units and patches
Place = tuple[str, int, int]  # layer, row, column
_ON_PAGE = 20_000  # patches; a browser takes no more


def check_page(layers: int, units: int, top: int) -> None:
    """Raises ConfigError for a page of more patches than can be looked at."""
    if layers * units * top > _ON_PAGE:
        raise ConfigError(
            f"a page holds {_ON_PAGE:,} patches, got {layers} layers x {units} units x {top}: "
            "lower `units` or `top`, or name one `layer`"
        )


def layers_shown(
    found: TopPatches,
    chosen: Chosen,
    tiles: Iterable[tuple[Place, NDArray[np.uint8]]],
    folder: Path,
) -> list[LayerShown]:
    """For a page in an absolute ``folder``. ``tiles`` are (h, w, 3), of the patches ``chosen``."""
    pictures = {place: data_uri(View(each, each.shape[1::-1])) for place, each in tiles}
    layers = []
    for layer, units in chosen.items():
        rows = []
        for row, (unit, patches) in enumerate(units):
            shown = tuple(
                PatchShown(str(patch.path), file_link(patch.path, folder), patch.value, picture)
                for column, patch in enumerate(patches)
                if (picture := pictures.get((layer, row, column)))
            )
            rows += [(unit, shown)] if shown else []
        layers.append(LayerShown(layer, _about(found, layer), tuple(rows)))
    return layers


def _about(found: TopPatches, layer: str) -> str:
    tower, count = found.tower, len(found.layers[layer].best)
    field, stride = tower.layers[layer].field, tower.layers[layer].stride
    return (
        f"{count} units; each looks at {field} x {field} px of a photo of some {tower.area:,} px, "
        f"at every {stride} px"
    )

"""One HTML file of a network: for each layer some units, each with the patches that excite it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cropper.report.page import filled

__all__ = ["LayerShown", "PatchShown", "render_layers"]


@dataclass(frozen=True)
class PatchShown:
    name: str  # of its photo
    link: str  # to the photo, from the page
    value: float  # of the unit
    picture: str  # as data_uri gives it


@dataclass(frozen=True)
class LayerShown:
    name: str
    about: str
    units: tuple[tuple[int, tuple[PatchShown, ...]], ...]  # best patch first, at least one


def render_layers(title: str, summary: str, layers: Sequence[LayerShown], tile: int) -> str:
    """``tile`` px, side of the square that a patch is shown in; names are escaped."""
    return filled("layers.html.jinja", title=title, summary=summary, layers=layers, tile=tile)

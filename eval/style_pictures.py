"""What networks make of one photo and one painting: a strip for each, with strengths.

The photo is Rachel Michetti's coffee cup of scikit-image (CC0), the painting is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cropper.errors import extra
from cropper.finder import CropFinder
from cropper.image import from_array, make_folder
from cropper.render import cut, write_picture
from eval.painting import drawn_painting

if TYPE_CHECKING:
    from cropper.style import Backbone

__all__ = ["STRENGTHS", "StyleStrip", "draw_style_pictures", "render_strips"]

STRENGTHS = (20, 100)
_SIZE = (192, 240)  # px of each picture
_QUALITY = 80

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class StyleStrip:
    """The photo, the painting, and the photo so painted at each strength, side by side."""

    path: Path
    # By the name of each network that was asked for: the style costs that it sees in the photo,
    # and in what was painted
    seen: Mapping[str, tuple[float, ...]]


def draw_style_pictures(folder: Path, names: Sequence[str], steps: int = 30) -> list[StyleStrip]:
    """``style-NAME.webp`` for each network, by its name or file; others are replaced.

    Raises MissingExtraError without scikit-image, and MissingModelError.
    """
    from cropper.style import StyleConfig, load_backbone, transfer_style  # noqa: PLC0415 - torch

    networks = {Path(name).stem: load_backbone(name) for name in names}
    photo, painting = _photo(), drawn_painting(max(_SIZE))
    make_folder(folder)
    strips = []
    for name, network in networks.items():
        configs = [StyleConfig(strength=each, size=max(_SIZE), steps=steps) for each in STRENGTHS]
        painted = [transfer_style(photo, painting, network, config) for config in configs]
        strip = np.concatenate([photo, painting[:, : _SIZE[0]], *painted], 1)
        write_picture(strip, path := folder / f"style-{name}.webp", _QUALITY, overwrite=True)
        pictures = (photo, *painted)
        seen = {
            judge: tuple(_style_cost(each, painting, by) for each in pictures)
            for judge, by in networks.items()
        }
        strips.append(StyleStrip(path, seen))
    return strips


def _photo() -> Pixels:
    with extra("test"):
        from skimage import data  # noqa: PLC0415 - of an extra

    source = from_array(data.coffee())  # type: ignore[no-untyped-call]
    found = CropFinder().find(source, aspect="4:5")
    return np.array(cut(source, found.best, _SIZE))


def _style_cost(picture: Pixels, painting: Pixels, network: Backbone) -> float:
    import torch  # noqa: PLC0415

    from cropper.style.costs import gram, style_cost  # noqa: PLC0415

    with torch.no_grad():
        found, wanted = (
            network(torch.from_numpy(each).movedim(-1, 0)[None] / 255, {*network.style_layers})
            for each in (picture, painting)
        )
        return style_cost(found, {name: gram(each) for name, each in wanted.items()}).item()


def render_strips(strips: Sequence[StyleStrip]) -> str:
    """Plain text: each file with the style costs of its pictures."""
    heads = ["the photo", *(f"strength {each}" for each in STRENGTHS)]
    lines = []
    for strip in strips:
        lines.append(f"{strip.path.name}: {strip.path.stat().st_size / 1000:.0f} kB")
        for judge, costs in strip.seen.items():
            told = (f"{head} {cost:.3f}" for head, cost in zip(heads, costs, strict=True))
            lines.append(f"  style cost by {judge}: {', '.join(told)}")
    return "\n".join(lines)

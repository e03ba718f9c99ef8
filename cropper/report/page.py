"""One HTML file for a run: failures, then photos with their crops, to filter, to sort and to mark.

Pictures, style and script are inside, and a content policy keeps anything from being fetched. The
files themselves, in full size, are a link away.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from cropper.image import View
from cropper.report.overlay import cropped
from cropper.report.records import LabelledCrop, ReportedPhoto

__all__ = ["data_uri", "file_link", "filled", "picture_side", "render_page"]

_SIDES = (800, 480)  # px, long side of a picture: of few photos, and of many
_FEW = 100
_HIGH = 416  # px; no picture is shown higher
_WIDE = 560


def picture_side(count: int) -> int:
    """px, long side of the pictures in a page of so many photos, all of which it holds."""
    return _SIDES[count > _FEW]


def render_page(
    title: str, summary: str, photos: Sequence[ReportedPhoto], failures: Sequence[tuple[str, str]]
) -> str:
    """``failures`` are (name, message); names and messages may be anything and are escaped."""
    return filled("page.html.jinja", title=title, summary=summary, photos=photos, failures=failures)


def filled(template: str, **values: object) -> str:
    """A template of this folder as a page; all that is put in is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - slow

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["picture"] = data_uri
    environment.filters["cropped"] = _cropped
    environment.filters["shown_width"] = _shown_width
    environment.filters["points"] = _points
    page = environment.get_template(template).render(values)
    return page.encode("utf-8", "replace").decode()  # names that are no UTF-8


def file_link(path: Path, folder: Path) -> str:
    """To a file, from a page in an absolute folder, as a browser reads it."""
    return quote(os.path.relpath(path.resolve(), folder), errors="surrogateescape")


def _points(shown: LabelledCrop) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in shown.crop.quad)


def _shown_width(shown: LabelledCrop | ReportedPhoto) -> int:
    """px of the page, for a picture that is seen whole."""
    width, height = shown.crop.layout()[0] if isinstance(shown, LabelledCrop) else shown.size
    return max(round(width * min(_HIGH / height, _WIDE / width)), 1)


def _cropped(view: View, shown: LabelledCrop) -> str:
    """The crop as it is written, as sharp as the view, as a page holds it."""
    side = max(shown.crop.layout()[0]) * view.pixels.shape[1] / view.size[0]
    picture = cropped(view, shown.crop, max(round(side), 1))
    return data_uri(View(np.asarray(picture), picture.size))


def data_uri(view: View) -> str:
    """A picture as a page holds it."""
    buffer = io.BytesIO()
    Image.fromarray(view.pixels).save(buffer, "JPEG", quality=75)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()

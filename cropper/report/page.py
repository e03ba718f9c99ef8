"""One HTML file for a run: failures, then photos with their crops, to filter, to sort and to mark.

Pictures, style and script are inside, and a content policy keeps anything from being fetched. The
files themselves, in full size, are a link away.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from cropper.image import View
from cropper.report.records import LabelledCrop, ReportedPhoto

__all__ = ["picture_side", "render_page"]

_SIDES = (800, 480)  # px, long side of a picture: of few photos, and of many
_FEW = 100
_HIGH = 416  # px; no picture is shown higher
_WIDE = 560
_TEMPLATE = Path(__file__).with_name("page.html.jinja")


def picture_side(count: int) -> int:
    """px, long side of the pictures in a page of so many photos, all of which it holds."""
    return _SIDES[count > _FEW]


def render_page(
    title: str, summary: str, photos: Sequence[ReportedPhoto], failures: Sequence[tuple[str, str]]
) -> str:
    """``failures`` are (name, message); names and messages may be anything and are escaped."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - slow

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["picture"] = _picture
    environment.filters["shown_width"] = _shown_width
    environment.filters["points"] = _points
    template = environment.from_string(_TEMPLATE.read_text("utf-8"))
    page = template.render(title=title, summary=summary, photos=photos, failures=failures)
    return page.encode("utf-8", "replace").decode()  # names that are no UTF-8


def _points(shown: LabelledCrop) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in shown.crop.quad)


def _shown_width(shown: LabelledCrop | ReportedPhoto) -> int:
    """px of the page, for a picture that is seen whole."""
    if isinstance(shown, LabelledCrop):
        width, height = shown.crop.width, shown.crop.height
    else:
        width, height = shown.size
    return max(round(width * min(_HIGH / height, _WIDE / width)), 1)


def _picture(view: View) -> str:
    """As a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(view.pixels).save(buffer, "JPEG", quality=75)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()

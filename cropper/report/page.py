"""One HTML file for a run: thumbnails with the crops drawn on them, scores, failures; sortable.

Pictures, style and script are inside, and a content policy keeps anything from being fetched.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from cropper.image import View
from cropper.report.records import LabelledCrop, ReportedPhoto

__all__ = ["THUMBNAIL", "render_page"]

THUMBNAIL = 260  # px, long side
_TEMPLATE = Path(__file__).with_name("page.html.jinja")


def render_page(
    title: str, summary: str, photos: Sequence[ReportedPhoto], failures: Sequence[tuple[str, str]]
) -> str:
    """``failures`` are (name, message); names and messages may be anything and are escaped."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - slow

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["thumbnail"] = _thumbnail
    environment.filters["points"] = _points
    template = environment.from_string(_TEMPLATE.read_text("utf-8"))
    page = template.render(title=title, summary=summary, photos=photos, failures=failures)
    return page.encode("utf-8", "replace").decode()  # names that are no UTF-8


def _points(shown: LabelledCrop) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in shown.crop.quad)


def _thumbnail(view: View) -> str:
    """As a data URI."""
    picture = Image.fromarray(view.pixels)
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=75)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()

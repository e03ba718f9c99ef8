"""Results for people to look at, drawn and written from records: nothing here finds a crop."""

from cropper.report.overlay import draw_overlay, explain
from cropper.report.page import picture_side, render_page
from cropper.report.records import LabelledCrop, ReportedPhoto
from cropper.report.sheet import draw_sheet

__all__ = ["LabelledCrop", "ReportedPhoto", "draw_overlay", "draw_sheet", "explain"]
__all__ += ["picture_side", "render_page"]

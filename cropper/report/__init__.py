"""Results for people to look at, drawn and written from records: nothing here finds a crop."""

from cropper.report.layers import LayerShown, PatchShown, render_layers
from cropper.report.overlay import draw_overlay, explain
from cropper.report.page import data_uri, file_link, picture_side, render_page
from cropper.report.records import LabelledCrop, ReportedPhoto
from cropper.report.sheet import draw_sheet

__all__ = ["LabelledCrop", "LayerShown", "PatchShown", "ReportedPhoto", "draw_overlay"]
__all__ += ["data_uri", "draw_sheet", "explain", "file_link", "picture_side", "render_layers"]
__all__ += ["render_page"]

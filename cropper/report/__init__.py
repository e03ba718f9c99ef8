"""Results for people to look at, drawn and written from records: nothing here finds a crop."""

from cropper.report.overlay import draw_overlay

__all__ = ["draw_overlay"]

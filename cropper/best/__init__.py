"""``cropper best``: plan, then for each photo find, cut, write and tell; count what failed."""

from cropper.best.plan import BestOptions
from cropper.best.run import crop_files

__all__ = ["BestOptions", "crop_files"]

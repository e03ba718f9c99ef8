"""cropper finds the crop of a photo that people like best.

>>> from cropper import CropFinder, save_crop
>>> finder = CropFinder()
>>> result = finder.find("photo.jpg", aspect="4:5")
>>> save_crop("photo.jpg", result.best, "cropped.jpg")

A name imports what it needs when it is first asked for: importing the package takes little time,
and never torch or click.
"""

import os.path
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    from cropper.errors import CropperError
    from cropper.search import SearchConfig, search  # now: `search` is the module's name too
except KeyboardInterrupt:  # the command's own try begins when this package is there
    if os.path.basename(sys.argv[0]) in ("cropper", "-m"):
        raise SystemExit(130) from None
    raise

if TYPE_CHECKING:
    from cropper.boxes import Crop
    from cropper.bulk import BulkOptions, BulkReport, crop_folder
    from cropper.finder import CropFinder, find_best_crop
    from cropper.image import SourceImage, View, from_array, load_image
    from cropper.render import save_crop
    from cropper.request import CropRequest
    from cropper.result import CropResult, SearchResult, StopReason
    from cropper.scorers import BoundScorer, Scorer, ScorerSpec, load_scorer, register_scorer
    from cropper.space import CropSpace, crop_spaces
    from cropper.transform import TransformFinder

    __version__: str

__all__ = [
    "BoundScorer",
    "BulkOptions",
    "BulkReport",
    "Crop",
    "CropFinder",
    "CropRequest",
    "CropResult",
    "CropSpace",
    "CropperError",
    "Scorer",
    "ScorerSpec",
    "SearchConfig",
    "SearchResult",
    "SourceImage",
    "StopReason",
    "TransformFinder",
    "View",
    "__version__",
    "crop_folder",
    "crop_spaces",
    "find_best_crop",
    "from_array",
    "load_image",
    "load_scorer",
    "register_scorer",
    "save_crop",
    "search",
]


_LATER = {
    "boxes": ("Crop",),
    "bulk": ("BulkOptions", "BulkReport", "crop_folder"),
    "finder": ("CropFinder", "find_best_crop"),
    "image": ("SourceImage", "View", "from_array", "load_image"),
    "render": ("save_crop",),
    "request": ("CropRequest",),
    "result": ("CropResult", "SearchResult", "StopReason"),
    "scorers": ("BoundScorer", "Scorer", "ScorerSpec", "load_scorer", "register_scorer"),
    "space": ("CropSpace", "crop_spaces"),
    "transform": ("TransformFinder",),
}
_HOMES = {name: f"cropper.{module}" for module, names in _LATER.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "__version__":
        return import_module("importlib.metadata").version("cropper")
    raise AttributeError(f"module 'cropper' has no attribute {name!r}")

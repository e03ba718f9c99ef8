"""cropper finds the crop of a photo that people like best.

>>> from cropper import CropFinder, save_crop
>>> finder = CropFinder()
>>> result = finder.find("photo.jpg", aspect="4:5")
>>> save_crop("photo.jpg", result.best, "cropped.jpg")

Importing it imports neither torch nor click; what needs them, and folders, when first asked for.
"""

import os.path
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    from cropper.boxes import Crop
    from cropper.errors import CropperError
    from cropper.finder import CropFinder, find_best_crop
    from cropper.image import SourceImage, View, from_array, load_image
    from cropper.render import save_crop
    from cropper.request import CropRequest
    from cropper.result import CropResult, SearchResult, StopReason
    from cropper.scorers import BoundScorer, Scorer, ScorerSpec, load_scorer, register_scorer
    from cropper.search import SearchConfig, search
    from cropper.space import CropSpace, crop_spaces
except KeyboardInterrupt:  # the command's own try begins when this package is there
    if os.path.basename(sys.argv[0]) in ("cropper", "-m"):
        raise SystemExit(130) from None
    raise

if TYPE_CHECKING:
    from cropper.bulk import BulkOptions, BulkReport, crop_folder
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
    "BulkOptions": "cropper.bulk",
    "BulkReport": "cropper.bulk",
    "TransformFinder": "cropper.transform",
    "crop_folder": "cropper.bulk",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    if name == "__version__":
        return import_module("importlib.metadata").version("cropper")
    raise AttributeError(f"module 'cropper' has no attribute {name!r}")

"""cropper finds the crop of a photo that people like best.

>>> from cropper import CropFinder, load_image, save_crop  # doctest: +SKIP
>>> photo = load_image("photo.jpg")  # doctest: +SKIP
>>> found = CropFinder().find(photo, aspect="4:5")  # doctest: +SKIP
>>> save_crop(photo, found.best.box, "cropped.jpg")  # doctest: +SKIP

Importing it imports neither torch nor click, and ``cropper.bulk`` when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cropper.boxes import Crop
from cropper.errors import CropperError
from cropper.finder import CropFinder, find_best_crop
from cropper.image import SourceImage, View, from_array, load_image, save_crop
from cropper.result import CropResult, SearchResult, StopReason
from cropper.scorers import BoundScorer, Scorer, ScorerSpec, load_scorer, register
from cropper.search import SearchConfig, search
from cropper.space import CropSpace, crop_spaces

if TYPE_CHECKING:
    from cropper.bulk import BulkOptions, BulkReport, crop_folder

__all__ = [
    "BoundScorer",
    "BulkOptions",
    "BulkReport",
    "Crop",
    "CropFinder",
    "CropResult",
    "CropSpace",
    "CropperError",
    "Scorer",
    "ScorerSpec",
    "SearchConfig",
    "SearchResult",
    "SourceImage",
    "StopReason",
    "View",
    "crop_folder",
    "crop_spaces",
    "find_best_crop",
    "from_array",
    "load_image",
    "load_scorer",
    "register",
    "save_crop",
    "search",
]


def __getattr__(name: str) -> Any:
    if name in ("BulkOptions", "BulkReport", "crop_folder"):
        return getattr(import_module("cropper.bulk"), name)
    raise AttributeError(f"module 'cropper' has no attribute {name!r}")

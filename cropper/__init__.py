"""cropper finds the crop of a photo that people like best.

>>> from cropper import CropFinder, load_image, save_crop  # doctest: +SKIP
>>> photo = load_image("photo.jpg")  # doctest: +SKIP
>>> found = CropFinder().find(photo, aspect="4:5")  # doctest: +SKIP
>>> save_crop(photo, found.best.box, "cropped.jpg")  # doctest: +SKIP

Importing it imports neither torch nor click.
"""

from cropper.boxes import Crop
from cropper.bulk import BulkOptions, BulkReport, crop_folder
from cropper.errors import CropperError
from cropper.finder import CropFinder, find_best_crop
from cropper.image import SourceImage, View, from_array, load_image, save_crop
from cropper.result import CropResult, SearchResult, StopReason
from cropper.scorers import BoundScorer, Scorer, ScorerSpec, load_scorer, register
from cropper.search import SearchConfig, search
from cropper.space import CropSpace, crop_spaces

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

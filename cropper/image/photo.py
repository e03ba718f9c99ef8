"""Whatever a caller has a photo in -> SourceImage."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cropper.errors import ConfigError
from cropper.image.source import SourceImage, from_array, load_image

__all__ = ["Photo", "open_photo"]

Photo = SourceImage | str | Path | bytes | BinaryIO | Image.Image | NDArray[Any] | Any
"""A path, bytes, an open binary file, a Pillow image, a uint8 array (H, W, 3) or (H, W), or a torch
tensor (H, W, 3) or (3, H, W), uint8 or float in [0, 1]."""


def open_photo(photo: Photo) -> SourceImage:
    """Raises what ``load_image`` and ``from_array`` raise."""
    if isinstance(photo, SourceImage):
        return photo
    if hasattr(photo, "cpu") and hasattr(photo, "numpy"):  # a tensor, without an import of torch
        return from_array(_pixels(photo))
    if isinstance(photo, (np.ndarray, Image.Image)):
        return from_array(photo)
    return load_image(photo)


def _pixels(tensor: Any) -> NDArray[np.uint8]:
    values: NDArray[Any] = tensor.detach().cpu().numpy()
    if values.ndim == 3 and values.shape[0] == 3 and values.shape[2] != 3:
        values = values.transpose(1, 2, 0)
    if values.dtype.kind != "f":
        return np.asarray(values)  # from_array checks the type
    if not (
        np.isfinite(values).all() and values.min(initial=0) >= 0 and values.max(initial=0) <= 1
    ):
        raise ConfigError("a photo of floats has values in [0, 1]: scale it, or give uint8")
    return (values * 255).round().astype(np.uint8)

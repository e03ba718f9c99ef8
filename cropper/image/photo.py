"""Whatever a caller has a photo in -> SourceImage."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cropper.errors import ConfigError, ImageReadError
from cropper.image.formats import sniff
from cropper.image.header import inspect, reading
from cropper.image.source import SourceImage

__all__ = ["Photo", "from_array", "load_image", "open_photo"]

_HEAD = 4096  # bytes that tell a format

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


def load_image(
    source: str | Path | bytes | BinaryIO,
    *,
    max_mpixels: float = 200,
    name: str | None = None,
    strict: bool = False,
) -> SourceImage:
    """Reads a file, bytes or an open binary file; ``name`` is what messages call it.

    Of an animation or a document the first frame counts. A JPEG with damaged data, whose decoder
    shows something, is told in the notes once it was decoded, or refused then where that is
    ``strict``. Raises ImageReadError for what is not a readable picture, ImageTooLargeError above
    ``max_mpixels`` (millions of pixels), both naming the file. Pixels that are broken further down
    raise when they are first needed.
    """
    if not max_mpixels > 0:
        raise ConfigError(f"max_mpixels is above 0, got {max_mpixels}")
    if name is None:
        given = getattr(source, "name", None)
        name = (
            os.fspath(source) if isinstance(source, (str, os.PathLike)) else str(given or "<bytes>")
        )
    try:
        data = _read(source)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageReadError(f"{name}: cannot be read: {reason}", "unreadable") from error
    if not data:
        raise ImageReadError(f"{name}: an empty file; copy or download it again", "empty")
    header, data = inspect(name, data, max_mpixels)
    return SourceImage(name, header, data, strict=strict)


def from_array(pixels: NDArray[np.uint8] | Image.Image, name: str = "array") -> SourceImage:
    """A copy of (H, W, 3) sRGB or (H, W) grey pixels, uint8; or of a Pillow image in any mode.

    A Pillow image comes with its profile and its EXIF, thus is turned where that says so.
    """
    if isinstance(pixels, Image.Image):
        with reading(name, pixels.format or "Pillow"):
            return SourceImage.of(name, pixels.copy())
    array = np.asarray(pixels)
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    if array.dtype != np.uint8 or not shaped or not array.size:
        raise ConfigError(
            f"pixels are uint8 in shape (H, W, 3) or (H, W), got {array.dtype} {array.shape}"
        )
    return SourceImage.of(name, Image.fromarray(np.array(array, order="C")))


def _read(source: str | Path | bytes | BinaryIO) -> bytes:
    """All bytes; no more than the head of a file that can't be a picture."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            head = file.read(_HEAD)
            return head + file.read() if sniff(head) else head
    if not hasattr(source, "read"):
        raise ImageReadError(
            f"a picture is a path, bytes or an open file, got {type(source).__name__}: make one of "
            "pixels with from_array"
        )
    data = source.read()
    if not isinstance(data, bytes):
        raise ConfigError(f"a file is opened in binary mode, but read() gave {type(data).__name__}")
    return data


def _pixels(tensor: Any) -> NDArray[np.uint8]:
    tensor = tensor.detach().cpu()
    values: NDArray[Any] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    if values.ndim == 3 and values.shape[0] == 3 and values.shape[2] != 3:
        values = values.transpose(1, 2, 0)
    if values.dtype.kind != "f":
        return np.asarray(values)  # from_array checks the type
    if not (
        np.isfinite(values).all() and values.min(initial=0) >= 0 and values.max(initial=0) <= 1
    ):
        raise ConfigError("a photo of floats has values in [0, 1]: scale it, or give uint8")
    return (values * 255).round().astype(np.uint8)

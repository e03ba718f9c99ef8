"""Ranked tiles as they are learned from: without frames and borders, and which are alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cropper.annotations import ANNOTATIONS, read_annotations
from cropper.errors import CropperError, DataError
from cropper.image import load_image
from cropper.scorers.convnet import Preprocessing

__all__ = ["Tiles", "read_tiles", "trim"]

Floats = NDArray[np.float64]
_BLANK = 235  # mean level from which a pixel is white
_WHITE_SHARE = 0.97  # of a border's pixels
_DUPLICATE = 0.9  # correlation of 16 x 16 px in grey


@dataclass(frozen=True)
class Tiles:
    pixels: tuple[NDArray[np.uint8], ...]  # frame and borders off
    place: Floats  # (N,): from the best to the worst
    row: NDArray[np.int64]  # (N,): of the continuum, -1 elsewhere
    thumbnails: Floats  # (N, 256), standardised

    @property
    def sides(self) -> NDArray[np.int64]:
        return np.array([max(tile.shape[:2]) for tile in self.pixels])

    def like(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """(N,): which tiles are near-duplicates of some of ``rows``, those themselves included."""
        alike = np.asarray((self.thumbnails @ self.thumbnails[rows].T > _DUPLICATE).any(1))
        alike[rows] = True
        return alike


def read_tiles(root: Path, *, best: float, worst: float, least: int) -> Tiles:
    """``best`` and ``worst`` are the places of those sets; ``least`` tiles make a continuum.

    Raises DataError for broken annotations and for a tile that cannot be read.
    """
    path = root / ANNOTATIONS
    remedy = "give `tiles` the folder that holds it"
    try:
        entries = [
            (str(each["image"]), str(each["set"]), int(each["rank"]))
            for each in read_annotations(path, ("image", "set", "rank"), remedy)
        ]
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: a rank is a whole number, got {error!r}: {remedy}") from error
    rows = np.array([rank if kind == "continuum" else -1 for _, kind, rank in entries])
    last = rows.max(initial=-1)
    if (rows >= 0).sum() < least or last < 1:
        raise DataError(f"{path}: a continuum of {least} tiles or more is needed")
    places = {"best": best, "worst": worst}
    unknown = {kind for _, kind, _ in entries} - {*places, "continuum"}
    if unknown:
        raise DataError(f"{path}: a set is best, worst or continuum, got {min(unknown)!r}")
    place = [places.get(kind, 1 - 2 * rank / last) for _, kind, rank in entries]
    pixels = []
    for name, _, _ in entries:
        try:
            image = load_image(root / name)
            pixels.append(trim(image.view(max(image.size)).pixels[1:-1, 1:-1]))
        except CropperError as error:
            raise DataError(f"{path}: {error}") from error
    return Tiles(tuple(pixels), np.array(place), rows, _thumbnails(pixels))


def trim(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Without white rows and columns at the edges; at least a tenth of each side stays."""
    white = pixels.mean(2) > _BLANK
    top, bottom = _blank_ends(white.mean(1) > _WHITE_SHARE)
    left, right = _blank_ends(white[top:bottom].mean(0) > _WHITE_SHARE)
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def _blank_ends(blank: NDArray[np.bool_]) -> tuple[int, int]:
    """(N,) -> the range without the blank ends, each of them at most 45 % of the length."""
    most = int(0.45 * len(blank))
    start = int(np.argmin(np.append(blank[:most], False)))
    end = int(np.argmin(np.append(blank[::-1][:most], False)))
    return start, len(blank) - end


def _thumbnails(pixels: list[NDArray[np.uint8]]) -> Floats:
    """(N, 256): 16 x 16 px in grey, mean 0, norm 1, so that a product is a correlation."""
    plain = Preprocessing(16, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    small = [plain.read(plain.levels(torch.from_numpy(tile)), whole)[0] for tile in pixels]
    grey = torch.stack(small).mean(1).flatten(1).double().numpy()
    grey -= grey.mean(1, keepdims=True)
    return np.asarray(grey / np.maximum(np.linalg.norm(grey, axis=1, keepdims=True), 1e-9))

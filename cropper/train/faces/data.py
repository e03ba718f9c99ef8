"""A folder a person -> aligned faces, the people that are held out apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cropper.errors import DataError, ImageReadError
from cropper.identity.descriptor import aligned
from cropper.identity.known import the_face
from cropper.image import load_image
from cropper.listing import list_pictures

__all__ = ["Identities", "read_identities", "split", "varied"]

_VIEW = 1280  # px of a photo that faces are cut from
_TELL_EVERY = 100  # people
_SHIFT = 5  # px, at most
_LIGHT = 0.3  # share by which brightness and contrast change, at most
_COARSEST = 0.3  # of the resolution


@dataclass(frozen=True)
class Identities:
    """Aligned faces and whose they are."""

    faces: NDArray[np.uint8]  # (N, 150, 150, 3)
    people: NDArray[np.intp]  # (N,) by number
    names: tuple[str, ...]

    def of(self, people: NDArray[np.intp]) -> Identities:
        """Those people alone, numbered anew."""
        rows = np.flatnonzero(np.isin(self.people, people))
        numbers = np.searchsorted(people, self.people[rows])
        return Identities(self.faces[rows], numbers, tuple(self.names[each] for each in people))


def read_identities(folder: Path, log: Callable[[str], None]) -> Identities:
    """Of a folder with a folder a person. People with fewer than two faces are left out.

    Raises DataError where fewer than four people are left.
    """
    faces: list[NDArray[np.uint8]] = []
    people: list[int] = []
    names: list[str] = []
    folders = sorted(each for each in folder.iterdir() if each.is_dir() and each.name[0] != ".")
    alone = 0
    for done, each in enumerate(folders, 1):
        if done % _TELL_EVERY == 0:
            log(f"{done}/{len(folders)} people, {len(faces)} faces")
        own = _faces_below(each, log)
        if len(own) < 2:
            alone += 1
            continue
        faces += own
        people += [len(names)] * len(own)
        names.append(each.name)
    if alone:
        log(f"{alone} of {len(folders)} people have fewer than two faces and are left out")
    if len(names) < 4:
        raise DataError(
            f"{folder}: {len(names)} people have two photos or more, and it takes four: a triplet "
            "is two photos of a person and one of another, and with one photo a person there is "
            "nothing that could lie near"
        )
    return Identities(np.stack(faces), np.array(people, dtype=np.intp), tuple(names))


def _faces_below(folder: Path, log: Callable[[str], None]) -> list[NDArray[np.uint8]]:
    found = []
    for path in list_pictures([folder]):
        try:
            image = load_image(path)
            seen = the_face(image)
        except (DataError, ImageReadError) as error:
            log(f"{error}: left out")
            continue
        found.append(aligned(image.view(_VIEW), [seen.face])[0])
    return found


def split(identities: Identities, share: float, seed: int) -> tuple[Identities, Identities]:
    """Some people to learn from, and ``share`` of them, at least two, to be measured on."""
    count = len(identities.names)
    order = np.random.default_rng(seed).permutation(count)
    held = max(round(count * share), 2)
    return identities.of(np.sort(order[held:])), identities.of(np.sort(order[:held]))


def varied(faces: Tensor, rng: np.random.Generator) -> Tensor:
    """(N, 150, 150, 3) seen a little differently: mirrored, moved, lit otherwise, coarser."""
    x = faces.float().permute(0, 3, 1, 2)
    mirrored = torch.from_numpy(rng.random(len(x)) < 0.5)
    x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    right, down = (int(each) for each in rng.integers(-_SHIFT, _SHIFT + 1, 2))
    x = F.pad(x, (right, -right, down, -down), mode="replicate")
    contrast, light = torch.from_numpy(rng.uniform(-_LIGHT, _LIGHT, (2, len(x), 1, 1, 1))).float()
    mean = x.mean((1, 2, 3), keepdim=True)
    x = ((x - mean) * (1 + contrast) + mean) * (1 + light)
    side = round(x.shape[2] * rng.uniform(_COARSEST, 1))
    small = F.interpolate(x, size=side, mode="area")
    x = F.interpolate(small, size=x.shape[2], mode="bilinear", align_corners=False)
    return x.clamp(0, 255).permute(0, 2, 3, 1)

"""A known person: a name, and what a network made of photos of a face."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Person"]


@dataclass(frozen=True)
class Person:
    """Compares equal to the same name with the same encodings, which are never shown."""

    name: str
    encodings: tuple[tuple[float, ...], ...]  # (N, 128), one a photo

    def __repr__(self) -> str:
        return f"Person({self.name!r}, digest={self.digest!r})"

    @property
    def array(self) -> NDArray[np.float32]:
        """(N, 128)."""
        return np.array(self.encodings, dtype=np.float32)

    @property
    def digest(self) -> str:
        """Tells two persons apart, and nothing of a face."""
        return hashlib.sha256(self.array.tobytes()).hexdigest()[:32]

"""The people whom a crop is to keep, as far as they are in a photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cropper.faces import Face
from cropper.identity.look import Gallery, Match, look, recognise
from cropper.image import SourceImage
from cropper.person import Person

__all__ = ["Wanted", "find_wanted"]

# Share of strangers that are taken for one of the people. Larger than where a name is the answer:
# to cut off somebody who is wanted is worse than to keep a stranger
_RATE = 1e-2


@dataclass(frozen=True)
class Wanted:
    """Of the people who are asked for, those that are found and those that are not."""

    found: tuple[tuple[Face, Match], ...]
    absent: tuple[str, ...]

    @property
    def faces(self) -> tuple[Face, ...]:
        return tuple(face for face, _ in self.found)


def find_wanted(people: Sequence[Person], image: SourceImage) -> Wanted:
    """Looks at the faces of a photo once, whoever asks."""
    seen = look(image)
    matches = recognise(seen, Gallery(people), _RATE)
    pairs = zip(seen, matches, strict=True)
    found = tuple((each.face, match) for each, match in pairs if match)
    names = {match.person.name for _, match in found}
    return Wanted(found, tuple(each.name for each in people if each.name not in names))

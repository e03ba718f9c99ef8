"""Known people: learnt from a folder with a folder a person, kept in one local file.

The file holds names and encodings, and no picture: a safetensors file with a tensor (N, 128) a
person. Only its owner may read it. Nothing else in the package writes encodings anywhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cropper.errors import ConfigError, DataError, ImageReadError, NoInputError
from cropper.identity.config import NUMBERS, WEIGHTS
from cropper.identity.likeness import RATE, farthest
from cropper.identity.look import Gallery, SeenFace, look
from cropper.image import SourceImage, load_image, make_folder, write_atomic
from cropper.listing import list_pictures
from cropper.person import Person

__all__ = ["KnownPeople", "face_of", "learn_people", "learn_person", "people_of", "the_face"]

Tell = Callable[[str], None]
Progress = Callable[[int, int], None]
_FORMAT = "people 1"
_UNLIKE = 0.1  # of strangers, as near as whom photos of one person lie
_AHEAD = 2.0  # heights: of a photo's faces the largest is the person, where it is so much larger
_RESERVED = {"faces", "largest", "none", "__metadata__"}


@dataclass(frozen=True)
class KnownPeople:
    people: tuple[Person, ...]  # by name
    left_out: tuple[str, ...] = field(default=(), compare=False)  # of whom no photo was of use

    def __iter__(self) -> Iterator[Person]:
        return iter(self.people)

    def __len__(self) -> int:
        return len(self.people)

    def named(self, name: str) -> Person:
        """Raises ConfigError for nobody known."""
        for person in self.people:
            if person.name == name:
                return person
        known = ", ".join(each.name for each in self.people) or "nobody"
        raise ConfigError(f"{name} is not known, of the people that are: {known}")

    def without(self, names: Sequence[str]) -> KnownPeople:
        """Raises ConfigError for a name that is not known."""
        gone = {self.named(name).name for name in names}
        return KnownPeople(tuple(each for each in self.people if each.name not in gone))

    def with_others(self, others: KnownPeople) -> KnownPeople:
        """People of the same name as they are among the others."""
        merged = {each.name: each for each in (*self, *others)}
        return KnownPeople(tuple(merged[name] for name in sorted(merged)))

    def save(self, path: Path) -> None:
        """Readable by its owner alone, in place of an earlier one. Raises ImageWriteError."""
        facts = {"format": _FORMAT, "descriptor": _descriptor_digest()}
        data = save({each.name: each.array for each in self.people}, {"cropper": json.dumps(facts)})
        make_folder(path.parent)
        before = os.umask(0o077)
        try:
            write_atomic(data, path, overwrite=True)
        finally:
            os.umask(before)
        with contextlib.suppress(OSError):  # a file system without rights
            path.chmod(0o600)

    @classmethod
    def load(cls, path: Path) -> KnownPeople:
        """Raises DataError for a file of something else, or of another descriptor."""
        remedy = "make one with `cropper faces learn`"
        if not path.is_file():
            raise DataError(f"{path} is no file of known people: {remedy}")
        try:
            with safe_open(path, framework="numpy") as file:
                facts = json.loads((file.metadata() or {})["cropper"])
                stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if facts["format"] != _FORMAT:
                raise KeyError(facts["format"])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} is no file of known people ({error}): {remedy}") from error
        if facts["descriptor"] != _descriptor_digest():
            raise DataError(f"{path} is of another face descriptor than this one: {remedy}")
        for name, rows in stored.items():
            if rows.ndim != 2 or rows.shape[1] != NUMBERS or not np.isfinite(rows).all():
                raise DataError(f"{path}: the encodings of {name} are broken: {remedy}")
        return cls(
            tuple(Person(name, tuple(map(tuple, stored[name].tolist()))) for name in sorted(stored))
        )

    @classmethod
    def at(cls, path: Path, tell: Tell | None = None) -> KnownPeople:
        """Of a file, or of a folder with a folder a person, from which nothing is kept."""
        return learn_people(path, tell) if path.is_dir() else cls.load(path)


def learn_people(
    folder: Path, tell: Tell | None = None, progress: Progress | None = None
) -> KnownPeople:
    """A folder a person, one photo is enough; ``tell`` hears what is odd or could not be used.

    ``progress`` hears of people done, of how many. Raises DataError where nobody is left.
    """
    tell = tell or (lambda _: None)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: give one that holds a folder a person")
    folders = sorted(x for x in folder.iterdir() if x.is_dir() and not x.name.startswith("."))
    people: list[Person] = []
    left_out = []
    for done, each in enumerate(folders, 1):
        name = unicodedata.normalize("NFC", each.name)
        try:
            people.append(learn_person(name, each, tell))
        except DataError as error:
            tell(f"{error}: {name} is left out")
            left_out.append(name)
        if progress:
            progress(done, len(folders))
    if not people:
        raise DataError(
            f"{folder} has no folder of photos that show a face well: give one a person, as in "
            f"{folder}/anna/photo.jpg"
        )
    _tell_oddities(people, tell)
    return KnownPeople(tuple(people), tuple(left_out))


def _tell_oddities(people: Sequence[Person], tell: Tell) -> None:
    """Photos of one person that are not alike, and people who are."""
    gallery = Gallery(people)
    for row, person in enumerate(people):
        gaps = gallery.distances(person.array)
        apart = np.linalg.norm(person.array[:, None] - person.array[None], axis=2).max()
        if apart > farthest(_UNLIKE):
            tell(f"{person.name}: its photos are not alike; do all show one person?")
        for other in np.flatnonzero(gaps.min(0)[:row] <= farthest(RATE)).tolist():
            names = f"{people[other].name} and {person.name}"
            tell(f"{names} are alike: one may be taken for the other")


def people_of(photos: Sequence[Path], known: Sequence[Person] = ()) -> tuple[Person, ...]:
    """Those whom photos show, called by the photos' paths, after those who are known already.

    Photos of one person are one person. Raises what ``the_face`` and ``load_image`` raise.
    """
    people = list(known)
    for photo in photos:
        face = np.array([face_of(photo)], np.float32)
        gaps = Gallery(people).distances(face)[0]
        if len(gaps) and gaps.min() <= farthest(RATE):
            same = people[int(gaps.argmin())]
            more = (*same.encodings, tuple(face[0].tolist()))
            people[int(gaps.argmin())] = Person(same.name, more)
        else:
            people.append(Person(str(photo), (tuple(face[0].tolist()),)))
    return tuple(people)


def learn_person(name: str, photos: Path, tell: Tell | None = None) -> Person:
    """From a photo, or from all below a folder. Raises ConfigError for a name that means more."""
    if name in _RESERVED or "," in name or ";" in name:
        raise ConfigError(f"nobody can be called {name!r} here: rename {photos}")
    encodings = []
    try:
        paths = list_pictures([photos])
    except NoInputError as error:
        raise DataError(str(error)) from error
    for path in paths:
        try:
            encodings.append(face_of(path))
        except (DataError, ImageReadError) as error:
            if path == photos:
                raise
            if tell:
                tell(f"{error}: left out")
    if not encodings:
        raise DataError(f"{photos}: none of its {len(paths)} photos shows {name}'s face well")
    return Person(name, tuple(encodings))


def face_of(path: Path) -> tuple[float, ...]:
    """The encoding of the one face that a photo is of. Raises what ``the_face`` raises."""
    encoding = the_face(load_image(path)).encoding
    assert encoding is not None, "a face that can be read"
    return encoding


def the_face(image: SourceImage) -> SeenFace:
    """The one that a photo is of.

    Raises DataError for a photo of none, of several, or of one that cannot be read.
    """
    path, seen = image.name, look(image)
    if not seen:
        raise DataError(f"{path}: no face is found in it; give a photo that shows one")
    first = seen[0]
    others = [each for each in seen[1:] if each.face.height * _AHEAD > first.face.height]
    if others:
        raise DataError(
            f"{path}: {len(others) + 1} faces of about one size; give a photo of one person, "
            "or a crop of it"
        )
    if first.encoding is None:
        raise DataError(f"{path}: its face is {first.unreadable}; give a larger, frontal one")
    return first


@lru_cache(1)
def _descriptor_digest() -> str:
    return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()

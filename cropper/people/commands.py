"""List, verify, recognise, learn and forget faces: options in, exit code out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cropper.boxes import SLACK, Box, as_boxes, overhang
from cropper.console import print_json, print_line, say
from cropper.errors import ConfigError, CropperError, DataError, ImageWriteError
from cropper.finder import CropFinder
from cropper.identity import (
    RATE,
    Gallery,
    KnownPeople,
    Match,
    SeenFace,
    farthest,
    learn_people,
    recognise,
    stranger_rate,
)
from cropper.identity.known import face_of
from cropper.image import SourceImage
from cropper.people.look import PhotoFaces, Tile, face_sheet, look_at, record
from cropper.rank.sheet import SheetOptions
from cropper.rank.stream import Pictures, Progress
from cropper.render import check_no_input, check_output, write_picture
from cropper.request import CropRequest

__all__ = ["FacesOptions", "WhoOptions", "forget", "learn", "list_faces", "verify", "who"]


@dataclass(frozen=True)
class FacesOptions(SheetOptions):
    aspect: str | None = None  # of the crop that may cut faces; None: none is looked for
    sheet: Path | None = None


@dataclass(frozen=True)
class WhoOptions:
    people: Path  # a file of known people, or a folder with a folder a person
    false_accepts: float = RATE
    as_json: bool = False


def list_faces(
    inputs: Sequence[str], options: FacesOptions, progress: Progress | None = None
) -> int:
    """A line for each face, and a sheet of all."""
    if options.sheet:
        check_output(options.sheet, overwrite=options.overwrite)
    if options.aspect:
        CropRequest(aspect=options.aspect)  # checks it
    pictures = Pictures(inputs, options.as_json, progress, "input")
    if options.sheet:
        check_no_input(options.sheet, inputs)
    tiles: list[Tile] = []
    also = _crop_of(options.aspect) if options.aspect else None
    for photo in look_at(pictures, tiles=bool(options.sheet), also=also):
        tiles += photo.tiles
        if not _tell_faces(photo, options.as_json) and not options.sheet:
            break  # nobody reads the rest
    if options.sheet and tiles:
        write_picture(
            face_sheet(tiles), options.sheet, options.quality, overwrite=options.overwrite
        )
        say(f"wrote {options.sheet}: {len(tiles)} faces")
    elif options.sheet:
        say(f"no face in {len(pictures.paths)} pictures: no sheet is written")
    return pictures.end()


def _crop_of(aspect: str) -> Callable[[SourceImage], Box]:
    finder = CropFinder()
    return lambda image: finder.find(image, aspect=aspect).best.box


def _tell_faces(photo: PhotoFaces, as_json: bool) -> bool:
    places = [_place(each, photo) for each in photo.seen]
    records, lines = [], []
    for each, place in zip(photo.seen, places, strict=True):
        x0, y0, x1, y1 = each.face.box
        by_crop = place and f"{place} by the crop"
        told = [f"sharpness {each.sharpness:.0f}", each.unreadable, by_crop]
        records.append(record(each) | ({"crop": place} if place else {}))
        lines.append(
            f"{x1 - x0:.0f}x{y1 - y0:.0f}+{x0:.0f}+{y0:.0f}\t{', '.join(filter(None, told))}"
        )
    return _tell_photo(photo, records, lines, as_json)


def _tell_photo(
    photo: PhotoFaces, records: Sequence[dict[str, Any]], lines: Sequence[str], as_json: bool
) -> bool:
    """One JSON object with a record a face, or a line each. Whether somebody reads on."""
    if as_json:
        size = list(photo.size)
        return print_json({"input": str(photo.path), "source_size": size, "faces": list(records)})
    told = [f"{number}\t{line}" for number, line in enumerate(lines, 1)] or ["0\tno face is found"]
    return all(print_line(f"{photo.path}\t{each}") for each in told)


def _place(seen: SeenFace, photo: PhotoFaces) -> str:
    """What the photo's crop does to a head: ``kept``, ``cut``, ``left out``; empty without one."""
    if photo.extra is None:
        return ""
    head, crop = np.array(seen.face.head(photo.size)), np.array(photo.extra)
    if overhang(as_boxes(head), as_boxes(crop))[0, 0] <= SLACK:
        return "kept"
    apart = np.concatenate([crop[:2] - head[2:], head[:2] - crop[2:]])
    return "left out" if apart.max() >= -SLACK else "cut"


def verify(first: Path, second: Path, *, false_accepts: float = RATE, as_json: bool = False) -> int:
    """0 where both photos are of one person, 1 where not. Raises ConfigError for any trouble."""
    _check_rate(false_accepts)
    try:
        gap = float(np.linalg.norm(np.subtract(face_of(first), face_of(second))))
    except CropperError as error:  # 1 is an answer here
        raise ConfigError(str(error)) from error
    same, rate = gap <= farthest(false_accepts), stranger_rate(gap)
    if as_json:
        print_json(
            {"same": same, "distance": round(gap, 4), "stranger_rate": rate}
            | {"false_accepts": false_accepts, "inputs": [str(first), str(second)]}
        )
    else:
        verdict = "one person" if same else "not told to be one person"
        print_line(f"{verdict}: {_told(rate)} (distance {gap:.2f})")
    return 0 if same else 1


def who(inputs: Sequence[str], options: WhoOptions, progress: Progress | None = None) -> int:
    """A line for each face: a name, or nobody known."""
    _check_rate(options.false_accepts)
    gallery = Gallery(KnownPeople.at(options.people, say).people)
    pictures = Pictures(inputs, options.as_json, progress, "input")
    for photo in look_at(pictures):
        records, lines = [], []
        for seen, match in zip(
            photo.seen, recognise(photo.seen, gallery, options.false_accepts), strict=True
        ):
            records.append(record(seen) | _match_record(match))
            told = f"{match.person.name}\t{_told(match.stranger_rate)}" if match else ""
            unknown = "nobody known\t" + (seen.unreadable and f"it is {seen.unreadable}")
            lines.append((told or unknown).rstrip())
        if not _tell_photo(photo, records, lines, options.as_json):
            break  # nobody reads the rest
    return pictures.end()


def _match_record(match: Match | None) -> dict[str, Any]:
    if match is None:
        return {"name": None}
    return {
        "name": match.person.name,
        "distance": round(match.distance, 4),
        "stranger_rate": match.stranger_rate,
    }


def _told(rate: float) -> str:
    """For people to read."""
    if rate <= 1e-6:
        return "fewer than 1 of 1,000,000 pairs of strangers are as alike"
    if rate < 0.1:
        return f"1 of {float(f'{1 / rate:.2g}'):,.0f} pairs of strangers is as alike"
    return f"{rate:.0%} of pairs of strangers are as alike"


def learn(folder: Path, target: Path, progress: Progress | None = None) -> int:
    """Adds the people of a folder to a file; those it knows already are learnt anew."""
    known = KnownPeople.load(target) if target.exists() else KnownPeople(())
    found = learn_people(folder, say, progress)
    known.with_others(found).save(target)
    before = {person.name for person in known}
    for person in found:
        photos = len(person.encodings)
        told = "\tin place of earlier ones" if person.name in before else ""
        print_line(f"{person.name}\t{photos} photo{'s' if photos > 1 else ''}{told}")
    say(f"wrote {target}: {len(known.with_others(found))} people, readable by you alone")
    return 1 if found.left_out else 0


def forget(names: Sequence[str], path: Path, *, everyone: bool = False) -> int:
    """Takes people out of a file; with the last of them goes the file."""
    if everyone == bool(names):
        raise ConfigError("name whom to forget, or use `everyone` alone")
    left = KnownPeople(()) if everyone else KnownPeople.load(path).without(names)
    if len(left):
        left.save(path)
        say(f"wrote {path}: {len(left)} people left")
        return 0
    if everyone and path.exists():
        KnownPeople.load(path)  # nothing else is deleted
    try:
        path.unlink()
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except OSError as error:
        raise ImageWriteError(f"{path} cannot be deleted: {error.strerror}") from error
    say(f"deleted {path}: nobody is left")
    return 0


def _check_rate(rate: float) -> None:
    if not 1e-6 <= rate <= 0.1:
        raise ConfigError(f"`false_accepts` is a share from 0.000001 to 0.1, got {rate}")

"""People who are to be kept: found, kept whole, or told to be absent."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cropper import CropFinder, CropRequest, from_array
from cropper.bulk import BulkOptions
from cropper.cli import main
from cropper.errors import ConfigError
from cropper.faces import Face
from cropper.identity import farthest, learn_person, look
from cropper.parsing import parse_kept
from cropper.person import Person
from tests.faces import astronaut, known_folder, save, side_by_side, stranger


def person_at(name: str, value: float = 0.0) -> Person:
    return Person(name, ((value, *(0.0,) * 127),))


@pytest.fixture
def ann(tmp_path: Path) -> Person:
    return learn_person("ann", save(tmp_path / "ann.png", astronaut()[:, ::-1]))


def group() -> np.ndarray:
    """Strangers who are larger than ann, at both sides of her."""
    return side_by_side(stranger(83, 320, 90), astronaut(), stranger(31, 320, 90))


@pytest.mark.parametrize("aspect", ["1:1", "9:16", "16:9", "1:3"])
def test_a_person_is_whole_in_the_crop_and_others_may_go(ann: Person, aspect: str) -> None:
    image = from_array(group())
    result = CropFinder().find(image, aspect=aspect, keep=(ann,))
    assert result.people is not None
    (found,) = result.people
    assert found.name == "ann"
    x0, y0, x1, y1 = Face(found.box, 1.0).head(image.size)
    left, top, right, bottom = result.best.box
    assert left - 1 <= x0
    assert top - 1 <= y0
    assert right + 1 >= x1
    assert bottom + 1 >= y1
    assert result.absent == ()


def test_the_largest_face_is_kept_where_nobody_is_named(ann: Person) -> None:
    """Else the test above could not fail."""
    result = CropFinder().find(from_array(group()), aspect="1:3", keep=("largest",))
    named = CropFinder().find(from_array(group()), aspect="1:3", keep=(ann,))
    assert abs(result.best.box[0] - named.best.box[0]) > 100


def test_without_the_person_a_photo_is_cropped_as_if_nobody_was_named(ann: Person) -> None:
    image = from_array(side_by_side(stranger(83), stranger(31)))
    plain = CropFinder().find(image, aspect="1:1")
    result = CropFinder().find(image, aspect="1:1", keep=(ann,))
    assert result.best == plain.best
    assert result.people == ()
    assert result.absent == ("ann",)
    assert "ann is not found in it" in result.notes


def test_who_is_found_is_kept_and_who_is_not_is_told(ann: Person) -> None:
    result = CropFinder().find(from_array(group()), aspect="1:1", keep=(ann, person_at("eve", 9)))
    assert result.people is not None
    assert [each.name for each in result.people] == ["ann"]
    assert result.absent == ("eve",)
    assert not result.shows_nobody
    assert "eve is not found in it" in result.notes


def test_the_whole_photo_is_copied_in_its_own_shape(ann: Person) -> None:
    image = from_array(stranger(83))
    result = CropFinder().find(image, size=(50, 80), no_enlarge=True, keep=(ann,), if_absent="copy")
    assert result.copied
    assert result.best.box == (0, 0, *image.size)
    assert result.crop().size == image.size


def test_a_likeness_that_strangers_may_have_is_told() -> None:
    image = from_array(astronaut())
    (seen,) = look(image)
    assert seen.encoding is not None
    near = np.array(seen.encoding)
    near[0] += farthest(5e-3)
    result = CropFinder().find(image, keep=(Person("ann", (tuple(near.tolist()),)),))
    assert [note for note in result.notes if "may be a stranger's: 1 of 200 is as alike" in note]


def test_a_person_is_kept_in_a_turned_photo(ann: Person) -> None:
    tilted = np.array(Image.fromarray(group()).rotate(4, Image.Resampling.BICUBIC))
    result = CropFinder().find(from_array(tilted), aspect="1:1", keep=(ann,), straighten="crop")
    assert result.people is not None
    (found,) = result.people
    centre = np.array(found.box).reshape(2, 2).mean(0)
    low, high = np.array(result.best.quad).min(0), np.array(result.best.quad).max(0)
    assert (low < centre).all()
    assert (centre < high).all()


def test_names_are_parsed_beside_words_and_boxes() -> None:
    people = {name: person_at(name, 1.0) for name in ("ann", "ben")}
    ann, ben = people.values()
    assert parse_kept(["ann,ben"], people) == (ann, ben)
    assert parse_kept(["ann", "1,2,3,4"], people) == (ann, (1, 2, 4, 6))
    assert parse_kept(["faces", "ben"], people) == ("faces", ben)
    assert parse_kept(["1,2,3,4"], people) == ("faces", (1, 2, 4, 6))
    with pytest.raises(ConfigError, match="eve is none of the people here: ann, ben"):
        parse_kept(["ann,eve"], people)


def test_a_request_checks_its_people() -> None:
    ann = person_at("ann")
    with pytest.raises(ConfigError, match="each person once"):
        CropRequest(keep=(ann, person_at("ann", 1.0)))
    with pytest.raises(ConfigError, match="`if_absent` is about people"):
        CropRequest(if_absent="skip")
    with pytest.raises(ConfigError, match="`if_absent` is one of"):
        CropRequest(keep=(ann,), if_absent="cry")
    with pytest.raises(ConfigError, match="constraints are on boxes"):
        CropRequest(keep=(ann,), method="stn")
    request = CropRequest(keep=(ann,), if_absent="skip")
    assert pickle.loads(pickle.dumps(request)) == request


def test_a_folder_is_done_again_for_another_face_of_the_same_name() -> None:
    keys = [
        BulkOptions((CropRequest(keep=(each,)),)).key("")
        for each in (person_at("ann"), person_at("ann", 1.0), person_at("ben"))
    ]
    keys.append(BulkOptions((CropRequest(keep=(person_at("ann"),), if_absent="skip"),)).key(""))
    assert len({*keys}) == 4
    again = BulkOptions((replace(CropRequest(), keep=(person_at("ann"),)),)).key("")
    assert again == keys[0]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save(Path("in/group.png"), group())
    save(Path("in/other.png"), side_by_side(stranger(83), stranger(31)))
    save(Path("ann.png"), astronaut()[:, ::-1])
    return known_folder(Path("people"))


def run(*line: str) -> Result:
    return CliRunner().invoke(main, list(line))


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("ann.png", ["--keep-person", "ann.png"]),
        ("ann", ["--people", "people", "--keep", "ann"]),
    ],
)
def test_best_keeps_skips_and_copies(folder: Path, name: str, who: list[str]) -> None:
    line = ["best", "in/group.png", "in/other.png", "--size", "90x160", *who, "--json"]
    line += ["--orient"]  # people are found in the upright photo
    found = run(*line, "-o", "skip/{stem}.png", "--if-absent", "skip")
    assert found.exit_code == 0, found.output
    first, second = map(json.loads, found.stdout.splitlines())
    assert first["people"][0]["name"] == name
    assert second["output"] is None
    assert second["status"] == "skipped"
    assert second["absent"] == [name]
    assert [path.name for path in Path("skip").iterdir()] == ["group.png"]
    found = run(*line, "-o", "copy/{stem}.png", "--if-absent", "copy")
    assert found.exit_code == 0, found.output
    assert Image.open("copy/group.png").size == (90, 160)
    assert Image.open("copy/other.png").size == Image.open("in/other.png").size


@pytest.mark.parametrize(("absent", "state"), [("skip", "skipped"), ("copy", "done")])
def test_bulk_tells_who_is_absent(folder: Path, absent: str, state: str) -> None:
    line = ["bulk", "in", "-o", "out", "--aspect", "1:1", "--size", "64x64", "--json"]
    line += ["--keep-person", "ann.png", "--if-absent", absent]
    found = run(*line)
    assert found.exit_code == 0, found.output
    records = {each["input"]: each for each in map(json.loads, found.stdout.splitlines())}
    assert records["in/group.png"]["status"] == "done"
    assert records["in/other.png"]["status"] == state
    assert records["in/other.png"]["absent"] == ["ann.png"]
    skipped = "skipped; " if absent == "skip" else ""
    assert f"other.png: {skipped}ann.png is not found in it" in found.stderr
    assert "group.png:" not in found.stderr
    assert Image.open("out/group.png").size == (64, 64)
    if absent == "copy":
        assert Image.open("out/other.png").size == Image.open("in/other.png").size
    else:
        assert not Path("out/other.png").exists()
    again = run(*line)
    assert again.exit_code == 0
    assert "2 were done already" in again.stderr


def test_a_crop_that_stays_of_another_person_is_told(folder: Path) -> None:
    line = ["bulk", "in", "-o", "out", "--aspect", "1:1", "--if-absent", "skip"]
    assert run(*line, "--keep-person", "ann.png").exit_code == 0
    save(Path("eve.png"), stranger(93))
    found = run(*line, "--keep-person", "eve.png")
    assert found.exit_code == 0
    assert Path("out/group.png").exists()
    assert "skipped; eve.png is not found in it; group.png stays from an earlier" in found.stderr
    assert "other.png stays" not in found.stderr


def test_a_table_names_people_who_are_named_for_all(folder: Path) -> None:
    save(Path("in/second.png"), group())
    Path("subjects.csv").write_text("photo,keep\nsecond.png,s31\n")
    line = ["bulk", "in", "-o", "out", "--aspect", "1:3", "--subjects", "subjects.csv", "--json"]
    found = run(*line, "--people", "people", "--keep", "ann,s31")
    assert found.exit_code == 0, found.output
    records = {each["input"]: each for each in map(json.loads, found.stdout.splitlines())}
    assert [each["name"] for each in records["in/second.png"]["people"]] == ["s31"]
    assert {each["name"] for each in records["in/group.png"]["people"]} == {"ann", "s31"}


def test_who_is_kept_by_a_photo_goes_by_its_path(folder: Path) -> None:
    save(Path("people2/ann/mirrored.png"), stranger(31))
    line = ["best", "in/group.png", "--aspect", "16:9", "-o", "x.png", "--json"]
    photos = ["people/ann/mirrored.png", "people2/ann/mirrored.png", "ann.png"]
    found = run(*line, *(part for photo in photos for part in ("--keep-person", photo)))
    assert found.exit_code == 0, found.output
    record = json.loads(found.stdout)
    assert {each["name"] for each in record["people"]} == {*photos[:2]}  # the third is the first
    assert record["absent"] == []


def test_who_does_not_fit_is_told(folder: Path) -> None:
    line = ["--aspect", "1:4", "--people", "people", "--keep", "ann,s31"]
    found = run("best", "in/group.png", *line, "-o", "x.png", "--json")
    assert found.exit_code == 0, found.output
    people = {each["name"]: each["kept"] for each in json.loads(found.stdout)["people"]}
    assert sorted(people.values()) == [False, True]
    (cut,) = (name for name, kept in people.items() if not kept)
    assert f"{cut} is not whole in the crop" in found.stderr
    assert f"{cut} is not whole in the crop" in run("bulk", "in", "-o", "out", *line).stderr


def test_no_encoding_is_written_anywhere(folder: Path) -> None:
    """Neither as numbers nor as bytes, in whatever a run over a folder leaves."""
    line = ["bulk", "in", "-o", "out", "--people", "people", "--keep", "ann"]
    assert run(*line, "--report", "out/r.html", "--sheet", "out/s.jpg").exit_code == 0
    person = learn_person("ann", Path("people/ann"))
    raw = person.array.tobytes()
    texts = [f"{value:.4f}".encode() for value in person.encodings[0][:3]]
    for path in Path("out").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert raw[:16] not in content
            assert not all(text in content for text in texts)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--keep", "bob"], "or a name with --people"),
        (["--people", "people"], "add --keep NAME"),
        (["--people", "people", "--keep", "bob"], "bob is none of the people here: ann, s31"),
        (["--if-absent", "skip"], "--if-absent is about people"),
    ],
)
def test_what_names_nobody_is_refused(folder: Path, options: list[str], told: str) -> None:
    found = run("best", "in/group.png", *options, "-o", "x.png")
    assert found.exit_code == 2
    assert told in found.stderr


def test_a_photo_without_a_face_keeps_nobody(folder: Path) -> None:
    save(Path("wall.png"), np.full((99, 99, 3), 90, np.uint8))
    found = run("best", "in/group.png", "--keep-person", "wall.png", "-o", "x.png")
    assert found.exit_code == 1
    assert "no face is found" in found.stderr

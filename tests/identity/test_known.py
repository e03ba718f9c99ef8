"""Known people: learnt, recognised, stored for their owner alone, and forgotten."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import save_file
from skimage import data

from cropper import from_array
from cropper.errors import ConfigError, DataError
from cropper.faces import Face
from cropper.identity import (
    Gallery,
    KnownPeople,
    farthest,
    learn_people,
    look,
    recognise,
    stranger_rate,
)
from cropper.identity.known import face_of, learn_person
from cropper.identity.look import SeenFace
from cropper.person import Person
from tests.faces import STRANGERS, astronaut, known_folder, save, side_by_side, stranger


@given(st.floats(0.05, 1.5), st.floats(0.05, 1.5))
def test_the_farther_the_more_strangers(one: float, other: float) -> None:
    near, far = sorted([one, other])
    assert 0 < stranger_rate(near) <= stranger_rate(far) <= 1


@given(st.floats(-6, -0.31))
def test_rate_and_distance_are_inverse(exponent: float) -> None:
    assert stranger_rate(farthest(10**exponent)) == pytest.approx(10**exponent, rel=1e-6)


def test_a_face_is_known_again_among_strangers(tmp_path: Path) -> None:
    people = learn_people(known_folder(tmp_path))
    photo = side_by_side(stranger(STRANGERS[3]), astronaut(), stranger(STRANGERS[0]))
    seen = look(from_array(photo))
    found = recognise(seen, Gallery(people.people))
    names = {
        round(each.face.box[0]) // 320: match and match.person.name
        for each, match in zip(seen, found, strict=True)
    }
    assert names[0] is None
    assert sorted(filter(None, names.values())) == ["ann", f"s{STRANGERS[0]}"]
    assert all(match.stranger_rate <= 1e-3 for match in found if match)


def seen_at(*values: float) -> list[SeenFace]:
    """Faces whose encodings differ in their first number alone."""
    face = Face((0.0, 0.0, 9.0, 9.0), 1.0)
    return [SeenFace(face, (value, *(0.0,) * 127), 9.0) for value in values]


def person_at(name: str, *values: float) -> Person:
    return Person(name, tuple((value, *(0.0,) * 127) for value in values))


def names_of(seen: list[SeenFace], people: list[Person]) -> list[str | None]:
    return [match and match.person.name for match in recognise(seen, Gallery(people))]


def test_nobody_is_in_a_photo_twice() -> None:
    assert names_of(seen_at(0.1, 0.2), [person_at("ann", 0.0)]) == ["ann", None]


def test_the_nearest_pair_counts_first() -> None:
    people = [person_at("ann", 0.0), person_at("ben", 0.3)]
    assert names_of(seen_at(0.2, 0.05), people) == ["ben", "ann"]
    assert names_of(seen_at(0.16, 5.0), people) == ["ben", None]


def test_the_nearest_of_a_persons_photos_counts() -> None:
    assert names_of(seen_at(3.1), [person_at("ann", 0.0, 3.0)]) == ["ann"]


@given(st.integers(0, 5), st.lists(st.integers(1, 4), max_size=6), st.integers(0, 99))
def test_distances_are_those_of_loops(faces: int, photos: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    people = [
        Person(str(number), tuple(map(tuple, rng.normal(size=(count, 128)).tolist())))
        for number, count in enumerate(photos)
    ]
    asked = rng.normal(size=(faces, 128)).astype(np.float32)
    expected = [
        [min(np.linalg.norm(face - row) for row in person.array) for person in people]
        for face in asked
    ]
    found = Gallery(people).distances(asked)
    np.testing.assert_allclose(found, np.reshape(expected, (faces, len(people))), atol=1e-5)


def test_a_face_that_cannot_be_read_is_nobodys() -> None:
    unread = SeenFace(Face((0.0, 0.0, 9.0, 9.0), 1.0), None, 9.0, "too small")
    assert names_of([unread], [person_at("ann", 0.0)]) == [None]
    assert names_of([], [person_at("ann", 0.0)]) == []
    assert names_of(seen_at(0.0), []) == [None]


def test_a_small_and_a_turned_face_are_not_read() -> None:
    small = np.full((1280, 1280, 3), 127, np.uint8)
    face = Image.fromarray(astronaut()[70:214, 150:294]).resize((32, 32), Image.Resampling.LANCZOS)
    small[300:332, 300:332] = np.array(face)
    camera = np.repeat(data.camera()[..., None], 3, 2)  # a man in profile
    for photo, told in ((small, "too small"), (camera, "turned too far away")):
        (seen,) = look(from_array(photo))
        assert seen.encoding is None
        assert told in seen.unreadable


def test_a_file_of_people_comes_back_and_is_its_owners_alone(tmp_path: Path) -> None:
    people = learn_people(known_folder(tmp_path / "people"))
    path = tmp_path / "deep" / "known.safetensors"
    people.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    back = KnownPeople.load(path)
    assert back == people
    assert KnownPeople.at(path) == KnownPeople.at(tmp_path / "people") == people


def test_forgotten_people_leave_nothing_behind(tmp_path: Path) -> None:
    people = learn_people(known_folder(tmp_path / "people"))
    path = tmp_path / "known.safetensors"
    people.without(["ann"]).save(path)
    assert [each.name for each in KnownPeople.load(path)] == [f"s{i}" for i in STRANGERS[:2]]
    assert people.named("ann").array.tobytes() not in path.read_bytes()
    with pytest.raises(ConfigError, match=r"eve is not known, of the people that are: ann, s31"):
        people.without(["eve"])


def test_encodings_are_never_shown(tmp_path: Path) -> None:
    (ann, *_) = learn_people(known_folder(tmp_path, strangers=0))
    assert repr(ann) == f"Person('ann', digest={ann.digest!r})"
    assert str(ann.encodings[0][0])[:6] not in repr(ann)


def test_a_newer_lesson_replaces_an_older_one() -> None:
    old = KnownPeople((person_at("ann", 0.0), person_at("ben", 1.0)))
    new = KnownPeople((person_at("ann", 2.0),))
    assert old.with_others(new).people == (person_at("ann", 2.0), person_at("ben", 1.0))


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (None, "no file of known people"),
        ({"cropper": '{"format": "people 9", "descriptor": ""}'}, "people 9"),
        ({"cropper": '{"format": "people 1", "descriptor": "x"}'}, "another face descriptor"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, facts: dict[str, str] | None, told: str) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"ann": np.zeros((1, 128), np.float32)}, path, facts)
    with pytest.raises(DataError, match=told):
        KnownPeople.load(path)


def test_no_file_and_no_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing"):
        KnownPeople.at(tmp_path / "nothing")
    with pytest.raises(DataError, match="no folder of photos"):
        learn_people(tmp_path)


def test_photos_of_no_use_are_told_and_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "ann"
    save(folder / "a.png", astronaut())
    save(folder / "b.png", np.zeros((99, 99, 3), np.uint8))
    save(folder / "c.png", side_by_side(astronaut(), astronaut()))
    (folder / "d.jpg").write_bytes(b"\xff\xd8\xff broken")
    told: list[str] = []
    person = learn_person("ann", folder, told.append)
    assert len(person.encodings) == 1
    assert [line.split(": ")[0].rpartition("/")[2] for line in told] == ["b.png", "c.png", "d.jpg"]
    assert "no face" in told[0]
    assert "2 faces of about one size" in told[1]


def test_a_person_without_a_photo_of_use_is_an_error(tmp_path: Path) -> None:
    save(tmp_path / "ann" / "b.png", np.zeros((99, 99, 3), np.uint8))
    with pytest.raises(DataError, match="no folder of photos that show a face well"):
        learn_people(tmp_path)


def test_a_large_face_before_small_ones_is_the_persons(tmp_path: Path) -> None:
    small = astronaut()[60:220, 140:300][::2, ::2]
    photo = side_by_side(np.kron(astronaut(), np.ones((2, 2, 1), np.uint8)), small)
    gap = np.array(face_of(save(tmp_path / "a.png", photo))) - face_of(
        save(tmp_path / "b.png", astronaut())
    )
    assert np.linalg.norm(gap) < 0.3


@pytest.mark.parametrize("name", ["faces", "none", "largest", "a,b", "a;b"])
def test_names_that_mean_more_are_refused(tmp_path: Path, name: str) -> None:
    photo = save(tmp_path / "a.png", astronaut())
    with pytest.raises(ConfigError, match="nobody can be called"):
        learn_person(name, photo)

"""``cropper faces`` through files and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cropper.cli import main
from tests.faces import STRANGERS, astronaut, known_folder, save, side_by_side, stranger


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("in/group.png"), side_by_side(stranger(83), astronaut(), stranger(31)))
    save(Path("in/nobody.png"), np.full((90, 120, 3), 127, np.uint8))
    save(Path("ann.png"), astronaut())
    save(Path("mirrored.jpg"), astronaut()[:, ::-1])
    save(Path("ben.png"), stranger(83))
    known_folder(Path("people"), strangers=1)


def run(*line: str) -> Result:
    return CliRunner().invoke(main, ["faces", *line])


def records(found: Result) -> list[dict]:
    return [json.loads(line) for line in found.stdout.splitlines()]


def test_every_face_is_listed_and_shown() -> None:
    found = run("in", "--json", "--sheet", "faces.png")
    assert found.exit_code == 0, found.output
    group, nobody = records(found)
    assert len(group["faces"]) == 3
    assert nobody["faces"] == []
    for face in group["faces"]:
        x0, y0, x1, y1 = face["box"]
        assert 0 <= x0 < x1 <= group["source_size"][0]
        assert face["height"] == pytest.approx(y1 - y0, abs=0.1)
        assert all(x0 - 9 < x < x1 + 9 and y0 - 9 < y < y1 + 9 for x, y in face["points"])
        assert face["unreadable"] is None
        assert "name" not in face
        assert "crop" not in face
    assert Image.open("faces.png").size == (2 * 130 + 2, 2 * 130 + 2)


def test_text_has_a_line_a_face() -> None:
    lines = [line.split("\t") for line in run("in").stdout.splitlines()]
    assert [line[:2] for line in lines] == [
        ["in/group.png", "1"],
        ["in/group.png", "2"],
        ["in/group.png", "3"],
        ["in/nobody.png", "0"],
    ]


def test_what_a_crop_does_to_each_head_is_told() -> None:
    wide = run("in/group.png", "--json", "--aspect", "free")
    tall = run("in/group.png", "--json", "--aspect", "1:3")
    (free,), (narrow,) = records(wide), records(tall)
    assert {face["crop"] for face in free["faces"]} <= {"kept", "cut", "left out"}
    kept = [face["crop"] for face in narrow["faces"]]
    assert "left out" in kept
    assert kept.count("kept") < 3


def test_one_broken_file_stops_nothing() -> None:
    Path("in/broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    found = run("in", "--json")
    assert found.exit_code == 1
    assert [bool(each.get("error")) for each in records(found)] == [True, False, False]
    assert records(found)[0]["input"] == "in/broken.jpg"


@pytest.mark.parametrize(
    ("second", "code", "verdict"),
    [("mirrored.jpg", 0, "one person: "), ("ben.png", 1, "not told to be one person: ")],
)
def test_verify(second: str, code: int, verdict: str) -> None:
    found = run("verify", "ann.png", second)
    assert found.exit_code == code, found.output
    assert found.stdout.startswith(verdict)
    (record,) = records(run("verify", "ann.png", second, "--json"))
    assert record["same"] == (code == 0)
    assert (record["stranger_rate"] <= 0.001) == (code == 0)


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ("in/nobody.png", "no face is found"),
        ("in/group.png", "faces of about one size"),
        ("none.jpg", "cannot be read"),
    ],
)
def test_what_cannot_be_compared_is_no_answer(second: str, told: str) -> None:
    found = run("verify", "ann.png", second)
    assert found.exit_code == 2
    assert told in found.stderr


def test_a_rate_decides() -> None:
    small = Image.fromarray(astronaut()).resize((160, 160), Image.Resampling.LANCZOS)
    small.save("small.png")
    (record,) = records(run("verify", "ann.png", "small.png", "--json"))
    assert record["same"]
    strict = str(record["stranger_rate"] / 2)
    assert run("verify", "ann.png", "small.png", "--false-accepts", strict).exit_code == 1
    assert run("verify", "ann.png", "small.png", "--false-accepts", "0.5").exit_code == 2


@pytest.mark.parametrize("as_file", [False, True])
def test_who(as_file: bool) -> None:
    people = "people"
    if as_file:
        people = "known.safetensors"
        assert run("learn", "people", "-o", people).exit_code == 0
    found = run("who", "in", "--people", people, "--json")
    assert found.exit_code == 0, found.output
    group, nobody = records(found)
    across = sorted(group["faces"], key=lambda face: face["box"][0])
    assert [face["name"] for face in across] == [None, "ann", f"s{STRANGERS[0]}"]
    assert nobody["faces"] == []
    lines = run("who", "in", "--people", people).stdout
    assert lines.count("nobody known") == 1
    assert "\tann\t1 of " in lines or "\tann\tfewer than" in lines


def test_learn_adds_and_forget_removes() -> None:
    path = Path("known.safetensors")
    assert run("learn", "people", "-o", str(path)).stdout.splitlines() == [
        "ann\t1 photo",
        f"s{STRANGERS[0]}\t1 photo",
    ]
    save(Path("more/ben/a.png"), stranger(83))
    assert run("learn", "more", "-o", str(path)).exit_code == 0
    assert run("forget", "eve", "--people", str(path)).exit_code == 2
    assert run("forget", "ann", f"s{STRANGERS[0]}", "--people", str(path)).exit_code == 0
    assert "nobody known" in run("who", "ann.png", "--people", str(path)).stdout
    assert "ben" in run("who", "ben.png", "--people", str(path)).stdout
    assert run("forget", "ben", "--people", str(path)).exit_code == 0
    assert not path.exists()


def test_who_is_learnt_anew_and_who_cannot_be_is_told() -> None:
    assert run("learn", "people", "-o", "k.safetensors").exit_code == 0
    Path("people/hollow").mkdir()
    save(Path("people/wall/a.png"), np.full((90, 90, 3), 99, np.uint8))
    save(Path("people/twin/a.png"), astronaut())
    save(Path("people/twin/b.png"), stranger(93))
    found = run("learn", "people", "-o", "k.safetensors")
    assert found.exit_code == 1
    assert "ann\t1 photo\tin place of earlier ones" in found.stdout
    assert "hollow is left out" in found.stderr
    assert "wall is left out" in found.stderr
    assert "twin: its photos are not alike" in found.stderr
    assert "ann and twin are alike" in found.stderr
    assert run("who", "ann.png", "--people", "people").exit_code == 0


def test_forget_deletes_no_other_file() -> None:
    found = run("forget", "--everyone", "--people", "ann.png")
    assert found.exit_code == 1
    assert Path("ann.png").exists()
    assert run("forget", "--everyone", "ann", "--people", "ann.png").exit_code == 2
    assert run("forget", "--people", "ann.png").exit_code == 2


def test_groups_are_of_one_person() -> None:
    for number, angle in enumerate((0, 8, -8)):
        turned = Image.fromarray(astronaut()).rotate(angle, Image.Resampling.BICUBIC)
        save(Path(f"album/{number}.png"), np.array(turned))
        save(Path(f"album/s{number}.png"), stranger((83, 31, 46)[number]))
    found = run("group", "album", "--json", "--sheets", "sheets")
    assert found.exit_code == 0, found.output
    (person,) = records(found)
    assert sorted(face["input"] for face in person["faces"]) == [
        f"album/{number}.png" for number in range(3)
    ]
    assert [path.name for path in Path("sheets").iterdir()] == ["person-1.jpg"]
    assert "people with 2 faces or more: 1, 3 of 6 faces" in found.stderr
    assert run("group", "album", "--sheets", "sheets").exit_code == 2
    assert run("group", "album", "--sheets", "sheets", "--overwrite").exit_code == 0


def test_nobody_is_in_a_photo_twice_in_a_group_either() -> None:
    save(Path("twins/a.png"), side_by_side(astronaut(), astronaut()))
    save(Path("twins/b.png"), astronaut())
    (person,) = records(run("group", "twins", "--json"))
    assert sorted(face["input"] for face in person["faces"]) == ["twins/a.png", "twins/b.png"]


def test_no_input_is_overwritten() -> None:
    before = Path("ann.png").read_bytes()
    found = run("ann.png", "--sheet", "ann.png", "--overwrite")
    assert found.exit_code == 2
    assert "is an input and would be overwritten" in found.stderr
    assert Path("ann.png").read_bytes() == before
    assert run("ann.png", "--aspect", "wide").exit_code == 2


def test_a_folder_without_faces_is_no_input() -> None:
    assert run("group", "in/nobody.png").exit_code == 4
    assert run("list", "in/nobody.png", "--sheet", "x.png").exit_code == 0
    assert not Path("x.png").exists()

"""``--subjects``: a table of what single photos keep, avoid and focus on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bulk.conftest import Bulk, assert_refused, stamps

TABLE = 'photo,keep,avoid,focus\na.jpg,none,,"0,.5"\nsub/a.jpg,"80,0,40,80",,\n'


def _boxes(output: str) -> dict[str, list[int]]:
    records = [json.loads(line) for line in output.splitlines()]
    return {record["input"]: record["box"] for record in records if "box" in record}


def test_rows_are_for_their_photos_alone(bulk: Bulk, photos: Path) -> None:
    plain = _boxes(bulk("--aspect", "1:2", "--json", output="plain").stdout)
    Path("subjects.csv").write_text(TABLE)
    found = bulk("--aspect", "1:2", "--json", "--subjects", "subjects.csv")
    own = _boxes(found.stdout)
    assert own["in/a.jpg"][0] <= 1  # the focus
    assert own["in/sub/a.jpg"][0] >= 79  # the box
    for name in ("in/b.png", "in/sub/deep/c.jpeg"):
        assert own[name] == plain[name]


def test_json_lines_say_the_same(bulk: Bulk, photos: Path) -> None:
    Path("subjects.csv").write_text(TABLE)
    lines = [
        {"photo": "a.jpg", "keep": "none", "focus": "0,.5"},
        {"photo": "./sub/a.jpg", "keep": "80,0,40,80", "avoid": None, "focus": ""},
    ]
    Path("subjects.JSONL").write_text("\ufeff" + "\n\n".join(map(json.dumps, lines)) + "\n")
    wanted = _boxes(bulk("--aspect", "1:2", "--json", "--subjects", "subjects.csv").stdout)
    found = bulk("--aspect", "1:2", "--json", "--subjects", "subjects.JSONL", output="lines")
    assert found.exit_code == 0
    assert _boxes(found.stdout) == wanted
    again = bulk("--aspect", "1:2", "--subjects", "subjects.JSONL")  # nor do the settings differ
    assert "nothing to do" in again.stderr or "0 photos to crop" in again.stderr


def test_a_row_that_changes_redoes_its_photo_alone(bulk: Bulk, photos: Path) -> None:
    Path("subjects.csv").write_text(TABLE)
    bulk("--aspect", "1:2", "--subjects", "subjects.csv")
    before = stamps(Path("out"))
    bulk("--aspect", "1:2", "--subjects", "subjects.csv")
    assert stamps(Path("out")) == before
    Path("subjects.csv").write_text(TABLE.replace("0,.5", "1,.5"))
    bulk("--aspect", "1:2", "--subjects", "subjects.csv")
    after = stamps(Path("out"))
    assert {name for name in after if after[name] != before[name]} == {"a.jpg"}


def test_rows_of_no_photo_are_told(bulk: Bulk, photos: Path) -> None:
    Path("subjects.tsv").write_text("photo\tfocus\n./a.jpg\t.5,.5\ngone.jpg\t.1,.1\n")
    told = bulk("--subjects", "subjects.tsv").stderr
    assert "--subjects has rows of photos that are not there: gone.jpg" in told
    assert "a.jpg" not in told.partition("not there:")[2].splitlines()[0]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("file,keep\na.jpg,none\n", "the header has photo"),
        ("photo,keep\na.jpg,everybody\n", "line 2: --keep is a box, one of"),
        ("photo,keep\nb.png,none\na.jpg,1,2,3,4\n", "line 3: it has more cells"),
        ("photo,focus\na.jpg,here\n", "line 2: 'here' is no point"),
        ('photo,avoid\na.jpg,"1,2,3"\n', "line 2: '1,2,3' is no box"),
        ("photo,keep\n,none\n", "line 2: it names no photo"),
        ('photo,keep\n"a.jpg,largest\n', "line 2: unexpected end of data"),
        ("photo,keep\na.jpg,none\n./a.jpg,none\n", "line 3: a.jpg has a row already"),
    ],
)
def test_a_row_that_breaks_a_rule_is_named(bulk: Bulk, photos: Path, table: str, says: str) -> None:
    Path("subjects.csv").write_text(table)
    assert_refused(bulk("--subjects", "subjects.csv"), says)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"photo": "a.jpg", "keep": "everybody"}', "line 2: --keep is a box, one of"),
        ('{"photo": "a.jpg", "focus": "here"}', "line 2: 'here' is no point"),
        ('{"photo": "a.jpg", "avoid": "1,2,3"}', "line 2: '1,2,3' is no box"),
        ('{"photo": "", "keep": "none"}', "line 2: it names no photo"),
        ('{"photo": "./b.png"}', "line 2: b.png has a row already"),
        ('{"photo": "a.jpg", "focus": [0.5, 0.5]}', "line 2: focus is a text"),
        ('{"file": "a.jpg"}', "line 2: it is an object with photo and any of keep"),
        ('{"photo": "a.jpg", "note": "x"}', "line 2: it is an object with photo and any of keep"),
        ('["a.jpg"]', "line 2: it is an object with photo and any of keep"),
        ("[" * 100_000, "line 2: it is no JSON"),
        ("a.jpg,none", "line 2: it is no JSON"),
    ],
)
def test_a_json_line_that_breaks_a_rule_is_named(
    bulk: Bulk, photos: Path, line: str, says: str
) -> None:
    Path("subjects.jsonl").write_text('{"photo": "b.png", "keep": "none"}\n' + line)
    assert_refused(bulk("--subjects", "subjects.jsonl"), says)
    assert not Path("out").exists()

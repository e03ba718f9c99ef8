"""``cropper see`` through files and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from skimage import data

from cropper.cli import main
from cropper.errors import ImageWriteError


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for name in ("astronaut", "coffee", "cat"):
        Image.fromarray(getattr(data, name)()).save(f"in/{name}.jpg")


def run(*line: str) -> Result:
    return CliRunner().invoke(main, ["see", *line])


def test_units() -> None:
    Path("in/broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    line = ["in", "--layer", "block2", "--units", "4", "--top", "2", "--tile", "32"]
    found = run(*line, "-o", "units.png", "--json")
    assert found.exit_code == 1
    assert "broken.jpg" in found.stderr + found.stdout
    rows = [record for record in map(json.loads, found.stdout.splitlines()) if "unit" in record]
    assert len({row["unit"] for row in rows}) == 4
    for row in rows:
        values = [patch["value"] for patch in row["patches"]]
        assert values == sorted(values, reverse=True)
        assert len({patch["input"] for patch in row["patches"]}) == 2
    assert Image.open("units.png").size == (2 * 34 + 2, 4 * 34 + 2)


def test_the_sheet_is_there_before_anything_that_a_reader_can_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def leave(*_: object) -> None:
        raise ImageWriteError("the reader has left")

    monkeypatch.setattr("cropper.see.command.print_line", leave)
    assert run("in", "--layer", "block0", "-o", "units.png").exit_code == 5
    assert Image.open("units.png").width > 100


def test_why() -> None:
    found = run("in/coffee.jpg", "--why", "--aspect", "1:1", "-o", "why.png", "--json")
    assert found.exit_code == 0, found.stderr
    record = json.loads(found.stdout)
    assert np.shape(record["losses"]) == (8, 12)
    assert Image.open("why.png").size == (600, 400)


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        (["in", "--why", "-o", "a.png"], 1, "in"),
        (["in/cat.jpg", "in/coffee.jpg", "--why", "-o", "a.png"], 2, "--why takes one photo"),
        (["in/cat.jpg", "--why", "--layer", "block1", "-o", "a.png"], 2, "--layer is without"),
        (["in", "--aspect", "1:1", "-o", "a.png"], 2, "--aspect is for --why"),
        (["in", "--layer", "conv1", "-o", "a.png"], 2, "no layer 'conv1'"),
        (["in", "-o", "a.txt"], 2, "extension"),
        (["nothing", "-o", "a.png"], 4, "no picture in nothing"),
    ],
)
def test_what_cannot_be_is_an_error(line: list[str], code: int, says: str) -> None:
    found = run(*line)
    assert found.exit_code == code, found.stderr
    assert says in found.stderr
    assert not Path("a.png").exists()


def test_an_output_that_exists_stays() -> None:
    Path("why.png").write_text("mine")
    assert run("in/cat.jpg", "--why", "-o", "why.png").exit_code == 2
    assert Path("why.png").read_text() == "mine"

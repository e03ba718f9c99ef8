"""Sizes by their names: listed, cropped to, and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from cropper.cli import main
from cropper.presets import PRESETS
from tests.conftest import CliRunner


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    Image.fromarray(data.astronaut()).save(path, quality=92)
    return path


def test_they_are_listed() -> None:
    lines = CliRunner().invoke(main, ["presets", "--json"]).stdout.splitlines()
    listed = {record["name"]: record for record in map(json.loads, lines)}
    assert len(listed) == len(lines) == len(PRESETS)
    assert listed["story"]["size"] == [1080, 1920]
    plain = CliRunner().invoke(main, ["presets"]).stdout
    assert all(f"{name} " in plain for name in listed)
    assert "not held" in listed["passport"]["rule"]


@pytest.mark.parametrize("name", ["link", "avatar"])
def test_a_crop_is_that_of_its_size(photo: Path, tmp_path: Path, name: str) -> None:
    preset = next(each for each in PRESETS if each.name == name)
    size = "{}x{}".format(*preset.size)
    keep = ["--keep", preset.keep] if preset.keep else []
    for options in (["--preset", name, "-o", "a.jpg"], ["--size", size, *keep, "-o", "b.jpg"]):
        line = ["best", str(photo), *options[:-1], str(tmp_path / options[-1])]
        assert CliRunner().invoke(main, line).exit_code == 0
    assert Image.open(tmp_path / "a.jpg").size == preset.size
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()


def test_a_rule_that_is_not_held_is_told(photo: Path) -> None:
    line = ["best", str(photo), "--preset", "passport", "--dry-run"]
    assert "70 to 80 % of the height: not held" in CliRunner().invoke(main, line).stderr
    assert "not held" not in CliRunner().invoke(main, [*line, "-q"]).stderr


def test_a_folder_takes_several(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    photo.rename(tmp_path / "in/photo.jpg")
    line = ["bulk", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(main, [*line, "--preset", "story", "--preset", "link"])
    assert done.exit_code == 0, done.stderr
    sizes = {Image.open(each).size for each in (tmp_path / "out").glob("*.jpg")}
    assert sizes == {(1080, 1920), (1200, 630)}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["best", "photo.jpg", "--preset", "poster"], "--preset is one of square, post"),
        (["best", "photo.jpg", "--preset", "post", "--aspect", "4:5"], "leave --aspect and --size"),
        (["bulk", "in", "-o", "out", "--preset", "avatar", "--preset", "post"], "run them apart"),
    ],
)
def test_what_does_not_go_together_is_a_wrong_use(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    done = CliRunner().invoke(main, options)
    assert done.exit_code == 2
    assert says in done.stderr

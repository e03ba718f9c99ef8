"""``cropper see`` through files and exit codes."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from skimage import data

from cropper.cli import main
from cropper.errors import ImageWriteError
from cropper.image import SourceImage, View
from cropper.rank import stream
from cropper.see import TopPatches


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


@pytest.mark.parametrize(("scorer", "layers"), [("cropnet", 19), ("convnet", 18), ("selfie", 18)])
def test_a_page_of_all_layers(scorer: str, layers: int) -> None:
    Image.fromarray(data.rocket()).save("in/<b>&'.jpg")
    Path("in/broken.jpg").write_bytes(b"no picture")
    line = ["in", "--scorer", scorer, "--units", "3", "--top", "2"]
    found = run(*line, "--report", "pages/all.html", "--json")
    assert found.exit_code == 1
    rows = [record for record in map(json.loads, found.stdout.splitlines()) if "unit" in record]
    assert len(rows) == 3 * layers
    text = Path("pages/all.html").read_text("utf-8")
    assert "4 photos" in text
    assert "<b>" not in text
    patches = re.findall(r'<a href="([^"]+)" title="([^"]+)"><img src="data:[^,]+,([^"]+)"', text)
    assert len(patches) == 6 * layers
    told = [(patch["input"], patch["value"]) for row in rows for patch in row["patches"]]
    for (link, title, picture), (name, value) in zip(patches, told, strict=True):
        assert html.unescape(title) == f"{name}, {value:.2f}"
        assert Path("pages", unquote(link)).resolve() == Path(name).resolve()
        assert max(Image.open(io.BytesIO(base64.b64decode(picture))).size) == 96


def test_a_page_of_one_layer_shows_what_the_sheet_shows() -> None:
    line = ["in", "--layer", "block3", "--units", "2", "--top", "2", "--tile", "64"]
    assert run(*line, "-o", "units.png").exit_code == 0
    assert run(*line, "--report", "units.html").exit_code == 0
    sheet = np.asarray(Image.open("units.png"), dtype=float)
    text = Path("units.html").read_text("utf-8")
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    for place, picture in enumerate(pictures):
        top, left = 2 + place // 2 * 66, 2 + place % 2 * 66
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))), dtype=float)
        assert np.abs(shown - sheet[top : top + 64, left : left + 64]).mean() < 12
    assert len(pictures) == 4


def test_photos_are_seen_once_by_all_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """And read once more at most, for their patches."""
    read: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    add, load = TopPatches.add, stream.load_image

    def counted_add(self: TopPatches, path: Path, view: View) -> None:
        seen[path.name] += 1
        add(self, path, view)

    def counted_load(path: Path) -> SourceImage:
        read[path.name] += 1
        return load(path)

    monkeypatch.setattr(TopPatches, "add", counted_add)
    monkeypatch.setattr(stream, "load_image", counted_load)
    assert run("in", "--report", "all.html").exit_code == 0
    assert set(seen.values()) == {1}
    assert max(read.values()) == 2


def test_a_photo_that_went_away_meanwhile_leaves_its_place_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choose = TopPatches.choose

    def late(self: TopPatches, units: int) -> object:
        Path("in/cat.jpg").unlink(missing_ok=True)
        Image.new("RGB", (9, 9)).save("in/coffee.jpg")
        return choose(self, units)

    monkeypatch.setattr(TopPatches, "choose", late)
    for target in (["-o", "units.png"], ["--report", "units.html"]):
        assert run("in", "--layer", "block9", *target).exit_code == (1 if "-o" in target else 0)
        assert Path(target[1]).is_file()


def test_why() -> None:
    found = run("in/coffee.jpg", "--why", "--aspect", "1:1", "-o", "why.png", "--json")
    assert found.exit_code == 0, found.stderr
    record = json.loads(found.stdout)
    assert np.shape(record["losses"]) == (8, 12)
    assert Image.open("why.png").size == (600, 400)


def test_why_by_gradients() -> None:
    line = ["in/coffee.jpg", "--why", "--by", "gradients", "--steps", "4", "--aspect", "1:1"]
    found = run(*line, "-o", "why.png", "--json")
    assert found.exit_code == 0, found.stderr
    record = json.loads(found.stdout)
    parts = np.array(record["losses"])
    assert parts.shape == (8, 12)
    assert parts.sum() + record["missing"] == pytest.approx(record["score"] - record["blurred"])
    best = ["best", "in/coffee.jpg", "--aspect", "1:1", "--json"]
    judged = json.loads(CliRunner().invoke(main, best).stdout)
    assert record["score"] == pytest.approx(judged["score"], abs=1e-3)
    assert Image.open("why.png").size == (600, 400)
    told = run(*line, "-o", "again.png").stderr
    assert f"the score is {record['score']:.2f}, and {record['blurred']:.2f} of the" in told


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        (["in", "--why", "-o", "a.png"], 1, "in"),
        (["in/cat.jpg", "in/coffee.jpg", "--why", "-o", "a.png"], 2, "--why takes one photo"),
        (["in/cat.jpg", "--why", "--layer", "block1", "-o", "a.png"], 2, "--layer is without"),
        (["in", "--aspect", "1:1", "-o", "a.png"], 2, "--aspect is for --why"),
        (["in", "--layer", "conv1", "-o", "a.png"], 2, "no layer 'conv1'"),
        (["in", "-o", "a.txt"], 2, "extension"),
        (["in"], 2, "-o, or a page of all layers with --report"),
        (["in", "-o", "a.png", "--report", "a.html"], 2, "-o, or a page"),
        (["in", "--report", "a.png"], 2, "the report is a page"),
        (["in", "--report", "a.html", "--units", "1000"], 2, "a page holds 20,000 patches"),
        (["in/cat.jpg", "--why"], 2, "name it with -o"),
        (["in", "--by", "gradients", "-o", "a.png"], 2, "--by is for --why"),
        (["in/cat.jpg", "--why", "--steps", "9", "-o", "a.png"], 2, "of --by gradients"),
        (
            [
                "in/cat.jpg",
                "--why",
                "--by",
                "gradients",
                "--scorer",
                "cropnet+selfie",
                "-o",
                "a.png",
            ],
            2,
            "no slopes in pixels",
        ),
        (["in/cat.jpg", "--why", "--report", "a.html"], 2, "--report is without --why"),
        (["in", "--scorer", "cropnet", "--layer", "b", "-o", "a.png"], 2, "block17, fused"),
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

"""What people look at: the page, the sheet, the sidecars, skipped photos."""

from __future__ import annotations

import base64
import io
import math
import re
import xml.etree.ElementTree as ET  # only what the tests wrote is parsed
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from cropper.errors import ImageWriteError
from cropper.result import preference
from tests.bulk.conftest import Bulk, assert_refused, tree
from tests.conftest import pixels, records, spotted
from tests.image.pictures import with_exif

CRS = "{http://ns.adobe.com/camera-raw-settings/1.0/}"
TIFF = "{http://ns.adobe.com/tiff/1.0/}"


class Page(HTMLParser):
    """Start tags with their attributes."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.texts: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_shows_every_crop_and_names_every_failure(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    (photos / "<b>.jpg").write_bytes(b"no <picture>")
    found = bulk("--report", "pages/run.html", "--json")
    assert found.exit_code == 1
    page = Page(tmp_path / "pages/run.html")
    boxes = {tuple(each["box"]) for each in records(found) if each["status"] == "done"}
    drawn = {polygon["points"] for polygon in page.all("polygon")}
    assert drawn == {f"{x0},{y0} {x1},{y0} {x1},{y1} {x0},{y1}" for x0, y0, x1, y1 in boxes}
    images = page.all("image")
    assert len(images) == 4
    for image in images:
        data = base64.b64decode(image["href"].removeprefix("data:image/jpeg;base64,"))
        assert Image.open(io.BytesIO(data)).size == (120, 80)
    assert "<b>.jpg" in page.texts
    assert not page.all("b")


def test_the_page_fetches_nothing(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    assert bulk("--report", "run.html").exit_code == 0
    text = (tmp_path / "run.html").read_text("utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"(?:https?:)?//\w", re.sub('base64,[^"]+', "", text))
    page = Page(tmp_path / "run.html")
    links = [
        tag.get("href", tag.get("src")) for _, tag in page.tags if {"href", "src"} & tag.keys()
    ]
    files = [link for link in links if not link.startswith(("data:", "#"))]
    assert {"in/a.jpg", "out/a.jpg"} <= {*files}
    assert all((tmp_path / link).is_file() for link in files)


def test_a_finished_run_still_has_a_page_and_a_sheet(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    assert bulk().exit_code == 0
    (photos / "a.jpg").touch()
    assert bulk("--report", "run.html", "--sheet", "sheet.png").exit_code == 0
    assert len(Page(tmp_path / "run.html").all("image")) == 4
    sheet = pixels(tmp_path / "sheet.png")
    assert sheet.shape[2] == 3


def test_the_sheet_shows_photo_and_crop_side_by_side(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    for name in ("b.png", "sub/a.jpg", "sub/deep/c.jpeg"):
        (photos / name).unlink()
    assert bulk("--aspect", "1:1", "--sheet", "out/sheet.png").exit_code == 0
    sheet = pixels(tmp_path / "out/sheet.png").astype(float)
    right = sheet[12:252, 258:498]  # the crop, enlarged to its cell
    crop = Image.open(tmp_path / "out/a.jpg").resize((240, 240), Image.Resampling.LANCZOS)
    assert np.abs(right - np.asarray(crop)).mean() < 4
    assert "a.jpg" in tree(tmp_path / "out")


@pytest.mark.parametrize(
    "options",
    [
        "--filter black-and-white",
        "--filter fade",
        "--filter border --aspect 1:1",
        "--fit pad --keep .1,.1,.9,.9 --aspect 1:3",
    ],
)
def test_page_and_sheet_show_crops_as_they_are_written(
    bulk: Bulk, photos: Path, tmp_path: Path, options: str
) -> None:
    """Their filter, its border, and what fills their shape."""
    for name in ("b.png", "sub/a.jpg", "sub/deep/c.jpeg"):
        (photos / name).unlink()
    line = [*options.split(), "--report", "run.html", "--sheet", "sheet.png"]
    assert bulk(*line).exit_code == 0
    written = Image.open(tmp_path / "out/a.jpg").convert("RGB")
    image = Page(tmp_path / "run.html").all("image")[-1]
    assert (int(image["width"]), int(image["height"])) == written.size
    shown = Image.open(io.BytesIO(base64.b64decode(image["href"].partition(",")[2])))
    small = written.resize(shown.size, Image.Resampling.LANCZOS)
    assert np.abs(np.asarray(shown, float) - np.asarray(small, float)).mean() < 6
    scale = 240 / max(written.size)
    size = [round(side * scale) for side in written.size]
    x, y = 258 + (240 - size[0]) // 2, 12 + (240 - size[1]) // 2
    cell = Image.open(tmp_path / "sheet.png").crop((x, y, x + size[0], y + size[1]))
    large = written.resize(cell.size, Image.Resampling.LANCZOS)
    assert np.abs(np.asarray(cell, float) - np.asarray(large, float)).mean() < 6


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Straße Ä", "Strasse A"), ("a\u0308", "a"), ("\N{CAMERA}x", "?x"), ("a\nb\udcff", "a?b?")],
)
def test_the_sheet_has_letters_for_every_name(
    bulk: Bulk, photos: Path, tmp_path: Path, name: str, shown: str
) -> None:
    """Pillow's font would draw empty boxes."""
    sheets = []
    for each in (name, shown):
        for path in photos.rglob("*.*"):
            path.unlink()
        spotted().save(photos / f"{each}.png")
        assert bulk("--sheet", "sheet.png", "--overwrite").exit_code == 0
        sheets.append(pixels(tmp_path / "sheet.png"))
    assert np.array_equal(*sheets)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--report in/run.html", "inside the input folder"),
        ("--sheet in/sheet.jpg", "inside the input folder"),
        ("--sheet out/sub/a.jpg", "would both be written"),
        ("--report out", "as in crops.html"),
        ("--sheet sheet.txt", "extension"),
    ],
)
def test_reports_do_not_stand_in_the_way(bulk: Bulk, photos: Path, options: str, says: str) -> None:
    assert_refused(bulk(*options.split()), says)


@pytest.mark.parametrize(
    ("option", "name"), [("--report", "run.html"), ("--sheet", "out/sheet.jpg")]
)
def test_a_report_of_others_is_not_replaced_unless_asked(
    bulk: Bulk, photos: Path, tmp_path: Path, option: str, name: str
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("precious")
    found = bulk(option, file)
    assert found.exit_code == 2
    assert f"{file} exists and no earlier run" in found.stderr
    assert file.read_text() == "precious"
    assert bulk(option, file, "--overwrite").exit_code == 0
    assert file.stat().st_size > 100
    assert bulk(option, file).exit_code == 0  # its own by now
    assert bulk(option, file, output="other").exit_code == 2


def test_a_report_without_a_place_ends_the_run_before_it_begins(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    found = bulk("--report", "file/pages/run.html")
    assert found.exit_code == 5
    assert "file takes no files" in found.stderr
    assert not (tmp_path / "out").exists()


def test_a_report_that_cannot_be_written_does_not_hide_the_summary(
    bulk: Bulk, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(data: bytes, target: Path, *, overwrite: bool, fsync: bool) -> None:
        raise ImageWriteError(f"{target}: not written")

    monkeypatch.setattr("cropper.bulk.publish.write", write)
    found = bulk("--report", "run.html")
    assert found.exit_code == 5
    assert "4 done" in found.stderr
    assert "run.html: not written" in found.stderr


def crop_settings(path: Path) -> dict[str, str]:
    (description,) = (
        ET.parse(path).getroot().iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    )
    return {key.removeprefix(CRS): value for key, value in description.attrib.items()}


def test_sidecars_say_where_the_crop_is(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    (photos / "b.png").rename(photos / "c.png")
    found = bulk("--xmp", "--json", "--aspect", "1:1")
    assert found.exit_code == 0
    record = next(each for each in records(found) if each["input"] == "in/c.png")
    settings = crop_settings(tmp_path / "out/c.xmp")
    edges = [float(settings[f"Crop{side}"]) for side in ("Left", "Top", "Right", "Bottom")]
    assert edges == pytest.approx(record["box_norm"], abs=1e-6)
    assert settings["HasCrop"] == "True"
    assert settings["CropAngle"] == "0"
    assert (tmp_path / "out/c.png").exists()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sidecars_count_in_the_stored_picture(bulk: Bulk, tmp_path: Path, orientation: int) -> None:
    """Cut from the pixels as stored, then turned, it is the crop that the command writes."""
    (tmp_path / "in").mkdir()
    picture = spotted(90, 60, (0.3, 0.4))
    (tmp_path / "in/a.png").write_bytes(with_exif(picture, "PNG", orientation))
    assert bulk("--aspect", "1:1", "--xmp").exit_code == 0
    settings = crop_settings(tmp_path / "out/a.xmp")
    assert settings[f"{TIFF}Orientation"] == str(orientation)
    x0, y0, x1, y1 = (
        round(float(settings[f"Crop{side}"]) * length)
        for side, length in zip(("Left", "Top", "Right", "Bottom"), (90, 60) * 2, strict=True)
    )
    stored = Image.fromarray(np.asarray(picture)[y0:y1, x0:x1])
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    stored.save(buffer, "PNG", exif=exif)
    turned = ImageOps.exif_transpose(Image.open(buffer))
    assert np.array_equal(np.asarray(turned), pixels(tmp_path / "out/a.png"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("angle", [-20, 7])
def test_sidecars_say_how_a_crop_is_turned(
    bulk: Bulk, tmp_path: Path, orientation: int, angle: int
) -> None:
    """Turned about its centre as stored, cut, then set upright, it is the crop that is written."""
    (tmp_path / "in").mkdir()
    soft = ImageFilter.GaussianBlur(3)
    stored = spotted(300, 200, (0.35, 0.4)).filter(soft)
    (tmp_path / "in/a.png").write_bytes(with_exif(stored, "PNG", orientation))
    assert bulk("--aspect", "1:1", "--angle", angle, "--xmp").exit_code == 0
    settings = crop_settings(tmp_path / "out/a.xmp")
    mirrored = orientation in (2, 4, 5, 7)
    turn = math.radians(float(settings["CropAngle"]))
    assert math.degrees(turn) == pytest.approx(-angle if mirrored else angle, abs=1e-4)
    left, top, right, bottom = (
        float(settings[f"Crop{side}"]) * length
        for side, length in zip(("Left", "Top", "Right", "Bottom"), (300, 200) * 2, strict=True)
    )
    x, y, cos, sin = (right - left) / 2, (bottom - top) / 2, math.cos(turn), math.sin(turn)
    wide, high = x * cos + y * sin, y * cos - x * sin
    middle = ((left + right) / 2, (top + bottom) / 2)
    level = stored.rotate(math.degrees(turn), Image.Resampling.BICUBIC, center=middle)
    box = (middle[0] - wide, middle[1] - high, middle[0] + wide, middle[1] + high)
    with Image.open(tmp_path / "out/a.png") as written:
        found = level.resize(written.size, Image.Resampling.BICUBIC, box=box)
        as_stored = Image.open(io.BytesIO(with_exif(found, "PNG", orientation)))
        off = np.subtract(ImageOps.exif_transpose(as_stored), written, dtype=float)
    assert np.abs(off).mean() < 1.5


def test_sidecars_instead_of_crops(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    (photos / "b.png").unlink()
    assert bulk("--xmp-only").exit_code == 0
    assert set(tree(tmp_path / "out")) == {"a.xmp", "sub/a.xmp", "sub/deep/c.xmp"}
    assert "3 were done already" in bulk("--xmp-only").stderr


def test_sidecars_alone_may_lie_beside_the_photos(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    (photos / "b.png").unlink()
    before = tree(photos)
    assert bulk("--xmp", output="in").exit_code == 2
    assert bulk("--xmp-only", output="in/sub").exit_code == 2
    assert tree(photos) == before
    assert bulk("--xmp-only", output="in").exit_code == 0
    assert "3 were done already" in bulk("--xmp-only", output="in").stderr
    after = tree(photos)
    assert after.keys() - before.keys() == {"a.xmp", "sub/a.xmp", "sub/deep/c.xmp"}
    assert before.items() <= after.items()
    (tmp_path / "all").mkdir()
    photos.rename(tmp_path / "all/in")  # such a folder is no folder of crops
    (tmp_path / "all").rename(photos)
    assert "3 done" in bulk().stderr


def test_a_sidecar_replaces_neither_a_photo_nor_another_sidecar(bulk: Bulk, photos: Path) -> None:
    (photos / "a.xmp").write_text("settings of a raw file")
    found = bulk("--xmp-only", output="in")
    assert found.exit_code == 2
    assert "in/a.xmp exists" in found.stderr
    (photos / "b.png").rename(photos / "b.xmp")
    content = (photos / "b.xmp").read_bytes()
    found = bulk("--xmp-only", "--overwrite", "--include", "b.*", output="in")
    assert found.exit_code == 0, found.stderr
    assert (photos / "b.xmp").read_bytes() == content
    assert (photos / "b.xmp.xmp").exists()


def test_two_photos_cannot_share_a_sidecar(bulk: Bulk, photos: Path) -> None:
    spotted().save(photos / "a.png")
    found = bulk("--xmp-only")
    assert found.exit_code == 2
    assert "would both be written to a.xmp" in found.stderr
    assert "leave one out with --exclude" in found.stderr
    assert "-o" not in found.stderr


def test_what_would_hardly_be_preferred_is_left_alone(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    chances = {each["input"]: each["preferred_to_full_frame"] for each in records(bulk("--json"))}
    limit = (sorted(chances.values())[1] + sorted(chances.values())[2]) / 2
    found = bulk("--json", "--min-gain", str(limit), output="picky")
    assert found.exit_code == 0
    states = {each["input"]: each["status"] for each in records(found)}
    assert states == {
        name: "done" if chance >= limit else "skipped" for name, chance in chances.items()
    }
    assert len(tree(tmp_path / "picky")) == 2
    assert "2 skipped" in found.stderr
    assert "4 were done already" in bulk("--min-gain", str(limit), output="picky").stderr


def test_scores_that_are_no_log_odds_give_no_probability(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    found = bulk("--scorer", "selfie", "--min-gain", "0.6")
    assert found.exit_code == 2
    assert "selfie are no log-odds" in found.stderr
    assert not (tmp_path / "out" / "a.jpg").exists()


def test_nothing_claims_a_probability_that_is_none(
    bulk: Bulk, photos: Path, tmp_path: Path
) -> None:
    """An ensemble of one: its scores are standardised."""
    options = ("--json", "--report", "run.html", "--sheet", "sheet.png")
    found = bulk("--scorer", "spot*2", *options)
    assert found.exit_code == 0
    assert {each["preferred_to_centre"] for each in records(found)} == {None}
    told = (tmp_path / "run.html").read_text()
    assert told.count(" %</dd>") == 4  # how much is kept, alone
    assert "Preferred</dt>" not in told


@pytest.mark.parametrize(("gain", "expected"), [(0, 0.5), (2, 0.8807970779778823), (-1000, 0)])
def test_preference_is_the_logistic_function(gain: float, expected: float) -> None:
    assert preference(gain) == pytest.approx(expected, abs=1e-12)
    assert preference(gain) + preference(-gain) == pytest.approx(1)

"""``cropper best``: where the crop goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import (
    Crop,
    names,
    one_record,
    spotted,
)
from tests.image.pictures import decoded, encoded


def test_the_crop_lies_beside_its_photo(crop: Crop, tmp_path: Path) -> None:
    (tmp_path / "trip").mkdir()
    spotted().save(tmp_path / "trip/photo.png")
    found = crop("trip/photo.png")
    assert found.exit_code == 0, found.stderr
    assert names(tmp_path / "trip") == {"photo.png", "photo-best.png"}
    assert "trip/photo.png -> trip/photo-best.png" in found.stderr
    assert not found.stdout


@pytest.mark.parametrize(
    ("where", "path"),
    [
        ("out.png", "out.png"),
        ("out.jpg", "out.jpg"),
        ("new/", "new/photo-best.png"),
        ("there", "there/photo-best.png"),
        ("{dir}/a/b/{stem}_{rank}_{aspect}{ext}", "a/b/photo_1_4x5.png"),
        ("{stem}.webp", "photo.webp"),
    ],
)
def test_output_names_a_file_a_folder_or_a_template(
    where: str, path: str, crop: Crop, photo_png: Path
) -> None:
    Path("there").mkdir()
    found = crop("photo.png", "-o", where, "--aspect", "4:5", "--json")
    assert Path(one_record(found)["output"]) == Path(path)
    with Image.open(path) as picture:
        picture.load()


def test_a_dash_sends_the_picture_to_standard_output(crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "-o", "-")
    assert found.exit_code == 0, found.stderr
    crop("photo.png", "-o", "file.png")
    assert found.stdout_bytes == Path("file.png").read_bytes()


def test_what_comes_from_standard_input_goes_to_standard_output_in_its_format(crop: Crop) -> None:
    found = crop("-", input=encoded(spotted(), "WEBP"))
    assert found.exit_code == 0, found.stderr
    assert decoded(found.stdout_bytes).format == "WEBP"
    assert crop("-", "-o", "named.png", input=encoded(spotted(), "JPEG")).exit_code == 0
    assert decoded(Path("named.png").read_bytes()).format == "PNG"


@pytest.mark.parametrize(
    "arguments",
    [
        ("-", "-"),
        ("-", "-o", "{stem}{ext}"),
        ("-", "photo.png"),
        ("photo.png", "photo.png", "-o", "-"),
        ("photo.png", "-o", "-", "--top-k", "2"),
        ("photo.png", "-o", "-", "--json"),
        ("photo.png", "-o", "{nothing}.png"),
        ("photo.png", "-o", "{stem.__class__}.png"),
        ("photo.png", "-o", "{stem:>9}.png"),
        ("photo.png", "-o", "{stem.png"),
        ("photo.png", "-o", "out.xyz"),
        ("photo.png", "-o", "out"),
        ("photo.png", "--size", "0x5"),
        ("photo.png", "--size", "12"),
        ("photo.png", "--size", "²x2"),
        ("photo.png", "--size", "100000x100000"),
        ("photo.png", "--aspect", "0:1"),
        ("photo.png", "--aspect", "round"),
        ("photo.png", "--aspect", "1:1", "--aspect", "4:5"),
        ("photo.png", "--seed", "1", "--budget", "9", "--seed", "2"),
        ("photo.png", "--min-scale", "0.9", "--max-scale", "0.8"),
        ("photo.png", "--min-scale", "nan"),
        ("photo.png", "--max-scale", "1.1"),
        ("photo.png", "--top-k", "0"),
        ("photo.png", "--budget", "0"),
        ("photo.png", "--strategy", "best"),
        ("photo.png", "--strategy", "random", "--seed", "-1"),
        ("photo.png", "--quality", "101"),
        ("photo.png", "--max-mpixels", "0"),
        ("photo.png", "--overlay", "photo-best.png"),
        ("photo.png", "--overlay", "-"),
        ("photo.png", "--overlay", "out.xyz"),
        ("photo.png", "-o", ""),
        ("photo.png", "--overlay", ""),
        ("photo.png", "--aspect", ""),
        ("photo.png", "photo.png", "--aspect", "16-9"),
        ("photo.png", "gone.png", "--aspect", "16-9"),
        ("photo.png", "gone.png", "--min-scale", "0"),
        ("photo.png", "gone.png", "--size", "100000x100000"),
        (),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_refused_with_code_2_and_nothing_written(
    arguments: tuple[str, ...], crop: Crop, photo_png: Path
) -> None:
    found = crop(*arguments, input=encoded(spotted(), "PNG"))
    assert found.exit_code == 2, found.output
    assert found.stderr.strip()
    assert not found.stdout
    assert names(photo_png.parent) == {"photo.png"}

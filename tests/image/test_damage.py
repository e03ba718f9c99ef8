"""JPEGs whose data is damaged, and sound ones that look strange."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from skimage import data

from cropper.cli import main
from cropper.errors import ImageReadError
from cropper.image import load_image
from cropper.image.header import open_picture
from cropper.image.jpeg import decode_jpeg
from tests.image.pictures import encoded


def jpeg(mode: str = "RGB", **options: object) -> bytes:
    return encoded(Image.fromarray(data.astronaut()).convert(mode), "JPEG", **options)


def cut_off(content: bytes) -> bytes:
    """With an end, so that decoders are content."""
    return content[: len(content) // 2].rstrip(b"\xff") + b"\xff\xd9"


def zeroed(content: bytes) -> bytes:
    half = len(content) // 2
    return content[:half] + bytes(len(content) - half - 2) + b"\xff\xd9"


def rotten(content: bytes) -> bytes:
    """A restart marker where there is none."""
    half = len(content) // 2
    return content[:half] + b"\xff\xd3" + content[half + 2 :]


@pytest.mark.parametrize("harm", [cut_off, zeroed, rotten])
@pytest.mark.parametrize("progressive", [False, True])
def test_damage_is_told_or_refused(harm: object, progressive: bool) -> None:
    content = harm(jpeg(progressive=progressive))  # type: ignore[operator]
    for use in (lambda image: image.view(64), lambda image: image.cut((0, 0, 512, 512))):
        image = load_image(content)
        assert image.notes == ()  # nothing was decoded
        use(image)  # decoders show something
        (note,) = image.notes
        assert "its data is damaged" in note
        with pytest.raises(ImageReadError, match=r"<bytes>: its data is damaged \(.+\); copy"):
            use(load_image(content, strict=True))


@pytest.mark.parametrize(
    "content",
    [
        jpeg(),
        jpeg("L"),
        jpeg("CMYK"),
        jpeg(progressive=True),
        jpeg(restart_marker_rows=1),
        jpeg() + b"what an editor put behind it",
        jpeg()[:-2] + bytes(36) + b"\xff\xd9",
    ],
    ids=["plain", "grey", "cmyk", "progressive", "restarts", "trailer", "stray"],
)
def test_sound_files_are_not_damaged(content: bytes) -> None:
    image = load_image(content, strict=True)
    image.view(64)
    image.cut((0, 0, 512, 512))
    assert image.notes == ()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("size", [512, 300, 200, 100, 64])
def test_pixels_are_those_that_pillow_shows(mode: str, subsampling: int, size: int) -> None:
    content = jpeg(mode, subsampling=subsampling)
    with Image.open(io.BytesIO(content)) as expected:
        expected.draft(None, (size, size))
        found = open_picture(content, "JPEG")
        found.draft(None, (size, size))
        assert np.array_equal(decode_jpeg(found, content)[0], expected)


def test_other_formats_are_not_looked_at() -> None:
    content = encoded(Image.fromarray(data.astronaut()), "PNG")
    image = load_image(content, strict=True)
    image.view(64)
    assert image.notes == ()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("in/bad.jpg").write_bytes(cut_off(jpeg()))
    Path("in/good.jpg").write_bytes(jpeg())
    return tmp_path


def test_best_tells_and_strict_refuses(folder: Path) -> None:
    line = ["best", "in/bad.jpg", "in/good.jpg", "-o", "out/", "--json"]
    refused = CliRunner().invoke(main, [*line, "--strict"])
    assert refused.exit_code == 1
    assert "bad.jpg: its data is damaged" in refused.stderr
    assert [path.name for path in Path("out").iterdir()] == ["good-best.jpg"]
    told = CliRunner().invoke(main, [*line, "--overwrite"])
    assert told.exit_code == 0
    assert told.stderr.count("its data is damaged") == 1
    assert "--strict refuses it" in told.stderr
    assert len([json.loads(each) for each in told.stdout.splitlines()]) == 2


@pytest.mark.slow
def test_a_folder_is_strict_where_that_is_asked_for(folder: Path) -> None:
    line = ["bulk", "in", "-o", "out"]
    told = CliRunner().invoke(main, line)
    assert told.exit_code == 0
    assert "bad.jpg: its data is damaged" in told.stderr
    assert told.stderr.count("damaged") == 1
    found = CliRunner().invoke(main, [*line, "--strict"])
    assert found.exit_code == 1
    assert "1 failed (1 damaged)" in found.stderr

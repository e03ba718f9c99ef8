"""``--format``, ``--strip`` and ``--linear`` of ``cropper best``, through real files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cropper.cli.options import _FORMATS
from cropper.image import FORMATS, parse_format
from tests.conftest import Crop, names, pixels, records, spotted
from tests.image.pictures import ARTIST, encoded, exif_block, photo, srgb_profile

IPTC = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\x0c\x1c\x02\x78\0\x07caption"


def described(path: Path) -> Path:
    """A JPEG with a profile, a resolution, Exif and IPTC."""
    content = encoded(
        spotted(240, 160),
        "JPEG",
        exif=b"Exif\0\0" + exif_block(1, size=(240, 160)),
        icc_profile=srgb_profile(),
        dpi=(300, 300),
        extra=b"\xff\xed" + (len(IPTC) + 2).to_bytes(2, "big") + IPTC,
    )
    path.write_bytes(content)
    return path


def test_the_shell_offers_what_can_be_written() -> None:
    assert {parse_format(each) for each in _FORMATS} == {*FORMATS}


@pytest.mark.parametrize(
    ("asked", "name", "kind"),
    [("webp", "photo-best.webp", "WEBP"), ("JPG", "photo-best.jpg", "JPEG"),
     ("jpeg", "photo-best.jpg", "JPEG"), ("avif", "photo-best.avif", "AVIF"),
     ("tiff", "photo-best.tif", "TIFF"), ("png", "photo-best.png", "PNG")],
)  # fmt: skip
def test_the_format_names_the_output(
    crop: Crop, photo_png: Path, asked: str, name: str, kind: str
) -> None:
    found = crop(photo_png, "--format", asked)
    assert found.exit_code == 0, found.stderr
    with Image.open(name) as picture:
        assert picture.format == kind


def test_an_extension_that_says_so_already_stays(crop: Crop, tmp_path: Path) -> None:
    spotted().save(tmp_path / "a.JPEG")
    assert crop("a.JPEG", "--format", "jpeg").exit_code == 0
    assert "a-best.JPEG" in names(tmp_path)


def test_iptc_that_a_format_has_no_place_for_is_told(crop: Crop, tmp_path: Path) -> None:
    described(tmp_path / "a.jpg")
    told = "its IPTC (captions, credits) is not kept in"
    assert f"{told} WEBP" in crop("a.jpg", "--format", "webp").stderr
    assert told not in crop("a.jpg", "--format", "png", "--strip").stderr
    assert told not in crop("a.jpg", "--format", "tiff").stderr
    assert told not in crop("a.jpg").stderr


def test_it_is_that_of_folders_templates_and_overlays(crop: Crop, photo_png: Path) -> None:
    line = ("--format", "webp", "-o", "x/{rank}{ext}", "--overlay", "{stem}-why{ext}")
    assert crop(photo_png, *line).exit_code == 0
    assert Image.open("x/1.webp").format == "WEBP"
    assert Image.open("photo-why.webp").format == "WEBP"


def test_it_is_that_of_standard_output(crop: Crop, photo_png: Path) -> None:
    found = crop("-", "--format", "webp", input=photo_png.read_bytes())
    assert found.exit_code == 0, found.stderr
    assert Image.open(io.BytesIO(found.stdout_bytes)).format == "WEBP"
    found = crop("-", "--format", "png", "-o", "{stem}{ext}", input=photo_png.read_bytes())
    assert found.exit_code == 0, found.stderr
    assert Image.open("stdin.png").format == "PNG"


@pytest.mark.parametrize("output", ["out.jpg", "x/{stem}.tif"])
def test_a_name_for_another_format_is_refused(crop: Crop, photo_png: Path, output: str) -> None:
    found = crop(photo_png, "--format", "webp", "-o", output)
    assert found.exit_code == 2
    assert "--format asks for WEBP" in found.stderr
    assert names(photo_png.parent) == {"photo.png"}


def test_photos_that_would_meet_under_one_name_are_refused(crop: Crop, photo_png: Path) -> None:
    spotted().save("photo.jpg")
    found = crop(photo_png, "photo.jpg", "--format", "webp")
    assert found.exit_code == 2
    assert "photo-best.webp" in found.stderr


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff", "avif"])
def test_stripped_crops_have_colours_and_resolution_alone(
    crop: Crop, tmp_path: Path, kind: str
) -> None:
    described(tmp_path / "a.jpg")
    assert crop("a.jpg", "--format", kind, "-o", "all/").exit_code == 0
    assert crop("a.jpg", "--format", kind, "-o", "bare/", "--strip").exit_code == 0
    (whole,) = (tmp_path / "all").iterdir()
    (bare,) = (tmp_path / "bare").iterdir()
    assert ARTIST in whole.read_bytes()
    assert (b"caption" in whole.read_bytes()) == (kind in ("jpeg", "tiff"))
    content = bare.read_bytes()
    assert not [each for each in (ARTIST, b"caption", b"MakerXYZ") if each in content]
    with Image.open(bare) as picture:
        described_by = {0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x0111, 0x0112, 0x0115, 0x0116}
        described_by |= {0x0117, 0x011A, 0x011B, 0x011C, 0x0128, 0x013D, 0x8773}  # of TIFF itself
        assert not {*picture.getexif()} - described_by
        assert picture.info["icc_profile"] == srgb_profile()
        if kind in ("jpeg", "png", "tiff"):
            assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert np.array_equal(pixels(whole), pixels(bare))


def test_linear_is_brighter_where_detail_is_fine(crop: Crop, tmp_path: Path) -> None:
    board = np.indices((320, 480)).sum(0) % 2 * 255
    Image.fromarray(board.astype(np.uint8)).convert("RGB").save(tmp_path / "a.png")
    for folder, more in (("plain", ()), ("light", ("--linear",))):
        line = ("--size", "24x16", "--min-scale", "1", "-o", f"{folder}/")
        assert crop("a.png", *line, *more).exit_code == 0
    assert abs(pixels("plain/a-best.png").mean() - 127.5) < 1
    assert abs(pixels("light/a-best.png").mean() - 188) < 1


def test_linear_changes_no_pixel_without_a_size(crop: Crop, photo_png: Path) -> None:
    assert crop(photo_png, "-o", "a.png").exit_code == 0
    found = crop(photo_png, "-o", "b.png", "--linear", "--json")
    assert found.exit_code == 0
    assert records(found)[0]["output"] == "b.png"
    assert np.array_equal(pixels("a.png"), pixels("b.png"))


def test_a_crop_of_memory_takes_them_too(tmp_path: Path) -> None:
    from cropper import save_crop  # noqa: PLC0415

    picture = photo()
    exif = Image.Exif()
    exif[0x013B] = "somebody"
    picture.info["exif"] = exif.tobytes()
    for strip in (False, True):
        save_crop(picture, (0, 0, 64, 48), tmp_path / "a.png", strip=strip, overwrite=True)
        assert (b"somebody" in (tmp_path / "a.png").read_bytes()) != strip

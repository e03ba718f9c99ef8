"""``cropper best`` on every kind of photo file: turned, alpha, CMYK, deep grey, animated."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from skimage import data

from tests.conftest import (
    Crop,
    command,
    names,
    one_record,
    pixels,
    records,
    spotted,
)
from tests.image.pictures import (
    BOMB,
    THUMBNAIL,
    cmyk_profile,
    decoded,
    difference,
    encoded,
    swapped_profile,
    whole_files,
    with_exif,
)

# from upright to stored, for each EXIF orientation
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


ORIENTATION_TAG, ARTIST_TAG, SETTINGS_TAG, EXPOSURE_TAG = 0x0112, 0x013B, 0x8769, 0x829A


def turned(orientation: int, kind: str, **options: Any) -> bytes:
    """A file that shows ``spotted()`` to whoever heeds its EXIF orientation."""
    method = STORED[orientation]
    picture = spotted() if method is None else spotted().transpose(method)
    return with_exif(picture, kind, orientation, **options)


def see_through() -> Image.Image:
    """Half of it transparent, with hidden colours there."""
    picture = spotted().convert("RGBA")
    alpha = np.full((80, 120), 255, np.uint8)
    alpha[40:] = 0
    picture.putalpha(Image.fromarray(alpha))
    return picture


def deep_grey() -> Image.Image:
    """16 bits, with steps that 8 bits cannot hold."""
    ramp = np.arange(120 * 80, dtype=np.uint16).reshape(80, 120) * 3 + 20_000
    ramp[20:40, 60:90] = 65_535
    return Image.fromarray(ramp)


def animation() -> bytes:
    """Two frames, of which the second is small and lies in a corner."""
    first, second = spotted().quantize(32), Image.new("P", (120, 80))
    return encoded(first, "GIF", save_all=True, append_images=[second], duration=100)


def good_files() -> dict[str, bytes]:
    """What has to give the right picture."""
    files = {f"turned-{n}.jpg": turned(n, "JPEG", quality=95) for n in range(1, 9)}
    files |= {
        f"turned-{n}.{kind.lower()}": turned(n, kind) for n in (3, 6) for kind in ("PNG", "WEBP")
    }
    files |= {f"{kind}.jpg": content for kind, content in whole_files().items()}
    files |= {
        "alpha.png": encoded(see_through(), "PNG"),
        "alpha.webp": encoded(see_through(), "WEBP", lossless=True),
        "alpha-grey.png": encoded(see_through().convert("LA"), "PNG"),
        "palette.png": encoded(spotted().quantize(16), "PNG"),
        "bilevel.png": encoded(spotted().convert("1"), "PNG"),
        "grey.jpg": encoded(spotted().convert("L"), "JPEG"),
        "grey16.png": encoded(deep_grey(), "PNG"),
        "grey16.tif": encoded(deep_grey(), "TIFF"),
        "cmyk.jpg": encoded(spotted().convert("CMYK"), "JPEG", quality=95),
        "cmyk-profile.jpg": encoded(
            Image.new("CMYK", (90, 60), (255, 0, 0, 0)), "JPEG", icc_profile=cmyk_profile()
        ),
        "animated.gif": animation(),
        "one-pixel.png": encoded(spotted(1, 1), "PNG"),
        "thin.png": encoded(spotted(500, 1), "PNG"),
        "flat.png": encoded(Image.new("RGB", (64, 48), "white"), "PNG"),
        "really-a-png.jpg": encoded(spotted(), "PNG"),
        "two words {stem}.png": encoded(spotted(), "PNG"),
        "photo.png": encoded(Image.fromarray(data.astronaut()), "PNG"),
        "photo.jpg": encoded(Image.fromarray(data.chelsea()), "JPEG"),
    }
    if sys.platform == "linux":  # a name in no encoding
        files[os.fsdecode(b"caf\xe9.png")] = encoded(spotted(), "PNG")
    return files


def bad_files() -> dict[str, bytes]:
    """What has to give an error."""
    whole = {kind: encoded(spotted(), kind) for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP")}
    files = {f"torn-{kind}.jpg": content[: len(content) // 2] for kind, content in whole.items()}
    flipped = bytearray(whole["PNG"])
    flipped[len(flipped) // 2] ^= 0xFF
    return files | {
        "bomb.png": BOMB,
        "empty.jpg": b"",
        "text.jpg": b"Dear all, the photos are in the other mail.\n",
        "page.png": b"<!DOCTYPE html><title>404 Not Found</title>",
        "head-alone.jpg": whole["JPEG"][:20],
        "flipped.png": bytes(flipped),
        "zeros.jpg": bytes(10_000),
    }


class Table:
    """One run of the command over everything, and what it said and wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, content in (good_files() | bad_files()).items():
            (folder / name).write_bytes(content)
        inputs = sorted(names(folder) | {"missing.jpg"})
        line = ["best", *inputs, "-o", "out/{stem}{ext}.png", "--json", "--budget", 300]
        self.run = command(folder, *line)
        self.records = {record["input"]: record for record in records(self.run)}

    def output(self, name: str) -> Image.Image:
        return decoded((self.folder / "out" / f"{name}.png").read_bytes())

    def expected(self, name: str, upright: Image.Image) -> Image.Image:
        assert self.records[name]["source_size"] == list(upright.size)
        return upright.crop(self.records[name]["box"])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return Table(tmp_path_factory.mktemp("table"))


def same(a: Image.Image, b: Image.Image) -> bool:
    return a.mode == b.mode and np.array_equal(np.asarray(a), np.asarray(b))


def test_some_fail_and_the_rest_is_done_which_is_code_1(table: Table) -> None:
    assert table.run.returncode == 1, table.run.stderr
    assert names(table.folder / "out") == {name + ".png" for name in good_files()}


def test_there_is_no_traceback_and_no_warning(table: Table) -> None:
    assert b"Traceback" not in table.run.stderr
    assert b"Warning" not in table.run.stderr
    # messages of several lines are indented
    assert all(line.startswith((b"cropper: ", b" ")) for line in table.run.stderr.splitlines())


def test_every_input_has_its_json_line(table: Table) -> None:
    assert len(table.records) == len(table.run.stdout.splitlines())
    failed = {name for name, record in table.records.items() if "error" in record}
    assert failed == {*bad_files(), "missing.jpg"}
    assert table.records.keys() - failed == good_files().keys()


def test_it_was_the_default_scorer_within_the_budget(table: Table) -> None:
    done = [record for record in table.records.values() if "error" not in record]
    assert {record["scorer"] for record in done} == {"cropnet"}
    assert max(record["candidates"] for record in done) <= 300


@pytest.mark.parametrize("name", sorted(good_files()), ids=ascii)
def test_every_output_is_whole_and_as_large_as_its_box(name: str, table: Table) -> None:
    x0, y0, x1, y1 = table.records[name]["box"]
    width, height = table.records[name]["source_size"]
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    assert table.output(name).size == (x1 - x0, y1 - y0)
    assert table.output(name).format == "PNG"


@pytest.mark.parametrize("name", sorted(good_files()), ids=ascii)
def test_the_crop_shows_that_part_of_the_picture(name: str, table: Table) -> None:
    upright = ImageOps.exif_transpose(decoded(good_files()[name]))
    mode = "RGBA" if upright.has_transparency_data else "RGB"
    if upright.mode == "I;16":
        assert same(table.output(name), table.expected(name, upright))
    elif not name.startswith("cmyk"):
        shown = table.output(name).convert(mode)
        assert difference(shown, table.expected(name, upright.convert(mode))) == 0


@pytest.mark.parametrize("name", [*sorted(bad_files()), "missing.jpg"])
def test_every_failure_names_its_file_and_says_why(name: str, table: Table) -> None:
    message = table.records[name]["error"]
    assert message.startswith(f"{name}: ")
    assert len(message) > len(name) + 20
    assert message.encode() in table.run.stderr


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_turned_pictures_are_cropped_upright(kind: str, orientation: int, crop: Crop) -> None:
    lossless = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}
    content = turned(orientation, kind, **lossless.get(kind, {}))
    Path("photo").write_bytes(content)
    record = one_record(crop("photo", "--json"))
    assert record["source_size"] == [120, 80]
    x0, y0, x1, y1 = record["box"]
    assert abs((x0 + x1) / 2 - 0.65 * 120) <= 3
    assert abs((y0 + y1) / 2 - 0.4 * 80) <= 3
    with Image.open(record["output"]) as written:
        assert written.format == kind
        assert written.size == (x1 - x0, y1 - y0)
        assert written.getexif().get(ORIENTATION_TAG, 1) == 1
        shown = ImageOps.exif_transpose(written).convert("RGB")
    assert difference(shown, spotted().crop(record["box"])) < 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_and_profile_are_kept(kind: str, crop: Crop) -> None:
    profile = swapped_profile()
    content = with_exif(spotted(), kind, 6, icc_profile=profile)
    Path("photo").write_bytes(content)
    written = decoded(Path(one_record(crop("photo", "--json"))["output"]).read_bytes())
    assert written.format == kind
    assert written.info["icc_profile"] == profile
    before, after = decoded(content).getexif(), written.getexif()
    assert after[ARTIST_TAG] == before[ARTIST_TAG]
    assert after.get_ifd(SETTINGS_TAG).get(EXPOSURE_TAG) == before.get_ifd(SETTINGS_TAG).get(
        EXPOSURE_TAG
    )
    assert after.get(ORIENTATION_TAG, 1) == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_thumbnail_of_the_whole_picture_is_dropped(kind: str, crop: Crop) -> None:
    content = with_exif(spotted(), kind, 1)
    assert THUMBNAIL in content
    Path("photo").write_bytes(content)
    written = Path(one_record(crop("photo", "--json"))["output"]).read_bytes()
    assert THUMBNAIL not in written


def test_colours_go_through_the_profile_where_the_format_has_none(crop: Crop) -> None:
    red = Image.new("RGB", (60, 40), (200, 30, 40))
    Path("photo.png").write_bytes(encoded(red, "PNG", icc_profile=swapped_profile()))
    assert crop("photo.png", "-o", "out.bmp").exit_code == 0
    assert np.abs(pixels("out.bmp")[5, 5].astype(int) - (30, 200, 40)).max() <= 3


def test_alpha_is_kept_where_the_format_can(crop: Crop) -> None:
    see_through().save("photo.png")
    for out in ("out.png", "out.webp", "out.tif", "out.avif"):
        box = one_record(crop("photo.png", "-o", out, "--json"))["box"]
        with Image.open(out) as written:
            assert written.mode == "RGBA"
            expected = np.asarray(see_through().crop(box))[..., 3]
            assert difference(written.getchannel("A"), expected) < 3


@pytest.mark.parametrize("out", ["out.jpg", "out.bmp"])
def test_what_is_transparent_is_white_where_it_cannot(out: str, crop: Crop) -> None:
    see_through().save("photo.png")
    x0, y0, x1, _ = one_record(crop("photo.png", "-o", out, "--json", "--max-scale", 0.9))["box"]
    clear = pixels(out)[max(50 - y0, 0) :]  # well below the edge at 40
    assert clear.size
    assert clear.min() >= 250
    shown = pixels(out)[: 35 - y0]
    assert difference(shown, np.asarray(spotted())[y0:35, x0:x1]) < 6


def test_cmyk_stays_cmyk_and_does_not_turn_black_or_negative(crop: Crop) -> None:
    spotted().convert("CMYK").save("photo.jpg", quality=95)
    box = one_record(crop("photo.jpg", "--json"))["box"]
    with Image.open("photo-best.jpg") as written:
        assert written.mode == "CMYK"
        assert difference(written.convert("RGB"), spotted().crop(box)) < 6


def test_cmyk_as_png_looks_the_same(crop: Crop) -> None:
    spotted().convert("CMYK").save("photo.jpg", quality=95)
    box = one_record(crop("photo.jpg", "--json", "-o", "out.png"))["box"]
    with Image.open("out.png") as written:
        assert written.mode == "RGB"
        assert difference(written, spotted().crop(box)) < 6


def test_cmyk_goes_through_its_profile(table: Table) -> None:
    written = table.output("cmyk-profile.jpg")
    assert written.mode == "RGB"
    red, green, blue = np.asarray(written).reshape(-1, 3).mean(0)
    assert green > red + 60  # its cyan ink is green
    assert green > blue + 60


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_deep_grey_keeps_every_bit(kind: str, crop: Crop) -> None:
    deep_grey().save(f"photo.{kind}")
    box = one_record(crop(f"photo.{kind}", "--json"))["box"]
    with Image.open(f"photo-best.{kind}") as written:
        assert same(written, deep_grey().crop(box))


def test_deep_grey_as_jpeg_is_neither_white_nor_black(crop: Crop) -> None:
    deep_grey().save("photo.png")
    box = one_record(crop("photo.png", "--json", "-o", "out.jpg"))["box"]
    expected = np.asarray(deep_grey().crop(box)) / 65_535 * 255
    assert expected.std() > 20
    assert difference(pixels("out.jpg"), expected) < 4


def test_of_an_animation_the_first_frame_is_cropped(crop: Crop) -> None:
    Path("photo.gif").write_bytes(animation())
    record = one_record(crop("photo.gif", "--json"))
    assert record["source_size"] == [120, 80]
    with Image.open("photo.gif") as source, Image.open("photo-best.gif") as written:
        assert source.n_frames == 2
        assert (written.format, written.n_frames) == ("GIF", 1)
        assert difference(written.convert("RGB"), source.convert("RGB").crop(record["box"])) == 0

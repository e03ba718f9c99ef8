"""Encoding: what goes with the pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from cropper.errors import ConfigError, ImageWriteError
from cropper.image import exif, from_array, load_image
from cropper.image.output import encode
from tests.image.encoding import BOX, FORMATS, SOURCES, recoded
from tests.image.pictures import (
    ARTIST,
    MAKER_NOTE,
    THUMBNAIL,
    decoded,
    difference,
    encoded,
    exif_block,
    photo,
    with_exif,
)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("came_as", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [None, (33, 21)])
def test_exif(kind: str, came_as: str, size: Any) -> None:
    content = with_exif(photo(), came_as, 6)
    source = load_image(content)
    assert THUMBNAIL in content
    result = recoded(source, kind, (8, 10, 48, 74), size)
    image = decoded(result)
    tags = image.getexif()
    assert image.size == (size or (40, 64))
    assert tags.get(0x0112, 1) == 1
    assert tags[0x013B].encode("latin-1") == ARTIST
    settings, position = tags.get_ifd(0x8769), tags.get_ifd(0x8825)
    assert (settings[0xA002], settings[0xA003]) == image.size
    assert settings[0x927C] == MAKER_NOTE
    assert settings[0x829A] == pytest.approx(1 / 250)
    assert position == {1: "N", 2: (48.0, 8.0, 30.0)}
    assert THUMBNAIL not in result
    assert not exif_directory_1(image)
    assert np.array_equal(load_image(result).view(64).pixels, np.asarray(image.convert("RGB")))


def exif_directory_1(image: Image.Image) -> dict[int, Any]:
    return {} if image.format == "TIFF" else image.getexif().get_ifd(-1)


def test_exif_keeps_its_bytes_from_jpeg_to_jpeg() -> None:
    """But for orientation, sizes and thumbnail, so that offsets in maker notes stay true."""
    block = exif_block(1, ">")
    source = load_image(encoded(photo(), "JPEG", exif=b"Exif\0\0" + block))
    result = exif.bare(decoded(recoded(source, "JPEG")).info["exif"])
    assert result == exif.after_crop(block, (64, 40))
    assert result.index(MAKER_NOTE) == block.index(MAKER_NOTE)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_tags_of_a_tiff(kind: str, compression: str) -> None:
    tags = Image.Exif()
    tags[0x0112], tags[0x013B], tags[0x8298] = 6, ARTIST, "(c) somebody"
    if compression == "raw":  # Pillow writes subdirectories in no other
        tags.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 30.0)})
        tags.get_ifd(0x8769).update({0x829A: 0.5, 0xA005: 8})  # and a pointer to another
        tags[0x8825] = tags[0x8769] = 0
    content = encoded(photo(), "TIFF", exif=tags, compression=compression, dpi=(300, 300))
    source = load_image(content)
    assert source.size == (64, 96)
    image = decoded(recoded(source, kind, (8, 10, 48, 74)))
    result = image.getexif()
    assert image.size == (40, 64)
    assert result.get(0x0112, 1) == 1
    assert (result[0x013B].encode("latin-1"), result[0x8298]) == (ARTIST, "(c) somebody")
    assert bool(result.get_ifd(0x8825)) is (compression == "raw")
    assert result.get_ifd(0x8769) == ({0x829A: 0.5} if compression == "raw" else {})
    if kind == "TIFF":
        assert image.info["compression"] == compression


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("came_as", ["JPEG", "PNG", "TIFF", "BMP"])
def test_resolution_is_kept(kind: str, came_as: str) -> None:
    source = load_image(encoded(photo(), came_as, dpi=(300, 150)))
    assert decoded(recoded(source, kind)).info["dpi"] == pytest.approx((300, 150), abs=0.1)


def test_no_resolution_is_made_up() -> None:
    for came_as in ("JPEG", "TIFF", "PNG"):
        content = encoded(photo(), came_as)
        if came_as == "JPEG":  # whose EXIF is where Pillow would look next
            content = with_exif(photo(), came_as, 1)
        source = load_image(content)
        assert source.header.dpi is None
        assert "dpi" not in decoded(recoded(source, "PNG")).info


def test_exif_that_a_jpeg_cannot_hold_is_left_out() -> None:
    tags = Image.Exif()
    tags[0x010E] = "x" * 70_000
    source = load_image(encoded(photo(), "PNG", exif=tags))
    assert len(decoded(recoded(source, "PNG")).getexif()[0x010E]) == 70_000
    assert not decoded(recoded(source, "JPEG")).getexif()


def test_nothing_else_travels_along() -> None:
    """Neither comments nor XMP nor animation, which the crop would make untrue."""
    xmp = b"<x:xmpmeta crs:HasCrop='False'/>"
    source = load_image(encoded(photo(), "JPEG", comment=b"whole picture", xmp=xmp))
    for kind in FORMATS:
        content = recoded(source, kind)
        assert b"whole picture" not in content
        assert b"xmpmeta" not in content


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpeg_keeps_its_subsampling(subsampling: int) -> None:
    source = load_image(encoded(photo(), "JPEG", subsampling=subsampling))
    for size in (None, (30, 20)):
        image = Image.open(io.BytesIO(recoded(source, "JPEG", size=size)))
        assert JpegImagePlugin.get_sampling(image) == subsampling


def test_quality() -> None:
    source = load_image(encoded(photo(960, 640), "PNG"))
    crop = source.cut((0, 0, 500, 500))
    for kind in ("JPEG", "WEBP", "AVIF"):
        small, usual, large = (encode(crop, source, kind, q) for q in (10, 92, 100))
        assert len(small) < len(usual) < len(large)
        assert encode(crop, source, kind) == usual


@pytest.mark.parametrize("quality", [0, 101, 92.5, None])
def test_quality_out_of_range(quality: Any) -> None:
    source = SOURCES["RGB"]
    with pytest.raises(ConfigError, match="quality"):
        encode(source.cut(BOX), source, "JPEG", quality)


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("alpha", [True, False])
@pytest.mark.parametrize("animated", [True, False])
def test_webp_stays_lossless_or_lossy(lossless: bool, alpha: bool, animated: bool) -> None:
    image = SOURCES["RGBA" if alpha else "RGB"].cut((0, 0, 96, 64))
    options = {"save_all": True, "append_images": [image.rotate(180)]} if animated else {}
    source = load_image(encoded(image, "WEBP", lossless=lossless, exif=b"x", **options))
    assert source.header.lossless is lossless
    result = decoded(recoded(source, "WEBP"))
    crop = source.cut(BOX)
    same = np.array_equal(np.asarray(result.convert("RGBa")), np.asarray(crop.convert("RGBa")))
    assert same is lossless


@pytest.mark.parametrize("used", ["raw", "tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg"])
def test_tiff_compression(used: str) -> None:
    source = load_image(encoded(photo(), "TIFF", compression=used))
    image = decoded(recoded(source, "TIFF"))
    assert image.info["compression"] == ("tiff_adobe_deflate" if used == "jpeg" else used)
    assert np.array_equal(np.asarray(image), np.asarray(source.cut(BOX)))


def test_fax_compression_is_for_two_levels_only() -> None:
    source = load_image(encoded(photo().convert("1"), "TIFF", compression="group4"))
    assert decoded(recoded(source, "TIFF")).info["compression"] == "group4"
    resized = decoded(recoded(source, "TIFF", size=(20, 20)))
    assert (resized.mode, resized.info["compression"]) == ("L", "tiff_adobe_deflate")


def test_heic_round_trip() -> None:
    pytest.importorskip("pillow_heif")
    source = load_image(with_exif(photo(), "JPEG", 6))
    crop = load_image(recoded(source, "HEIF", (8, 10, 48, 74)))
    assert (crop.format, crop.size) == ("HEIF", (40, 64))
    assert difference(crop.view(64).pixels, source.cut((8, 10, 48, 74))) < 6
    assert crop.header.exif is not None
    assert exif.orientation(crop.header.exif) == 1


def test_heic_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cropper.image.header.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImageWriteError, match=r"pip install 'cropper\[heic\]'"):
        recoded(SOURCES["RGB"], "HEIF")


def test_sizes_that_a_format_cannot_hold() -> None:
    source = from_array(np.zeros((2, 2), np.uint8), name="tiny")
    for kind, size in (("WEBP", (16_384, 1)), ("JPEG", (65_536, 1)), ("GIF", (65_536, 1))):
        with pytest.raises(ImageWriteError, match=f"tiny: .*{size[0]} x 1 px .*{kind}"):
            encode(source.cut((0, 0, 2, 2), size), source, kind)


def test_unknown_format() -> None:
    with pytest.raises(ConfigError, match="EPS"):
        recoded(SOURCES["RGB"], "EPS")


def test_encoding_changes_nothing() -> None:
    source = SOURCES["P+key"]
    crop = source.cut(BOX)
    crop.info["icc_profile"] = b"stale"
    before = (crop.copy(), dict(crop.info), source.view(96).pixels.copy())
    for kind in FORMATS:
        assert b"stale" not in encode(crop, source, kind)
    assert crop == before[0]
    assert crop.info == before[1]
    assert np.array_equal(source.view(96).pixels, before[2])

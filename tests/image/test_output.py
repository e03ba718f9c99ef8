import errno
import io
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin, features

from cropper.errors import BoxError, ConfigError, ImageReadError, ImageWriteError
from cropper.image import SourceImage, exif, from_array, load_image
from cropper.image.output import encode, format_for, save_crop, write_atomic
from tests.image.pictures import (
    ARTIST,
    MAKER_NOTE,
    THUMBNAIL,
    cmyk_profile,
    decoded,
    difference,
    encoded,
    exif_block,
    grey_profile,
    noise,
    photo,
    pixel,
    srgb_profile,
    swapped_profile,
    with_exif,
    with_palette_and_alpha,
)

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"]
BOX = (10, 8, 74, 48)  # 64 x 40 px of a photo() of 96 x 64
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")


def recoded(source: SourceImage, kind: str, box: Any = BOX, size: Any = None) -> bytes:
    return encode(source.cut(box, size), source, kind)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jpg", "JPEG"),
        ("b/A.JPEG", "JPEG"),
        ("a.b.png", "PNG"),
        ("x.TIFF", "TIFF"),
        ("x.webp", "WEBP"),
        ("x.gif", "GIF"),
        ("x.bmp", "BMP"),
        ("x.avif", "AVIF"),
        ("x.heic", "HEIF"),
    ],
)
def test_format_by_extension(name: str, kind: str) -> None:
    assert format_for(name) == format_for(Path(name)) == kind


@pytest.mark.parametrize("name", ["a", "jpg", ".jpg", "a.psd", "a.jpg.txt", "a.eps"])
def test_unknown_extensions_are_refused_with_a_list(name: str) -> None:
    with pytest.raises(ConfigError, match=r"\.jpg .*\.png .*\.webp .*\.tiff"):
        format_for(name)


# Modes and colours


def pictures_of_all_modes() -> dict[str, SourceImage]:
    clear = photo().convert("RGBA")
    clear.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))))
    keyed = photo().quantize(100)
    keyed.info["transparency"] = keyed.getpixel((40, 30))
    grey16 = np.asarray(photo().convert("L")).astype(np.uint16) * 257
    images = {mode: photo().convert(mode) for mode in ("1", "L", "RGB", "CMYK", "YCbCr", "LAB")}
    images |= {"HSV": photo().convert("HSV"), "P": photo().quantize(100), "P+key": keyed}
    images |= {"RGBX": photo().convert("RGBX"), "RGBA": clear, "LA": clear.convert("LA")}
    images |= {"La": clear.convert("LA").convert("La"), "RGBa": clear.convert("RGBa")}
    images |= {"PA": with_palette_and_alpha(clear), "I;16": Image.fromarray(grey16)}
    images |= {"I": Image.fromarray(grey16.astype(np.int32))}
    images |= {"I, wide": Image.fromarray(grey16.astype(np.int32) * 100 - 5000)}
    images |= {"F": Image.fromarray(grey16.astype(np.float32) / 65535 - 0.5)}
    table = bytes(100) + bytes(range(156))
    images["P+alphas"] = photo().quantize(256)
    images["P+alphas"].info["transparency"] = table
    images["L+key"] = images["L"].copy()
    images["L+key"].info["transparency"] = images["L"].getpixel((40, 30))
    images["RGB+key"] = images["RGB"].copy()
    images["RGB+key"].info["transparency"] = images["RGB"].getpixel((40, 30))
    images["I;16+key"] = images["I;16"].copy()
    images["I;16+key"].info["transparency"] = int(grey16[30, 40])
    sources = {name: from_array(image, name) for name, image in images.items()}
    profiles = {"L": grey_profile(1.2), "LA": grey_profile(1.8), "CMYK": cmyk_profile()}
    profiles |= {"RGB": swapped_profile(), "RGBA": swapped_profile(), "P": swapped_profile()}
    for name, profile in profiles.items():
        tagged = images[name].copy()
        tagged.info["icc_profile"] = profile
        sources[f"{name}+profile"] = from_array(tagged, name)
    return sources


SOURCES = pictures_of_all_modes()


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", SOURCES)
def test_every_mode_looks_the_same_in_every_format(name: str, kind: str) -> None:
    """What a viewer shows of the crop is what it shows of the picture, as far as 256 colours and
    one clear colour allow in GIF."""
    source = SOURCES[name]
    expected = source.view(96).pixels[8:48, 10:74]
    for box, size in ((BOX, None), ((10.0, 8.0, 74.0, 48.0), (64, 40))):
        crop = load_image(recoded(source, kind, box, size))
        assert (crop.format, crop.size) == (kind, (64, 40))
        shown = crop.view(64).pixels
        if kind == "TIFF" and name in ("I, wide", "F"):
            continue  # the values stay, and a viewer spreads those that are left
        if kind == "GIF" and source.header.mode in ("RGBA", "LA", "La", "RGBa", "PA", "P"):
            continue  # half clear becomes clear or not; tested below
        limit = {"GIF": 6.0, "JPEG": 5.0, "WEBP": 5.0, "AVIF": 5.0}.get(kind, 2.0)
        if name == "1" and kind in ("JPEG", "WEBP", "AVIF"):
            limit = 12  # a dither pattern
        assert difference(shown, expected) < limit


EXACT = {
    "JPEG": {"CMYK", "L", "RGB"},
    "PNG": {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"},
    "TIFF": {"1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "PA", "I;16", "I", "F"},
    "GIF": {"P", "L"},
}


@pytest.mark.parametrize(("kind", "mode"), [(k, m) for k in EXACT for m in sorted(EXACT[k])])
def test_modes_are_kept_where_the_format_has_them(kind: str, mode: str) -> None:
    source = SOURCES[mode]
    image = decoded(recoded(source, kind))
    assert image.mode == mode
    if kind != "JPEG":
        cut = source.cut(BOX)
        assert np.array_equal(np.asarray(image), np.asarray(cut))
        if mode in ("P", "PA"):
            assert np.array_equal(
                np.asarray(image.convert("RGBA")), np.asarray(cut.convert("RGBA"))
            )


@pytest.mark.parametrize("into", ["PNG", "TIFF"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_survives_exactly(kind: str, into: str) -> None:
    values = noise((64, 96), 65536)
    source = load_image(encoded(Image.fromarray(values), kind))
    image = decoded(recoded(source, into))
    assert image.mode == "I;16"
    assert np.array_equal(np.asarray(image), values[8:48, 10:74])
    resized = decoded(recoded(source, into, size=(32, 20)))
    assert resized.mode == "I;16"
    assert np.asarray(resized).max() > 255


def test_16_bit_grey_of_a_wide_tiff_becomes_a_16_bit_png() -> None:
    image = decoded(recoded(SOURCES["I"], "PNG"))
    assert image.mode == "I;16"
    assert np.array_equal(np.asarray(image), np.asarray(SOURCES["I"].cut(BOX)))


def test_crop_of_float_grey_is_as_bright_as_the_whole() -> None:
    """The darkest corner of a ramp stays dark."""
    ramp = np.linspace(0, 1, 6400, dtype=np.float32).reshape(80, 80)
    source = load_image(encoded(Image.fromarray(ramp), "TIFF"))
    assert np.asarray(decoded(recoded(source, "PNG", (0, 0, 80, 8)))).max() == pytest.approx(
        25, abs=1
    )


def test_palette_gif_keeps_colours_and_the_clear_one() -> None:
    image = photo().quantize(40)
    clear = image.getpixel((40, 30))
    content = encoded(image, "GIF", transparency=clear)
    source = load_image(content)
    result = decoded(recoded(source, "GIF"))
    assert result.mode == "P"
    expected = decoded(content).crop(BOX).convert("RGBA")
    assert result.convert("RGBA").tobytes() == expected.tobytes()
    assert result.convert("RGBA").getchannel("A").getextrema() == (0, 255)
    assert "loop" not in result.info


def test_resized_gif_is_a_gif_with_alpha() -> None:
    source = SOURCES["P+key"]
    result = decoded(recoded(source, "GIF", size=(40, 30)))
    assert (result.mode, result.size) == ("P", (40, 30))
    expected = source.cut(BOX, (40, 30))
    alpha = np.asarray(result.convert("RGBA"))[..., 3]
    assert np.array_equal(alpha == 0, np.asarray(expected)[..., 3] < 128)
    opaque = np.asarray(expected)[..., 3] == 255
    colours = np.asarray(result.convert("RGB"))[opaque]
    assert difference(colours, np.asarray(expected.convert("RGB"))[opaque]) < 8


def test_alpha_is_kept_exactly_where_it_can_be() -> None:
    source = SOURCES["RGBA"]
    cut = np.asarray(source.cut(BOX))
    for kind in ("PNG", "TIFF"):
        assert np.array_equal(np.asarray(decoded(recoded(source, kind))), cut)
    for kind in ("WEBP", "AVIF"):
        assert difference(np.asarray(decoded(recoded(source, kind)))[..., 3], cut[..., 3]) < 2


@pytest.mark.parametrize("kind", ["JPEG", "BMP"])
@pytest.mark.parametrize("name", ["RGBA", "LA", "P+key", "RGB+key", "PA"])
def test_alpha_becomes_white_where_it_cannot_be_kept(kind: str, name: str) -> None:
    image = decoded(recoded(SOURCES[name], kind))
    assert image.mode in ("L", "RGB", "P")
    ground = Image.new("RGBA", (64, 40), "white")
    ground.alpha_composite(SOURCES[name].cut(BOX).convert("RGBA"))
    assert difference(image.convert("RGB"), ground.convert("RGB")) < 4


def test_resizing_mixes_nothing_hidden_into_edges() -> None:
    """White above half clear, black hidden: every visible pixel of a smaller crop is white."""
    image = Image.new("RGBA", (60, 40), (255, 255, 255, 255))
    image.paste((0, 0, 0, 0), (0, 0, 31, 40))
    source = load_image(encoded(image, "PNG"))
    result = np.asarray(decoded(recoded(source, "PNG", (0, 0, 60, 40), (13, 7))))
    visible = result[..., 3] > 8
    assert visible.any()
    assert (result[..., 3] == 0).any()
    assert result[visible][:, :3].min() >= 250


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_stays_cmyk_with_its_profile(kind: str) -> None:
    source = SOURCES["CMYK+profile"]
    image = decoded(recoded(source, kind))
    assert (image.mode, image.info["icc_profile"]) == ("CMYK", cmyk_profile())


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "GIF", "BMP"])
def test_cmyk_becomes_srgb_through_its_profile(kind: str) -> None:
    image = Image.new("CMYK", (32, 32), (255, 0, 0, 0))
    source = load_image(encoded(image, "TIFF", icc_profile=cmyk_profile()))
    result = decoded(recoded(source, kind, (0, 0, 32, 32)))
    red, green, blue = result.convert("RGB").getpixel((5, 5))
    assert green > 150
    assert max(red, blue) < 60
    assert "icc_profile" not in result.info


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("size", [None, (30, 20)])
def test_rgb_profile_is_kept(kind: str, size: Any) -> None:
    for name in ("RGB+profile", "P+profile"):
        result = decoded(recoded(SOURCES[name], kind, size=size))
        assert result.info["icc_profile"] == swapped_profile()


@pytest.mark.parametrize("kind", ["GIF", "BMP"])
def test_colours_are_converted_where_no_profile_can_tell(kind: str) -> None:
    source = from_array(Image.new("RGB", (20, 20), (200, 50, 10)))
    source = load_image(encoded(source.cut((0, 0, 20, 20)), "PNG", icc_profile=swapped_profile()))
    crop = load_image(recoded(source, kind, (0, 0, 9, 9)))
    assert pixel(crop) == pytest.approx((50, 200, 10), abs=2)


@pytest.mark.parametrize("kind", ["GIF", "BMP"])
def test_an_srgb_profile_costs_a_palette_nothing(kind: str) -> None:
    source = load_image(encoded(photo().quantize(40), "PNG", icc_profile=srgb_profile()))
    image = decoded(recoded(source, kind))
    assert image.mode == "P"
    assert image.convert("RGB").tobytes() == source.cut(BOX).convert("RGB").tobytes()


def test_grey_profile_goes_with_grey_only() -> None:
    source = SOURCES["L+profile"]
    for kind in ("JPEG", "PNG", "TIFF"):
        assert decoded(recoded(source, kind)).info["icc_profile"] == grey_profile(1.2)
    assert "icc_profile" not in decoded(recoded(source, "WEBP")).info  # which has no grey


# What goes with the pixels


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


# Writing


def listing(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_new_file(tmp_path: Path) -> None:
    write_atomic(b"abc", tmp_path / "a.bin", overwrite=False)
    assert (tmp_path / "a.bin").read_bytes() == b"abc"
    assert listing(tmp_path) == ["a.bin"]


def test_existing_file_is_kept_unless_told(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(ImageWriteError, match=r"a\.bin: exists.*--overwrite"):
        write_atomic(b"new", target, overwrite=False)
    assert target.read_bytes() == b"old"
    write_atomic(b"new", target, overwrite=True)
    assert target.read_bytes() == b"new"
    assert listing(tmp_path) == ["a.bin"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageWriteError, match="device or a pipe"):
        write_atomic(b"new", tmp_path / "pipe", overwrite=True)
    assert (tmp_path / "pipe").is_fifo()


def test_places_that_are_not(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("folder", "missing/a.png", "file/a.png", "loop", "x" * 300 + ".png", "a\0b"):
        for overwrite in (False, True):
            with pytest.raises(ImageWriteError):
                write_atomic(b"new", tmp_path / name, overwrite=overwrite)
    assert listing(tmp_path) == ["file", "folder", "loop"]


def test_name_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    write_atomic(b"new", tmp_path / ("x" * 251 + ".png"), overwrite=False)
    assert len(listing(tmp_path)) == 1


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write_atomic(b"new", tmp_path / "a", overwrite=False)
        write_atomic(b"new", tmp_path / "a", overwrite=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ImageWriteError, match="Permission denied"):
        write_atomic(b"new", tmp_path / "a", overwrite=False)


def test_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "a", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with pytest.raises(ImageWriteError, match="exists"):
        write_atomic(b"new", link, overwrite=False)
    write_atomic(b"new", link, overwrite=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    target.unlink()
    write_atomic(b"newer", link, overwrite=False)
    assert link.is_symlink()
    assert target.read_bytes() == b"newer"
    assert listing(tmp_path / "real") == ["a"]


@pytest.mark.parametrize("old", [None, b"old"])
def test_full_disk(old: bytes | None, tmp_path: Path) -> None:
    """A real failure in the middle of the file: the process may write 1000 bytes to a file."""
    target = tmp_path / "a.jpg"
    if old is not None:
        target.write_bytes(old)
    code = (
        "import resource, signal, sys\nfrom pathlib import Path\n"
        "from cropper.errors import ImageWriteError\n"
        "from cropper.image.output import write_atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_atomic(bytes(100_000), Path(sys.argv[1]), overwrite=True)\n"
        "except ImageWriteError as error: print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(target)], capture_output=True, check=True, text=True
    )
    reason = os.strerror(errno.EFBIG)
    assert run.stdout.startswith(f"{target}: not written: {reason}; nothing was left")
    assert listing(tmp_path) == ([] if old is None else ["a.jpg"])
    assert old is None or target.read_bytes() == old


@pytest.mark.parametrize("step", ["os.fsync", "os.replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_interrupted_at_any_step(
    step: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def fail(*arguments: Any) -> None:
        assert len(listing(tmp_path)) == 2
        raise error

    monkeypatch.setattr(step, fail)
    expected = ImageWriteError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_atomic(b"new", target, overwrite=True)
    assert listing(tmp_path) == ["a"]
    assert target.read_bytes() == b"old"


def test_file_that_comes_up_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a"
    monkeypatch.setattr("os.fsync", lambda handle: target.write_bytes(b"somebody else's"))
    with pytest.raises(ImageWriteError, match="exists"):
        write_atomic(b"new", target, overwrite=False)
    assert target.read_bytes() == b"somebody else's"
    assert listing(tmp_path) == ["a"]


def test_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*arguments: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    write_atomic(b"new", tmp_path / "a", overwrite=False)
    assert listing(tmp_path) == ["a"]


def test_temporary_file_is_hidden_and_beside_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr("os.fsync", lambda handle: seen.extend(listing(tmp_path)))
    write_atomic(b"new", tmp_path / "a", overwrite=False)
    assert seen[0].startswith(".")
    assert seen[0].endswith(".tmp")


# All of it


def test_save_crop(tmp_path: Path) -> None:
    source = load_image(with_exif(photo(), "PNG", 6), name="mine.png")
    target = tmp_path / "crop.png"
    save_crop(source, (8, 10, 48, 74), target)
    assert np.array_equal(np.asarray(Image.open(target)), np.asarray(source.cut((8, 10, 48, 74))))
    save_crop(source, (8.5, 10, 48, 74.25), target, size=(31, 17), overwrite=True)
    assert Image.open(target).size == (31, 17)
    assert listing(tmp_path) == ["crop.png"]
    for quality, name in ((10, "small.jpg"), (95, "large.jpg")):
        save_crop(source, (8, 10, 48, 74), tmp_path / name, quality=quality)
    assert (tmp_path / "small.jpg").stat().st_size < (tmp_path / "large.jpg").stat().st_size


def test_save_crop_leaves_nothing_where_it_fails(tmp_path: Path) -> None:
    content = encoded(photo(), "PNG")
    sound, broken = load_image(content), load_image(content[: len(content) // 2], name="half")
    with pytest.raises(ImageReadError, match="half"):
        save_crop(broken, BOX, tmp_path / "a.png")
    with pytest.raises(BoxError):
        save_crop(sound, (0, 0, 1000, 5), tmp_path / "a.png")
    with pytest.raises(ConfigError, match="extension"):
        save_crop(sound, BOX, tmp_path / "a.xyz")
    assert listing(tmp_path) == []


def test_save_crop_refuses_before_it_works(tmp_path: Path) -> None:
    """The pixels are broken, but nobody got to see them."""
    content = encoded(photo(), "PNG")
    broken = load_image(content[: len(content) // 2])
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(ImageWriteError, match="exists"):
        save_crop(broken, BOX, tmp_path / "a.png")

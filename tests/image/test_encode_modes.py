"""Encoding: modes and colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from cropper.errors import ConfigError
from cropper.image import from_array, load_image
from cropper.image.output import format_for
from tests.image.encoding import BOX, FORMATS, SOURCES, recoded
from tests.image.pictures import (
    cmyk_profile,
    decoded,
    difference,
    encoded,
    grey_profile,
    noise,
    photo,
    pixel,
    srgb_profile,
    swapped_profile,
)

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")


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

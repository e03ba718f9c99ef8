import io
import struct

import numpy as np
import pytest
from PIL import Image

from cropper.image import colour, from_array, load_image, pixels
from tests.image.pictures import (
    BICUBIC,
    LOSSLESS,
    cmyk_profile,
    decoded,
    difference,
    encoded,
    grey_profile,
    noise,
    photo,
    pixel,
    png,
    png_chunk,
    srgb_profile,
    swapped_profile,
    with_palette_and_alpha,
)


def test_palette() -> None:
    image = photo().quantize(32)
    for kind in ("PNG", "GIF", "TIFF", "BMP"):
        source = load_image(encoded(image, kind))
        assert np.array_equal(source.view(96).pixels, np.asarray(image.convert("RGB")))
        cut = source.cut((3, 4, 50, 60))
        assert cut.mode == "P"
        assert np.array_equal(np.asarray(cut), np.asarray(image)[4:60, 3:50])


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_plain_modes(mode: str) -> None:
    image = photo().convert(mode)
    for kind in ("PNG", "TIFF", "BMP"):
        source = load_image(encoded(image, kind))
        assert np.array_equal(source.view(96).pixels, np.asarray(image.convert("RGB")))
        cut = source.cut((3, 4, 50, 60))
        assert cut.mode == mode
        assert np.array_equal(np.asarray(cut), np.asarray(image)[4:60, 3:50])


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA", "P"])
def test_hidden_pixels_never_show(mode: str) -> None:
    """Left half clear above red or black, right half opaque blue or grey."""
    image = Image.new("RGBA", (40, 20), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (20, 0, 40, 20))
    if mode == "P":
        image = Image.new("P", (40, 20), 0)
        image.putpalette([255, 0, 0, 0, 0, 255])
        image.paste(1, (20, 0, 40, 20))
        content = encoded(image, "PNG", transparency=0)
    else:
        made = with_palette_and_alpha(image) if mode == "PA" else image.convert(mode)
        content = encoded(made, "TIFF" if mode == "PA" else "PNG")
    source = load_image(content)
    shown = (29, 29, 29) if mode == "LA" else (0, 0, 255)
    for side in (40, 20):
        view = source.view(side).pixels
        assert tuple(view[0, 0]) == (255, 255, 255)
        assert tuple(view[-1, -1]) == shown
        lowest = view[..., 2].min() if mode != "LA" else view[..., 0].min()
        assert lowest >= (29 if mode == "LA" else 255) - 1  # and no dark seam between the halves
    cut = source.cut((10, 0, 30, 20), (10, 10)).convert("RGBA")
    assert cut.getpixel((9, 9))[:3] == shown
    assert cut.getpixel((0, 0))[3] == 0
    assert cut.getpixel((5, 5))[:3] == pytest.approx(
        shown, abs=2
    )  # beside the seam: no red mixed in


def test_partial_alpha_over_white() -> None:
    image = Image.new("RGBA", (8, 8), (0, 100, 200, 51))
    assert pixel(load_image(encoded(image, "PNG"))) == (204, 224, 244)


@pytest.mark.parametrize(
    ("bits", "colour", "row", "key", "shown"),
    [
        (1, 0, b"\x40", b"\0\1", 0),  # grey 0 1, white is clear
        (2, 0, b"\x30", b"\0\3", 0),
        (4, 0, b"\x0f", b"\0\x0f", 0),
        (8, 0, b"\x00\xff", b"\0\xff", 0),
        (16, 0, b"\x00\x00\x12\x34", b"\x12\x34", 0),
        (8, 2, b"\0\0\0\1\2\3", b"\0\1\0\2\0\3", 0),
        (16, 2, b"\0\0\0\0\0\0\1\2\3\4\5\6", b"\1\2\3\4\5\6", 0),
    ],
)
def test_colour_keys_of_png(bits: int, colour: int, row: bytes, key: bytes, shown: int) -> None:
    content = png(2, 1, bits, colour, b"\0" + row, png_chunk(b"tRNS", key))
    source = load_image(content)
    assert pixel(source, 0) == (shown,) * 3
    assert pixel(source, 1) == (255,) * 3
    part = source.cut((0, 0, 2, 1), (4, 2)).convert("RGBA")
    assert (part.getpixel((0, 0))[3], part.getpixel((3, 1))[3]) == (255, 0)


def test_cmyk_without_profile() -> None:
    image = photo().convert("CMYK")
    for kind, options in (("TIFF", {}), ("JPEG", {"quality": 95})):
        source = load_image(encoded(image, kind, **options))
        assert difference(source.view(96).pixels, photo()) < 5
        cut = source.cut((3, 4, 50, 60))
        assert cut.mode == "CMYK"
        assert np.array_equal(np.asarray(cut), np.asarray(decoded(source._data))[4:60, 3:50])
    assert source.cut((3, 4, 50, 60), (20, 20)).mode == "CMYK"


def test_cmyk_through_its_profile() -> None:
    image = Image.new("CMYK", (64, 64), (255, 0, 0, 0))
    for kind in ("TIFF", "JPEG"):
        source = load_image(encoded(image, kind, icc_profile=cmyk_profile()))
        red, green, blue = pixel(source)
        assert green > 150
        assert max(red, blue) < 60  # Pillow's own conversion makes it cyan
        assert source.notes == ()


@pytest.mark.parametrize("profile", [srgb_profile(), grey_profile(2.2)])
def test_profile_of_another_space_is_noted_and_not_used(profile: bytes) -> None:
    image = photo().convert("CMYK")
    source = load_image(encoded(image, "TIFF", icc_profile=profile))
    assert any("not one for CMYK" in note for note in source.notes)
    plain = load_image(encoded(image, "TIFF"))
    assert np.array_equal(source.view(50).pixels, plain.view(50).pixels)


@pytest.mark.parametrize(
    "profile", [b"junk" * 50, srgb_profile()[:200], srgb_profile()[:128] + bytes(400)]
)
def test_broken_profile_is_noted_and_ignored(profile: bytes) -> None:
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        options = LOSSLESS.get(kind, {})
        source = load_image(encoded(photo(), kind, icc_profile=profile, **options))
        plain = load_image(encoded(photo(), kind, **options))
        assert np.array_equal(source.view(50).pixels, plain.view(50).pixels)
        assert source.header.icc is None or profile[36:40] == b"acsp"
        assert source.notes or profile[36:40] == b"acsp"


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_rgb_profile_is_applied(kind: str) -> None:
    options = LOSSLESS.get(kind, {"quality": 98, "subsampling": 0})
    content = encoded(photo(), kind, icc_profile=swapped_profile(), **options)
    view = load_image(content).view(96).pixels
    swapped = np.asarray(decoded(content))[..., [1, 0, 2]]
    assert difference(view, swapped) < 1
    assert difference(view, photo()) > 10


def test_profile_of_palette_and_alpha_is_applied() -> None:
    image = Image.new("RGBA", (8, 8), (200, 50, 10, 255))
    image.putpixel((0, 0), (200, 50, 10, 0))
    content = encoded(image, "PNG", icc_profile=swapped_profile())
    assert pixel(load_image(content), 4, 4) == pytest.approx((50, 200, 10), abs=1)
    assert pixel(load_image(content)) == (255, 255, 255)
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([200, 50, 10])
    content = encoded(palette, "PNG", icc_profile=swapped_profile())
    assert pixel(load_image(content)) == pytest.approx((50, 200, 10), abs=1)


def test_grey_profile_is_applied() -> None:
    content = encoded(Image.new("L", (8, 8), 128), "PNG", icc_profile=grey_profile(1.0))
    assert pixel(load_image(content)) == pytest.approx((188,) * 3, abs=1)  # linear .5 in sRGB


def test_srgb_profile_changes_nothing() -> None:
    content = encoded(photo(), "PNG", icc_profile=srgb_profile())
    assert np.array_equal(load_image(content).view(96).pixels, np.asarray(photo()))


def test_16_bit_grey() -> None:
    ramp = np.linspace(0, 65535, 64 * 96).reshape(64, 96).astype(np.uint16)
    for kind in ("PNG", "TIFF"):
        source = load_image(encoded(Image.fromarray(ramp), kind))
        view = source.view(96).pixels
        assert np.array_equal(view[..., 0], np.rint(ramp / 257).astype(np.uint8))
        cut = source.cut((3, 4, 50, 60))
        assert cut.mode == "I;16"
        assert np.array_equal(np.asarray(cut), ramp[4:60, 3:50])
        assert (
            difference(
                source.cut((0, 0, 96, 64), (48, 32)), ramp.reshape(32, 2, 48, 2).mean((1, 3))
            )
            < 20
        )


def test_16_bit_grey_big_endian_tiff() -> None:
    values = noise((20, 30), 65536)
    content = encoded(Image.fromarray(values.astype(">u2")), "TIFF")
    assert content.startswith(b"MM")
    source = load_image(content)
    assert np.array_equal(np.asarray(source.cut((0, 0, 30, 20))), values)
    assert source.cut((1, 1, 20, 20), (9, 9)).mode == "I;16"
    assert source.view(30).pixels.max() == 255


def test_12_bit_grey_tiff_is_not_black() -> None:
    """Four 12-bit pixels: 0, 4095, 2048, 1024."""
    rows = bytes.fromhex("000fff800400")
    tags = {256: (3, 4), 257: (3, 1), 258: (3, 12), 259: (3, 1), 262: (3, 1), 273: (4, 122)}
    tags |= {277: (3, 1), 278: (3, 1), 279: (4, 6)}
    table = b"".join(struct.pack("<HHII", tag, kind, 1, v) for tag, (kind, v) in tags.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + table + bytes(4)
    assert len(head) == 122
    assert load_image(head + rows).view(4).pixels[0, :, 0].tolist() == [0, 255, 128, 64]


def test_32_bit_and_float_grey() -> None:
    ramp = np.linspace(-3.0, 5.0, 600, dtype=np.float32).reshape(20, 30)
    holes = ramp.copy()
    holes[5, 5], holes[6, 6], holes[7, 7] = np.nan, np.inf, -np.inf
    source = load_image(encoded(Image.fromarray(holes), "TIFF"))
    view = source.view(30).pixels[..., 0].astype(int)
    expected = np.rint((ramp + 3) / 8 * 255)
    expected[5, 5], expected[6, 6], expected[7, 7] = 0, 255, 0
    assert np.abs(view - expected).max() <= 1
    assert np.array_equal(np.asarray(source.cut((1, 1, 9, 9))), holes[1:9, 1:9], equal_nan=True)
    for size in ((15, 10), (47, 31)):
        resized = np.asarray(source.cut((0, 0, 30, 20), size))
        assert resized.min() > -5
        assert resized.max() < 7
    constant = load_image(encoded(Image.fromarray(np.full((4, 4), 7, np.float32)), "TIFF"))
    assert pixel(constant) == (0, 0, 0)
    nothing = load_image(encoded(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF"))
    assert pixel(nothing) == (0, 0, 0)


@pytest.mark.parametrize(
    ("values", "shown"), [((0, 65535), (0, 255)), ((0, 257), (0, 1)), ((-500, 100_000), (0, 255))]
)
def test_integer_grey(values: tuple[int, int], shown: tuple[int, int]) -> None:
    array = np.array([values], dtype=np.int32)
    source = load_image(encoded(Image.fromarray(array), "TIFF"))
    assert (pixel(source, 0)[0], pixel(source, 1)[0]) == shown
    assert np.array_equal(np.asarray(source.cut((0, 0, 2, 1))), array)


@pytest.mark.parametrize("mode", ["YCbCr", "LAB", "HSV", "RGBX", "RGBa", "La"])
def test_rare_modes(mode: str) -> None:
    start = photo().convert({"La": "LA", "RGBa": "RGBA"}.get(mode, "RGB"))
    image = start.convert(mode)
    source = from_array(image)
    grey_or_colour = start.convert("L" if mode == "La" else "RGB").convert("RGB")
    assert difference(source.view(96).pixels, grey_or_colour) < 3
    half = grey_or_colour.resize((48, 32), BICUBIC)
    assert difference(source.view(48).pixels, half) < 3
    if mode == "LAB":
        assert difference(load_image(encoded(image, "TIFF")).view(96).pixels, photo()) < 3


def test_hue_does_not_average_around_the_circle() -> None:
    reds = Image.new("HSV", (2, 1))
    reds.putpixel((0, 0), (0, 255, 255))
    reds.putpixel((1, 0), (255, 255, 255))
    red, green, blue = from_array(reds).view(1).pixels[0, 0]
    assert (red, green) == (255, 0)
    assert blue < 10


def test_16_bit_grey_shrinks_in_16_bits() -> None:
    values = noise((300, 400), 65536)
    source = load_image(encoded(Image.fromarray(values), "PNG"))
    means = values.reshape(10, 30, 10, 40).mean((1, 3))
    small = np.asarray(source.cut((0, 0, 400, 300), (10, 10)))
    assert small.dtype == np.uint16
    assert difference(small, means) < 600  # of 65535; the noise itself spreads by 19000
    assert abs(source.view(10).pixels.mean() - values.mean() / 257) < 2


def test_a_view_leaves_the_palette_alone() -> None:
    """Pillow keeps alpha in the palette of a picture that it has converted once."""
    source = load_image(encoded(photo().quantize(32), "PNG", transparency=3))
    before = source.cut((0, 0, 9, 9)).getpalette(None)
    source.view(20)
    assert source.cut((0, 0, 9, 9)).getpalette(None) == before


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_strips_are_converted_as_the_whole(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).normal(0, 1e5, (37, 53)).astype(kind)
    if kind is np.float32:
        values[5, 5], values[30, 7], values[36, 52] = np.nan, np.inf, -np.inf
    image = Image.fromarray(values)
    finite = values[np.isfinite(values)].astype(np.float64)
    low, high = finite.min(), finite.max()
    whole = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
    expected = np.clip(np.rint((whole - low) * (255 / (high - low))), 0, 255)
    for strip in (1, 53, 200, 1 << 20):
        monkeypatch.setattr(pixels, "_STRIP", strip)
        assert pixels.span_of(image) == (low, high)
        assert np.array_equal(np.asarray(pixels.eight_bits(image, None)), expected)


def test_large_profiles_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    colour._transform.cache_clear()
    picture, profile = photo(8, 8), swapped_profile()
    expected = colour.to_srgb(picture, profile).tobytes()
    assert colour._transform.cache_info().currsize == 1
    colour._transform.cache_clear()
    monkeypatch.setattr(colour, "_MOST_CACHED", len(profile) - 1)
    assert colour.to_srgb(picture, profile).tobytes() == expected
    assert colour._transform.cache_info().currsize == 0


def test_grey_of_16_bits_where_white_is_zero_is_no_negative() -> None:
    ramp = np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) * 20
    file = io.BytesIO()
    Image.fromarray(65_535 - ramp).save(file, "TIFF")
    black_is_zero, white_is_zero = (struct.pack("<HHIHH", 262, 3, 1, kind, 0) for kind in (1, 0))
    assert file.getvalue().count(black_is_zero) == 1
    image = load_image(file.getvalue().replace(black_is_zero, white_is_zero))
    assert np.array_equal(np.asarray(image.cut((0, 0, 64, 48))), ramp)
    seen = image.view(64).pixels[..., 0].astype(float)
    assert np.corrcoef(seen.ravel(), ramp.ravel())[0, 1] > 0.999

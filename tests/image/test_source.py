import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import GifImagePlugin, Image, ImageCms, ImageFile, ImageOps
from skimage import data

from cropper.errors import BoxError, ConfigError, ImageReadError
from cropper.image import from_array, load_image
from cropper.image.jpeg import decode_jpeg
from tests.image.pictures import (
    BICUBIC,
    LOSSLESS,
    decoded,
    difference,
    encoded,
    exif_block,
    noise,
    photo,
    png,
    png_chunk,
    with_exif,
)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_orientations(kind: str, orientation: int) -> None:
    options = LOSSLESS.get(kind, {"quality": 95})
    content = with_exif(photo(), kind, orientation, **options)
    upright = ImageOps.exif_transpose(decoded(content))
    source = load_image(content)
    assert source.size == upright.size == ((96, 64) if orientation < 5 else (64, 96))
    assert source.format == kind
    view = source.view(max(upright.size))
    assert np.array_equal(view.pixels, np.asarray(upright))
    assert view.size == upright.size
    assert difference(source.view(48).pixels, upright.resize(view_size(upright, 48), BICUBIC)) < 1.5
    box = (10, 20, 41, 53)
    assert np.array_equal(np.asarray(source.cut(box)), np.asarray(upright)[20:53, 10:41])
    part = upright.resize((17, 9), BICUBIC, (10.5, 20.25, 41.75, 53.5))
    assert difference(source.cut((10.5, 20.25, 41.75, 53.5), (17, 9)), part) < 1


def counted_loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The long sides that JPEGs are decoded at, from now on."""
    loaded: list[int] = []

    def counted(image: ImageFile.ImageFile, data: bytes) -> tuple[Image.Image, str | None]:
        loaded.append(max(image.size))
        return decode_jpeg(image, data)

    monkeypatch.setattr("cropper.image.source.decode_jpeg", counted)
    return loaded


def view_size(image: Image.Image, long_side: int) -> tuple[int, int]:
    scale = long_side / max(image.size)
    return (round(image.width * scale), round(image.height * scale))


def test_exif_behind_the_pixels_of_a_png_counts_before_decoding() -> None:
    content = encoded(photo(), "PNG")
    block = png_chunk(b"eXIf", exif_block(6))
    source = load_image(content[:-12] + block + content[-12:])
    assert source.size == (64, 96)
    assert source.view(96).pixels.shape == (96, 64, 3)


def test_exif_as_text_in_a_png_counts() -> None:
    block = b"Exif\0\0" + exif_block(6)
    text = f"\nexif\n{len(block):8}\n{block.hex()}\n".encode()
    content = png(4, 2, 8, 0, b"\0abcd" * 2, png_chunk(b"tEXt", b"Raw profile type exif\0" + text))
    assert load_image(content).size == (2, 4)


def test_orientation_in_xmp_alone_turns_nothing() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"></x:xmpmeta>'
    for kind in ("JPEG", "TIFF"):
        options = {"xmp": xmp} if kind == "JPEG" else {"tiffinfo": {700: xmp}}
        content = encoded(photo(), kind, **options)
        assert b'tiff:Orientation="6"' in content
        source = load_image(content)
        assert source.size == (96, 64)
        assert source.cut((0, 0, 96, 64)).size == (96, 64)


def test_orientation_of_a_pillow_image_counts() -> None:
    image = decoded(with_exif(photo(), "PNG", 6))
    source = from_array(image)
    upright = ImageOps.exif_transpose(image)
    assert source.size == (64, 96)
    assert np.array_equal(source.view(96).pixels, np.asarray(upright))


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (64, 64), (97, 61), (500, 3)])
@pytest.mark.parametrize("long_side", [1, 7, 48, 60])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_view_has_the_long_side_asked_for(kind: str, size: tuple[int, int], long_side: int) -> None:
    view = load_image(encoded(photo(*size), kind)).view(long_side)
    height, width, channels = view.pixels.shape
    assert (max(width, height), channels) == (long_side, 3)
    assert abs(min(width, height) - max(1, min(size) * long_side / max(size))) <= 0.5
    assert view.size == size
    assert view.pixels.dtype == np.uint8
    assert view.pixels.flags.c_contiguous


@pytest.mark.parametrize(
    ("size", "long_side", "spare", "expected"),
    [
        ((1200, 800), 110, 1.5, 150),  # as its decoder gives it, an eighth
        ((1200, 800), 110, 1.3, 110),
        ((1200, 800), 110, 1.0, 110),
        ((1201, 800), 110, 1.5, 110),  # an eighth would end in part of a pixel
        ((120, 80), 110, 1.5, 110),  # not scaled by the decoder
    ],
)
def test_view_may_have_pixels_to_spare(
    size: tuple[int, int], long_side: int, spare: float, expected: int
) -> None:
    for orientation in (1, 6):
        source = load_image(with_exif(photo(*size), "JPEG", orientation))
        view, exact = source.view(long_side, spare), source.view(long_side)
        assert max(view.pixels.shape) == expected
        small = Image.fromarray(view.pixels).resize(exact.pixels.shape[1::-1], BICUBIC)
        assert difference(small, exact.pixels) < 1.5


@pytest.mark.parametrize("size", [(1200, 800), (1203, 797)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_an_expected_crop_and_the_view_are_decoded_once(
    size: tuple[int, int], orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = with_exif(photo(*size), "JPEG", orientation)
    alone, expected = load_image(content), load_image(content)
    loaded = counted_loads(monkeypatch)
    expected.expect([(200, 240)])
    for long_side in (110, 150, 300):
        view = expected.view(long_side, 1.5)
        shown = alone.view(long_side)
        height, width = shown.pixels.shape[:2]
        assert long_side <= max(view.pixels.shape) <= 1.5 * long_side
        assert difference(view.resized(width, height), shown.pixels) < 2
    box = (10.0, 20.0, *(edge - 20.0 for edge in expected.size))
    assert np.array_equal(expected.cut(box, (200, 240)), alone.cut(box, (200, 240)))
    assert len(loaded) == 1 + 4  # once, and each time of the other
    assert expected.cut((0, 0, 30, 40)).size == (30, 40)  # from all pixels


def test_a_crop_smaller_than_expected_is_cut_from_more_pixels() -> None:
    content = encoded(photo(1200, 800), "JPEG")
    source = load_image(content)
    source.expect([(150, 150)])
    box = (300.0, 300.0, 500.0, 500.0)
    assert np.array_equal(source.cut(box, (150, 150)), load_image(content).cut(box, (150, 150)))


def test_what_is_expected_of_other_pictures_changes_nothing() -> None:
    source = load_image(encoded(photo(), "PNG"))
    source.expect([(20, 20)])
    assert np.array_equal(source.view(96).pixels, np.asarray(photo()))
    with pytest.raises(ImageReadError):
        load_image(encoded(photo(600, 400), "JPEG")[:3000]).expect([(50, 50)])


def test_view_is_never_larger_than_the_source() -> None:
    assert load_image(encoded(photo(), "JPEG")).view(5000).pixels.shape == (64, 96, 3)


@pytest.mark.parametrize("long_side", [0, -3, 2.5, "8"])
def test_view_of_no_size(long_side: Any) -> None:
    with pytest.raises(ConfigError, match="long_side"):
        from_array(np.zeros((4, 4), np.uint8)).view(long_side)


@pytest.mark.parametrize(
    ("long_side", "decoded_at"), [(150, 150), (151, 300), (300, 300), (400, 600), (700, 1200)]
)
def test_jpeg_views_are_decoded_scaled(
    long_side: int, decoded_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = counted_loads(monkeypatch)
    for orientation in (1, 6):
        source = load_image(with_exif(photo(1200, 800), "JPEG", orientation))
        source.view(long_side)
        assert loaded == [decoded_at]
        loaded.clear()
        source.cut((0, 0, 30, 30))
        source.cut((0, 0, 30, 30))
        assert loaded == ([] if decoded_at == 1200 else [1200])  # kept, not decoded anew
        loaded.clear()


def shown(path: Path) -> Image.Image:
    """The picture in sRGB over white, converted in full resolution."""
    image = Image.open(path)
    image.load()
    if "icc_profile" in image.info:
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        profile = io.BytesIO(image.info["icc_profile"])
        srgb = ImageCms.createProfile("sRGB")
        flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
        image = ImageCms.profileToProfile(image, profile, srgb, intent, "RGB", flags=flags)
    ground = Image.new("RGBA", image.size, "white")
    ground.alpha_composite(image.convert("RGBA"))
    return ground.convert("RGB")


@pytest.mark.parametrize("name", ["rocket.jpg", "retina.jpg", "hubble_deep_field.jpg"])
@pytest.mark.parametrize("long_side", [100, 256, 500])
def test_scaled_decoding_shows_the_same_picture(name: str, long_side: int) -> None:
    path = Path(data.__file__).parent / name
    whole = shown(path)
    expected = whole.resize(view_size(whole, long_side), BICUBIC)
    # stars, the hardest case, are single pixels; the others differ by about one level
    limit = 2.5 if "hubble" in name else 1.2
    assert difference(load_image(path).view(long_side).pixels, expected) < limit


@pytest.mark.parametrize("name", ["chelsea.png", "camera.png", "logo.png", "page.png"])
def test_views_of_photos(name: str) -> None:
    path = Path(data.__file__).parent / name
    whole = shown(path)
    expected = whole.resize(view_size(whole, 200), BICUBIC)
    assert difference(load_image(path).view(200).pixels, expected) < 1.5


def test_cut_equals_slicing() -> None:
    array = data.astronaut()
    source = from_array(array)
    for box in [(0, 0, 512, 512), (100, 20, 101, 21), (7, 300, 500, 512)]:
        x0, y0, x1, y1 = box
        assert np.array_equal(np.asarray(source.cut(box)), array[y0:y1, x0:x1])
        assert np.array_equal(np.asarray(source.cut(np.array(box) + 1e-9)), array[y0:y1, x0:x1])


def test_cut_belongs_to_the_caller() -> None:
    source = from_array(np.asarray(photo()))
    for box in [(0, 0, 96, 64), (0, 0, 9, 9)]:
        source.cut(box).paste((1, 2, 3), (0, 0, 5, 5))
        assert np.array_equal(np.asarray(source.cut(box)), np.asarray(photo())[: box[3], : box[2]])


@pytest.mark.parametrize("size", [(1, 1), (40, 30), (13, 200), (512, 512), (1000, 700)])
def test_cut_has_exactly_the_size_asked_for(size: tuple[int, int]) -> None:
    source = from_array(data.astronaut())
    for box in [(0, 0, 512, 512), (10.3, 20.7, 300.1, 511.9), (5, 5, 5.5, 5.25)]:
        assert source.cut(box, size).size == size


def test_cut_averages_exactly_the_box() -> None:
    """Whole blocks of a noise picture, so that every output pixel is a known mean."""
    array = noise((240, 320, 3))
    blocks = np.kron(array[:24, :32], np.ones((10, 10, 1), np.uint8))
    source = from_array(blocks)
    part = np.asarray(source.cut((50, 30, 250, 130), (200, 100)))
    assert np.array_equal(part, blocks[30:130, 50:250])
    whole = Image.fromarray(data.astronaut())
    box = (33.3, 41.7, 432.1, 500.9)
    for size in ((120, 140), (30, 33)):
        expected = whole.resize(size, BICUBIC, box)
        assert difference(from_array(data.astronaut()).cut(box, size), expected) < 0.5
    flat = from_array(np.full((50, 60, 3), 77, np.uint8))
    assert set(np.unique(flat.cut((3.3, 4.4, 50.5, 49.9), (17, 19)))) == {77}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(401, 301), (400, 300)])
def test_a_cut_from_a_scaled_decode_is_that_from_all_pixels(
    size: tuple[int, int], orientation: int
) -> None:
    content = with_exif(photo(*size), "JPEG", orientation, quality=95)
    scaled, full = load_image(content), load_image(content)
    full.cut((0, 0, *full.size))  # decoded in full, and kept
    box = np.array([0.1, 0.2, 0.9, 0.95]) * (full.size * 2)
    assert difference(scaled.cut(box, (45, 40)), full.cut(box, (45, 40))) < 1.5
    assert scaled._picture is None
    off_by_one = full.cut(box + 1, (45, 40))
    assert difference(scaled.cut(box, (45, 40)), off_by_one) > 3


def test_cut_at_full_size_is_a_copy() -> None:
    source = from_array(data.astronaut())
    copy = source.cut((100, 50, 300, 250))
    assert np.array_equal(np.asarray(source.cut((100, 50, 300, 250), (200, 200))), np.asarray(copy))


def test_small_crop_of_a_palette_is_the_same_as_from_the_whole() -> None:
    image = Image.fromarray(data.astronaut()).quantize(64)
    source = load_image(encoded(image, "PNG"))
    box = (100.5, 200.25, 180.75, 260.5)
    expected = image.convert("RGB").resize((30, 20), BICUBIC, box)
    assert difference(source.cut(box, (30, 20)), expected) < 0.2


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 97, 10),
        (-1, 0, 5, 5),
        (0, 0, 5, 64.1),
        (5, 5, 5, 9),
        (9, 5, 5, 9),
        (0, 0, float("nan"), 5),
        (0, 0, 5),
        [(0, 0, 5, 5), (1, 1, 6, 6)],
    ],
)
def test_boxes_that_are_refused(box: Any) -> None:
    source = from_array(np.asarray(photo()))
    for size in (None, (5, 5)):
        with pytest.raises(BoxError):
            source.cut(box, size)


@pytest.mark.parametrize("box", [(0, 0, 5.5, 5), (0, 0, 1e-7, 5)])
def test_exact_cuts_want_whole_pixels(box: Any) -> None:
    with pytest.raises(BoxError, match="whole pixels"):
        from_array(np.asarray(photo())).cut(box)


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (2.5, 3), (1 << 20, 1 << 20)])
def test_sizes_that_are_refused(size: Any) -> None:
    with pytest.raises(ConfigError):
        from_array(np.asarray(photo())).cut((0, 0, 9, 9), size)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_arrays_that_are_refused(array: Any) -> None:
    with pytest.raises(ConfigError, match="uint8"):
        from_array(array)


def test_array_is_copied() -> None:
    array = np.array(photo())
    source = from_array(array[::-1, ::-1], name="turned")
    array[:] = 0
    assert np.array_equal(source.view(96).pixels, np.asarray(photo())[::-1, ::-1])
    assert (source.name, source.format, source.size) == ("turned", "MEMORY", (96, 64))


def test_grey_array() -> None:
    grey = noise((20, 30))
    source = from_array(grey)
    assert np.array_equal(source.view(30).pixels, np.stack([grey] * 3, -1))
    assert source.cut((0, 0, 3, 3)).mode == "L"


def test_pillow_image_that_fails_late() -> None:
    image = Image.open(io.BytesIO(encoded(photo(), "JPEG")[:1500]))
    with pytest.raises(ImageReadError, match="mine: broken JPEG"):
        from_array(image, name="mine")


def test_heic_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    find = "cropper.image.header.importlib.util.find_spec"
    monkeypatch.setattr(find, lambda name: None if name == "pillow_heif" else object())
    content = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50)
    with pytest.raises(ImageReadError, match=r"phone: .*pip install 'cropper\[heic\]'"):
        load_image(content, name="phone")
    container = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(50)
    with pytest.raises(ImageReadError, match=r"cropper\[heic\]"):
        load_image(container)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_heic(orientation: int) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    content = with_exif(photo(), "HEIF", orientation, quality=95)
    source = load_image(content)
    plain = encoded(photo(), "PNG")
    upright = ImageOps.exif_transpose(decoded(with_exif(decoded(plain), "PNG", orientation)))
    assert source.format == "HEIF"
    assert source.size == upright.size
    assert difference(source.view(96).pixels, upright) < 6


def test_reading_is_quiet_about_plugins() -> None:
    """Importing the room loads neither HEIC nor the plugins of formats that are never opened."""
    code = (
        "import sys, cropper.image as i, numpy as n\n"
        "i.from_array(n.zeros((4, 4), 'uint8')).view(2)\n"
        "print([m for m in ('pillow_heif', 'torch', 'PIL.EpsImagePlugin', 'PIL.PsdImagePlugin')"
        " if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        check=True,
        cwd=os.getcwd(),
    )
    assert run.stdout.strip() == b"[]"
    assert GifImagePlugin.LOADING_STRATEGY == GifImagePlugin.LoadingStrategy.RGB_AFTER_FIRST

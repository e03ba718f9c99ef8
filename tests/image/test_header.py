import io
import struct
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from cropper.errors import ConfigError, ImageReadError, ImageTooLargeError
from cropper.image import from_array, load_image
from tests.image.pictures import (
    difference,
    encoded,
    noise,
    photo,
    pixel,
    png,
    png_chunk,
    swapped_profile,
    use,
    whole_files,
)


def test_same_picture_by_every_way_in(tmp_path: Path) -> None:
    content = encoded(photo(), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with path.open("rb") as file:
        sources = [load_image(path), load_image(str(path)), load_image(content), load_image(file)]
    sources += [load_image(io.BytesIO(content), name="stream"), from_array(np.asarray(photo()))]
    for source in sources:
        assert np.array_equal(source.view(96).pixels, np.asarray(photo()))
    names = [source.name for source in sources]
    assert names == [str(path)] * 2 + ["<bytes>", str(path), "stream", "array"]


def test_extension_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(photo(), "PNG"))
    assert load_image(path).format == "PNG"


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_first_of_several_frames(kind: str) -> None:
    frames = [Image.new("RGB", (32, 24), colour) for colour in ("red", "lime", "blue")]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    source = load_image(content)
    assert source.size == (32, 24)
    assert source.notes == ("first of 3 frames",)
    assert pixel(source, 5, 5) == pytest.approx((255, 0, 0), abs=2)
    cut = source.cut((0, 0, 5, 5)).convert("RGB")
    assert cut.getpixel((2, 2)) == pytest.approx((255, 0, 0), abs=2)


def test_animation_that_ships_with_scikit_image() -> None:
    path = Path(data.__file__).parent / "no_time_for_that_tiny.gif"
    source = load_image(path)
    with Image.open(path) as image:
        assert source.notes == (f"first of {image.n_frames} frames",)
        image.seek(0)
        assert np.array_equal(source.view(max(image.size)).pixels, np.asarray(image.convert("RGB")))


def test_gif_frame_smaller_than_its_screen() -> None:
    content = bytearray(encoded(Image.new("P", (4, 4), 1), "GIF", transparency=0))
    struct.pack_into("<HH", content, 6, 10, 6)
    source = load_image(bytes(content))
    assert source.size == (10, 6)
    assert source.cut((0, 0, 10, 6)).size == (10, 6)


def test_mpo_counts_as_jpeg() -> None:
    content = encoded(photo(), "MPO", save_all=True, append_images=[photo(48, 32)])
    assert Image.open(io.BytesIO(content)).format == "MPO"
    source = load_image(content)
    assert (source.format, source.size, source.notes) == ("JPEG", (96, 64), ())
    assert difference(source.view(48).pixels, photo(48, 32)) < 6


def test_16_bit_colour_is_noted() -> None:
    row = b"\0" + struct.pack(">6H", 0, 32896, 65535, 257, 514, 771)
    source = load_image(png(2, 1, 16, 2, row))
    assert source.notes == ("16 bits a channel are read as 8",)
    assert pixel(source, 0) == (0, 128, 255)
    assert load_image(encoded(Image.fromarray(noise((4, 4), 65536)), "PNG")).notes == ()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "GIF", "BMP"])
def test_header_of_a_plain_file_has_no_notes(kind: str) -> None:
    source = load_image(encoded(photo(), kind))
    assert (source.format, source.size, source.notes) == (kind, (96, 64), ())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("block", [b"junk", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0"])
def test_broken_exif_is_noted_and_ignored(kind: str, block: bytes) -> None:
    source = load_image(encoded(photo(), kind, exif=b"Exif\0\0" + block))
    assert source.notes == ("its EXIF is broken and was ignored",)
    assert source.size == (96, 64)
    assert source.view(50).pixels.shape == (33, 50, 3)


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"iCCP", b"name\0\x07not deflate"),
        png_chunk(b"iCCP", b"name\0\0junk")[:-4] + b"crc!",
        png_chunk(b"gAMA", b"\0"),
        png_chunk(b"acTL", b"\0"),
    ],
)
def test_broken_side_chunks_of_png_are_ignored(chunk: bytes) -> None:
    plain = encoded(photo(), "PNG")
    source = load_image(plain[:33] + chunk + plain[33:])
    assert np.array_equal(source.view(96).pixels, np.asarray(photo()))
    assert len(source.notes) == 1


@pytest.mark.parametrize("kind", whole_files())
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7])
def test_truncated_files(kind: str, part: float, tmp_path: Path) -> None:
    content = whole_files()[kind]
    path = tmp_path / "cut off"
    path.write_bytes(content[: max(12, int(len(content) * part))])
    with pytest.raises(ImageReadError, match=r"cut off: .+"):
        use(load_image(path))


def test_truncated_jpeg_says_so_and_what_to_do() -> None:
    content = encoded(photo(960, 640), "JPEG")
    source = load_image(content[: len(content) // 2], name="half.jpg")
    assert source.size == (960, 640)
    for call in (
        lambda: source.view(960),
        lambda: source.view(64),
        lambda: source.cut((0, 0, 9, 9)),
    ):
        with pytest.raises(
            ImageReadError, match=r"half\.jpg: broken JPEG.*truncated.*copy or down"
        ):
            call()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"hello, this is a text\n" * 100,
        b"BMW is a car",
        b"%PDF-1.7\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"8BPS\0\1" + bytes(100),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"P6 1 1 255\nabc",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xd9",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"II*\0\x08\0\0\0",
        b"\0\0\0\x18ftypavif\0\0\0\0avifmif1",
        b"\0\0\0\x18ftypqt  \0\0\0\0qt  qt  ",
    ],
)
def test_what_is_not_a_picture(content: bytes) -> None:
    with pytest.raises(ImageReadError, match=r"^some file: .{20,}"):
        use(load_image(content, name="some file"))


@pytest.mark.parametrize("content", [b"BMW is a car that", b"II* is a Roman 2", b"%PDF-1.7"])
def test_texts_are_not_called_broken_pictures(content: bytes) -> None:
    with pytest.raises(ImageReadError, match="not a picture in JPEG, PNG"):
        load_image(content * 50)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_pictures_without_pixels(size: tuple[int, int]) -> None:
    bmp = bytearray(encoded(Image.new("L", (3, 3)), "BMP"))
    struct.pack_into("<II", bmp, 18, *size)
    for content in (png(*size, 8, 0, b"\0"), bytes(bmp)):
        with pytest.raises(ImageReadError):
            use(load_image(content))


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match=r"missing\.jpg: cannot be read: No such file"):
        load_image(tmp_path / "missing.jpg")
    with pytest.raises(ImageReadError, match="cannot be read: Is a directory"):
        load_image(tmp_path)
    with pytest.raises(ImageReadError, match="cannot be read"):
        load_image("a\0b")


def test_no_more_than_the_head_of_another_file_is_read(tmp_path: Path) -> None:
    """A sparse file larger than memory."""
    path = tmp_path / "film.mkv"
    with path.open("wb") as file:
        file.write(b"\x1aE\xdf\xa3")
        file.truncate(1 << 40)
    with pytest.raises(ImageReadError, match="not a picture"):
        load_image(path)


def test_raw_files_of_cameras_are_not_taken_for_their_previews() -> None:
    preview = encoded(photo(), "TIFF", tiffinfo={254: 1})
    dng = encoded(photo(), "TIFF", tiffinfo={50706: b"\1\4\0\0"})
    for content in (preview, dng):
        with pytest.raises(ImageReadError, match="raw file"):
            load_image(content)


def test_damaged_files_raise_nothing_but_read_errors() -> None:
    """Of each format, files with bytes overwritten at random: an error or a picture, silently."""
    random = np.random.default_rng(3)
    wrong, right = 0, 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for content in whole_files().values():
            for span in (60, 400, len(content)):
                for _ in range(12):
                    damaged = bytearray(content)
                    for at in random.integers(0, min(span, len(content)), 3):
                        damaged[at] = random.integers(0, 256)
                    try:
                        use(load_image(bytes(damaged), max_mpixels=1))
                        right += 1
                    except ImageReadError:
                        wrong += 1
    assert wrong > 20
    assert right > 20


def test_warnings_stay_inside() -> None:
    """Corrupt EXIF in a TIFF and a malformed MPO: Pillow warns about both."""
    tiff = bytearray(encoded(photo(), "TIFF", exif=with_tags()))
    at = tiff.index(struct.pack("<HH", 0x013B, 2))
    struct.pack_into("<I", tiff, at + 8, len(tiff) + 1000)
    jpeg = encoded(photo(), "JPEG")
    mpo = jpeg[:2] + b"\xff\xe2\0\x10MPF\0II*\0\x08\0\0\0\0\0" + jpeg[2:]
    for content in (bytes(tiff), mpo):
        with pytest.warns(UserWarning, match=r"(?i)corrupt|truncated|larger|malformed"):
            Image.open(io.BytesIO(content)).load()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            use(load_image(content))


def with_tags() -> Image.Exif:
    tags = Image.Exif()
    tags[0x013B] = "somebody with a long name"
    return tags


def test_png_bomb_is_refused_by_its_header() -> None:
    """900 megapixels in some bytes; a child process shows that nothing of that size is made."""
    bomb = png(30_000, 30_000, 8, 2, b"\0" * 100)
    with pytest.raises(ImageTooLargeError) as caught:
        load_image(bomb, name="bomb.png")
    message = str(caught.value)
    assert all(part in message for part in ("bomb.png", "900.0", "30000", "200", "`max_mpixels`"))
    code = (
        "import resource, sys; from cropper.image import load_image\n"
        "from cropper.errors import ImageTooLargeError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: load_image(sys.stdin.buffer)\n"
        "except ImageTooLargeError: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    grown = subprocess.run(
        [sys.executable, "-c", code], input=bomb, capture_output=True, check=True
    ).stdout
    assert int(grown) < 50_000  # KiB


def webp_header(kind: bytes, content: bytes) -> bytes:
    body = b"WEBP" + kind + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    "content",
    [
        webp_header(b"VP8X", bytes(4) + b"\x0f\x27\0" * 2),
        webp_header(b"VP8L", b"\x2f" + struct.pack("<I", 9999 | 9999 << 14) + bytes(5)),
        webp_header(b"VP8 ", b"\x30\1\0\x9d\1\x2a" + struct.pack("<HH", 10_000, 10_000) + bytes(9)),
    ],
)
def test_webp_is_measured_before_its_decoder_is_made(content: bytes) -> None:
    with pytest.raises(ImageTooLargeError, match=r"100\.0 megapixels"):
        load_image(content, max_mpixels=99)
    with pytest.raises(ImageReadError, match="broken WEBP"):
        use(load_image(content, max_mpixels=101))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_limit_holds_for_every_format(kind: str) -> None:
    content = encoded(photo(1000, 500), kind)
    assert load_image(content, max_mpixels=0.5).size == (1000, 500)
    with pytest.raises(ImageTooLargeError, match=r"0\.5 megapixels"):
        load_image(content, max_mpixels=0.4999)


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_limit_is_positive(limit: float) -> None:
    with pytest.raises(ConfigError, match="max_mpixels"):
        load_image(b"", max_mpixels=limit)


def test_pillows_own_limit_neither_hinders_nor_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for content in whole_files().values():
            source = load_image(content)
            use(source)
            with pytest.raises(ImageReadError):
                use(load_image(content[:200]))
    assert Image.MAX_IMAGE_PIXELS == 100
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(encoded(photo(), "PNG")))


def test_threads_leave_pillow_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight threads in and out of sound and broken files, sharing one picture among them."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    filters = list(warnings.filters)
    content = encoded(photo(), "JPEG")
    shared = load_image(encoded(photo(), "PNG", icc_profile=swapped_profile()))
    expected = shared.view(40).pixels.copy()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(15):
                load_image(content).view(40)
                with pytest.raises(ImageReadError):
                    load_image(content[:300]).view(40)
                assert np.array_equal(shared.view(40).pixels, expected)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert Image.MAX_IMAGE_PIXELS == 100
    assert warnings.filters == filters


def test_of_an_animated_png_the_first_frame_is_read_not_the_still_for_other_viewers() -> None:
    still, *frames = (Image.new("RGB", (32, 24), colour) for colour in ("red", "lime", "blue"))
    options = {"save_all": True, "append_images": frames}
    source = load_image(encoded(still, "PNG", default_image=True, **options))
    assert source.cut((0, 0, 9, 9)).getpixel((0, 0)) == (0, 255, 0)
    assert source.view(24).pixels[0, 0].tolist() == [0, 255, 0]
    passed, first = source.notes
    assert "still picture" in passed
    assert first == "first of 2 frames"
    source = load_image(encoded(still, "PNG", **options))
    assert source.cut((0, 0, 9, 9)).getpixel((0, 0)) == (255, 0, 0)
    assert source.notes == ("first of 3 frames",)


@pytest.mark.parametrize(
    "told",
    [
        b"\xff\xe1\x00\x2ahttp://ns.adobe.com/xap/1.0/\0hdrgm:Version=",  # as Adobe and Google
        b"\xff\xe2\x00\x20urn:iso:std:iso:ts:21496:-1\0\0\0",
        b"\xff\xe2\x00\x08MPF\0\0\0",  # told behind the photo, by Apple
    ],
)
def test_a_gain_map_that_is_left_out_is_told(told: bytes) -> None:
    content = encoded(photo(), "JPEG")
    assert load_image(content).notes == ()
    behind = b"<HDRGainMap:HDRGainMapVersion>65536" if b"MPF" in told else b""
    (note,) = load_image(content[:2] + told + content[2:] + behind).notes
    assert note.startswith("its gain map")


def test_a_gain_map_of_an_avif_is_told() -> None:
    content = encoded(photo(), "AVIF")
    assert load_image(content).notes == ()
    (note,) = load_image(content + b"\0\0\0\x0cfreetmap").notes
    assert note.startswith("its gain map")

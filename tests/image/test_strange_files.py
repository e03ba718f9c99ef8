"""Sound files of rare kinds: what programs show of them, or an error that names the kind."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, IptcImagePlugin

from cropper.errors import ImageReadError
from cropper.image import encode, load_image
from tests.image.encoding import recoded
from tests.image.pictures import decoded, encoded, photo, png_chunk

IPTC = b"\x1c\x02P\x00\x09A. Tester\x1c\x02t\x00\x08(c) 2026"


def whole(content: bytes, kind: str = "PNG") -> Image.Image:
    """As a crop of everything."""
    source = load_image(content)
    return decoded(encode(source.cut((0, 0, *source.size)), source, kind))


@pytest.mark.parametrize(
    "broken",
    [
        struct.pack(">I4s", 500, b"tEXt") + b"cut off",
        struct.pack(">I4s", 500, b"eXIf") + b"MM",
        png_chunk(b"tEXt", b"a\0b")[:-1] + b"!",
    ],
)
def test_png_with_a_broken_chunk_behind_its_pixels(broken: bytes) -> None:
    content = encoded(photo(), "PNG")
    source = load_image(content[:-12] + broken)
    assert "behind the pixels" in source.notes[0]
    assert np.array_equal(source.view(96).pixels, np.asarray(photo()))


def test_png_that_ends_within_its_pixels_stays_broken() -> None:
    content = encoded(photo(), "PNG")
    with pytest.raises(ImageReadError, match="broken PNG"):
        load_image(content[: len(content) // 2]).view(96)


@pytest.mark.parametrize("kind", ["TIFF", "JPEG", "PNG", "WEBP", "AVIF"])
def test_texts_of_a_tiff_stay_texts(kind: str) -> None:
    """Type 2, ASCII, with the bytes that they have."""
    tags = Image.Exif()
    tags[0x010F] = "Maker"
    tags.get_ifd(0x8769).update({0x9003: "2024:05:06 07:08:09", 0xA434: "Lens 35mm"})
    tags[0x8769] = 0
    content = encoded(photo(), "TIFF", exif=tags, compression="raw")
    settings = whole(content, kind).getexif().get_ifd(0x8769)
    assert (settings[0x9003], settings[0xA434]) == ("2024:05:06 07:08:09", "Lens 35mm")


def _two_pages(first: Image.Image, second: Image.Image, preview: int) -> bytes:
    buffer = io.BytesIO()
    tags = Image.Exif()
    tags[254] = preview
    plain = Image.Exif()
    plain[254] = 0
    second.encoderinfo = {"tiffinfo": plain}
    first.save(buffer, "TIFF", save_all=True, append_images=[second], tiffinfo=tags)
    return buffer.getvalue()


def test_the_page_behind_a_preview_is_the_picture() -> None:
    small = photo(48, 32)
    source = load_image(_two_pages(small, photo(), 1))
    assert source.size == (96, 64)
    assert source.notes == ("the preview before its first page was passed over",)
    assert np.array_equal(source.view(96).pixels, np.asarray(photo()))
    assert load_image(_two_pages(small, photo(), 0)).size == (48, 32)


def test_previews_alone_are_of_a_raw_file() -> None:
    tags = Image.Exif()
    tags[254] = 1
    with pytest.raises(ImageReadError, match="raw"):
        load_image(encoded(photo(), "TIFF", tiffinfo=tags))


def _partial_gif() -> bytes:
    """A frame of 96 x 64 px at (10, 20) of a canvas of 120 x 100."""
    content = bytearray(encoded(photo(), "GIF"))
    struct.pack_into("<HH", content, 6, 120, 100)
    at = content.index(b",", 13 + (3 << (content[10] & 7) + 1))
    struct.pack_into("<HH", content, at + 1, 10, 20)
    return bytes(content)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "TIFF"])
def test_a_gif_is_clear_around_its_first_frame(kind: str) -> None:
    alpha = np.asarray(whole(_partial_gif(), kind).convert("RGBA"))[:, :, 3]
    expected = np.zeros((100, 120))
    expected[20:84, 10:106] = 255
    assert np.array_equal(alpha, expected)
    view = load_image(_partial_gif()).view(120).pixels
    assert (view[expected == 0] == 255).all()


def _planar_grey_and_alpha() -> bytes:
    grey, alpha = np.asarray(photo().convert("L")).tobytes(), bytes([200]) * (96 * 64)
    planes = [zlib.compress(each) for each in (grey, alpha)]
    at = 8 + sum(map(len, planes))
    entries = [(256, 3, 1, 96), (257, 3, 1, 64), (258, 3, 2, 8 | 8 << 16), (259, 3, 1, 8)]
    entries += [(262, 3, 1, 1), (273, 4, 2, at + 2 + 12 * 11 + 4), (277, 3, 1, 2)]
    entries += [(278, 3, 1, 64), (279, 4, 2, at + 2 + 12 * 11 + 12), (284, 3, 1, 2)]
    entries += [(338, 3, 1, 2)]
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    values = struct.pack("<4I", 8, 8 + len(planes[0]), *map(len, planes))
    head = b"II*\0" + struct.pack("<I", at)
    return head + b"".join(planes) + struct.pack("<H", 11) + table + bytes(4) + values


def test_planar_grey_with_alpha_is_named() -> None:
    with pytest.raises(ImageReadError, match="one after the other"):
        load_image(_planar_grey_and_alpha())


def _with_iptc(content: bytes, block: bytes) -> bytes:
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block + bytes(len(block) % 2)
    thumbnail = b"8BIM\x04\x0c\0\0" + struct.pack(">I", 4) + b"tiny"
    body = b"Photoshop 3.0\0" + thumbnail + resource
    return content[:2] + struct.pack(">HH", 0xFFED, len(body) + 2) + body + content[2:]


def test_iptc_goes_from_jpeg_to_jpeg_without_the_thumbnail_beside_it() -> None:
    content = _with_iptc(encoded(photo(), "JPEG"), IPTC)
    result = recoded(load_image(content), "JPEG")
    found: Any = IptcImagePlugin.getiptcinfo(Image.open(io.BytesIO(result)))
    assert (found[2, 80], found[2, 116]) == (b"A. Tester", b"(c) 2026")
    assert b"tiny" not in result


def test_iptc_with_a_picture_of_the_whole_photo_stays_behind() -> None:
    preview = b"\x1c\x02\xca\x00\x04tiny"
    content = _with_iptc(encoded(photo(), "JPEG"), IPTC + preview)
    result = recoded(load_image(content), "JPEG")
    assert b"tiny" not in result
    assert b"A. Tester" not in result
    tags = Image.Exif()
    tags[33723] = IPTC + preview
    assert b"tiny" not in recoded(load_image(encoded(photo(), "TIFF", exif=tags)), "TIFF")


def test_iptc_of_a_tiff() -> None:
    tags = Image.Exif()
    tags[33723] = IPTC
    content = encoded(photo(), "TIFF", exif=tags)
    image: Any = whole(content, "TIFF")
    assert bytes(image.tag_v2[33723]) == IPTC


def test_iptc_goes_between_jpeg_and_tiff() -> None:
    image: Any = whole(_with_iptc(encoded(photo(), "JPEG"), IPTC), "TIFF")
    assert bytes(image.tag_v2[33723]) == IPTC
    tags = Image.Exif()
    tags[33723] = IPTC
    found: Any = IptcImagePlugin.getiptcinfo(whole(encoded(photo(), "TIFF", exif=tags), "JPEG"))
    assert (found[2, 80], found[2, 116]) == (b"A. Tester", b"(c) 2026")


def test_iptc_that_a_tiff_calls_long_is_kept_and_searched_for_a_preview() -> None:
    def as_long(block: bytes) -> bytes:
        tags = Image.Exif()
        tags[33723] = block
        content = encoded(photo(), "TIFF", exif=tags)
        entry = struct.pack("<HHI", 33723, 7, len(block))
        assert content.count(entry) == 1
        return content.replace(entry, struct.pack("<HHI", 33723, 4, len(block) // 4))

    block = IPTC + bytes(-len(IPTC) % 4)
    image: Any = whole(as_long(block), "TIFF")
    assert bytes(image.tag_v2[33723]) == block
    preview = b"\x1c\x02\xca\x00\x03tin"
    assert b"tin" not in recoded(load_image(as_long(block + preview)), "TIFF")


def test_credits_that_are_in_xmp_alone_are_told_of() -> None:
    xmp = b"<x:xmpmeta><dc:creator>A. Tester</dc:creator></x:xmpmeta>"
    contents = [encoded(photo(), kind, xmp=xmp) for kind in ("JPEG", "WEBP", "AVIF")]
    for content in [*contents, encoded(photo(), "TIFF", tiffinfo={700: xmp})]:
        assert load_image(content).notes == ("its credits are in XMP, which a crop does not keep",)
    both = _with_iptc(encoded(photo(), "JPEG", xmp=xmp), IPTC)
    assert load_image(both).notes == ()

"""TIFFs of science, which Pillow refuses or misreads: right, or named with what reads them."""

from __future__ import annotations

import io
import struct
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from cropper.cli import main
from cropper.errors import ImageReadError, ImageTooLargeError
from cropper.image import load_image
from cropper.image.deep_tiff import unread_kind
from tests.image.pictures import photo

tifffile = pytest.importorskip("tifffile", reason="tifffile is not installed")

COLOUR = np.asarray(photo(96, 64))
GREY = COLOUR[..., 1].copy()
GREY[0, :2] = 0, 255  # black and white
WHOLE = (0, 0, 96, 64)


def as_type(pixels: NDArray[np.uint8], kind: str) -> NDArray[Any]:
    """0 to 255 over the range of a type, or from 0 to 1."""
    dtype = np.dtype(kind)
    if dtype.kind == "f":
        return (pixels / 255).astype(dtype)
    limits = np.iinfo(dtype)
    wide = pixels / 255 * (float(limits.max) - limits.min) + limits.min
    return wide.clip(limits.min, limits.max - 4096 * (dtype.itemsize > 2)).astype(dtype)


def written(pixels: NDArray[Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    kind = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(buffer, pixels, **{"photometric": kind, **options})
    return buffer.getvalue()


def traced(work: Callable[[], Any]) -> tuple[Any, int]:
    """What it returns, and the most bytes that Python and NumPy held for it at once."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i1", "i2", "i4", "u1", "u2", "u4", "u8"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("pixels", [COLOUR, GREY], ids=["colour", "grey"])
def test_numbers_of_all_kinds_are_the_picture(
    kind: str, order: str, big: bool, pixels: NDArray[np.uint8]
) -> None:
    source = load_image(written(as_type(pixels, kind), byteorder=order, bigtiff=big))
    expected = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, 2)
    assert np.abs(source.view(96).pixels.astype(int) - expected).max() <= 1
    cut = source.cut((10, 10, 50, 40))
    assert cut.size == (40, 30)


def test_planes_alpha_orientation_and_profile_are_kept() -> None:
    planes = np.moveaxis(as_type(COLOUR, "u2"), 2, 0)
    source = load_image(written(planes, planarconfig="separate"))
    assert np.abs(source.view(96).pixels.astype(int) - COLOUR).max() <= 1
    alpha = np.dstack([COLOUR / 255, GREY / 255]).astype(np.float32)
    turned = [(274, "H", 1, 6, True)]
    content = written(alpha, extrasamples=["unassalpha"], iccprofile=b"x" * 200, extratags=turned)
    source = load_image(content)
    assert source.size == (64, 96)
    assert source.header.mode == "RGBA"
    assert np.array_equal(
        np.asarray(source.cut((0, 0, 64, 96)).getchannel("A")), np.rot90(GREY, -1)
    )
    assert "its colour profile is broken and was ignored" in source.notes  # thus it was looked at


def test_what_is_lost_is_told_and_usual_files_are_left_alone() -> None:
    (note,) = load_image(written(as_type(COLOUR, "f4"))).notes
    assert "floats in colour" in note
    assert "8 bits" in note
    for pixels in (COLOUR, GREY, as_type(COLOUR, "u2"), as_type(GREY, "f4")):
        assert unread_kind(written(pixels)) is None
    assert unread_kind(b"II*\0 no directory") is None


def test_the_size_is_checked_before_the_pixels_are_read() -> None:
    content = bytearray(written(as_type(COLOUR, "f4")))
    for tag, value in ((256, 60_000), (257, 60_000)):
        at = content.index(struct.pack("<HH", tag, 4))
        struct.pack_into("<HHII", content, at, tag, 4, 1, value)
    with pytest.raises(ImageTooLargeError, match="3600"):
        load_image(bytes(content))


def test_pixels_are_read_by_strips_and_tiles_when_they_are_wanted() -> None:
    deep = np.ones((3000, 3000), np.float64)
    for options in ({"rowsperstrip": 50}, {"tile": (64, 64)}):
        content = written(deep, **options)
        source, took = traced(lambda content=content: load_image(content))
        assert took < 4_000_000
        view, took = traced(lambda source=source: source.view(64))
        assert view.pixels.shape == (64, 64, 3)
        assert took < deep.nbytes  # half of it are the pixels as they become


def test_floats_are_averaged_by_strips() -> None:
    pixels = np.ones((3000, 3000), np.float32)
    pixels[1500, 20] = np.nan
    source = load_image(written(pixels))
    source.view(64)  # which decodes it
    cut, took = traced(lambda: source.cut((0, 0, 3000, 3000), (100, 100)))
    assert np.isfinite(np.asarray(cut)).all()
    assert took < pixels.nbytes


@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_tiles_at_the_edges_and_planes_have_their_place(planes: str) -> None:
    deep = as_type(COLOUR, "f4")
    deep = deep if planes == "contig" else np.moveaxis(deep, 2, 0)
    source = load_image(written(deep, planarconfig=planes, tile=(32, 80), compression="zlib"))
    assert np.array_equal(np.asarray(source.cut((0, 0, 96, 64))), COLOUR)


def test_grey_that_says_white_is_zero_is_a_negative() -> None:
    found = [
        np.asarray(load_image(written(pixels, photometric="miniswhite", **options)).cut(WHOLE))
        for pixels, options in (
            (as_type(GREY, "f8"), {}),
            (GREY, {"bigtiff": True, "byteorder": ">"}),
            (as_type(GREY, "u2"), {"byteorder": ">"}),
        )
    ]
    assert np.array_equal(found[0], -as_type(GREY, "f4"))
    assert np.array_equal(found[1], 255 - GREY)
    assert np.array_equal(found[2], 65535 - as_type(GREY, "u2"))


@pytest.mark.parametrize("order", ["<", ">"])
def test_what_nobody_reads_is_named_and_is_not_called_broken(order: str) -> None:
    grey = as_type(np.dstack([GREY, GREY]), "u2")
    options = {"photometric": "minisblack", "extrasamples": ["unassalpha"], "byteorder": order}
    content = written(grey, planarconfig="contig", **options)
    with pytest.raises(ImageReadError, match=r"2 samples of 16 bits a pixel.* save it as"):
        load_image(content)
    with pytest.raises(ImageReadError, match="broken TIFF"):
        load_image(content[:60])


def test_other_colours_are_named() -> None:
    ink = np.dstack([COLOUR, GREY]).astype(np.float32)
    with pytest.raises(ImageReadError, match="neither grey nor RGB"):
        load_image(written(ink, photometric="separated"))


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tifffile", None)
    path = tmp_path / "photo.tif"
    path.write_bytes(written(as_type(COLOUR, "f4")))
    found = CliRunner().invoke(main, ["best", str(path), "-o", str(tmp_path / "out.png")])
    assert found.exit_code == 1
    assert "32-bit floats in colour, read by an extra: pip install 'cropper[tiff]'" in found.stderr


def test_a_float_photo_is_cropped(tmp_path: Path) -> None:
    path = tmp_path / "photo.tif"
    path.write_bytes(written(as_type(COLOUR, "f2")))
    line = ["best", str(path), "--aspect", "1:1", "-o", str(tmp_path / "out.png")]
    assert CliRunner().invoke(main, line).exit_code == 0
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.mode == "RGB"
        assert picture.size[0] == picture.size[1]


def test_bit_fields_of_a_bmp_are_named() -> None:
    head = struct.pack("<2sIHHI", b"BM", 74, 0, 0, 66)
    info = struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 16, 3, 8, 0, 0, 0, 0)
    masks = struct.pack("<III", 0xF00, 0xF0, 0x0F)  # 4 bits each
    with pytest.raises(ImageReadError, match="bit fields that are not read; save it with 24 bits"):
        load_image(head + info + masks + bytes(8))

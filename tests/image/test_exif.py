import struct

import numpy as np
import pytest
from PIL import Image

from cropper.image import exif
from tests.image.pictures import ARTIST, MAKER_NOTE, THUMBNAIL, exif_block

THUMBNAIL_DIRECTORY = -1  # as Pillow calls it


def read(block: bytes) -> Image.Exif:
    """Pillow's reader as the oracle."""
    tags = Image.Exif()
    tags.load(exif.PREFIX + block)
    return tags


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("value", range(1, 9))
def test_orientation(order: str, value: int) -> None:
    assert exif.orientation(exif_block(value, order)) == value


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_orientation_out_of_range_is_upright(value: int) -> None:
    assert exif.orientation(exif_block(value)) == 1


def test_orientation_missing_is_upright() -> None:
    tags = Image.Exif()
    tags[271] = "Maker"
    assert exif.orientation(exif.bare(tags.tobytes())) == 1


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("thumbnail", [True, False])
def test_after_crop(order: str, thumbnail: bool) -> None:
    before = exif_block(6, order, thumbnail=thumbnail)
    after = exif.after_crop(before, (31, 22))
    tags = read(after)
    assert (tags[0x0100], tags[0x0101]) == (31, 22)
    assert 0x0112 not in tags
    assert exif.orientation(after) == 1
    assert tags[0x013B].encode("latin-1") == ARTIST
    assert sorted(tags) == sorted(set(read(before)) - {0x0112})
    settings, position = tags.get_ifd(0x8769), tags.get_ifd(0x8825)
    assert (settings[0xA002], settings[0xA003]) == (31, 22)
    assert settings[0x829A] == pytest.approx(1 / 250)
    assert position == {1: "N", 2: (48.0, 8.0, 30.0)}
    assert not tags.get_ifd(THUMBNAIL_DIRECTORY)
    assert THUMBNAIL not in after
    assert bool(read(before).get_ifd(THUMBNAIL_DIRECTORY)) is thumbnail


def test_nothing_moves() -> None:
    """Maker notes hold offsets from the start of the block, so they stay where they are."""
    before = exif_block(8)
    after = exif.after_crop(before, (31, 22))
    assert after.index(MAKER_NOTE) == before.index(MAKER_NOTE)
    assert after.index(ARTIST) == before.index(ARTIST)
    assert len(after) == len(before) - len(THUMBNAIL)


def test_thumbnail_before_other_content_is_zeroed() -> None:
    before = exif_block() + b"trailer"
    after = exif.after_crop(before, (31, 22))
    assert THUMBNAIL not in after
    assert len(after) == len(before)
    assert after.endswith(bytes(len(THUMBNAIL)) + b"trailer")


def test_thumbnail_that_claims_the_whole_block_wipes_nothing() -> None:
    before = bytearray(exif_block())
    at = before.index(struct.pack("<HHI", 0x0201, 4, 1)) + 8
    struct.pack_into("<I", before, at, 8)
    struct.pack_into("<I", before, at + 12, 1 << 30)
    after = exif.after_crop(bytes(before), (31, 22))
    assert read(after).get_ifd(0x8825)[1] == "N"
    assert not read(after).get_ifd(THUMBNAIL_DIRECTORY)


@pytest.mark.parametrize("order", "<>")
def test_sizes_beyond_short_become_long(order: str) -> None:
    settings = read(exif.after_crop(exif_block(1, order), (70_000, 3))).get_ifd(0x8769)
    assert (settings[0xA002], settings[0xA003]) == (70_000, 3)


def test_absent_sizes_are_not_added() -> None:
    tags = Image.Exif()
    tags[271] = "Maker"
    block = exif.bare(tags.tobytes())
    assert exif.after_crop(block, (31, 22)) == block


@pytest.mark.parametrize(
    "block", [b"", b"II*", b"Exif\0\0", b"XX*\0\x08\0\0\0", b"II*\0\xff\xff\0\0", b"MM\0*\0\0\0\0"]
)
def test_broken_blocks_are_named(block: bytes) -> None:
    for function in (exif.orientation, lambda content: exif.after_crop(content, (1, 1))):
        with pytest.raises(ValueError, match="EXIF"):
            function(block)


def test_damaged_blocks_raise_nothing_but_value_error() -> None:
    """Every truncation, and a thousand blocks with bytes overwritten at random."""
    whole = exif_block(6)
    random = np.random.default_rng(1)
    damaged = [whole[:end] for end in range(len(whole))]
    for _ in range(1000):
        block = bytearray(whole)
        for at in random.integers(0, len(block), 4):
            block[at] = random.integers(0, 256)
        damaged.append(bytes(block))
    usable = 0
    for block in damaged:
        try:
            assert 1 <= exif.orientation(block) <= 8
            assert len(exif.after_crop(block, (31, 22))) <= len(block)
            usable += 1
        except ValueError:
            continue
    assert 0 < usable < len(damaged)


def test_subdirectories() -> None:
    tags = Image.Exif()
    tags[271] = "Maker"
    assert not exif.has_subdirectories(exif.bare(tags.tobytes()))
    assert exif.has_subdirectories(exif_block())

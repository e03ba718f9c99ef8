"""What a file is made of may not keep a decoder busy, and usual files pass."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image

from cropper.errors import ImageReadError
from cropper.image import load_image
from cropper.image.structure import excess
from eval.bombs import bombs
from tests.image.pictures import encoded, photo, png_chunk, whole_files

BOMBS = bombs()
SCAN = b"\xff\xda"


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_by_a_look(name: str) -> None:
    started = time.process_time()
    with pytest.raises(ImageReadError, match=r"more than|longer than|at most") as caught:
        load_image(BOMBS[name], name="bomb")
    assert time.process_time() - started < 3  # each took a minute and more
    assert str(caught.value).startswith("bomb: ")
    assert caught.value.reason in ("too complex", "too large")


@pytest.mark.parametrize("content", whole_files().values(), ids=whole_files())
def test_usual_files_pass(content: bytes) -> None:
    load_image(content)


def test_a_progressive_file_has_few_scans_whatever_follows_it() -> None:
    content = encoded(photo(), "JPEG", progressive=True)
    assert content.count(SCAN) > 5
    for behind in (SCAN * 1000, np.random.default_rng(0).bytes(1 << 20) + SCAN * 200):
        load_image(content + behind)  # a phone's film, say


def test_a_comment_between_scans_hides_none() -> None:
    content = encoded(photo(), "JPEG", progressive=True)
    at = content.index(SCAN, content.index(SCAN) + 2)
    hidden = b"\xff\xfe\x00\x06\xff\xd9\xff\xd9"
    scan = SCAN + b"\x00\x08\x01\x01\x00\x01\x3f\x00"
    assert excess("JPEG", content[:at] + hidden + content[at:]) is None
    assert excess("JPEG", content[:at] + hidden + scan * 200 + content[at:]) is not None


def test_many_pages_frames_and_chunks_pass() -> None:
    pages = [Image.new("L", (2, 2), shade % 256) for shade in range(500)]
    for kind in ("TIFF", "GIF"):
        content = encoded(pages[0], kind, save_all=True, append_images=pages[1:])
        assert load_image(content).notes == ("first of 500 frames",)
    png = encoded(photo(), "PNG")
    load_image(png[:-12] + png_chunk(b"teSt", b"") * 50_000 + png[-12:])

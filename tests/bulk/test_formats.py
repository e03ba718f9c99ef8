"""``--format``, ``--strip`` and ``--linear`` over a folder: names, pixels, what is redone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cropper import BulkOptions
from cropper.errors import ConfigError
from tests.bulk.conftest import Bulk, assert_refused, tree
from tests.cli.test_best_formats import described
from tests.conftest import names, pixels
from tests.image.pictures import ARTIST


def test_the_format_names_all_outputs(bulk: Bulk, photos: Path) -> None:
    (photos / "no-extension").write_bytes((photos / "b.png").read_bytes())
    found = bulk("--format", "webp")
    assert found.exit_code == 0, found.stderr
    expected = {"a.webp", "b.webp", "sub/a.webp", "sub/deep/c.webp", "no-extension.webp"}
    assert {*tree(Path("out"))} == expected
    for name in expected:
        with Image.open(Path("out", name)) as picture:
            assert picture.format == "WEBP"


def test_sidecars_keep_their_photos_names(bulk: Bulk, photos: Path) -> None:
    assert bulk("--format", "webp", "--xmp").exit_code == 0
    assert {"a.xmp", "b.xmp", "a.webp"} <= names(Path("out"))


def test_photos_that_would_meet_are_refused(bulk: Bulk, photos: Path) -> None:
    (photos / "a.png").write_bytes((photos / "b.png").read_bytes())
    assert_refused(bulk("--format", "webp"), "would both be written to a.webp")


def test_a_template_for_another_format_is_refused(bulk: Bulk, photos: Path) -> None:
    found = bulk("--format", "webp", output="out/{stem}.jpg")
    assert_refused(found, "--format asks for WEBP")


def test_a_format_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"one of jpg.*got 'docx'"):
        BulkOptions(format="docx")
    with pytest.raises(ConfigError, match="sidecar"):
        BulkOptions(format="png", xmp="instead")


@pytest.mark.parametrize("more", [["--strip"], ["--linear"], ["--quality", "50"]])
def test_another_setting_is_done_again_and_the_same_is_not(
    bulk: Bulk, photos: Path, more: list[str]
) -> None:
    assert bulk("--size", "30x20").exit_code == 0
    assert "0 done, 4 were done already" in bulk("--size", "30x20").stderr
    assert "4 done" in bulk("--size", "30x20", *more).stderr
    assert "0 done, 4 were done already" in bulk("--size", "30x20", *more).stderr


def test_stripped_and_linear_are_as_from_best(bulk: Bulk, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    described(tmp_path / "in/a.jpg")
    board = np.indices((320, 480)).sum(0) % 2 * 255
    Image.fromarray(board.astype(np.uint8)).save(tmp_path / "in/b.jpg", quality=100)
    line = ("--size", "24x16", "--min-scale", "1", "--strip", "--linear")
    assert bulk(*line).exit_code == 0
    assert ARTIST not in Path("out/a.jpg").read_bytes()
    assert abs(pixels("out/b.jpg").mean() - 188) < 2

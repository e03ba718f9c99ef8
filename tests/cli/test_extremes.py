"""``cropper best`` where the photo, the disk or the search is out of proportion."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import (
    ENVIRONMENT,
    Crop,
    command,
    names,
    pixels,
    records,
    spotted,
)
from tests.image.pictures import (
    BOMB,
    noise,
    whole_files,
)


@pytest.mark.parametrize("kind", sorted(whole_files()))
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_torn_picture_is_an_error_or_whole(kind: str, share: float, crop: Crop) -> None:
    content = whole_files()[kind]
    Path("photo.jpg").write_bytes(content[: int(len(content) * share)])
    found = crop("photo.jpg", "-o", "out.png")
    assert found.exit_code == 1, found.stderr
    assert "photo.jpg: " in found.stderr
    assert names(Path()) == {"photo.jpg"}


def test_a_bomb_is_refused_by_its_header(crop: Crop) -> None:
    Path("bomb.png").write_bytes(BOMB)
    found = crop("bomb.png")
    assert found.exit_code == 1
    assert "900.0 megapixels" in found.stderr
    assert "--max-mpixels" in found.stderr
    # where it is allowed its pixels turn out to be missing; the limit was the reason above
    assert "megapixels" not in crop("bomb.png", "--max-mpixels", 1000, "--dry-run").stderr


def limited(size: int) -> str:
    return f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"


@pytest.mark.skipif(os.name != "posix", reason="file size limits as POSIX has them")
def test_a_full_disk_is_code_5_with_no_torn_file(tmp_path: Path) -> None:
    Image.fromarray(noise((200, 300, 3))).save(tmp_path / "large.png")
    spotted(60, 40).save(tmp_path / "small.png")
    line = ["best", "large.png", "small.png", "-o", "out/{stem}.png", "--json", "--budget", 100]
    done = command(tmp_path, *line, prelude=limited(20_000))
    assert done.returncode == 5, done.stderr
    assert b"Traceback" not in done.stderr
    large, small = records(done)
    assert "out/large.png" in large["error"]
    assert names(tmp_path) == {"large.png", "small.png", "out"}
    assert names(tmp_path / "out") == {"small.png"}
    assert pixels(tmp_path / "out/small.png").size
    assert "box" in small


@pytest.mark.skipif(os.name != "posix", reason="file size limits as POSIX has them")
def test_a_full_disk_leaves_the_old_crop_and_overlay(tmp_path: Path) -> None:
    Image.fromarray(noise((200, 300, 3))).save(tmp_path / "photo.png")
    old = {"photo-best.png": b"old crop", "why.png": b"old overlay"}
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    for out in ([], ["-o", "tiny.png", "--size", "2x3"]):  # the crop fails, then the overlay does
        line = ["best", "photo.png", "--scorer", "spot", "--overwrite", "--overlay", "why.png"]
        done = command(tmp_path, *line, *out, prelude=limited(20_000), spot=True)
        assert done.returncode == 5, done.stderr
        assert b"Traceback" not in done.stderr
        for name, content in old.items():
            assert (tmp_path / name).read_bytes() == content
    assert names(tmp_path) == {"photo.png", *old, "tiny.png"}


@pytest.fixture
def no_rights(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    yield folder
    folder.chmod(0o755)


def test_a_folder_without_rights_is_code_5(no_rights: Path, crop: Crop) -> None:
    spotted().save("photo.png")
    found = crop("photo.png", "-o", "locked/out.png")
    assert found.exit_code == 5
    assert "locked" in found.stderr
    assert not names(no_rights)


def test_a_crop_too_large_for_its_format_is_code_5(crop: Crop) -> None:
    spotted(800, 1).save("photo.png")
    found = crop("photo.png", "--size", "80000x100", "-o", "out.jpg")
    assert found.exit_code == 5
    assert "photo.png" in found.stderr
    assert names(Path()) == {"photo.png"}


SEARCH = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
import numpy as np
from cropper.errors import ConfigError
from cropper.search import search
from cropper.space import CropSpace
try:
    search(lambda boxes: np.zeros(len(boxes)), CropSpace((90, 60), 1.5, float(sys.argv[1])))
except ConfigError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="memory limits as POSIX has them")
@pytest.mark.parametrize("scale", ["1e-3", "1e-12", "1e-30", "1e-300"])
def test_a_scale_near_zero_is_refused_before_it_takes_all_memory(scale: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SEARCH, scale],
        capture_output=True,
        check=False,
        env=ENVIRONMENT | {"OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert b"budget" in done.stdout or b"scale" in done.stdout

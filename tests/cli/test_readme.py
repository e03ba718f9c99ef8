"""The README's commands, one after another, as a new user types them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from tests.conftest import ENVIRONMENT

ROOT = Path(__file__).parents[2]


def commands(heading: str) -> list[str]:
    """Of the first block of shell commands under a heading."""
    part = (ROOT / "README.md").read_text("utf-8").split(f"# {heading}\n", 1)[1]
    return part.split("```sh\n", 1)[1].split("```", 1)[0].splitlines()


@pytest.mark.slow
def test_they_run_in_order_from_a_clean_folder(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("photo.jpg", "scan.jpg", "painting.jpg", "photos/cup.jpg", "photos/again.jpg"):
        Image.fromarray(data.coffee()).save(tmp_path / name)
    Image.fromarray(data.astronaut()).save(tmp_path / "group.jpg")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, **ENVIRONMENT, "PATH": path}
    lines = ["cropper best photo.jpg", *commands("In the shell"), *commands("Folders")]
    assert len(lines) > 9
    for line in lines:
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line}"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)
    made = {str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file()}
    assert made >= {"photo-best.jpg", "out.jpg", "why.jpg", "cropped.jpg", "group-best.jpg"}
    assert made >= {"thumbs/photo.jpg", "top/photo-best-3.jpg", "crops.html", "crops.jpg"}

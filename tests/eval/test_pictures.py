"""The README's pictures: those that are there, and the command that draws them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from cropper.image import load_image
from eval.commands import cli

ROOT = Path(__file__).parents[2]
SHOWN = ROOT / "docs" / "pictures"


def test_the_readme_shows_what_is_there_and_small() -> None:
    pages = [(ROOT / "README.md").read_text("utf-8"), (ROOT / "docs/style.md").read_text("utf-8")]
    shown = set(re.findall(r"\]\((?:docs/)?pictures/(\S+)\)", "".join(pages)))
    there = {path.name: path.stat().st_size for path in SHOWN.iterdir()}
    assert shown == set(there)
    assert sum(there.values()) < 400_000


@pytest.mark.slow
def test_one_command_draws_them_all(tmp_path: Path) -> None:
    pytest.importorskip("playwright", reason="Playwright is not installed")
    if shutil.which("chromium") is None:
        pytest.skip("there is no Chromium here")
    for _ in range(2):  # over those of before too
        done = CliRunner().invoke(cli, ["pictures", "-o", str(tmp_path)])
        assert done.exit_code == 0, done.output
    there = {path.name for path in SHOWN.iterdir() if not path.name.startswith("style-")}
    assert {path.name for path in tmp_path.iterdir()} == there
    for path in tmp_path.iterdir():
        drawn, before = (load_image(each / path.name) for each in (tmp_path, SHOWN))
        assert drawn.size == before.size
        assert drawn.view(64).pixels.std() > 20

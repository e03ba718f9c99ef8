"""The examples in docstrings run, in a folder with ``photo.jpg``."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from tests.conftest import ROOT

MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "cropper").rglob("*.py")
    if ">>> " in path.read_text("utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(data.coffee()).save("photo.jpg")
    ran = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert ran.attempted
    assert not ran.failed


def test_there_are_examples_of_the_front_door() -> None:
    assert {"cropper", "cropper.finder", "cropper.request", "cropper.transforms"} <= set(MODULES)

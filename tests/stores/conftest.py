"""Stores for the tests: fsspec's in memory, a web server, and photos in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tests.conftest import spotted
from tests.image.pictures import encoded
from tests.stores.server import Server, serving

PHOTOS = {"a.jpg": 0.3, "b c.png": 0.4, "sub/a.jpg": 0.6, "sub/deep/c.jpeg": 0.7}


@pytest.fixture
def memory() -> Iterator[Any]:
    """``memory://``, empty before and after."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


@pytest.fixture
def bucket(memory: Any) -> Any:
    """Four photos below ``memory://bucket/photos``."""
    for name, x in PHOTOS.items():
        kind = "PNG" if name.endswith("png") else "JPEG"
        memory.pipe_file(f"/bucket/photos/{name}", encoded(spotted(spot=(x, 0.5)), kind))
    return memory


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Server]:
    """A server of the same photos."""
    for name, x in PHOTOS.items():
        path = tmp_path / "www" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        spotted(spot=(x, 0.5)).save(path)
    with serving(tmp_path / "www") as server:
        yield server


def stored(files: Any, folder: str) -> dict[str, bytes]:
    """Path below the folder -> content."""
    start = folder.rstrip("/") + "/"
    return {name.removeprefix(start): files.cat_file(name) for name in files.find(folder)}

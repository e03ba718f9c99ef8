"""A folder of photos and the command over it, in this process and with the spot scorer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cropper.cli import main
from tests.conftest import spotted

Bulk = Callable[..., Result]


@pytest.fixture
def bulk(spot: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bulk:
    """``cropper bulk in -o out --scorer spot`` and more; tracebacks raise."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, output: str = "out") -> Result:
        given = [*map(str, arguments)]
        line = ["bulk", "in", *given]
        for option, usual in (("-o", output), ("--scorer", "spot"), ("--budget", "300")):
            line += [] if option in given else [option, usual]
        return CliRunner().invoke(main, line, catch_exceptions=False)

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four photos in three folders, each with its spot elsewhere."""
    folder = tmp_path / "in"
    places = {"a.jpg": 0.3, "b.png": 0.4, "sub/a.jpg": 0.6, "sub/deep/c.jpeg": 0.7}
    for name, x in places.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        spotted(spot=(x, 0.5)).save(path)
    return folder


def spot_cluster(workers: int, *preload: str) -> Any:
    """A cluster of Dask on this machine whose workers know the spot scorer, and what else is said.

    Skips the test where Dask is not installed.
    """
    distributed = pytest.importorskip("distributed")
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address=None,
        preload=["tests.bulk.spot_worker", *preload],
    )


def tree(folder: Path) -> dict[str, bytes]:
    """Path -> content of everything but the manifest."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.parent.name != ".cropper"
    }


def stamps(folder: Path) -> dict[str, Any]:
    """Path -> what changes when a file is written anew, whatever its content.

    The time of the change stands beside the inode, which another file may have had before.
    """
    told = {name: os.stat(folder / name) for name in tree(folder)}
    return {name: (stat.st_ino, stat.st_ctime_ns) for name, stat in told.items()}


def assert_refused(found: Result, says: str) -> None:
    """A usage error, told before anything was made."""
    assert found.exit_code == 2
    assert says in found.stderr
    assert not Path("out").exists()

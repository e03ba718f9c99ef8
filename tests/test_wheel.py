"""What is installed is what is meant to be, and no more."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SETUPTOOLS = 77  # pyproject.toml asks for it: licences as SPDX expressions


def has_setuptools() -> bool:
    try:
        version = importlib.metadata.version("setuptools")
    except importlib.metadata.PackageNotFoundError:
        return False
    return int(version.partition(".")[0]) >= SETUPTOOLS


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a wheel that is built from a copy, thus from nothing that an earlier left."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("wheels are built by pip, which is not installed here")
    folder = tmp_path_factory.mktemp("wheel")
    left_out = shutil.ignore_patterns(
        ".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "tests"
    )
    shutil.copytree(ROOT, folder / "copy", ignore=left_out)
    line = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder]
    if has_setuptools():
        line.append("--no-build-isolation")
    done = subprocess.run(
        [*map(str, line), str(folder / "copy")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_top_level_is_three_packages_and_their_metadata(
    wheel: dict[str, bytes],
) -> None:
    top = {name.partition("/")[0] for name in wheel}
    (metadata,) = (name for name in top if name.endswith(".dist-info"))
    assert metadata.startswith("cropper-")
    assert top - {metadata} == {"cropper", "spatial_transformer", "eval"}


def test_every_module_is_inside(wheel: dict[str, bytes]) -> None:
    modules = {
        path.relative_to(ROOT).as_posix()
        for package in ("cropper", "spatial_transformer", "eval")
        for path in (ROOT / package).rglob("*.py")
    }
    assert modules == {name for name in wheel if name.endswith(".py")}


def test_the_weights_are_inside_and_small(wheel: dict[str, bytes]) -> None:
    weights = {name: content for name, content in wheel.items() if name.endswith(".safetensors")}
    assert "cropper/scorers/weights/cropnet.safetensors" in weights
    assert "eval/weights/judge.safetensors" in weights
    assert sum(map(len, weights.values())) < 22_000_000


def test_types_licence_and_command_are_inside(wheel: dict[str, bytes]) -> None:
    assert "cropper/py.typed" in wheel
    assert [name for name in wheel if name.endswith(".dist-info/licenses/LICENSE")]
    (points,) = (name for name in wheel if name.endswith(".dist-info/entry_points.txt"))
    assert b"cropper = cropper.__main__:run" in wheel[points]

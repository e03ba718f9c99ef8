"""``cropper export`` as it is run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cropper.cli import main
from cropper.errors import ImageWriteError
from cropper.web.site import SiteOptions, write_site
from eval.web import site_bytes


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other.tgz"
    path.write_bytes(b"another package")
    return path


def export(*options: object) -> tuple[int, str]:
    found = CliRunner().invoke(main, ["export", *map(str, options)])
    return found.exit_code, found.output


def test_site_is_whole_and_relative(site: Path) -> None:
    names = {each.name for each in site.iterdir()}
    assert {"index.html", "camera.html", "sw.js", "site.json", "trunk.onnx"} <= names
    assert {"onnxruntime-web-LICENSE.txt", "models-NOTICE.txt"} <= names
    assert not names & {"api.js", "docs.html"}
    assert json.loads((site / "site.json").read_text())["config"]["gaze"] is True
    listed = (site / "precache.js").read_text()
    assert all(f'"{name}"' in listed for name in names - {"sw.js", "precache.js"})
    assert site_bytes(site) < 8e6  # of a first visit, compressed
    assert not [each for each in site.glob("*.html") if "/static/" in each.read_text()]


def test_another_runtime_is_refused_and_nothing_written(tmp_path: Path, other: Path) -> None:
    code, said = export("--web", tmp_path / "site", "--runtime", other)
    assert code == 3
    assert "other.tgz is not onnxruntime-web@" in said
    assert not (tmp_path / "site").exists()


def test_without_npm_it_says_how_to_get_the_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, said = export("--web", tmp_path / "site")
    assert code == 3
    assert "npm pack" in said
    assert "--runtime" in said


def test_only_cropnet_runs_in_a_browser(tmp_path: Path, other: Path) -> None:
    code, said = export("--web", tmp_path / "site", "--runtime", other, "--scorer", "selfie")
    assert code == 2
    assert "kind cropnet" in said


def test_folder_of_other_things_is_left_alone(tmp_path: Path, other: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    code, said = export("--web", tmp_path, "--runtime", other, "--overwrite")
    assert code == 2
    assert "holds other files" in said
    (tmp_path / "photo.jpg").rename(tmp_path / "site.json")
    code, said = export("--web", tmp_path, "--runtime", other)
    assert code == 2
    assert "--overwrite" in said


def test_files_are_not_replaced_unless_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "b.js").write_text("somebody's")
    content = {"a.js": b"1", "b.js": b"2"}
    options = SiteOptions(folder=tmp_path)
    with pytest.raises(ImageWriteError, match=r"b\.js"):
        write_site(content, options)
    assert {each.name for each in tmp_path.iterdir()} == {"b.js"}
    write_site(content, replace(options, overwrite=True))
    assert (tmp_path / "b.js").read_bytes() == b"2"

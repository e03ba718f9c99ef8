"""Completion as shells ask for it: the real command with ``_CROPPER_COMPLETE``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ENVIRONMENT, command

SHELLS = ("bash", "zsh", "fish")


def completed(folder: Path, shell: str, *words: str) -> list[str]:
    """What a shell is offered for the last of the words; nothing may go wrong on the way."""
    line = ["cropper", *words]
    asked = {"_CROPPER_COMPLETE": f"{shell}_complete", "COMP_WORDS": " ".join(line)}
    asked["COMP_CWORD"] = words[-1] if shell == "fish" else str(len(words))
    found = command(folder, env=ENVIRONMENT | asked)
    assert (found.returncode, found.stderr) == (0, b"")
    lines = found.stdout.decode().splitlines()
    if shell == "zsh":  # kind, value and help, a line each
        return [value for kind, value in zip(lines[::3], lines[1::3], strict=True)]
    between = "," if shell in ("bash", "fish") else "\n"
    return [each.split(between)[1].split("\t")[0] for each in lines]


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_and_options(tmp_path: Path, shell: str) -> None:
    assert completed(tmp_path, shell, "b") == ["best", "bot", "bulk"]
    assert "--straighten" in completed(tmp_path, shell, "best", "--str")


def test_values_of_options(tmp_path: Path) -> None:
    shell = "bash"
    assert completed(tmp_path, shell, "train", "lo") == ["localizer"]
    assert completed(tmp_path, shell, "bulk", "--fit", "b") == ["blur"]
    assert completed(tmp_path, shell, "watch", "--format", "web") == ["webp"]
    assert completed(tmp_path, shell, "bulk", "--preset", "pass") == [
        "passport",
        "passport-uk",
        "passport-us",
    ]
    assert completed(tmp_path, shell, "best", "--filter", "b") == [
        "black-and-white",
        "border",
        "best",
    ]
    assert completed(tmp_path, shell, "rank", "--scorer", "cro") == ["cropnet"]
    assert completed(tmp_path, shell, "best", "--scorer", "./m") == ["./m"]  # a file: its own way


def test_a_broken_file_of_settings_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "cropper.toml").write_text("nonsense = 1")
    assert completed(tmp_path, "bash", "b") == ["best", "bot", "bulk"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_for_the_shell(tmp_path: Path, shell: str) -> None:
    found = command(tmp_path, env=ENVIRONMENT | {"_CROPPER_COMPLETE": f"{shell}_source"})
    assert found.returncode == 0, found.stderr
    assert b"_CROPPER_COMPLETE=" + shell.encode() + b"_complete" in found.stdout
    program = shutil.which(shell)
    if program:
        (tmp_path / "script").write_bytes(found.stdout)
        flag = "--no-execute" if shell == "fish" else "-n"
        subprocess.run([program, flag, "script"], cwd=tmp_path, check=True)

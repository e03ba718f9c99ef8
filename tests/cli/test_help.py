"""Help, and ``cropper scorers``."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cropper.cli import main
from tests.conftest import (
    ENVIRONMENT,
)


def test_scorers_are_listed_with_the_default() -> None:
    lines = CliRunner().invoke(main, ["scorers"]).stdout.splitlines()
    assert [line for line in lines if line.startswith("cropnet (default)")]
    listed = CliRunner().invoke(main, ["scorers", "--json"]).stdout.splitlines()
    scorers = {record["name"]: record for record in map(json.loads, listed)}
    assert [name for name, record in scorers.items() if record["default"]] == ["cropnet"]
    assert {"cropnet", "convnet"} <= scorers.keys()
    assert scorers["cropnet"]["summary"]
    assert scorers["cropnet"]["licence"]


@pytest.mark.parametrize(
    "line",
    [
        ["--help"],
        ["-h"],
        ["best", "--help"],
        ["best", "-h"],
        ["compare", "-h"],
        ["serve", "-h"],
        ["train", "crops", "--help"],
        ["train", "selfies", "-h"],
    ],
)
def test_help_tells_the_usage(line: list[str]) -> None:
    found = CliRunner().invoke(main, line)
    assert found.exit_code == 0
    assert found.stdout.startswith("Usage: ")


def test_the_help_of_best_names_every_exit_code() -> None:
    text = CliRunner().invoke(main, ["best", "--help"]).stdout
    for code in (0, 1, 2, 3, 4, 5, 130):
        assert f"{code} " in text.split("Exit codes:")[1]


@pytest.mark.parametrize("line", [["--help"], ["best", "--help"], ["scorers"], ["--version"]])
def test_help_and_the_list_do_not_wait_for_torch(line: list[str]) -> None:
    code = "import sys; from cropper.cli import main; main(sys.argv[1:], standalone_mode=False)"
    code += "\nassert not {'torch', 'torchvision'} & sys.modules.keys(), 'torch was imported'"
    done = subprocess.run(
        [sys.executable, "-c", code, *line], capture_output=True, check=False, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize(
    "line",
    [
        ["best"],
        ["best", "a.jpg", "--fits"],
        ["best", "a.jpg", "--top-k", "0"],
        ["bulk", "in"],
        ["train", "crops", "--data", "nowhere"],
        ["faces", "who", "a.jpg"],
        ["nothing"],
        ["best", "no.jpg", "-o", "x.jpg", "--skip-existing", "--overwrite"],
    ],
    ids=" ".join,
)
def test_all_errors_are_one_line_of_one_style(line: list[str]) -> None:
    found = CliRunner().invoke(main, line)
    assert found.exit_code in (2, 4)
    (told,) = found.stderr.splitlines()
    assert told.startswith("cropper: ")
    assert found.stdout == ""

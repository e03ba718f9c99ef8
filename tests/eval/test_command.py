from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cropper.errors import MissingModelError
from eval.__main__ import cli
from tests.eval import data

ROOT = Path(__file__).parents[2]


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["benchmark", *map(str, arguments)])


def test_the_real_command_measures_the_baselines(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    root = data.folder(tmp_path / "photos")
    command = [sys.executable, "-m", "eval", "benchmark", "--root", root, "--scorer", "none"]
    command += ["--split", "train", "--baselines", "--json", out]
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("photos, split train, aspect given, 3 photos")
    assert "--scorer none --split train" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr  # no colour and no bar in a pipe
    record = json.loads(out.read_text("utf-8"))
    assert list(record) == ["given", "free"]
    names = [method["name"] for method in record["given"]["benchmark"]["methods"]]
    assert names[:2] == ["full frame", "centre"]
    for name in {"smartcrop.py", "pyvips attention", "pyvips entropy"} - set(names):
        assert f"not run: {name}" in done.stderr


def test_baselines_alone_load_no_network_library(tmp_path: Path) -> None:
    root = data.folder(tmp_path)
    code = (
        "import sys; from eval.__main__ import cli\n"
        f"cli(['benchmark', '--root', {str(root)!r}, '--scorer', 'none'], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_free_names_the_baselines_that_have_no_say(tmp_path: Path) -> None:
    root = data.crowd(tmp_path)
    found = invoke("--root", root, "--protocol", "free", "--scorer", "none", "--baselines")
    assert found.exit_code == 0, found.output
    assert "not run: pyvips entropy" in found.stderr
    assert "all human crops" in found.stdout


def test_unreadable_photos_are_named_and_not_fatal(tmp_path: Path) -> None:
    root = data.folder(tmp_path)
    (root / "images" / "0.png").write_bytes(b"")
    found = invoke("--root", root, "--scorer", "none")
    assert found.exit_code == 0, found.output
    assert "skipped: 0.png" in found.stderr
    assert "3 photos" in found.stdout


def test_broken_data_is_exit_1(tmp_path: Path) -> None:
    (tmp_path / "annotations.json").write_text("[{]")
    found = invoke("--root", tmp_path, "--scorer", "none")
    assert found.exit_code == 1
    assert found.stderr.startswith("error: ")
    assert found.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--root", "nowhere at all"],
        [],
        ["--root", ".", "--protocol", "square"],
        ["--root", ".", "--min-scale", "0"],
        ["--root", ".", "--json", "no/such/folder/x.json"],
    ],
)
def test_usage_is_exit_2(arguments: list[str]) -> None:
    assert invoke("--scorer", "none", *arguments).exit_code == 2


def test_no_such_scorer_is_exit_3(tmp_path: Path) -> None:
    found = invoke("--root", data.folder(tmp_path), "--scorer", "no-such-scorer")
    assert found.exit_code == MissingModelError.exit_code == 3
    assert "no-such-scorer" in found.stderr


def test_an_interrupt_is_exit_130(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eval.crop_quality.run_benchmark", interrupted)
    found = invoke("--root", data.folder(tmp_path), "--scorer", "none")
    assert found.exit_code == 130
    assert "interrupted" in found.stderr


def test_help_waits_for_no_network_library() -> None:
    code = "import sys, eval.__main__; assert not {'torch', 'rich'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)

"""Every command with its streams closed, full or left by their readers."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from PIL import Image
from skimage import data

from cropper.cli import main
from tests.conftest import ENVIRONMENT, names
from tests.image.pictures import encoded

# what is typed, and the files that it makes; each prints something on standard output
COMMANDS = {
    "best": ("best in/cup.jpg -o out.jpg --overlay why.jpg --json", {"out.jpg", "why.jpg"}),
    "best several": ("best in/cup.jpg in/woman.jpg -o out/ --json", {"out"}),
    "bulk": ("bulk in -o out --json --report report.html", {"out", "report.html"}),
    "score": ("score in --scorer cropnet", set()),
    "rank": ("rank in --scorer cropnet --sheet sheet.jpg", {"sheet.jpg"}),
    "scorers": ("scorers", set()),
    "presets": ("presets", set()),
    "config": ("config best", set()),
    "help": ("best --help", set()),
    "help of a group": ("train --help", set()),
    "version": ("--version", set()),
    "see": ("see in --layer block10 --top 2 -o units.jpg", {"units.jpg"}),
    "see why": ("see in/cup.jpg --why --by gradients --steps 1 -o why.jpg --json", {"why.jpg"}),
    "selfie": ("selfie in/woman.jpg --scorer cropnet", set()),
    "faces": ("faces in --sheet faces.jpg", {"faces.jpg"}),
    "faces verify": ("faces verify in/woman.jpg in/woman.jpg", set()),
    "faces who": ("faces who in --people people", set()),
    "faces learn": ("faces learn people -o known.safetensors", {"known.safetensors"}),
    "faces group": ("faces group in --least 1 --sheets sheets", {"sheets"}),
}
LEFT = "> >(exec true)"  # a reader that leaves at once
QUICK = {"best", "scorers", "presets", "help", "help of a group", "version"}
PARAMETERS = [
    pytest.param(*each, id=name, marks=() if name in QUICK else pytest.mark.slow)
    for name, each in COMMANDS.items()
]
every_command = pytest.mark.parametrize(("line", "files"), PARAMETERS)
# The others speak as one of these does
SPEAKERS = {"best", "best several", "bulk", "score", "rank", "scorers", "see", "faces"}
speaking_commands = pytest.mark.parametrize(
    ("line", "files"), [each for each in PARAMETERS if each.id in SPEAKERS]
)


@pytest.fixture(scope="module")
def photos() -> dict[str, bytes]:
    found = {"cup": Image.fromarray(data.coffee()), "woman": Image.fromarray(data.astronaut())}
    return {name: encoded(picture, "JPEG") for name, picture in found.items()}


@pytest.fixture
def folder(tmp_path: Path, photos: dict[str, bytes]) -> Path:
    for name in ("in/cup.jpg", "in/woman.jpg", "people/eileen/woman.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photos[path.stem])
    return tmp_path


def run(line: str, redirect: str, folder: Path) -> subprocess.CompletedProcess[str]:
    shell = ["bash", "-c", f"{sys.executable} -m cropper {line} {redirect}"]
    done = subprocess.run(
        shell, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300
    )
    for word in ("Traceback", "Exception ignored", "BrokenPipe"):
        assert word not in done.stderr + done.stdout
    return done


@every_command
def test_a_reader_that_leaves_is_no_failure_of_the_work(
    line: str, files: set[str], folder: Path
) -> None:
    done = run(line, LEFT, folder)
    assert done.returncode == 0, done.stderr
    assert "Broken pipe" not in done.stderr
    assert names(folder) == {"in", "people", *files}


def test_a_script_of_completion_may_be_left_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "_CROPPER_COMPLETE", "bash_source")
    assert run("", LEFT, tmp_path).returncode == 0


@pytest.mark.parametrize("name", ["best", "bulk", "rank"])
def test_nobody_hears_messages_nor_reads_results(name: str, folder: Path) -> None:
    line, files = COMMANDS[name]
    done = run(line, f"{LEFT} 2>&1", folder)
    assert done.returncode == 0
    assert names(folder) == {"in", "people", *files}


@speaking_commands
def test_standard_error_is_not_needed(line: str, files: set[str], folder: Path) -> None:
    done = run(line, "2>&-", folder)
    assert done.returncode == 0
    assert "cropper: " not in done.stdout  # no message among the results
    assert names(folder) == {"in", "people", *files}


@speaking_commands
def test_results_that_cannot_be_printed_are_code_5(
    line: str, files: set[str], folder: Path
) -> None:
    done = run(line, ">/dev/full", folder)
    assert done.returncode == 5
    assert "standard output" in done.stderr


@pytest.mark.parametrize("line", ["--help", "--version", "best --help", "compare --help"])
def test_help_goes_nowhere_without_a_traceback(line: str, tmp_path: Path) -> None:
    assert run(line, ">/dev/full", tmp_path).returncode == 5
    assert run(line, "2>&-", tmp_path).stdout


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        yield path
        return
    for name, each in command.commands.items():
        yield from commands(each, (*path, name))


def options(path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Those that take one value, with one."""
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    for option in command.params:
        if isinstance(option, click.Option) and not (option.multiple or option.is_flag):
            choices = option.type.choices if isinstance(option.type, click.Choice) else ["1"]
            yield max(option.opts, key=len), str(choices[0])


@pytest.mark.parametrize("path", [*commands(main)], ids=" ".join)
def test_no_option_of_one_value_is_dropped_where_it_is_given_twice(path: tuple[str, ...]) -> None:
    given = [*options(path)] if path != ("compare",) else [("--judge", "a"), ("--budget", "9")]
    for name, value in given:
        found = CliRunner().invoke(main, [*path, name, value, name, value])
        assert found.exit_code == 2
        assert f"{name} is given twice" in found.stderr


def test_a_picture_to_nobody_is_code_5(folder: Path) -> None:
    done = run("best in/cup.jpg -o -", LEFT, folder)
    assert done.returncode == 5
    done = run("best in/cup.jpg -o out.png --json", "2>&1 | head -c 1", folder)
    assert done.returncode == 0
    with Image.open(io.BytesIO((folder / "out.png").read_bytes())) as image:
        image.load()


@pytest.mark.parametrize("redirect", ["2>/dev/full", "2>&-", f"2{LEFT}"])
def test_training_goes_on_where_its_log_cannot_be_told(redirect: str) -> None:
    code = "from cropper.cli.train import tell_lines; tell_lines('a\\nb'); print('goes on')"
    shell = ["bash", "-c", f'sleep 0; {sys.executable} -c "{code}" {redirect}']
    done = subprocess.run(shell, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "goes on\n")


def test_a_command_without_its_extra_is_code_3(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.startswith("cropper.train")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("crops", "selfies", "tilt", "orientation", "faces", "localizer"):
        command = main.commands["train"]
        assert isinstance(command, click.Group)
        needed = [each for each in command.commands[name].params if each.required]
        line = [part for each in needed for part in (*each.opts[:1], "tests") if part != each.name]
        found = CliRunner().invoke(main, ["train", name, *line])
        assert found.exit_code == 3, (name, found.output)
        assert "'cropper[torch]'" in found.stderr

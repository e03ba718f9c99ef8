"""Commands through processes of their own: pipes, signals, closed streams."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from cropper.cli import main
from tests.conftest import (
    ENVIRONMENT,
    LISTEN,
    Crop,
    command,
    names,
    pixels,
    process,
    spotted,
)
from tests.image.pictures import encoded


def test_a_photo_goes_through_a_pipe(tmp_path: Path) -> None:
    spotted().save(tmp_path / "photo.png")
    line, options = process(tmp_path, "best", "-", "--budget", 100)
    source = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; sys.stdout.buffer.write(open('photo.png','rb').read())",
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    )
    with source:
        done = subprocess.run(
            line, stdin=source.stdout, capture_output=True, check=False, timeout=120, **options
        )
    assert done.returncode == 0, done.stderr
    with Image.open(io.BytesIO(done.stdout)) as picture:
        picture.load()
        assert picture.format == "PNG"
    assert names(tmp_path) == {"photo.png"}


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="no /dev/stdin here")
def test_standard_input_by_its_name_is_a_photo_too(tmp_path: Path) -> None:
    content = encoded(spotted(), "PNG")
    line = ["best", "--scorer", "spot", "/dev/stdin"]
    done = command(tmp_path, *line, "-o", "out.png", spot=True, input=content)
    assert done.returncode == 0, done.stderr
    assert names(tmp_path) == {"out.png"}
    done = command(tmp_path, *line, spot=True, input=content)
    assert done.returncode == 2
    assert b"-o out.jpg" in done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_with_a_name_is_a_photo_too(tmp_path: Path) -> None:
    spotted().save(tmp_path / "photo.png")
    os.mkfifo(tmp_path / "pipe")
    line = ["best", "--scorer", "spot", "pipe", "-o", "out.png"]
    running, options = process(tmp_path, *line, spot=True)
    with subprocess.Popen(running, stderr=subprocess.PIPE, **options) as done:
        (tmp_path / "pipe").write_bytes((tmp_path / "photo.png").read_bytes())
        assert b"-> out.png" in done.communicate(timeout=120)[1]
    assert done.returncode == 0


def test_a_picture_is_refused_to_a_terminal(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    spotted().save(tmp_path / "photo.png")
    ours, theirs = pty.openpty()
    try:
        done = command(tmp_path, "best", "photo.png", "-o", "-", stdout=theirs)
    finally:
        os.close(theirs)
    os.set_blocking(ours, False)
    with open(ours, "rb", buffering=0) as terminal:
        try:
            shown = terminal.read()
        except OSError:  # nothing was written, and nobody is there any more
            shown = b""
    assert not shown
    assert done.returncode == 2
    assert b"terminal" in done.stderr


INTERRUPTED = """
import sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name == sys.argv[1]:
            raise KeyboardInterrupt
sys.argv[0] = "/usr/bin/cropper"
sys.meta_path.insert(0, Finder())
from cropper.__main__ import run
run()
"""


@pytest.mark.parametrize("module", ["numpy", "PIL", "cropper.search", "cropper.cli", "click"])
def test_ctrl_c_while_the_command_is_loaded_is_quiet(module: str) -> None:
    line = [sys.executable, "-c", INTERRUPTED, module]
    done = subprocess.run(line, capture_output=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 130
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (["compare", "photo.png", "--judge", "nobody"], 3, "no scorer 'nobody'"),
        (["train", "localizer", "--data", "."], 1, "annotations.json cannot be read (No such"),
        (["train", "crops", "--data", "."], 3, "no weights to start from"),
    ],
)
def test_the_other_commands_fail_alike(
    line: list[str], code: int, words: str, crop: Crop, photo_png: Path
) -> None:
    found = CliRunner().invoke(main, line)
    assert found.exit_code == code
    assert found.stderr.startswith("cropper: ")
    assert words in found.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_ctrl_c_ends_a_run_with_a_summary_and_whole_files(tmp_path: Path) -> None:
    total = 60
    for index in range(total):
        spotted().save(tmp_path / f"{index}.png")
    inputs = [f"{index}.png" for index in range(total)]
    line, options = process(tmp_path, "best", *inputs, "-o", "out/", prelude=LISTEN)
    running = subprocess.Popen(line, stderr=subprocess.PIPE, **options)
    assert running.stderr
    for _ in range(2):
        assert b" -> " in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    rest = running.stderr.read().decode()
    assert running.wait(60) == 130
    running.stderr.close()
    assert "Traceback" not in rest
    summary = rest.splitlines()[-1]
    assert f" of {total} done, 0 failed" in summary
    done = int(summary.removeprefix("cropper: interrupted: ").split()[0])
    written = names(tmp_path / "out")
    assert 1 <= done < total
    assert done <= len(written) <= done + 1  # one may be written and not yet counted
    for name in written:
        assert name.endswith("-best.png")
        assert pixels(tmp_path / "out" / name).size


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("line", [["-o", "-"], ["--json"], ["--json", "--dry-run"]])
def test_standard_output_that_is_full_is_code_5(line: list[str], tmp_path: Path) -> None:
    spotted().save(tmp_path / "photo.png")
    with open("/dev/full", "wb") as full:
        done = command(
            tmp_path, "best", "photo.png", "--scorer", "spot", *line, spot=True, stdout=full
        )
    assert b"Traceback" not in done.stderr, done.stderr
    assert done.returncode == 5


@pytest.mark.parametrize(("stream", "line"), [(0, ["-", "-o", "x.png"]), (1, ["a.png", "-o", "-"])])
def test_a_closed_stream_is_no_traceback(stream: int, line: list[str], tmp_path: Path) -> None:
    spotted().save(tmp_path / "a.png")
    closed = f"import sys; sys.{'stdin' if stream == 0 else 'stdout'} = None"  # as after <&- or >&-
    done = command(tmp_path, "best", "--scorer", "spot", *line, prelude=closed, spot=True)
    assert b"Traceback" not in done.stderr
    assert done.returncode in (1, 2, 5)


@pytest.mark.parametrize("line", ["best in/a.png -o out.png", "bulk in -o out", "rank in"])
def test_json_to_a_closed_stream_is_code_5(line: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    spotted().save(tmp_path / "in/a.png")
    closed = "import sys; sys.stdout = None"
    given = [*line.split(), "--json", "--scorer", "spot"]
    done = command(tmp_path, *given, prelude=closed, spot=True)
    assert b"Traceback" not in done.stderr
    assert b"standard output is closed" in done.stderr
    assert done.returncode == 5


@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full", "2> >(true)"])
def test_messages_never_reach_standard_output_nor_end_the_work(
    redirect: str, tmp_path: Path
) -> None:
    spotted().save(tmp_path / "photo.png")
    (tmp_path / "in").mkdir()
    spotted().save(tmp_path / "in/a.png")
    run = f"{sys.executable} -m cropper"
    one = f"{run} best photo.png -o - {redirect}"

    def ran(line: str) -> subprocess.CompletedProcess[bytes]:
        shell = ["bash", "-c", line]
        return subprocess.run(
            shell, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, check=False
        )

    done = ran(one)
    assert done.returncode == 0
    with Image.open(io.BytesIO(done.stdout)) as image:
        image.load()
    assert done.stdout.endswith(b"IEND\xaeB`\x82")
    all_of = f"{run} bulk in -o out -v {redirect}"
    done = ran(all_of)
    assert (done.returncode, done.stdout) == (0, b"")
    assert (tmp_path / "out/a.png").exists()

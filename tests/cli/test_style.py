"""``cropper style`` through files and exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from skimage import data

from cropper.cli import main
from tests.conftest import LISTEN, process
from tests.style.networks import small_vgg_file


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(data.astronaut()[:200, 100:400]).save("photo.jpg")
    Image.fromarray(data.immunohistochemistry()[:200, :200]).save("like.png")
    weights = str(small_vgg_file(tmp_path))
    return ["style", "photo.jpg", "--like", "like.png", "-o", "out.jpg", "--backbone", weights]


def run(line: list[str], *more: str) -> Result:
    return CliRunner().invoke(main, [*line, "--size", "96", "--steps", "4", *more])


def test_a_picture_its_frames_and_its_costs(line: list[str], tmp_path: Path) -> None:
    found = run(line, "--frames", "steps", "--every", "2", "--plot", "costs.png", "--json")
    assert found.exit_code == 0, found.stderr
    record = json.loads(found.stdout)
    assert (record["input"], record["output"], record["step"]) == ("photo.jpg", "out.jpg", 4)
    assert record["size"] == list(Image.open("out.jpg").size) == [96, 64]
    assert record["style"] > 0
    names = sorted(path.name for path in (tmp_path / "steps").iterdir())
    assert names == ["00002.png", "00004.png"]
    assert Image.open("costs.png").width > 100
    again = run([*line[:5], "again.jpg", *line[6:]], "--start", "steps/00004.png")
    assert again.exit_code == 0, again.stderr


def test_an_output_that_exists_stays(line: list[str]) -> None:
    Path("out.jpg").write_text("mine")
    found = run(line)
    assert found.exit_code == 2
    assert Path("out.jpg").read_text() == "mine"
    assert run(line, "--overwrite").exit_code == 0


def test_frames_and_plots_that_exist_stay(line: list[str]) -> None:
    """And that is found before the work, as is a plot without a format."""
    Path("steps").mkdir()
    for name, options in (
        ("steps/00004.png", ("--frames", "steps", "--every", "2")),
        ("costs.png", ("--plot", "costs.png")),
    ):
        Path(name).write_text("mine")
        found = run(line, *options)
        assert found.exit_code == 2
        assert f"{name} exists: use --overwrite" in found.stderr
        assert Path(name).read_text() == "mine"
    found = run(line, "--plot", "costs.what")
    assert found.exit_code == 2
    assert "the extension tells the format" in found.stderr
    assert not Path("out.jpg").exists()
    assert not Path("steps/00002.png").exists()


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["--layers", "conv9_1"], 2, "no layer 'conv9_1'"),
        (["--backbone", "nothing.safetensors"], 3, "holds no VGG network"),
        (["--like", "nothing.jpg"], 1, "nothing.jpg"),
        (["--strength", "-1"], 2, "--strength"),
        (["--start", "nothing.png"], 1, "nothing.png"),
    ],
)
def test_what_cannot_be_is_an_error(line: list[str], more: list[str], code: int, says: str) -> None:
    at = line.index(more[0]) if more[0] in line else None
    if at is not None:
        line[at : at + 2] = []
    found = run(line, *more)
    assert found.exit_code == code
    assert says in found.stderr
    assert not Path("out.jpg").exists()


def test_too_little_memory_has_a_remedy(line: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As torch says it; what was reached is written."""
    steps = iter(range(3))

    def fail(*_: object, **__: object) -> torch.Tensor:
        if next(steps) == 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes")
        return torch.zeros((), requires_grad=True)

    monkeypatch.setattr("cropper.style.descent.variation", fail)
    found = run(line)
    assert found.exit_code == 2
    assert "not enough memory at 96 px: choose a smaller size" in found.stderr


def test_a_size_that_memory_is_not_free_for_is_refused_at_once(
    line: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cropper.style.descent.available_memory", lambda: 252e6)
    found = run(line, "--frames", "steps")
    assert found.exit_code == 2
    assert "a long side of 96 px takes 0.3 GB, and 0.3 GB are free: choose a" in found.stderr
    assert not Path("out.jpg").exists()
    assert not Path("steps").exists()


@pytest.mark.slow
def test_an_interrupt_keeps_the_picture(line: list[str], tmp_path: Path) -> None:
    steps = tmp_path / "steps"
    more = ["--size", "96", "--steps", "100000", "--frames", "steps", "--every", "1"]
    command, options = process(tmp_path, *line, *more, prelude=LISTEN)
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)
    end = time.monotonic() + 120
    while not (steps / "00002.png").exists() and time.monotonic() < end:
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "ended at step" in told
    assert Image.open("out.jpg").size == (96, 64)

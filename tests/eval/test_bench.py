from __future__ import annotations

import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from eval.__main__ import cli
from eval.bench import BenchReport, Timing, render_bench, synthetic_photo
from eval.environment import read_environment
from tests.eval import data

pytestmark = pytest.mark.slow


def test_the_command_times_every_stage_of_a_picture(tmp_path: Path) -> None:
    photo = data.photo(tmp_path / "a.jpg")
    done = CliRunner().invoke(
        cli, ["bench", str(photo), "--candidates", "300", "--repeats", "2", "--device", "cpu"]
    )
    assert done.exit_code == 0, done.output
    for stage in (
        "decode for scoring",
        "trunk (bind)",
        "grid after decode, in all",
        "usual, after decode",
    ):
        assert stage in done.stdout
    assert str(photo) in done.stdout
    assert "torch" in done.stdout
    counted = next(line for line in done.stdout.splitlines() if " candidates " in line)
    assert 1 <= int(counted.split()[0]) <= 300


def test_a_baseline_is_a_ratio_of_medians() -> None:
    timings = (Timing("a", (0.1, 0.2, 0.9)), Timing("b", (0.1, 0.5, 0.6), "a"))
    text = render_bench(BenchReport("p", 1, timings, read_environment()))
    assert "2.50x a" in text
    assert timings[0].spread == pytest.approx((0.15, 0.55))


def test_the_synthetic_photo_is_a_jpeg_of_its_size_and_repeats() -> None:
    first = synthetic_photo(320, 200)
    assert first == synthetic_photo(320, 200)
    with Image.open(io.BytesIO(first)) as image:
        assert (image.format, image.size) == ("JPEG", (320, 200))


def test_fresh_processes_are_timed_with_their_memory(tmp_path: Path) -> None:
    photo = data.photo(tmp_path / "a.jpg", size=(1200, 1100))
    done = CliRunner().invoke(cli, ["bench", str(photo), "--cold", "--repeats", "2"])
    assert done.exit_code == 0, done.output
    row = next(line for line in done.stdout.splitlines() if line.startswith("cropper best "))
    assert " MB" in row
    assert float(row.split("MB")[0].split()[-1]) > 20

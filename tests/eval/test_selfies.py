"""Sheets and sweeps of photos of people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from cropper.image import load_image
from eval.commands import cli
from eval.selfies import hills, share_of


@pytest.mark.parametrize(
    ("scores", "count"),
    [
        ([0, 5, 10, 5, 0], 1),
        ([10, 5, 0], 1),  # its top may be at an end
        ([0, 5, 10], 1),
        ([0, 5, 4.5, 10, 0], 1),  # a dip of a twentieth of the range
        ([0, 5, 3, 10, 0], 2),
        ([10, 0, 10], 2),
        ([8, 0, 6, 0, 10], 3),
        ([7, 7, 7], 1),
    ],
)
def test_hills_by_hand(scores: list[float], count: int) -> None:
    assert hills(np.array(scores)) == count


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=30))
def test_without_a_least_dip_hills_are_the_local_maxima(values: list[int]) -> None:
    steps = [v for i, v in enumerate(values) if i == 0 or v != values[i - 1]]
    padded = [-np.inf, *steps, -np.inf]
    tops = sum(padded[i - 1] < v > padded[i + 1] for i, v in enumerate(steps, 1))
    assert hills(np.array(values, float), dip=0.0) == tops


@pytest.mark.parametrize("hits", [0, 3, 19, 20])
def test_an_interval_ends_where_the_share_is_two_errors_away(hits: int) -> None:
    told = share_of(hits, 20)
    for end, bound in ((told.low, 0), (told.high, 1)):
        off = abs(hits / 20 - end)
        assert off == pytest.approx(1.96 * (end * (1 - end) / 20) ** 0.5, abs=1e-6)
        assert (hits == 20 * bound) == (end == pytest.approx(bound))


@pytest.mark.slow
def test_the_command_draws_and_counts(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for name, pixels in (("face", data.astronaut()[:360, 60:420]), ("cat", data.chelsea())):
        Image.fromarray(pixels).resize((240, 200)).save(photos / f"{name}.png")
    (photos / "broken.png").write_bytes(b"no picture")
    line = ["selfies", str(photos), "-o", str(out), "--swept", "1"]
    done = CliRunner().invoke(cli, line, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "all photos (2), selfie" in done.stdout
    assert "faces of 0.2 and more (1), selfie" in done.stdout
    assert done.stdout.count("one hill over scale") == 2
    for name in ("sheet.jpg", "sweep.jpg"):
        assert load_image(out / name).view(64).pixels.std() > 20
    assert CliRunner().invoke(cli, ["selfies", str(photos)]).exit_code == 2

"""Regret of a cheap search, and crops a second, on small things."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from skimage import data, io
from torch import nn

from cropper import CropSpace, SearchConfig
from cropper.boxes import Boxes
from cropper.errors import ConfigError, DataError
from eval.__main__ import cli
from eval.bench_convnet import bench_convnet
from eval.limits import Rates, work_of
from eval.regret import measure_photo, render_regret, run_regret

SPACE = CropSpace((900, 600), 1.0)


def smooth(boxes: Boxes) -> NDArray[np.float64]:
    """One maximum, away from the grids' corners."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    side = boxes[:, 2] - boxes[:, 0]
    return np.asarray(-np.hypot(*(centre - [400, 300]).T) - np.abs(side - 450))


def test_halving_has_no_regret_where_the_score_is_smooth() -> None:
    (row,), size = measure_photo(smooth, [SPACE], [SearchConfig("halving", 200)], 2000)
    assert 1500 < size <= 2000
    assert row.deviations < 0.01
    assert row.better < 0.001
    assert row.overlap > 0.9
    assert row.evaluations <= 200


def test_a_search_that_sees_little_has_regret_in_the_grid_s_deviations() -> None:
    seen: list[NDArray[np.float64]] = []

    def spike(boxes: Boxes) -> NDArray[np.float64]:
        scores = np.where((np.abs(boxes[:, 0] - 137) < 9) & (boxes[:, 2] < 480), 1.0, 0.0)
        seen.append(scores)
        return scores

    (row,), size = measure_photo(spike, [SPACE], [SearchConfig("random", 3, seed=1)], 2000)
    grid = seen[0]
    assert len(grid) == size
    assert grid.max() == 1
    assert row.deviations == pytest.approx(1 / grid.std())
    assert row.better == pytest.approx(grid.mean())


def test_a_budget_for_the_same_grid_has_no_regret_at_all() -> None:
    (row,), _ = measure_photo(smooth, [SPACE], [SearchConfig("grid", 500)], 500)
    assert (row.deviations, row.better, row.overlap) == (0, 0, 1)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    io.imsave(tmp_path / "cat.png", data.chelsea()[::4, ::4], check_contrast=False)
    io.imsave(tmp_path / "cup.png", data.coffee()[::4, ::4], check_contrast=False)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    return tmp_path


def test_photos_are_measured_and_broken_ones_named(photos: Path) -> None:
    report = run_regret([photos], scorer="cropnet", device="cpu", grid=300, budgets=(60, 120))
    assert report.photos == 2
    assert "broken.png" in report.unreadable[0]
    assert [name for name, _ in report.searches] == ["halving 60", "halving 120"]
    text = render_regret(report, "the command")
    assert "2 photos" in text
    assert text.endswith("the command")
    (photos / "cat.png").unlink()
    (photos / "cup.png").unlink()
    with pytest.raises(DataError, match="none of 1 photos"):
        run_regret([photos], scorer="cropnet", device="cpu")


def test_the_command_reports_regret(photos: Path) -> None:
    line = ["regret", str(photos), "--scorer", "cropnet", "--limit", "1", "--grid", "200",
        "--budget", "60"]  # fmt: skip
    found = CliRunner().invoke(cli, line, catch_exceptions=False)
    assert found.exit_code == 1  # the first photo by name is the broken one
    (photos / "broken.png").unlink()
    found = CliRunner().invoke(cli, line, catch_exceptions=False)
    assert found.exit_code == 0
    assert "halving 60" in found.stdout


def test_crops_a_second_are_counted_for_each_network() -> None:
    small, large = bench_convnet(["squeezenet1_1"], [33, 65], device="cpu", crops=4, repeats=2)
    assert (small.side, large.side) == (33, 65)
    assert large.work.flops > 2 * small.work.flops > 0
    assert large.limit > small.limit > 0
    assert small.share == pytest.approx(small.limit * small.crops_per_second)
    assert small.crops_per_second > 0
    assert small.spread[0] <= small.crops_per_second <= small.spread[1]
    with pytest.raises(ConfigError, match="repeats"):
        bench_convnet(["squeezenet1_1"], [33], repeats=0)


def test_the_command_shows_the_share_of_the_limit() -> None:
    line = ["bench-convnet", "--network", "squeezenet1_1", "--side", "33", "--crops", "2",
        "--repeats", "1", "--device", "cpu"]  # fmt: skip
    found = CliRunner().invoke(cli, line, catch_exceptions=False)
    assert found.exit_code == 0
    assert "of the limit" in found.stdout
    assert "%" in found.stdout.splitlines()[1]


def test_the_work_of_a_pass_is_that_of_its_layers() -> None:
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 8 * 8, 5)]
    work = work_of(nn.Sequential(*layers), 8)
    assert work.flops == 2 * (4 * 8 * 8 * 3 * 9 + 4 * 8 * 8 * 5)
    assert work.values == 8 * 8 * (3 + 4) + 4 * 8 * 8 + 5
    assert Rates(flops=10.0, bytes=1e9).limit(work, torch.float32) == work.flops / 10
    assert Rates(flops=1e12, bytes=10.0).limit(work, torch.float16) == work.values * 2 / 10

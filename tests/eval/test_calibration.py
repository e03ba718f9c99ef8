from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from eval.__main__ import cli
from eval.calibration import calibration_of
from tests.eval import data


def test_votes_drawn_from_the_scores_are_found_calibrated() -> None:
    rng = np.random.default_rng(0)
    gains = rng.normal(0, 1.5, 20_000)
    wins = rng.binomial(50, 1 / (1 + np.exp(-gains))) / 50
    found = calibration_of(gains, wins, np.full(20_000, 50.0))
    for each in found.bins:
        assert each.observed == pytest.approx(each.predicted, abs=0.01)
    assert found.log_loss < found.chance_loss


def test_scores_that_are_too_sure_show_it() -> None:
    gains = np.linspace(-3, 3, 1000)
    wins = 1 / (1 + np.exp(-0.3 * gains))
    found = calibration_of(gains, wins, np.ones(1000))
    assert found.bins[-1].predicted > found.bins[-1].observed + 0.2
    assert sum(each.pairs for each in found.bins) == 1000


def test_turning_every_pair_round_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    gains, wins, votes = rng.normal(0, 1, 200), rng.uniform(0, 1, 200), rng.integers(1, 6, 200)
    one = calibration_of(gains, wins, votes.astype(float))
    other = calibration_of(-gains, 1 - wins, votes.astype(float))
    assert one.log_loss == pytest.approx(other.log_loss)


def test_the_command_prints_and_draws(tmp_path: Path) -> None:
    root, plot = data.folder(tmp_path / "photos"), tmp_path / "plot.png"
    pytest.importorskip("matplotlib")
    done = CliRunner().invoke(
        cli, ["calibration", "--root", str(root), "--plot", str(plot), "--device", "cpu"]
    )
    assert done.exit_code == 0, done.output
    assert "predicted" in done.stdout
    assert plot.read_bytes().startswith(b"\x89PNG")

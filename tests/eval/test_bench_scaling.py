from pathlib import Path

import pytest
from click.testing import CliRunner

from eval.bench import Timing
from eval.bench_scaling import Curve
from eval.commands.group import cli

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_slope_is_the_power_that_time_grows_with(power: float) -> None:
    sizes = (1.0, 2.0, 4.0, 8.0)
    timings = tuple(Timing("", (3 * size**power,) * 3) for size in sizes)
    assert Curve("", "", sizes, timings).slope == pytest.approx(power, abs=1e-9)


def test_a_constant_start_does_not_hide_how_the_rest_grows() -> None:
    sizes = (1.0, 10.0, 100.0, 1000.0)
    timings = tuple(Timing("", (1 + size,) * 3) for size in sizes)
    assert Curve("", "", sizes, timings).slope == pytest.approx(1, abs=0.01)


def test_the_command_measures_and_plots(tmp_path: Path) -> None:
    line = ["bench-scaling", "--largest", "0", "--repeats", "2", "--plot", str(tmp_path / "p.svg")]
    done = CliRunner().invoke(cli, line, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    for part in ("1.5 megapixels", "300 candidates", "10 photos", "halving search", "slope"):
        assert part in done.stdout
    assert (tmp_path / "p.svg").read_text().count('<g id="axes_') == 3

"""``python -m eval bench-style``: a step is what runs of more steps take longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.bench_style import StyleRun, render_style, run_style
from eval.processes import Usage
from tests.style.networks import small_vgg_file


def test_a_step_is_free_of_the_start() -> None:
    few = (Usage(10.0, 1.0, 900.0), Usage(11.0, 1.0, 900.0), Usage(12.0, 1.0, 900.0))
    more = (Usage(14.0, 1.0, 1000.0), Usage(19.0, 1.0, 1200.0), Usage(24.0, 1.0, 1100.0))
    line = render_style([StyleRun(512, few, more)]).splitlines()[1]
    assert line.split() == ["512", "px", "2.00", "s", "1.00-3.00", "s", "1.2", "GB"]


@pytest.mark.slow
def test_commands_are_run(tmp_path: Path) -> None:
    (found,) = run_style(str(small_vgg_file(tmp_path)), [64], repeats=1)
    assert found.size == 64
    assert found.more[0].peak > 50

"""``python -m eval bench-style``: what one run goes through, size by size."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.bench_style import LevelRun, render_style, run_style
from tests.style.networks import small_vgg_file


def test_a_row_tells_what_was_measured() -> None:
    steps = (1.0, 2.0, 3.0)
    run = LevelRun((512, 384), steps, 1.6, 1700.0, 1800.0, (0.9, 0.3), (0.0, 0.4))
    row = render_style([run]).splitlines()[2]
    cells = [each.strip() for each in row.strip("|").split("|")]
    assert cells[:3] == ["512 px", "2.00 [1.50, 2.50]", "1.25"]
    assert cells[3:] == ["1.7 GB", "1.8 GB", "0.900 -> 0.300", "0.000 -> 0.400"]


@pytest.mark.slow
def test_each_size_is_measured(tmp_path: Path) -> None:
    found = run_style(str(small_vgg_file(tmp_path)), 384, steps=6)
    assert [each.size for each in found] == [(192, 144), (384, 288)]
    assert [len(each.steps) for each in found] == [5, 2]
    assert all(each.plain > 0 and each.peak > 50 for each in found)
    assert found[0].styles[1] < found[0].styles[0]
    assert found[1].peak < 1.1 * found[1].told

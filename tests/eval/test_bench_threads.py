"""``python -m eval bench-threads``: what is measured, and how it is told."""

from __future__ import annotations

import pytest

from eval.bench_threads import ThreadUse, render_threads, run_threads


def test_ratios_are_of_runs_in_turns() -> None:
    use = ThreadUse(
        "best", True, (2.0, 4.0, 9.0), (2.0, 2.0, 3.0), (1.0, 1.0, 1.0), (2.0, 1.0, 4.0)
    )
    line = render_threads([use]).splitlines()[1]
    assert "beside busy loops" in line
    assert "4.00 s" in line
    assert "2.00 [1.00, 3.00]" in line
    assert "0.50 [0.25, 1.00]" in line


@pytest.mark.slow
def test_both_loads_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.bench_threads._COMMANDS", ("best",))
    idle, busy = run_threads(photos=1, repeats=1)
    assert (idle.busy, busy.busy) == (False, True)
    assert all(len(each.processor) == len(each.seconds_of_one) == 1 for each in (idle, busy))
    assert min(*idle.processor, *busy.seconds) > 0

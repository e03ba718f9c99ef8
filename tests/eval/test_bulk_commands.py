"""The commands that measure bulk runs: small runs of the real thing."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from eval.__main__ import cli
from eval.bench_bulk import run_bulk_bench

pytestmark = pytest.mark.slow


def test_crash_tells_what_it_found() -> None:
    found = CliRunner().invoke(cli, ["crash", "--rounds", "1", "--photos", "3"])
    assert found.exit_code == 0
    assert "1 rounds, " in found.stdout
    assert "torn 0, lost 0, extra 0, mixed up 0" in found.stdout


def test_scale_tells_of_each_tenth() -> None:
    found = CliRunner().invoke(cli, ["scale", "--photos", "20"])
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:11]] == [str(done) for done in range(2, 21, 2)]
    assert lines[11].startswith("the same command again: ")


def test_the_bench_of_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.bench_bulk.CROP", (128, 128))
    bench = run_bulk_bench(photos=2, rounds=1, size=(600, 400))
    names = [contender.name for contender in bench.contenders]
    assert names[0] == "cropper bulk"
    assert len(names) + len(bench.missing) == 3
    assert all(contender.median > 0 for contender in bench.contenders)

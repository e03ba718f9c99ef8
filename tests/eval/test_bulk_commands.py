"""The commands that measure bulk runs: small runs of the real thing."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from cropper.threads import cores
from eval.__main__ import cli
from eval.bench_bulk import run_bulk_bench

pytestmark = pytest.mark.slow


def test_crash_tells_what_it_found() -> None:
    found = CliRunner().invoke(cli, ["crash", "--rounds", "1", "--photos", "3"])
    assert found.exit_code == 0
    assert "1 rounds, " in found.stdout
    assert "torn 0, lost 0, extra 0, mixed up 0" in found.stdout


@pytest.mark.parametrize(("crops", "done"), [((), 20), (("--crops", "10"), 10)])
def test_scale_tells_of_the_plan_and_of_each_tenth(crops: tuple[str, ...], done: int) -> None:
    found = CliRunner().invoke(cli, ["scale", "--photos", "20", *crops])
    assert found.exit_code == 0, found.output
    lines = found.stdout.splitlines()
    assert lines[0] == f"20 photos planned, {done} cropped"
    assert lines[3].startswith("20 photos ")
    assert lines[4].startswith(f"again, {done} done ")
    step = done // 10
    assert [line.split()[0] for line in lines[7:17]] == [str(step * n) for n in range(1, 11)]


def test_the_bench_of_folders() -> None:
    bench = run_bulk_bench(photos=2, rounds=1, size=(600, 400), crops=[(128, 128), (128, 160)])
    names = [contender.name for contender in bench.contenders]
    assert names[0] == "cropper bulk"
    assert len(names) + len(bench.missing) == 4
    assert all(contender.median > 0 for contender in bench.contenders)


def test_the_bench_of_clusters() -> None:
    pytest.importorskip("distributed")
    found = CliRunner().invoke(
        cli, ["bench-cluster", "--photos", "30", "--rounds", "1", "--workers", "1"]
    )
    assert found.exit_code == 0, found.output
    assert [line[:20].strip() for line in found.stdout.splitlines()[1:4]] == [
        f"{cores()} threads",
        f"{cores()} threads, a store",
        "1 worker of Dask",
    ]


def test_a_commit_that_is_not_there_is_told() -> None:
    found = CliRunner().invoke(cli, ["bench-against", "no-such-commit"])
    assert found.exit_code == 2
    assert "no-such-commit: no commit of " in found.stderr


def test_the_stages_of_a_photo_sum_to_all() -> None:
    found = CliRunner().invoke(
        cli,
        ["bench-bulk", "--stages", "--photos", "2", "--size", "300", "200", "--crop", "64", "64"],
    )
    assert found.exit_code == 0, found.output
    lines = [line for line in found.output.splitlines() if line.endswith(" ms")]
    *stages, total = (float(line[20:-3]) for line in lines)
    assert len(stages) == 9
    assert sum(stages) == pytest.approx(total, abs=0.5)

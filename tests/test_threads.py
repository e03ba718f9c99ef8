"""How many threads compute: of quota, affinity, variables and the option."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cropper import threads


def _quota(tmp_path: Path, membership: str, files: dict[str, str]) -> float | None:
    (tmp_path / "cgroup").write_text(membership)
    for name, text in files.items():
        file = tmp_path / "mount" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return threads._quota(tmp_path / "cgroup", tmp_path / "mount")


def test_strictest_group_of_version_2_counts(tmp_path: Path) -> None:
    files = {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "150000 100000\n"}
    assert _quota(tmp_path, "0::/a/b\n", files) == 1.5


def test_group_of_version_1(tmp_path: Path) -> None:
    files = {"cpu/a/cpu.cfs_quota_us": "50000\n", "cpu/a/cpu.cfs_period_us": "100000\n"}
    files |= {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}
    assert _quota(tmp_path, "5:memory:/m\n4:cpu,cpuacct:/a\n", files) == 0.5


def test_container_that_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    assert _quota(tmp_path, "0::/host/path\n", {"cpu.max": "200000 100000\n"}) == 2


@pytest.mark.parametrize("membership", ["", "0::/\n", "3:memory:/m\n"])
def test_without_a_quota(tmp_path: Path, membership: str) -> None:
    assert _quota(tmp_path, membership, {}) is None


def test_part_of_a_core_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_quota", lambda *_: 0.2)
    assert threads.cores() == 1


@pytest.mark.parametrize(
    ("variable", "asked", "count"),
    [(None, None, threads.cores()), ("3", None, 3), ("3", 1, 1), ("4,2", None, 4)],
)
def test_option_before_variable_before_cores(
    variable: str | None, asked: int | None, count: int
) -> None:
    names = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    environment = kept | ({"OMP_NUM_THREADS": variable} if variable else {})
    code = f"from cropper.threads import *; set_threads({asked}); print(threads())"
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert int(run.stdout) == count

"""Folds, and what a held-out scorer is trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from cropper.cli import main
from cropper.errors import ConfigError
from cropper.scorers.header import read_header
from cropper.train import train_crops, train_from_crops
from cropper.train.data import load_judged
from tests.train.support import SHORT, TINY, Start, ignore, short_run

pytestmark = pytest.mark.slow


def test_folds_are_disjoint_and_together_everything(folder: Path) -> None:
    whole = [item.path for item in load_judged(folder, "train", 9409)]
    parts = [[i.path for i in load_judged(folder, "train", 9409, fold=(k, 2))] for k in (0, 1)]
    assert sorted(parts[0] + parts[1]) == sorted(whole)
    assert not set(parts[0]) & set(parts[1])
    assert min(map(len, parts)) > 0


def test_a_trunk_rate_of_nothing_leaves_the_trunk_and_the_header_says_so(
    start: Start, tmp_path: Path
) -> None:
    config = replace(SHORT, epochs=1, trunk_rate=0.0, fold=(1, 2), seed=5)
    train_crops(start.few, start.trunk, tmp_path, config, net_config=TINY, device="cpu", log=ignore)
    before, after = load_file(start.trunk), load_file(tmp_path / "cropnet.safetensors")
    for key, value in before.items():
        torch.testing.assert_close(after["trunk." + key], value.half())
    said = read_header(tmp_path / "cropnet.safetensors")["trained"]
    assert said == {"seed": 5, "fold": "1/2", "trunk": "frozen", "gaze": False}


@pytest.mark.parametrize("fold", ["2/2", "x", "1", "-1/2", "0/0"])
def test_a_fold_that_is_none_is_refused(folder: Path, fold: str) -> None:
    line = ["train", "crops", "--data", str(folder), "--fold", fold]
    ran = CliRunner().invoke(main, line)
    assert ran.exit_code == 2
    assert "is not K/N" in ran.output


def test_convnet_has_no_trunk_rate(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`trunk_rate`, .* are cropnet's"):
        train_from_crops("convnet", folder, None, tmp_path, trunk_rate=0.0)


def test_a_student_goes_on_from_its_first_teacher(start: Start, tmp_path: Path) -> None:
    first = short_run(start, tmp_path / "teacher") / "cropnet.safetensors"
    lines: list[str] = []
    train_crops(
        start.few,
        start.trunk,
        tmp_path / "student",
        replace(SHORT.distilled((str(first), str(first)), None), epochs=1),
        net_config=TINY,
        device="cpu",
        limit=6,
        log=lines.append,
    )
    assert lines[0] == "2 teachers judge 6 pictures, parts of them and 0"
    assert lines[1].startswith("12 pictures to train on")
    student = load_file(tmp_path / "student" / "cropnet.safetensors")
    teacher = load_file(first)
    frozen = "trunk.features.3.expand.weight"
    assert torch.equal(student[frozen], teacher[frozen])
    assert not torch.equal(student["head.reduce.weight"], teacher["head.reduce.weight"])

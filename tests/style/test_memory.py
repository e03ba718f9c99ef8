"""What a descent takes of memory: known before it begins, and held."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from cropper.errors import ConfigError
from cropper.style import StyleConfig, transfer
from cropper.style.descent import memory_of
from cropper.style.memory import available_memory, memory_needed
from tests.style.networks import small_vgg

PHOTO = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)


def test_what_a_pass_keeps_is_counted() -> None:
    """A square keeps what it squares, 12 bytes a pixel; each step of L-BFGS keeps twice as much."""

    def squared(picture: torch.Tensor) -> torch.Tensor:
        return (picture * 2).square().sum()

    per_step = memory_needed(squared, 10**6, 2) - memory_needed(squared, 10**6, 1)
    assert per_step == 24 * 10**6
    kept = memory_needed(squared, 10**6, 0) - memory_needed(squared, 0, 0)
    assert 12e6 <= kept <= 24e6


def test_it_grows_with_the_pixels(tmp_path: Path) -> None:
    backbone = small_vgg(tmp_path)
    fixed = memory_of(backbone, StyleConfig(size=32), (32, 32))
    small, large = (
        memory_of(backbone, StyleConfig(size=size, steps=1), (2 * size, size)) - fixed
        for size in (512, 1024)
    )
    assert large == pytest.approx(4 * small, rel=0.05)


def test_photos_are_not_enlarged(tmp_path: Path) -> None:
    backbone = small_vgg(tmp_path)
    config = StyleConfig(size=1024)
    assert memory_of(backbone, config, (100, 80)) < memory_of(backbone, config, (1000, 800))


def test_a_size_that_does_not_fit_is_refused_and_the_one_named_fits(tmp_path: Path) -> None:
    backbone = small_vgg(tmp_path)
    config = StyleConfig(size=192, steps=1)
    room = memory_of(backbone, config, (400, 300)) - 1
    with pytest.raises(ConfigError, match=r"takes .* GB are free: choose a smaller") as error:
        transfer(PHOTO, PHOTO, backbone, config, memory=room)
    named = int(str(error.value).rpartition(" as ")[2].split()[0])
    assert named >= 128
    smaller = StyleConfig(size=named, steps=1)
    assert len([*transfer(PHOTO, PHOTO, backbone, smaller, memory=room)]) == len(smaller.levels())


def test_the_system_tells_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, group = tmp_path / "meminfo", tmp_path / "memory.max"
    monkeypatch.setattr("cropper.style.memory._MEMINFO", told)
    monkeypatch.setattr("cropper.style.memory._GROUP", group)
    assert available_memory() == math.inf
    told.write_text("MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    5000 kB\n")
    assert available_memory() == 5000 * 1024
    group.write_text("max\n")
    assert available_memory() == 5000 * 1024
    group.write_text("1000000\n")
    assert available_memory() == 1_000_000

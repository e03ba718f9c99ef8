"""Fixtures of several tests of training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cropper.train import CropsConfig, train_crops
from cropper.train.augment import Augment
from tests.train.support import TINY, Start, Trained, ignore, write_folder, write_trunk


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    found = Start(tmp_path_factory.mktemp("training"))
    write_folder(found.data, 24, 8)
    write_folder(found.few, 8, 2)
    write_trunk(found.trunk)
    return found


@pytest.fixture(scope="module")
def trained(start: Start) -> Trained:
    folder, data, trunk = start.folder, start.data, start.trunk
    config = CropsConfig(
        epochs=5,
        batch=3,
        free=32,
        given=16,
        head_rate=5e-3,
        trunk_rate=3e-4,
        average=0.8,
        augment=Augment(scale=0),
    )
    still = replace(config, epochs=1, head_rate=0.0, trunk_rate=0.0)
    before = train_crops(
        data, trunk, folder / "still", still, net_config=TINY, device="cpu", log=ignore
    )
    log: list[str] = []
    after = train_crops(
        data, trunk, folder / "out", config, net_config=TINY, device="cpu", log=log.append
    )
    return Trained(start, config, before.mean, after.mean, log)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "data", 2, 1)

"""Scorers in files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from cropper import ScorerSpec, load_scorer
from cropper.errors import DataError, MissingModelError
from cropper.image import View
from cropper.scorers import WEIGHTS, read_header
from cropper.scorers.checkpoint import load_trunk, save_scorer
from cropper.scorers.cropnet.network import CropNet, CropNetScorer
from cropper.scorers.trunk import Trunk
from tests.scorers.support import HEADER, TINY, alive, boxes_of, coffee

PACKAGED = WEIGHTS / "cropnet.safetensors"


@pytest.fixture
def saved(tmp_path: Path) -> tuple[CropNet, Path]:
    net = alive(CropNet(TINY))
    save_scorer(net, HEADER, tmp_path / "tiny.safetensors")
    return net, tmp_path / "tiny.safetensors"


def test_a_checkpoint_comes_back_in_half_precision(saved: tuple[CropNet, Path]) -> None:
    net, path = saved
    scorer = load_scorer(str(path), "cpu")
    assert isinstance(scorer, CropNetScorer)
    assert scorer.net.config == TINY
    assert scorer.spec == ScorerSpec("tiny", 128, 64, False, "for tests", "CC0-1.0")
    stored = scorer.net.state_dict()
    for key, value in net.state_dict().items():
        assert torch.equal(stored[key], value.half().float())
    assert not any(p.requires_grad for p in scorer.net.parameters())
    boxes = boxes_of(coffee().size)
    exact = CropNetScorer(net, scorer.spec).bind(coffee())(boxes)
    assert np.abs(scorer.bind(coffee())(boxes) - exact).max() < 0.05 * np.ptp(exact)


def test_writing_a_checkpoint_leaves_nothing_else_behind(saved: tuple[CropNet, Path]) -> None:
    assert [path.name for path in saved[1].parent.iterdir()] == ["tiny.safetensors"]
    assert read_header(saved[1]) == HEADER


def test_a_file_that_is_no_checkpoint_is_named(saved: tuple[CropNet, Path]) -> None:
    net, good = saved
    folder = good.parent
    weights = {key: value.half() for key, value in net.state_dict().items()}
    files: dict[str, Callable[[Path], object]] = {
        "empty": lambda path: path.write_bytes(b""),
        "text": lambda path: path.write_text("these are no weights"),
        "noise": lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
        "cut": lambda path: path.write_bytes(good.read_bytes()[:-1000]),
        "foreign": lambda path: save_file(weights, path),
        "other": lambda path: save_file(weights, path, {"format": "pt"}),
        "broken": lambda path: save_file(weights, path, {"cropper": "{"}),
    }
    for name, write in files.items():
        path = folder / f"{name}.safetensors"
        write(path)
        with pytest.raises(MissingModelError, match=f"{name}.safetensors"):
            load_scorer(str(path), "cpu")
    with pytest.raises(MissingModelError, match=r"nowhere.safetensors"):
        load_scorer(str(folder / "nowhere.safetensors"), "cpu")


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "oracle"},
        {"kind": None},
        {"name": None},
        {"config": None},
        {"config": {"pixels": 9409, "wings": 2}},
        {"config": TINY.to_dict() | {"hidden": 17}},
        {"config": TINY.to_dict() | {"rod": 3}},
        *({"config": TINY.to_dict() | {"pixels": each}} for each in (0, -1, 10**9, "x", 9409.5)),
        {"config": TINY.to_dict() | {"gaze": "x"}},
        {"config": TINY.to_dict() | {"dropout": 1}},
        {"config": 3},
        *({"long_side": each} for each in (10**9, 0, "x", True)),
        *({"batch_size": each} for each in ("x", 0, 1.5)),
        {"name": 3},
        {"summary": "two\nlines"},
    ],
    ids=lambda change: json.dumps(change)[:40],
)
def test_a_header_that_does_not_fit_is_a_missing_model(
    change: dict[str, Any], tmp_path: Path
) -> None:
    header = {key: value for key, value in (HEADER | change).items() if value is not None}
    path = tmp_path / "odd.safetensors"
    save_scorer(CropNet(TINY), header, path)
    with pytest.raises(MissingModelError, match=r"odd\.safetensors"):
        load_scorer(str(path), "cpu")


def test_metadata_that_is_nested_deeply_is_a_missing_model(tmp_path: Path) -> None:
    path = tmp_path / "deep.safetensors"
    nested = "[" * 100_000 + "]" * 100_000
    save_file({"x": torch.zeros(1)}, path, {"cropper": nested})
    with pytest.raises(MissingModelError, match=r"deep\.safetensors"):
        load_scorer(str(path), "cpu")


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float8_e4m3fn, torch.bool, torch.int64])
def test_weights_of_other_types_are_read_or_named(kind: torch.dtype, tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    with safe_open(PACKAGED, framework="pt") as file:
        tensors = {key: file.get_tensor(key).to(kind) for key in file.keys()}  # noqa: SIM118
        save_file(tensors, path, file.metadata())
    with contextlib.suppress(MissingModelError):
        load_scorer(str(path), "cpu").bind(View(np.zeros((60, 80, 3), np.uint8), (80, 60)))


def test_a_head_of_another_shape_is_a_missing_model(tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    with safe_open(PACKAGED, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    for name in (key for key in tensors if key.startswith("head.")):
        shape = tensors[name].shape
        save_file(tensors | {name: torch.zeros((*shape[:-1], shape[-1] + 1))}, path, metadata)
        if name != "head.gaze.bias":  # which changes nothing, and is not read
            with pytest.raises(MissingModelError, match=r"odd\.safetensors"):
                load_scorer(str(path), "cpu")


@pytest.mark.parametrize("header", [[], 3, "text", None])
def test_a_header_that_is_no_object_is_a_missing_model(header: Any, tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    save_scorer(nn.Linear(1, 1), header, path)
    with pytest.raises(MissingModelError, match=r"odd\.safetensors"):
        load_scorer(str(path), "cpu")


def test_a_trunk_is_loaded_from_a_file_with_more_in_it(tmp_path: Path) -> None:
    trunk, path = alive(Trunk()), tmp_path / "trunk.safetensors"
    save_file(trunk.state_dict() | {"classifier.weight": torch.zeros(3)}, path)
    other = Trunk()
    load_trunk(other, path)
    for key, value in trunk.state_dict().items():
        assert torch.equal(other.state_dict()[key], value)


def test_a_file_without_a_trunk_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"classifier.weight": torch.zeros(3)}, path)
    with pytest.raises(DataError, match=r"other\.safetensors has no features"):
        load_trunk(Trunk(), path)

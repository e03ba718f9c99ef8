"""Folders of judged photos, broken ones among them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cropper.errors import DataError, MissingModelError
from cropper.scorers.trunk import input_size
from cropper.train import train_crops
from cropper.train.data import load_judged
from tests.train.support import SHORT, TINY, ignore, write_trunk

GOOD = {"image": "000.png", "split": "train", "box": [0.1, 0.1, 0.9, 0.9], "pairs": []}


def test_a_folder_is_read_by_split_at_the_network_s_size(folder: Path) -> None:
    items = load_judged(folder, "train", 9409)
    entries = json.loads((folder / "annotations.json").read_text())
    assert [item.path.name for item in items] == ["000.png", "001.png"]
    for item, entry in zip(items, entries, strict=False):
        width, height = input_size(item.size, 9409)
        assert item.pixels.shape == (height, width, 3)
        assert item.expert.tolist() == [entry["box"]]
        assert item.pairs.tolist() == [entry["pairs"][0][:2]]
        assert item.votes.tolist() == [[5, 0]]
    (val,) = load_judged(folder, "val", 9409)
    assert val.path.name == "002.png"


@pytest.mark.parametrize("content", ["", "[", "3", '["a"]', '[{"image": "000.png"}]', '{"a": 1}'])
def test_a_broken_annotation_file_is_named(folder: Path, content: str) -> None:
    (folder / "annotations.json").write_text(content)
    with pytest.raises(DataError, match=r"annotations\.json"):
        load_judged(folder, "train", 9409)


def test_a_missing_annotation_file_or_split_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"annotations\.json"):
        load_judged(tmp_path / "nowhere", "train", 9409)
    with pytest.raises(DataError, match=r"annotations\.json.*'test'"):
        load_judged(folder, "test", 9409)


@pytest.mark.parametrize(
    "change",
    [
        {"box": None},
        {"box": [0.1, 0.1, 0.9]},
        {"box": "all of it"},
        {"box": {"x0": 0}},
        {"box": [0.9, 0.1, 0.1, 0.9]},
        {"box": [0.1, 0.5, 0.9, 0.5]},
        {"box": [0.1, 0.1, float("nan"), 0.9]},
        {"box": [10, 10, 90, 90]},
        {"pairs": [[[0, 0, 1, 1], [0, 0, 1, 1], 3]]},
        {"pairs": [[[0, 0, 1, 1], [0, 0, 1], 3, 2]]},
        {"pairs": 7},
        {"pairs": [[[0, 0, 1, 1], [0, 0, 0.5, 1], 0, 0]]},
        {"pairs": [[[0, 0, 1, 1], [0.5, 0, 0.5, 1], 3, 2]]},
    ],
    ids=lambda change: json.dumps(change)[:50],
)
def test_a_broken_entry_is_named_by_its_picture(folder: Path, change: dict[str, Any]) -> None:
    entry = {key: value for key, value in (GOOD | change).items() if value is not None}
    (folder / "annotations.json").write_text(json.dumps([entry]))
    with pytest.raises(DataError, match=r"000\.png"):
        load_judged(folder, "train", 9409)


def test_a_picture_that_cannot_be_read_is_named(folder: Path) -> None:
    picture = folder / "images" / "001.png"
    picture.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"001\.png"):
        load_judged(folder, "train", 9409)
    picture.unlink()
    with pytest.raises(DataError, match=r"001\.png"):
        load_judged(folder, "train", 9409)


@pytest.mark.slow
def test_training_on_broken_data_names_the_file(folder: Path) -> None:
    (folder / "annotations.json").write_text("{")
    trunk = write_trunk(folder / "trunk.safetensors")
    with pytest.raises(DataError, match=r"annotations\.json"):
        train_crops(folder, trunk, folder / "out", SHORT, net_config=TINY, log=ignore)


@pytest.mark.parametrize("content", [b"", b"these are no weights" * 9])
def test_a_trunk_that_is_no_weights_is_named(folder: Path, tmp_path: Path, content: bytes) -> None:
    trunk = tmp_path / "broken.safetensors"
    trunk.write_bytes(content)
    with pytest.raises((DataError, MissingModelError), match=r"broken\.safetensors"):
        train_crops(folder, trunk, tmp_path / "out", SHORT, net_config=TINY, log=ignore)

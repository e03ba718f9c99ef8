from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cropper.errors import DataError
from eval.datasets import Dataset, load_dataset
from tests.eval import data


def names(dataset: Dataset) -> list[str]:
    return [example.path.name for example in dataset]


class TestFolder:
    def test_reads_what_was_written(self, tmp_path: Path) -> None:
        dataset = load_dataset(data.folder(tmp_path / "cats"))
        assert dataset.name == "cats"
        assert (len(dataset), dataset.skipped) == (4, ())
        first = dataset.examples[0]
        assert first.size == (1200, 800)
        assert first.path.is_file()
        assert np.allclose(first.boxes, [data.fractions(data.CROP)])
        assert first.pairs is not None
        assert np.allclose(first.pairs.b[1], data.fractions(data.PAIRS[1][1]))
        assert first.pairs.votes_a.tolist() == [4, 5, 3]
        assert first.rated is None

    def test_splits(self, tmp_path: Path) -> None:
        root = data.folder(tmp_path)
        assert names(load_dataset(root, "val")) == ["3.png"]
        assert len(load_dataset(root, "train")) == 3
        assert len(load_dataset(root, "all")) == len(load_dataset(root)) == 4
        with pytest.raises(DataError, match=r"splits train, val, got 'test'.*'all'"):
            load_dataset(root, "test")

    def test_several_human_crops(self, tmp_path: Path) -> None:
        assert load_dataset(data.crowd(tmp_path)).examples[0].boxes.shape == (3, 4)

    def test_a_photo_that_is_gone_is_counted(self, tmp_path: Path) -> None:
        root = data.folder(tmp_path)
        (root / "images" / "1.png").unlink()
        dataset = load_dataset(root)
        assert names(dataset) == ["0.png", "2.png", "3.png"]
        assert [(skip.photo, skip.reason) for skip in dataset.skipped] == [
            ("1.png", "no such photo on disk")
        ]


class TestFcdb:
    def test_pixels_become_fractions(self, tmp_path: Path) -> None:
        dataset = load_dataset(data.fcdb(tmp_path), "train")
        assert dataset.name == "FCDB"
        assert names(dataset) == ["1_abc_b.png", "2.png"]  # by name, by number
        assert [skip.photo for skip in dataset.skipped] == ["4_abc_b.png"]
        first, second = dataset.examples
        assert np.allclose(first.boxes, [data.fractions(data.CROP)], atol=1e-5)
        assert first.size == data.SIZE
        assert first.pairs is not None
        assert np.allclose(first.pairs.a[1], data.fractions(data.PAIRS[1][0]), atol=1e-5)
        assert first.pairs.votes_b.tolist() == [1, 0, 2]
        assert second.pairs is None

    def test_a_ranked_photo_without_a_crop_is_in_all_alone(self, tmp_path: Path) -> None:
        root = data.fcdb(tmp_path)
        assert names(load_dataset(root, "test")) == ["3_abc_b.png"]
        everything = load_dataset(root)
        assert len(everything) == 4
        ranked = next(e for e in everything if e.path.name == "5_abc_b.png")
        assert ranked.boxes.shape == (0, 4)
        assert ranked.pairs is not None

    def test_photos_of_another_size_are_refused(self, tmp_path: Path) -> None:
        root = data.fcdb(tmp_path)
        for path in root.rglob("*.png"):
            data.photo(path, (60, 40))
        with pytest.raises(DataError, match="the size that was annotated"):
            load_dataset(root)


class TestFlms:
    def test_negative_boxes_are_dropped_and_the_rest_clamped(self, tmp_path: Path) -> None:
        dataset = load_dataset(data.flms(tmp_path))
        assert dataset.name == "FLMS"
        assert names(dataset) == ["a.png", "b.png"]
        assert np.allclose(dataset.examples[0].boxes[1], [0.5, 0.5, 1, 1])
        assert len(dataset.examples[0].boxes) == 2
        assert [skip.photo for skip in dataset.skipped] == ["c.png"]

    def test_has_no_splits(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="no splits, got 'val'"):
            load_dataset(data.flms(tmp_path), "val")

    def test_a_file_that_is_no_picture_is_counted(self, tmp_path: Path) -> None:
        root = data.flms(tmp_path)
        (root / "b.png").write_bytes(b"not a picture")
        dataset = load_dataset(root)
        assert [skip.photo for skip in dataset.skipped] == ["b.png", "c.png"]

    def test_a_photo_on_which_nobody_drew(self, tmp_path: Path) -> None:
        root = data.flms(tmp_path, {"a.png": [[-1, -1, -1, -1]], "b.png": [data.CROP]})
        assert load_dataset(root).skipped[0].reason == "no valid crop"


class TestGaicd:
    def test_lines_are_y_first_and_invalid_ones_dropped(self, tmp_path: Path) -> None:
        dataset = load_dataset(data.gaicd(tmp_path), "test")
        assert (dataset.name, names(dataset)) == ("GAICD", ["p1.png"])
        rated = dataset.examples[0].rated
        assert rated is not None
        assert len(rated) == 11
        assert np.allclose(rated.boxes[1], np.array([5, 10, 65, 60]) / data.PIXELS)
        assert rated.mos[1] == 1.25

    def test_all_splits_and_none(self, tmp_path: Path) -> None:
        assert len(load_dataset(data.gaicd(tmp_path / "split"))) == 2
        assert names(load_dataset(data.gaicd(tmp_path / "flat", [""]))) == ["p0.png"]
        with pytest.raises(DataError, match="splits test, train"):
            load_dataset(tmp_path / "split", "val")


def _set(**values: object) -> Callable[[Path], object]:
    return lambda root: data.folder(root, **values)


BROKEN = {
    "a box with a side missing": (_set(box=[0, 0, 1]), r"0\.png: a box is \[x0, y0, x1, y1\]"),
    "a box that is text": (_set(box="left"), "a box is"),
    "a box from right to left": (_set(box=[0.9, 0, 0.1, 1]), "x0 < x1"),
    "a box in pixels": (_set(box=[12, 8, 96, 72]), "normalise"),
    "a coordinate that is no number": (_set(box=[0, 0, float("nan"), 1]), "finite"),
    "a pair without votes": (_set(pairs=[[[0, 0, 1, 1], [0, 0, 1, 1]]]), "a pair is"),
    "an entry without a photo": (
        lambda root: data.write_json(root / "annotations.json", [{"box": [0, 0, 1, 1]}]),
        "every entry has 'image'",
    ),
    "a mapping where a list belongs": (
        lambda root: data.write_json(root / "annotations.json", {"a": 1}),
        "a list of objects",
    ),
    "half a file": (
        lambda root: (root / "annotations.json").write_text('[{"image":'),
        "not readable JSON",
    ),
    "an empty list": (
        lambda root: data.write_json(root / "annotations.json", []),
        "the annotations list no photo",
    ),
    "no photo on disk": (
        lambda root: data.write_json(root / "annotations.json", [{"image": "x.jpg"}]),
        "none of the 1 annotated photos",
    ),
    "a ranking without votes": (
        lambda root: data.write_json(
            root / "ranking_annotation.json",
            [{"url": "a.jpg", "crops": [{"crop_0": [1, 1, 1, 1]}]}],
        ),
        "every entry has 'crop_1'",
    ),
    "a rating without a score": (
        lambda root: (data.gaicd(root) / "annotations" / "test" / "p1.txt").write_text("1 2 3 4"),
        "a line is 'y1 x1 y2 x2 MOS'",
    ),
    "an FLMS box with three sides": (
        lambda root: data.flms(root, {"a.png": [[1, 2, 3]]}),
        r"a\.png: a box is",
    ),
    "nothing at all": (lambda root: None, r"no known format(.|\n)*FCDB(.|\n)*GAICD(.|\n)*FLMS"),
}


@pytest.mark.parametrize(("write", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_data_is_named(
    tmp_path: Path, write: Callable[[Path], object], message: str
) -> None:
    write(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_root_that_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a dataset is a folder"):
        load_dataset(tmp_path / "nowhere")

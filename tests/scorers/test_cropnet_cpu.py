"""The CPU backend against the network that it stands for, box by box."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import data

from cropper.errors import MissingExtraError, MissingModelError, extra
from cropper.image import from_array
from cropper.sampling import pyramid as torch_pyramid
from cropper.sampling import sample_boxes
from cropper.scorers import WEIGHTS
from cropper.scorers.checkpoint import save_scorer
from cropper.scorers.cropnet.config import CropNetConfig
from cropper.scorers.cropnet.cpu import OnnxCropNetScorer
from cropper.scorers.cropnet.export import build_graph
from cropper.scorers.cropnet.network import CropNet
from cropper.scorers.cropnet.sampling_numpy import (
    Folded,
    fold,
    mip_levels,
    read_boxes,
    read_lattice,
)
from cropper.scorers.header import read_header
from cropper.scorers.loading import scorer_at
from cropper.search import SearchConfig, search
from cropper.space import crop_spaces

PATH = WEIGHTS / "cropnet.safetensors"
PHOTOS = {"wide": data.rocket(), "square": data.astronaut(), "tall": data.coffee()[:, 100:250]}


def torch_scores(pixels: NDArray[np.uint8], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    view = from_array(pixels).view(512)
    with torch.no_grad():
        return scorer_at(PATH, "cpu", torch=True).bind(view)(boxes)


def searched(size: tuple[int, int], aspect: str, budget: int) -> NDArray[np.float64]:
    """The boxes that a grid search asks about."""
    asked: list[NDArray[np.float64]] = []

    def objective(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        asked.append(boxes)
        return -boxes[:, 0]

    search(objective, crop_spaces(size, aspect, 0.3), SearchConfig(budget=budget))
    return np.concatenate(asked)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("aspect", ["original", "free"])
def test_the_boxes_of_a_search_get_the_scores_of_the_network(name: str, aspect: str) -> None:
    pixels = PHOTOS[name]
    boxes = searched((pixels.shape[1], pixels.shape[0]), aspect, 1500)
    scorer = scorer_at(PATH, "cpu")
    assert isinstance(scorer, OnnxCropNetScorer)
    found = scorer.bind(from_array(pixels).view(512))(boxes)
    assert np.ptp(found) > 0.5
    assert np.allclose(found, torch_scores(pixels, boxes), atol=1e-4)


def test_boxes_of_any_shape_get_the_scores_of_the_network() -> None:
    pixels = PHOTOS["wide"]
    corners = np.sort(np.random.default_rng(0).uniform(0, 1, (300, 2, 2)), 1)
    boxes = corners.reshape(-1, 4) * [640, 427, 640, 427]
    boxes = boxes[(boxes[:, 2] - boxes[:, 0] > 1) & (boxes[:, 3] - boxes[:, 1] > 1)]
    found = scorer_at(PATH, "auto").bind(from_array(pixels).view(512))(boxes)
    assert np.allclose(found, torch_scores(pixels, boxes), atol=1e-4)


def test_a_box_has_the_same_score_alone_and_among_others() -> None:
    boxes = searched((512, 512), "original", 500)
    bound = scorer_at(PATH).bind(from_array(PHOTOS["square"]).view(512))
    alone = np.concatenate([bound(boxes[index : index + 1]) for index in range(0, 500, 50)])
    assert np.allclose(bound(boxes)[:500:50], alone, atol=1e-5)
    assert bound(boxes[:0]).shape == (0,)


BOXES = st.lists(
    st.tuples(st.floats(0, 0.6), st.floats(0, 0.6), st.floats(0.05, 0.4), st.floats(0.05, 0.4)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(BOXES, st.integers(1, 30), st.integers(1, 30), st.sampled_from([2, 5, 7]), st.booleans())
def test_reading_equals_the_resampler(
    boxes: list[tuple[float, ...]], height: int, width: int, side: int, lattice: bool
) -> None:
    image = np.random.default_rng(height * width).normal(size=(height, width, 3))
    levels = mip_levels(image.astype(np.float32))
    x, y, w, h = np.array(boxes).T
    if lattice:
        w, h = np.full_like(w, w[0]), np.full_like(h, h[0])
        x, y = (grid.ravel() for grid in np.meshgrid(x, y))
        w, h = np.resize(w, x.shape), np.resize(h, x.shape)
    where = np.stack([x, y, x + w, y + h], 1)
    slow = torch_pyramid(torch.from_numpy(image.astype(np.float32)).movedim(2, 0))
    expected = sample_boxes(slow, torch.from_numpy(where).float(), (side, side)).movedim(1, 3)
    if lattice:
        found = read_lattice(levels, np.array(boxes)[:, 0], np.array(boxes)[:, 1], where[0], side)
        values = found.values.transpose(0, 2, 1, 3).reshape(len(where), side, -1)
        found = Folded(values, side)
    else:
        found = read_boxes(levels, where, side)
    assert np.allclose(found.unfold(), expected, atol=2e-4)
    mirrored = np.ascontiguousarray(fold(np.eye(side, dtype=np.float32)[None]))[0]
    middle = side - side // 2
    assert np.array_equal(mirrored[:middle], mirrored[:middle, ::-1])  # symmetric
    assert np.array_equal(mirrored[middle:], -mirrored[middle:, ::-1])


def test_the_graph_in_the_package_is_the_one_that_its_module_builds() -> None:
    built = build_graph(CropNetConfig()).SerializeToString()
    assert (WEIGHTS / "cropnet.onnx").read_bytes() == built


def test_a_network_of_another_width_runs_on_torch(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    net = CropNet(CropNetConfig(channels=8, gaze=True))
    save_scorer(net, read_header(PATH) | {"config": net.config.to_dict()}, path)
    assert not isinstance(scorer_at(path, "cpu"), OnnxCropNetScorer)


@pytest.mark.parametrize("change", [{"config": {"x": 1}}, {"config": None}, {"name": None}])
def test_a_broken_header_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    header = {key: value for key, value in read_header(PATH).items() if key not in change}
    header |= {key: value for key, value in change.items() if value is not None}
    path = tmp_path / "broken.safetensors"
    save_scorer(CropNet(CropNetConfig(gaze=True)), header, path)
    with pytest.raises(MissingModelError, match=r"broken\.safetensors.* has a broken header"):
        scorer_at(path, "cpu")


def test_weights_that_are_not_the_graph_s_are_named(tmp_path: Path) -> None:
    path = tmp_path / "less.safetensors"
    save_scorer(CropNet(CropNetConfig(gaze=True)), read_header(PATH), path, leave_out="head.taps.1")
    with pytest.raises(MissingModelError, match=r"less\.safetensors does not fit"):
        scorer_at(path, "cpu")


def test_cropping_a_photo_imports_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, json, skimage.data\n"
        "photo = skimage.data.astronaut()\n"
        "before = set(sys.modules)\n"
        "from cropper import CropFinder, from_array\n"
        "CropFinder().find(from_array(photo))\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "onnxruntime" in loaded
    assert not loaded & {"torch", "torchvision", "onnx", "click", "joblib", "scipy", "rich"}


def test_a_missing_extra_is_told_with_its_remedy() -> None:
    with (
        pytest.raises(MissingExtraError, match=r"nowhere_to_be_found .* 'cropper\[torch\]'"),
        extra("torch"),
    ):
        importlib.import_module("nowhere_to_be_found")

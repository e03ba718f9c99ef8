"""The models of the site, by ONNX Runtime here: the same function as the scorer's in NumPy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from skimage import data

from cropper.boxes import normalise
from cropper.image import open_photo
from cropper.onnx import open_session
from cropper.onnx_graph import with_weights
from cropper.scorers import WEIGHTS, load_scorer
from cropper.scorers.cropnet import cpu
from cropper.scorers.cropnet.config import CropNetConfig
from cropper.scorers.cropnet.export import build_graph
from cropper.scorers.cropnet.sampling_numpy import read_boxes
from cropper.scorers.header import read_header
from cropper.web.cropnet import build_head

PATH = WEIGHTS / "cropnet.safetensors"


@pytest.fixture(scope="module")
def weights() -> dict[str, Any]:
    return dict(load_file(PATH))


@pytest.mark.parametrize("gaze", [True, False])
@pytest.mark.parametrize("shape", [(160, 240), (240, 100)])
def test_head_is_the_scorer_s(weights: dict[str, Any], gaze: bool, shape: tuple[int, int]) -> None:
    config = replace(CropNetConfig(**read_header(PATH)["config"]), gaze=gaze)
    picture = data.astronaut()[: shape[0], : shape[1]]
    view = load_scorer("cropnet").spec.view(open_photo(picture))
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(0, min(shape), (40, 2, 2)), axis=1).reshape(40, 4)
    boxes = normalise(corners + np.array([0, 0, 3, 3]), (shape[1] + 3, shape[0] + 3))

    head = cpu._Head({key: value.astype(np.float32) for key, value in weights.items()}, config)
    graph = open_session(with_weights(build_head(config), weights).SerializeToString())
    trunk = open_session(with_weights(build_graph(config), weights).SerializeToString())
    maps, pooled = trunk.run(["maps", "pooled"], {"pixels": view.resized(225, 161)[None]})
    features = head.bind(maps[0], pooled[0])
    size = maps.shape[3], maps.shape[2]
    on_map = cpu._to_map(boxes, size)
    read = read_boxes(features.maps, on_map, config.roi)
    whole = cpu._to_map(np.array([[0.0, 0.0, 1.0, 1.0]]), size)
    given = {
        "symmetric": read.symmetric.reshape(40, -1),
        "antisymmetric": read.antisymmetric.reshape(40, -1),
        "rod": read_boxes(features.maps, whole, config.rod).unfold()[0],
        "pooled": pooled[0],
        "boxes": boxes,
        "aspect": np.array([features.aspect]),
    }
    if gaze:
        given |= {"maps": maps[0], "on_map": on_map}
    found = graph.run(None, {k: np.ascontiguousarray(v, np.float32) for k, v in given.items()})[0]
    np.testing.assert_allclose(found, head.score(features, boxes), atol=1e-5)


def test_trunk_with_its_weights_inside_is_the_trunk(weights: dict[str, Any]) -> None:
    config = CropNetConfig()
    inside = with_weights(build_graph(config), weights).SerializeToString()
    scorer = load_scorer("cropnet")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 97, 129, 3), dtype=np.uint8)
    own = scorer._session.run(None, {"pixels": pixels})  # type: ignore[attr-defined]
    for found, wanted in zip(open_session(inside).run(None, {"pixels": pixels}), own, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert len(inside) < 4e6  # 16 bits a weight


def test_weights_of_another_shape_are_refused(weights: dict[str, Any]) -> None:
    name = "head.context.weight"
    with pytest.raises(ValueError, match=name):
        with_weights(build_head(CropNetConfig()), weights | {name: weights[name][:3]})

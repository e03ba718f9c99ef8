"""Features of the networks, against layers applied one after another by torchvision and torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torchvision import models

from cropper.errors import MissingModelError
from cropper.scorers import load_scorer
from cropper.style import load_backbone
from cropper.style.backbone import Vgg, _named, _normalised
from tests.style.networks import small_vgg, small_vgg_weights


def test_features_are_those_of_a_slow_loop(tmp_path: Path) -> None:
    """Caffe's pixels, convolution, ReLU, and a maximum before each block but the first."""
    weights, backbone = small_vgg_weights(), small_vgg(tmp_path)
    pixels = torch.rand(1, 3, 37, 50)
    x = torch.stack(
        [255 * pixels[:, 2] - 103.939, 255 * pixels[:, 1] - 116.779, 255 * pixels[:, 0] - 123.68], 1
    )
    found = backbone(pixels, backbone.layers)
    assert list(found) == list(backbone.layers)
    for name in backbone.layers:
        if name.endswith("_1") and name != "conv1_1":
            x = F.max_pool2d(x, 2)
        x = F.relu(F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1))
        assert torch.allclose(found[name], x, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_torchvision_s_layers_have_the_paper_s_names(name: str) -> None:
    """And its features, whatever its weights."""
    network = models.get_model(name, weights=None).eval()
    backbone = Vgg(_named(network.features), _normalised)
    assert len(backbone.layers) == (13 if name == "vgg16" else 16)
    assert backbone.style_layers == ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
    assert backbone.content_layer == "conv4_2"
    pixels = torch.rand(1, 3, 40, 48)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    with torch.no_grad():
        expected = network.features[:-1]((pixels - mean) / std)  # but for the last maximum
        last = backbone.layers[-1]
        assert torch.allclose(backbone(pixels, {last})[last], expected, atol=1e-5)


def test_the_trunk_s_features_are_the_scorer_s() -> None:
    backbone = load_backbone("trunk")
    trunk = load_scorer("convnet", "cpu").module.trunk
    pixels = torch.rand(1, 3, 65, 97)
    with torch.no_grad():
        enlarged = F.interpolate(pixels, scale_factor=2, mode="bilinear")
        stride_8, _, stride_32 = trunk(enlarged * 2 - 1)
        found = backbone(pixels, {"block6", backbone.layers[-1]})
    assert torch.allclose(found["block6"], stride_8, atol=1e-3)
    assert torch.allclose(found[backbone.layers[-1]], stride_32, atol=1e-3)


def test_a_wanted_layer_ends_the_network(tmp_path: Path) -> None:
    """A picture that is too small for later blocks does for earlier ones."""
    found = small_vgg(tmp_path)(torch.rand(1, 3, 4, 4), {"conv2_1"})
    assert found["conv2_1"].shape == (1, 12, 2, 2)


@pytest.mark.parametrize("what", ["missing", "text", "other", "sides"])
def test_what_is_no_vgg_is_named(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a.safetensors"
    if what == "text":
        path.write_text("no weights")
    elif what == "other":
        save_file({"a.weight": torch.zeros(3)}, path)
    elif what == "sides":
        weights = small_vgg_weights()
        save_file({**weights, "conv2_1.weight": torch.zeros(12, 5, 3, 3)}, path)
    with pytest.raises(MissingModelError, match="holds no VGG network") as error:
        load_backbone(path)
    assert "vgg19, vgg16, trunk" in str(error.value)


def test_weights_that_cannot_be_fetched_have_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("torchvision.models.get_model", fail)
    with pytest.raises(MissingModelError, match=r"no network.*`backbone=trunk`"):
        load_backbone("vgg19")


def test_pixels_are_not_changed(tmp_path: Path) -> None:
    pixels = torch.rand(1, 3, 32, 32)
    before = pixels.clone()
    small_vgg(tmp_path)(pixels, {"conv4_2"})
    assert np.array_equal(pixels, before)

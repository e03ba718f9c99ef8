"""A network pass for each crop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data
from torch import nn

from cropper import BoundScorer, from_array, load_scorer
from cropper.errors import MissingModelError, ScorerOutputError
from cropper.sampling import pyramid, sample_boxes
from cropper.scorers.checkpoint import save_scorer, trunk_digest
from cropper.scorers.convnet import (
    ConvNetScorer,
    Preprocessing,
    TrunkClassifier,
    build_backbone,
)
from cropper.scorers.cropnet.network import CropNet, CropNetScorer
from cropper.scorers.trunk import normalise_pixels
from tests.reference import sampling as reference
from tests.scorers.support import HEADER, SPEC, TINY, alive, boxes_of, coffee


def small_module(outputs: int = 1, flat: bool = False) -> nn.Module:
    torch.manual_seed(3)
    layers = [nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    tail = [nn.Linear(24, outputs)] + ([nn.Flatten(0)] if flat else [])
    return nn.Sequential(*layers, *tail).requires_grad_(False)


PREPROCESSING = Preprocessing(side=9, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


@pytest.mark.parametrize("flat", [False, True])
def test_convnet_equals_the_slow_loop_crop_by_crop(flat: bool) -> None:
    pixels = data.chelsea()[100:118, 150:174]
    view = from_array(pixels).view(24)
    module = small_module(flat=flat)
    boxes = boxes_of(view.size, 0.8, 0.45)
    scores = ConvNetScorer(module, PREPROCESSING, SPEC).bind(view)(boxes)
    image = (pixels / 255 - PREPROCESSING.mean) / PREPROCESSING.std
    levels = reference.levels_of(np.moveaxis(image, 2, 0))
    slow = []
    for box in boxes:
        crop = reference.sample_box(levels, box / [24, 18, 24, 18], (9, 9))
        slow.append(module(torch.from_numpy(crop).float()[None]).item())
    assert len(boxes) > 10
    assert np.std(slow) > 1e-3
    assert np.allclose(scores, slow, rtol=0, atol=1e-5)


def test_the_trunk_classifier_scores_crop_by_crop() -> None:
    module = alive(TrunkClassifier(hidden=8)).requires_grad_(False)
    preprocessing = Preprocessing(65, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    view = from_array(data.coffee()).view(160)
    boxes = boxes_of(view.size, 1.0, 0.6)[:12]
    scores = ConvNetScorer(module, preprocessing, SPEC).bind(view)(boxes)
    levels = pyramid(normalise_pixels(torch.from_numpy(view.pixels)))
    unit_boxes = torch.from_numpy(boxes / np.array([*view.size, *view.size])).float()
    slow = [module(sample_boxes(levels, box[None], (65, 65))).item() for box in unit_boxes]
    assert np.std(slow) > 1e-3
    assert np.allclose(scores, slow, rtol=0, atol=1e-4 * np.ptp(slow))


@pytest.mark.parametrize("batch_size", [1, 5, 1000])
def test_the_batch_size_changes_no_score_of_convnet(batch_size: int) -> None:
    view = from_array(data.chelsea()).view(96)
    bound = ConvNetScorer(small_module(), PREPROCESSING, SPEC).bind(view)
    boxes = boxes_of(view.size)
    assert len(boxes) > 64
    chunked = BoundScorer(bound.score_chunk, bound.size, batch_size)
    assert np.allclose(chunked(boxes), bound(boxes), rtol=0, atol=1e-5)


def test_a_module_with_two_answers_a_crop_is_refused() -> None:
    bound = ConvNetScorer(small_module(outputs=2), PREPROCESSING, SPEC).bind(coffee())
    with pytest.raises(ScorerOutputError):
        bound(boxes_of(coffee().size, stride=0.5))


def test_the_package_s_backbone_needs_no_torchvision() -> None:
    assert isinstance(build_backbone("trunk"), TrunkClassifier)


def save_pair(folder: Path) -> Path:
    """A head and the checkpoint whose trunk it shares."""
    net, classifier = alive(CropNet(TINY)), alive(TrunkClassifier(), seed=1)
    save_scorer(net, HEADER, folder / "tiny.safetensors")
    header = HEADER | {
        "kind": "convnet",
        "name": "pair",
        "backbone": "trunk",
        "preprocessing": Preprocessing(33, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)).to_dict(),
        "trunk": {
            "file": "tiny.safetensors",
            "sha256": trunk_digest(folder / "tiny.safetensors"),
        },
    }
    path = folder / "pair.safetensors"
    save_scorer(classifier, header, path, leave_out="trunk.")
    return path


def test_two_scorers_share_one_trunk_file(tmp_path: Path) -> None:
    path = save_pair(tmp_path)
    assert path.stat().st_size < 0.1 * (tmp_path / "tiny.safetensors").stat().st_size
    pair, tiny = load_scorer(str(path), "cpu"), load_scorer(str(tmp_path / "tiny.safetensors"))
    assert isinstance(pair, ConvNetScorer)
    assert isinstance(tiny, CropNetScorer)
    assert pair.spec.costly
    assert not tiny.spec.costly
    trunk = pair.module.get_submodule("trunk").state_dict()
    for key, value in tiny.net.trunk.state_dict().items():
        assert torch.equal(trunk[key].cpu(), value.cpu())
    assert np.isfinite(pair.bind(coffee())(boxes_of(coffee().size, stride=0.6))).all()


def test_a_head_beside_another_trunk_is_refused(tmp_path: Path) -> None:
    path = save_pair(tmp_path)
    save_scorer(alive(CropNet(TINY), seed=9), HEADER, tmp_path / "tiny.safetensors")
    with pytest.raises(MissingModelError, match=r"another trunk.*tiny\.safetensors"):
        load_scorer(str(path), "cpu")
    (tmp_path / "tiny.safetensors").unlink()
    with pytest.raises(MissingModelError, match=r"tiny\.safetensors"):
        load_scorer(str(path), "cpu")

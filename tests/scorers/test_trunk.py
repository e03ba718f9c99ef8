"""The trunk and its input."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch

from cropper import from_array
from cropper.scorers.cropnet.network import CropNet, CropNetScorer
from cropper.scorers.trunk import Trunk, input_size, normalise_pixels
from tests.scorers.support import SPEC, TINY, alive


def test_the_trunk_has_the_strides_and_channels_that_it_says() -> None:
    taps = Trunk().eval()(torch.zeros(1, 3, 97, 129))
    assert [tap.shape[1] for tap in taps] == list(Trunk.channels)
    assert [tuple(tap.shape[2:]) for tap in taps] == [(13, 17), (7, 9), (4, 5)]


def test_mirrored_filters_see_mirrored_features_in_a_mirrored_image() -> None:
    trunk = alive(Trunk())
    turned = copy.deepcopy(trunk)
    with torch.no_grad():
        for weights in turned.parameters():
            if weights.ndim == 4:
                weights.copy_(weights.flip(3))
        image = torch.rand(1, 3, 97, 129) * 2 - 1
        for tap, other in zip(trunk(image), turned(image.flip(3)), strict=True):
            assert tap.std() > 1e-3
            assert (tap - other.flip(3)).abs().max() < 1e-4 * float(tap.std())


def test_below_and_above_are_the_trunk() -> None:
    trunk, image = alive(Trunk()), torch.rand(1, 3, 65, 65)
    for tap, other in zip(trunk(image), trunk.above(trunk.below(image)), strict=True):
        assert torch.equal(tap, other)
    trunk.freeze_below()
    frozen = [name for name, p in trunk.named_parameters() if not p.requires_grad]
    assert frozen
    assert {int(name.split(".")[1]) for name in frozen} == set(range(7))
    assert any(p.requires_grad for p in trunk.parameters())


@pytest.mark.parametrize("pixels", [9409, 102_400, 204_800])
def test_input_sides_are_32_k_plus_1_and_near_the_area(pixels: int) -> None:
    for aspect in np.geomspace(0.5, 2, 101):
        width, height = input_size((round(3000 * aspect), 3000), pixels)
        assert width % 32 == height % 32 == 1
        assert 0.6 < width * height / pixels < 1.5


def test_an_input_distorts_usual_aspects_by_less_than_a_tenth() -> None:
    for aspect in np.geomspace(0.5, 2, 201):
        width, height = input_size((round(3000 * aspect), 3000), 102_400)
        assert abs(math.log(width / height / aspect)) < 0.1
    for aspect in (3 / 4, 2 / 3, 1.0, 3 / 2, 4 / 3):
        width, height = input_size((round(3000 * aspect), 3000), 102_400)
        assert abs(math.log(width / height / aspect)) < 0.05


def test_the_input_of_a_turned_picture_is_turned() -> None:
    for width in range(200, 900, 37):
        assert input_size((width, 417), 102_400) == input_size((417, width), 102_400)[::-1]


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (20_000, 3), (7, 5)])
def test_the_strangest_picture_has_an_input(size: tuple[int, int]) -> None:
    width, height = input_size(size, 102_400)
    assert 33 <= width <= 1057
    assert 33 <= height <= 1057


def test_pixels_are_scaled_to_minus_one_to_one() -> None:
    pixels = torch.tensor([[[0, 127, 255]]], dtype=torch.uint8)
    assert torch.allclose(
        normalise_pixels(pixels), torch.tensor([-1.0, -1 / 255, 1.0]).reshape(3, 1, 1)
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 2)])
def test_cropnet_scores_pictures_of_a_few_pixels(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    scorer = CropNetScorer(alive(CropNet(TINY)), SPEC)
    scores = scorer.bind(from_array(pixels).view(64))(np.array([[0.0, 0, *size]]))
    assert np.isfinite(scores).all()

"""Patches that excite a unit: of networks whose units are known, and of the trunk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage import data
from torch import Tensor

from cropper.errors import ConfigError
from cropper.image import View, from_array
from cropper.scorers import load_scorer
from cropper.see import Geometry, TopPatches, Tower, trunk_tower

COLOURS = ("red", "green", "blue")


def colour_units(pixels: Tensor) -> Tensor:
    """(1, H, W, 3) -> (1, 3, h, w): each unit likes one colour; 5 x 5 px, every fourth."""
    x = pixels.movedim(-1, 1).float()
    liked = 2 * x - x.sum(1, keepdim=True)
    return F.avg_pool2d(F.pad(liked, (2, 2, 2, 2)), 5, 4)


COLOUR_TOWER = Tower(colour_units, Geometry(stride=4, field=5))


def spot(colour: int, x: int, y: int, strength: int = 255) -> View:
    """A grey picture of 80 x 60 px, of a photo of 160 x 120, with a coloured square at (x, y)."""
    pixels = np.full((60, 80, 3), 90, np.uint8)
    pixels[y - 3 : y + 4, x - 3 : x + 4] = 0
    pixels[y - 3 : y + 4, x - 3 : x + 4, colour] = strength
    return View(pixels, (160, 120))


def test_each_unit_finds_its_colour_where_it_is() -> None:
    found = TopPatches(COLOUR_TOWER, top=2)
    for colour, name in enumerate(COLOURS):
        for strength in (120, 250, 200):
            path = Path(f"{name}{strength}")
            found.add(path, spot(colour, 40 + 8 * colour, 20, strength))
    for unit, patches in found.choose(3):
        name = COLOURS[unit]
        assert [str(patch.path) for patch in patches] == [f"{name}250", f"{name}200"]
        x0, y0, x1, y1 = patches[0].box
        assert (x0 + x1) / 2 == 2 * (40 + 8 * unit + 0.5)  # px of the photo, twice as large
        assert (y0 + y1) / 2 == 2 * 20.5
        assert patches[0].pixels.shape == (5, 5, 3)
        assert (patches[0].pixels[:, :, unit] == 250).all()


def test_the_best_of_many_are_those_of_a_sort() -> None:
    rng = np.random.default_rng(0)
    views = [View(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8), (32, 24)) for _ in range(40)]
    found = TopPatches(COLOUR_TOWER, top=5)
    for index, view in enumerate(views):
        found.add(Path(str(index)), view)
    values = [colour_units(torch.from_numpy(view.pixels)[None]).amax((0, 2, 3)) for view in views]
    for unit, patches in found.choose(3):
        order = sorted(range(40), key=lambda index: -values[index][unit].item())[:5]
        assert [int(str(patch.path)) for patch in patches] == order


def test_memory_does_not_grow_with_photos() -> None:
    found = TopPatches(COLOUR_TOWER, top=3)
    for index in range(30):
        found.add(Path(str(index)), spot(index % 3, 40, 30))
    assert all(len(patches) == 3 for _, patches in found.choose(3))


@pytest.mark.parametrize("layer", ["block0", "block1", "block3", "block6", "block10", "block17"])
def test_a_unit_of_the_trunk_sees_its_field_and_no_more(layer: str) -> None:
    """By gradients: pixels around ``stride * index``, as far as the field reaches."""
    tower = trunk_tower(load_scorer("convnet", "cpu"), layer)
    blocks = load_scorer("convnet", "cpu").module.trunk.float().features
    x = torch.rand(1, 3, 545, 545, requires_grad=True)
    y = x
    for block in blocks[: int(layer[5:]) + 1]:
        y = block(y)
    index = y.shape[2] // 2
    y[0, :, index, index].square().sum().backward()
    seen = x.grad.abs().sum((0, 1)).sum(0).nonzero().flatten()
    middle, half = index * tower.geometry.stride, tower.geometry.field // 2
    assert seen.min() >= max(middle - half, 0)
    assert seen.max() <= min(middle + half, 544)
    assert seen.max() - seen.min() > 0.5 * min(tower.geometry.field, 545)


def test_strides_and_fields() -> None:
    """By hand: 3 x 3 with stride 2; then 3 x 3 with strides 1, 2 and 1."""
    scorer = load_scorer("convnet", "cpu")
    found = [trunk_tower(scorer, f"block{place}").geometry for place in range(4)]
    assert found == [Geometry(2, 3), Geometry(2, 7), Geometry(4, 11), Geometry(4, 19)]


def test_other_layers_and_scorers_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"no layer 'conv1'.*block17"):
        trunk_tower(load_scorer("convnet", "cpu"), "conv1")
    with pytest.raises(ConfigError, match="use `scorer=convnet`"):
        trunk_tower(load_scorer("cropnet", "cpu"), "block0")


def test_views_are_of_the_size_that_the_trunk_reads() -> None:
    tower = trunk_tower(load_scorer("convnet", "cpu"), "block0")
    view = tower.view(from_array(data.coffee()))
    height, width = view.pixels.shape[:2]
    assert (width % 32, height % 32) == (1, 1)
    assert view.size == (600, 400)

"""Patches that excite a unit: of networks whose units are known, and of the trunk."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
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
from cropper.scorers.cropnet.config import seen_mirrored
from cropper.see import Geometry, TopPatches, Tower, tower_of

COLOURS = ("red", "green", "blue")


def colour_units(pixels: Tensor) -> Tensor:
    """(1, H, W, 3) -> (1, 3, h, w): each unit likes one colour; 5 x 5 px, every fourth."""
    x = pixels.movedim(-1, 1).float()
    liked = 2 * x - x.sum(1, keepdim=True)
    return F.avg_pool2d(F.pad(liked, (2, 2, 2, 2)), 5, 4)


def layers_of(pixels: Tensor) -> Iterator[Tensor]:
    """The colours, then a layer of the blue unit alone."""
    yield colour_units(pixels)
    yield colour_units(pixels)[:, 2:]


COLOUR_TOWER = Tower(
    {"colours": Geometry(stride=4, field=5), "blue": Geometry(stride=4, field=5)}, layers_of, 4800
)


def spot(colour: int, x: int, y: int, strength: int = 255) -> View:
    """A grey picture of 80 x 60 px, of a photo of 160 x 120, with a coloured square at (x, y)."""
    pixels = np.full((60, 80, 3), 90, np.uint8)
    pixels[y - 3 : y + 4, x - 3 : x + 4] = 0
    pixels[y - 3 : y + 4, x - 3 : x + 4, colour] = strength
    return View(pixels, (160, 120))


def test_each_unit_finds_its_colour_where_it_is() -> None:
    found = TopPatches(COLOUR_TOWER, top=2)
    views = {
        Path(f"{name}{strength}"): spot(colour, 40 + 8 * colour, 20, strength)
        for colour, name in enumerate(COLOURS)
        for strength in (120, 250, 200)
    }
    for path, view in views.items():
        found.add(path, view)
    ((_, blue),) = found.choose(3)["blue"]
    assert [str(patch.path) for patch in blue] == ["blue250", "blue200"]
    for unit, patches in found.choose(3)["colours"]:
        name = COLOURS[unit]
        assert [str(patch.path) for patch in patches] == [f"{name}250", f"{name}200"]
        x0, y0, x1, y1 = patches[0].box
        assert (x0 + x1) / 2 == 2 * (40 + 8 * unit + 0.5)  # px of the photo, twice as large
        assert (y0 + y1) / 2 == 2 * 20.5
        shown = patches[0].of(views[patches[0].path]).pixels
        assert shown.shape == (5, 5, 3)
        assert (shown[:, :, unit] == 250).all()


def test_the_best_of_many_are_those_of_a_sort() -> None:
    rng = np.random.default_rng(0)
    views = [View(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8), (32, 24)) for _ in range(40)]
    found = TopPatches(COLOUR_TOWER, top=5)
    for index, view in enumerate(views):
        found.add(Path(str(index)), view)
    values = [colour_units(torch.from_numpy(view.pixels)[None]).amax((0, 2, 3)) for view in views]
    for unit, patches in found.choose(3)["colours"]:
        order = sorted(range(40), key=lambda index: -values[index][unit].item())[:5]
        assert [int(str(patch.path)) for patch in patches] == order


def test_what_is_kept_does_not_grow_with_photos() -> None:
    """Names and boxes of the best, and of no photo its pixels."""
    found, sizes = TopPatches(COLOUR_TOWER, top=3), []
    for index in range(60):
        found.add(Path(f"{index:03}"), spot(index % 3, 40, 30, 100 + index))
        sizes.append(len(pickle.dumps(found.choose(3))))
    assert sizes[11] <= sizes[59] + 50
    assert sizes[59] <= sizes[11] + 50


def test_layers_beyond_the_one_that_is_asked_for_are_not_computed() -> None:
    def features(pixels: Tensor) -> Iterator[Tensor]:
        yield colour_units(pixels)
        raise AssertionError

    found = TopPatches(replace(COLOUR_TOWER, features=features), ["colours"])
    found.add(Path("a"), spot(0, 40, 20))
    assert found.choose(9).keys() == {"colours"}


def layers_seen(name: str, side: int = 545) -> tuple[Tensor, Tower, dict[str, Tensor]]:
    """Leaf pixels (1, side, side, 3), and (1, C, h, w) of each layer, with gradients."""
    tower = tower_of(load_scorer(name, "cpu"))
    x = (255 * torch.rand(1, side, side, 3)).requires_grad_()
    return x, tower, dict(zip(tower.layers, tower.features(x), strict=True))


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        *(("convnet", f"block{place}") for place in (0, 1, 3, 6, 10, 17)),
        ("cropnet", "block6"),
        ("cropnet", "fused"),
        ("selfie", "block13"),
    ],
)
def test_a_unit_sees_its_field_and_no_more(name: str, layer: str) -> None:
    """By gradients: pixels around ``stride * index``, as far as the field reaches."""
    x, tower, found = layers_seen(name)
    y, geometry = found[layer], tower.layers[layer]
    index = y.shape[2] // 2 // 2 * 2 + (layer == "fused")  # its odd cells look further
    y[0, :, index, index].square().sum().backward()
    assert x.grad is not None
    seen = x.grad.abs().sum((0, 3)).sum(0).nonzero().flatten()
    middle, half = index * geometry.stride, geometry.field // 2
    assert seen.min() >= max(middle - half, 0)
    assert seen.max() <= min(middle + half, 544)
    assert seen.max() - seen.min() > 0.5 * min(geometry.field, 545)


def test_strides_and_fields() -> None:
    """By hand: 3 x 3 with stride 2; then 3 x 3 with strides 1, 2 and 1."""
    layers = tower_of(load_scorer("convnet", "cpu")).layers
    found = [layers[f"block{place}"] for place in range(4)]
    assert found == [Geometry(2, 3), Geometry(2, 7), Geometry(4, 11), Geometry(4, 19)]


@pytest.mark.parametrize(("name", "count"), [("cropnet", 19), ("convnet", 18), ("selfie", 18)])
def test_every_layer_of_the_shipped_scorers_is_there(name: str, count: int) -> None:
    _, tower, found = layers_seen(name, 65)
    assert len(tower.layers) == len(found) == count
    for layer, y in found.items():
        cells = 64 // tower.layers[layer].stride + 1
        assert y.shape[2:] == (cells, cells), layer
    assert found["block17"].shape[1] == 320


def test_the_fused_map_is_the_one_that_the_head_of_cropnet_reads() -> None:
    scorer = load_scorer("cropnet", "cpu")
    tower = tower_of(scorer)
    view = tower.view(from_array(data.coffee()))
    if seen_mirrored(view.pixels):
        view = View(np.ascontiguousarray(view.pixels[:, ::-1]), view.size)
    ((_, found),) = tower.look(view, ["fused"])
    read = scorer.twin.bind_affine(view).features.maps.levels[0]
    assert torch.allclose(found, read, atol=1e-5)


def test_other_layers_and_scorers_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"no layer 'conv1'.*block17, fused"):
        TopPatches(tower_of(load_scorer("cropnet", "cpu")), ["conv1"])
    with pytest.raises(ConfigError, match="choose cropnet, convnet, selfie"):
        tower_of(load_scorer("cropnet+selfie", "cpu"))


@pytest.mark.parametrize(("name", "area"), [("cropnet", 60_000), ("convnet", 46_081)])
def test_views_are_of_the_size_that_the_trunk_reads(name: str, area: int) -> None:
    tower = tower_of(load_scorer(name, "cpu"))
    assert tower.area == area
    view = tower.view(from_array(data.coffee()))
    height, width = view.pixels.shape[:2]
    assert (width % 32, height % 32) == (1, 1)
    assert area / 1.5 < width * height < area * 1.5
    assert view.size == (600, 400)

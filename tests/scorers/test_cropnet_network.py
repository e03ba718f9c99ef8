"""CropNet on torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data
from torch import Tensor

from cropper import BoundScorer, View, from_array
from cropper.sampling import pyramid, sample_boxes
from cropper.scorers.cropnet.network import BoxHead, CropNet, CropNetConfig
from tests.scorers.support import TINY, alive, bound_coffee, boxes_of, coffee, cropnet


def normalised(size: tuple[int, int], **options: Any) -> Tensor:
    return torch.from_numpy(boxes_of(size, **options) / np.array([*size, *size])).float()


def mirrored_boxes(boxes: Any, width: float = 1.0) -> Any:
    stack = torch.stack if isinstance(boxes, Tensor) else np.stack
    return stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1)


def mirrored(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(pixels[:, ::-1])


def test_a_batch_of_a_real_photo_equals_its_boxes_one_by_one() -> None:
    boxes = boxes_of(coffee().size)[::9]
    scores = bound_coffee()(boxes)
    single = [bound_coffee()(box[None])[0] for box in boxes]
    assert scores.std() > 0.05
    assert np.allclose(scores, single, rtol=0, atol=1e-5 * max(1, np.abs(scores).max()))


@pytest.mark.parametrize("batch_size", [5, 64, 1000])
def test_the_batch_size_changes_no_score_of_cropnet(batch_size: int) -> None:
    boxes = boxes_of(coffee().size)
    bound = bound_coffee()
    chunked = BoundScorer(bound.score_chunk, bound.size, batch_size)
    assert np.allclose(chunked(boxes), bound(boxes), rtol=0, atol=2e-5)


def test_scores_are_the_same_twice_and_after_another_photo() -> None:
    boxes = boxes_of(coffee().size)
    first = bound_coffee()(boxes)
    cropnet().bind(from_array(data.chelsea()).view(512))
    assert np.array_equal(cropnet().bind(coffee())(boxes), first)


def test_scores_belong_to_the_picture_whatever_its_resolution() -> None:
    photo = from_array(data.coffee())
    small = cropnet().spec.view(photo)
    boxes = boxes_of(small.size)
    twice = View(small.pixels, (1200, 800))  # the same pixels of a larger source
    assert small.size == (600, 400)
    assert np.allclose(cropnet().bind(twice)(boxes * 2), cropnet().bind(small)(boxes), atol=1e-4)


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_a_mirrored_photo_gets_the_same_scores(name: str) -> None:
    pixels = getattr(data, name)()
    here, there = (from_array(p).view(512) for p in (pixels, mirrored(pixels)))
    boxes = boxes_of(here.size, 0.8)
    scores = cropnet().bind(here)(boxes)
    other = cropnet().bind(there)(mirrored_boxes(boxes, here.size[0]))
    assert np.abs(scores - other).max() < 2e-3 * np.ptp(scores)


def test_a_mirrored_input_gets_the_same_scores_from_random_weights() -> None:
    net = alive(CropNet(TINY))
    image = np.random.default_rng(0).integers(0, 256, (1, 97, 129, 3), dtype=np.uint8)
    boxes = normalised((128, 96))
    with torch.no_grad():
        scores = net.score(net.look(image)[0], boxes)
        other = net.score(net.look(image[:, :, ::-1].copy())[0], mirrored_boxes(boxes))
    assert (scores - other).abs().max() < 1e-4 * float(scores.max() - scores.min())


def head_and_map(seed: int = 0, gaze: bool = False) -> tuple[BoxHead, Tensor, Tensor]:
    torch.manual_seed(seed)
    head = BoxHead(CropNetConfig(channels=3, roi=5, rod=4, hidden=12, gaze=gaze))
    return head.double().eval(), torch.randn(3, 7, 9).double(), torch.randn(320).double()


def test_the_head_scores_mirrored_features_the_same() -> None:
    head, fused, pooled = head_and_map()
    boxes = normalised((128, 96)).double()
    scores = head(head.bind(fused, pooled), boxes)
    other = head(head.bind(fused.flip(2), pooled), mirrored_boxes(boxes))
    assert scores.std() > 1e-3
    assert torch.allclose(scores, other, rtol=0, atol=1e-6)


def outside_shares(box: Tensor, cells: int) -> Tensor:
    """(cells, cells): how much of each cell of the picture lies outside of a box, one by one."""
    x0, y0, x1, y1 = box.tolist()
    shares = torch.zeros(cells, cells, dtype=torch.float64)
    for row in range(cells):
        for column in range(cells):
            wide = min(x1, (column + 1) / cells) - max(x0, column / cells)
            high = min(y1, (row + 1) / cells) - max(y0, row / cells)
            shares[row, column] = 1 - max(0.0, wide) * max(0.0, high) * cells**2
    return shares


def place(box: Tensor, aspect: float) -> tuple[Tensor, Tensor]:
    x0, y0, x1, y1 = box.tolist()
    width, height, off = x1 - x0, y1 - y0, x0 + x1 - 1
    shape = math.log(width / height) + aspect
    kept = [y0, 1 - y1, width, height, width * height, abs(off), shape, abs(shape)]
    return torch.tensor(kept).double(), torch.tensor([off]).double()


def unit(head: BoxHead, roi: Tensor, rod: Tensor, where: tuple[Tensor, Tensor]) -> Tensor:
    """(hidden,): what one crop alone gives each hidden unit, without any folding."""
    sides = head.config.roi // 2
    left, middle, right = roi[..., :sides], roi[..., sides : sides + 1], roi[..., sides + 1 :]
    even = torch.cat([left + right.flip(2), middle], 2)
    total = head.roi_even(even.flatten()) + head.roi_odd((left - right.flip(2)).flatten())
    for channel, row, column in np.ndindex(*rod.shape):
        total = total + head.rod[channel, row, column] * rod[channel, row, column]
    return total + head.geometry_even(where[0]) + head.geometry_odd(where[1])


def test_the_folded_head_equals_the_direct_computation() -> None:
    head, fused, pooled = head_and_map(1)
    features = head.bind(fused, pooled)
    height, width = fused.shape[1:]
    aspect = math.log((width - 1) / (height - 1))
    rod, levels = head.config.rod, pyramid(fused)

    def on_map(box: Tensor) -> Tensor:
        """The map's pixel i lies on pixel 16 i of an input of 16 (n - 1) + 1 px."""
        sides = torch.tensor([width, height] * 2).double()
        return ((box * (16 * (sides - 1) + 1) + 7.5) / (16 * sides))[None]

    whole = sample_boxes(levels, on_map(torch.tensor([0.0, 0, 1, 1]).double()), (rod, rod))[0]
    boxes = torch.tensor([[0.1, 0.2, 0.63, 0.9], [0, 0, 1, 1], [0.4, 0.3, 0.7, 0.55]]).double()
    for box, score in zip(boxes, head(features, boxes), strict=True):
        roi = sample_boxes(levels, on_map(box), (head.config.roi,) * 2)[0]
        cut_away = whole * outside_shares(box, rod)
        where = place(box, aspect)
        crop = unit(head, roi, cut_away, where)
        mirror = unit(head, roi.flip(2), cut_away.flip(2), (where[0], -where[1]))
        context = head.context(pooled)
        hidden = torch.relu(crop + context) + torch.relu(mirror + context)
        assert torch.allclose(head.out(hidden)[0], score, rtol=0, atol=1e-6)


def test_the_gaze_that_a_box_keeps_and_its_area_count_as_they_are_weighed() -> None:
    head, fused, pooled = head_and_map(3, gaze=True)
    boxes = torch.tensor([[0.1, 0.2, 0.63, 0.9], [0, 0, 1, 1], [0.4, 0.3, 0.7, 0.55]]).double()
    plain = head(head.bind(fused, pooled), boxes)
    head.gaze_weights.copy_(torch.tensor([3.0, -0.5]))
    logits = torch.einsum("chw,c->hw", fused, head.gaze.weight[0, :, 0, 0])
    density = (logits.exp() / logits.exp().sum()).tolist()
    for box, before, after in zip(boxes, plain, head(head.bind(fused, pooled), boxes), strict=True):
        x0, y0, x1, y1 = box.tolist()
        share = 0.0
        for row, column in np.ndindex(7, 9):  # cell i covers 16 px around the centre of pixel 16 i
            left, top = 16 * column - 7.5, 16 * row - 7.5
            wide = min(x1 * 129, left + 16) - max(x0 * 129, left)
            tall = min(y1 * 97, top + 16) - max(y0 * 97, top)
            share += density[row][column] * max(0.0, wide) * max(0.0, tall) / 16**2
        gained = 3 * share - 0.5 * (x1 - x0) * (y1 - y0)
        assert (after - before).item() == pytest.approx(gained, abs=1e-6)


def test_what_lies_outside_of_the_box_counts() -> None:
    head, fused, pooled = head_and_map(2)
    box = torch.tensor([[0.0, 0.0, 0.45, 1.0]]).double()
    changed = fused.clone()
    changed[:, :, -1] += 1  # far from the box; level 0 alone is read within it
    before, after = (head(head.bind(f, pooled), box) for f in (fused, changed))
    assert (before - after).abs() > 1e-4


def test_pictures_of_one_batch_are_bound_as_if_alone() -> None:
    net, boxes = alive(CropNet(TINY)), normalised((128, 96), stride=0.5)
    images = torch.rand(2, 3, 65, 97) * 2 - 1
    with torch.no_grad():
        together = [net.score(features, boxes) for features in net.bind(images)]
        alone = [net.score(net.bind(image[None])[0], boxes) for image in images]
    spread = float(torch.stack(alone).std())
    for a, b in zip(together, alone, strict=True):
        assert (a - b).abs().max() < 1e-4 * spread + 1e-6


def test_scores_of_cropnet_carry_gradients_for_those_who_want_them() -> None:
    net = alive(CropNet(TINY)).requires_grad_(False)
    boxes = torch.tensor([[0.1, 0.2, 0.8, 0.9]], requires_grad=True)
    net.score(net.bind(torch.rand(1, 3, 65, 65))[0], boxes).sum().backward()
    assert boxes.grad is not None
    assert boxes.grad.abs().min() > 0

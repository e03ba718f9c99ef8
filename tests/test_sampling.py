import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cropper.errors import ConfigError
from cropper.sampling import pyramid, sample_affine, sample_boxes, theta_from_boxes
from cropper.space import crop_spaces
from tests.reference import sampling as reference

torch.set_num_threads(1)  # the work is small, and threads on shared cores wait for each other

SIDES = st.integers(1, 11)
SIZES = st.tuples(st.integers(1, 5), st.integers(1, 5))
SEEDS = st.integers(0, 2**32 - 1)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape))


@st.composite
def images(draw: Any) -> Tensor:
    return noise(draw(st.integers(1, 2)), draw(SIDES), draw(SIDES), seed=draw(SEEDS))


@st.composite
def transforms(draw: Any) -> Tensor:
    """Any affine transform, mirroring, shear and reads from outside included."""
    numbers = draw(st.lists(st.floats(-1.6, 1.6), min_size=6, max_size=6))
    return torch.tensor(numbers, dtype=torch.float64).reshape(1, 2, 3)


@st.composite
def box_rows(draw: Any) -> Tensor:
    place, side = st.floats(-0.2, 0.9), st.floats(0.01, 1.2)
    x, y, w, h = draw(place), draw(place), draw(side), draw(side)
    return torch.tensor([[x, y, x + w, y + h]], dtype=torch.float64)


def turn(degrees: float, zoom: float = 1.0, x: float = 0.0, y: float = 0.0) -> Tensor:
    c, s = math.cos(math.radians(degrees)) * zoom, math.sin(math.radians(degrees)) * zoom
    return torch.tensor([[[c, -s, x], [s, c, y]]], dtype=torch.float64)


def close(a: Tensor, b: Any, atol: float = 1e-9) -> bool:
    return np.allclose(a.numpy(), np.asarray(b), rtol=0, atol=atol)


@settings(max_examples=50, deadline=None)
@given(images())
def test_levels_equal_the_exact_area_averages(image: Tensor) -> None:
    levels, slow = pyramid(image).levels, reference.levels_of(image.numpy())
    assert len(levels) == len(slow)
    assert all(close(a, b) for a, b in zip(levels, slow, strict=True))


@pytest.mark.parametrize("shape", [(3, 64, 96), (2, 37, 50), (1, 1, 33), (1, 129, 2), (1, 1, 1)])
def test_every_level_keeps_the_mean_and_halves_the_sides(shape: tuple[int, int, int]) -> None:
    image = noise(*shape)
    levels = pyramid(image).levels
    assert pyramid(image).size == shape[1:]
    for index, level in enumerate(levels):
        assert torch.allclose(level.mean((1, 2)), image.mean((1, 2)))
        assert level.shape[1:] == tuple(math.ceil(side / 2**index) for side in shape[1:])
    assert levels[-1].shape[1:] == (1, 1)


def test_an_odd_level_weighs_each_pixel_by_the_share_that_it_covers() -> None:
    image = torch.tensor([[[3.0, 6.0, 12.0]]], dtype=torch.float64)
    level = pyramid(image).levels[1]
    assert close(level, [[[(3 + 6 / 2) / 1.5, (6 / 2 + 12) / 1.5]]])


@settings(max_examples=60, deadline=None)
@given(images(), transforms(), SIZES)
def test_sample_affine_equals_the_loop(image: Tensor, theta: Tensor, size: tuple[int, int]) -> None:
    slow = reference.sample_affine(reference.levels_of(image.numpy()), theta[0].numpy(), size)
    assert close(sample_affine(pyramid(image), theta, size)[0], slow)


@settings(max_examples=60, deadline=None)
@given(images(), box_rows(), SIZES)
def test_sample_boxes_equals_the_loop(image: Tensor, box: Tensor, size: tuple[int, int]) -> None:
    slow = reference.sample_box(reference.levels_of(image.numpy()), box[0].numpy(), size)
    assert close(sample_boxes(pyramid(image), box, size)[0], slow)


@pytest.mark.parametrize("degrees", [10, 45, 90, 137, 180, 270])
@pytest.mark.parametrize("zoom", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("shape", [(2, 12, 17), (2, 13, 8)])
def test_rotations_equal_the_loop(degrees: float, zoom: float, shape: Any) -> None:
    image, theta = noise(*shape), turn(degrees, zoom, 0.1, -0.2)
    slow = reference.sample_affine(reference.levels_of(image.numpy()), theta[0].numpy(), (6, 5))
    assert close(sample_affine(pyramid(image), theta, (6, 5))[0], slow)


@pytest.mark.parametrize("side", [1, 2, 7, 16])
def test_a_quarter_turn_turns_the_image(side: int) -> None:
    image = noise(3, side, side)
    turned = sample_affine(pyramid(image), turn(90), (side, side))[0]
    assert close(turned, torch.rot90(image, 1, (1, 2)))


@pytest.mark.parametrize("shape", [(3, 9, 14), (1, 1, 5), (2, 32, 32)])
def test_identity_reproduces_the_image(shape: tuple[int, int, int]) -> None:
    image = noise(*shape)
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    assert close(sample_affine(pyramid(image), turn(0), shape[1:])[0], image)
    assert close(sample_boxes(pyramid(image), whole, shape[1:])[0], image)


def test_a_whole_pixel_box_at_its_own_size_is_a_copy() -> None:
    image = noise(3, 20, 30)
    box = torch.tensor([[4 / 30, 3 / 20, 21 / 30, 17 / 20]], dtype=torch.float64)
    assert close(sample_boxes(pyramid(image), box, (14, 17))[0], image[:, 3:17, 4:21])


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_reduction_by_a_power_of_two_is_the_area_average(factor: int) -> None:
    image = noise(2, 4 * factor, 5 * factor)
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    small = torch.nn.functional.avg_pool2d(image, factor)
    assert close(sample_boxes(pyramid(image), whole, (4, 5))[0], small)


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, transforms(), SIZES)
def test_a_constant_image_stays_constant(
    height: int, width: int, theta: Tensor, size: tuple[int, int]
) -> None:
    image = torch.full((1, height, width), 0.7, dtype=torch.float64)
    assert close(sample_affine(pyramid(image), theta, size), np.full((1, 1, *size), 0.7))


def test_border_pixels_continue_outside() -> None:
    image = noise(1, 8, 8)
    box = torch.tensor([[-2.0, 0.0, -1.0, 1.0]], dtype=torch.float64)
    assert close(sample_boxes(pyramid(image), box, (8, 8))[0], image[:, :, :1].expand(1, 8, 8))


@pytest.mark.parametrize("reduction", [8, 8.5, 11])
@pytest.mark.parametrize("axis", ["x", "y", "both"])
def test_a_fine_checkerboard_or_stripes_become_flat_grey(reduction: float, axis: str) -> None:
    rows, columns = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    pattern = {"x": columns, "y": rows, "both": rows + columns}[axis] % 2
    image = pattern[None].double()
    side = round(128 * 0.9 / reduction)
    box = torch.tensor([[0.03, 0.06, 0.93, 0.96]], dtype=torch.float64)
    assert close(sample_boxes(pyramid(image), box, (side, side)), np.full((1, 1, side, side), 0.5))
    turned = sample_affine(pyramid(image), turn(30, 0.6), (8, 8))
    assert close(turned, np.full((1, 1, 8, 8), 0.5))


def test_neither_axis_aliases_where_a_crop_is_squashed() -> None:
    stripes = (torch.arange(128) % 2).double().expand(1, 128, 128)
    whole = torch.tensor([[0.01, 0.0, 1.0, 1.0]], dtype=torch.float64)
    squashed = sample_boxes(pyramid(stripes), whole, (128, 12))
    assert close(squashed, np.full(squashed.shape, 0.5))


@settings(max_examples=40, deadline=None)
@given(images(), box_rows(), SIZES)
def test_boxes_are_the_axis_aligned_transforms(
    image: Tensor, box: Tensor, size: tuple[int, int]
) -> None:
    x0, y0, x1, y1 = box[0].tolist()
    theta = torch.tensor([[[x1 - x0, 0, x0 + x1 - 1], [0, y1 - y0, y0 + y1 - 1]]]).double()
    assert close(theta_from_boxes(box), theta, atol=1e-6)
    exact = sample_affine(pyramid(image), theta_from_boxes(box), size)
    assert torch.equal(sample_boxes(pyramid(image), box, size), exact)


def test_theta_maps_the_output_s_corners_to_the_box_s() -> None:
    box = torch.tensor([[0.1, 0.2, 0.7, 0.5]], dtype=torch.float64)
    corners = torch.tensor([[-1.0, 1.0], [-1.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    mapped = (theta_from_boxes(box)[0] @ corners + 1) / 2
    assert close(mapped, [[0.1, 0.7], [0.2, 0.5]])


def test_a_batch_equals_its_crops_one_by_one() -> None:
    source = pyramid(noise(3, 61, 90))
    thetas = torch.cat([turn(20 * n, 0.05 + 0.09 * n, 0.3, -0.2) for n in range(11)])
    batch = sample_affine(source, thetas, (7, 9))
    single = [sample_affine(source, theta[None], (7, 9)) for theta in thetas]
    assert close(batch, torch.cat(single), atol=1e-12)


def lattice(aspect: str = "free", stride: float = 0.3) -> Tensor:
    """Many boxes of few shapes, as a search asks for them."""
    size = np.array([400, 300] * 2)
    spaces = crop_spaces((400, 300), aspect)
    boxes = np.concatenate([space.boxes(space.grid(stride)) for space in spaces])
    return torch.from_numpy(boxes / size)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (7, 7), (40, 30)])
@pytest.mark.parametrize("shape", [(2, 19, 26), (1, 16, 32), (3, 1, 9), (1, 1, 1)])
def test_many_boxes_at_once_are_the_axis_aligned_transforms(
    shape: tuple[int, int, int], size: tuple[int, int]
) -> None:
    source, boxes = pyramid(noise(*shape)), lattice()
    assert len(boxes) > 200
    exact = sample_affine(source, theta_from_boxes(boxes), size)
    assert close(sample_boxes(source, boxes, size), exact, atol=1e-5)


def test_many_boxes_at_once_equal_the_loop() -> None:
    image, boxes = noise(1, 13, 18), lattice("1:1", 0.25)
    assert len(boxes) > 64
    slow = reference.levels_of(image.numpy())
    exact = [reference.sample_box(slow, box.numpy(), (3, 2)) for box in boxes]
    assert close(sample_boxes(pyramid(image), boxes, (3, 2)), exact, atol=1e-5)


def test_boxes_that_share_nothing_are_read_as_well() -> None:
    rng = np.random.default_rng(3)
    low = rng.uniform(-0.1, 0.6, (90, 2))
    alone = torch.from_numpy(np.concatenate([low, low + rng.uniform(0.01, 0.6, (90, 2))], 1))
    boxes = torch.cat([alone[:50], lattice("4:5"), alone[50:], alone[:3]])
    source = pyramid(noise(2, 33, 47))
    exact = sample_affine(source, theta_from_boxes(boxes), (5, 6))
    assert close(sample_boxes(source, boxes, (5, 6)), exact, atol=1e-5)


def test_a_box_reads_the_same_alone_and_among_many() -> None:
    source, boxes = pyramid(noise(3, 61, 90)), lattice()
    many = sample_boxes(source, boxes, (7, 7))
    few = [sample_boxes(source, part, (7, 7)) for part in torch.split(boxes, 5)]
    assert close(many, torch.cat(few), atol=1e-5)


def test_many_boxes_pass_the_same_gradient_to_the_image() -> None:
    boxes, gradients = lattice(), []
    for read in (sample_boxes, lambda s, b, size: sample_affine(s, theta_from_boxes(b), size)):
        image = noise(2, 19, 26).requires_grad_(True)
        values = read(pyramid(image), boxes, (4, 4))
        (values * noise(*values.shape, seed=1)).sum().backward()
        assert image.grad is not None
        gradients.append(image.grad)
    assert close(gradients[0], gradients[1], atol=1e-4 * float(gradients[1].abs().max()))


def test_many_boxes_get_a_gradient_where_they_want_one() -> None:
    boxes, gradients = lattice(), []
    source = pyramid(noise(2, 19, 26))
    for start, stop in ((0, len(boxes)), (10, 13)):
        wanted = boxes.clone().requires_grad_(True)
        sample_boxes(source, wanted[start:stop], (4, 4)).square().sum().backward()
        assert wanted.grad is not None
        gradients.append(wanted.grad[10:13])
    assert gradients[0].abs().max() > 0
    assert close(gradients[0], gradients[1])


def test_no_crops_give_an_empty_batch() -> None:
    source = pyramid(noise(3, 8, 8))
    assert sample_boxes(source, torch.empty(0, 4).double(), (5, 6)).shape == (0, 3, 5, 6)


@settings(max_examples=40, deadline=None)
@given(images(), box_rows(), SIZES)
def test_a_mirrored_image_gives_mirrored_samples(
    image: Tensor, box: Tensor, size: tuple[int, int]
) -> None:
    mirrored_box = torch.stack([1 - box[:, 2], box[:, 1], 1 - box[:, 0], box[:, 3]], 1)
    mirrored = sample_boxes(pyramid(image.flip(2)), mirrored_box, size)
    assert close(mirrored.flip(3), sample_boxes(pyramid(image), box, size))


@pytest.mark.parametrize("zoom", [0.2, 0.66, 1.1])  # level 0, and between levels
def test_gradients_in_theta_are_right(zoom: float) -> None:
    source = pyramid(noise(2, 13, 16))
    theta = torch.cat([turn(17, zoom, 0.05, -0.07), turn(-40, zoom, -0.03, 0.02)])
    theta.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda t: sample_affine(source, t, (4, 5)), theta, eps=1e-7)


@pytest.mark.parametrize("size", [(3, 4), (11, 13)])
def test_gradients_in_the_image_and_in_boxes_are_right(size: tuple[int, int]) -> None:
    image = noise(2, 9, 10).requires_grad_(True)
    box = torch.tensor([[0.113, 0.071, 0.917, 0.83]], dtype=torch.float64, requires_grad=True)

    def read(image: Tensor, box: Tensor) -> Tensor:
        return sample_boxes(pyramid(image), box, size)

    assert torch.autograd.gradcheck(read, (image, box), eps=1e-7)


def test_the_level_moves_smoothly_with_the_scale() -> None:
    source = pyramid(noise(1, 128, 128))
    zooms = torch.linspace(0.1, 1.0, 400, dtype=torch.float64)
    thetas = torch.cat([turn(0, float(zoom)) for zoom in zooms])
    values = sample_affine(source, thetas, (8, 8))
    assert (values[1:] - values[:-1]).abs().max() < 0.15


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_positions_stay_exact_where_the_map_is_in_half_precision(dtype: torch.dtype) -> None:
    image = noise(1, 4, 1025).to(dtype)
    box = torch.tensor([[700 / 1025, 0.0, 800 / 1025, 1.0]])
    copy = sample_boxes(pyramid(image), box, (4, 100))
    assert copy.dtype == dtype
    assert (copy[0] - image[:, :, 700:800]).abs().max() <= 2 * torch.finfo(dtype).eps


def test_single_precision_is_close_to_double() -> None:
    image, box = noise(3, 301, 451), torch.tensor([[0.11, 0.23, 0.71, 0.97]]).double()
    exact = sample_boxes(pyramid(image), box, (33, 33))
    assert close(sample_boxes(pyramid(image.float()), box.float(), (33, 33)), exact, atol=1e-4)


@pytest.mark.parametrize(
    "image", [torch.zeros(3, 4), torch.zeros(1, 3, 4, 4), torch.zeros(3, 4, 4, dtype=torch.uint8)]
)
def test_a_pyramid_of_anything_but_one_float_map_is_refused(image: Tensor) -> None:
    with pytest.raises(ConfigError, match=r"\(C, H, W\) floats"):
        pyramid(image)

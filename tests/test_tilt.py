"""The tilt of photos: edge directions, the network without torch, and what it says of pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage import data

from cropper.errors import MissingModelError
from cropper.image import View
from cropper.tilt import ANGLES, BINS, CELLS, TiltFinder, edge_directions, find_tilt
from cropper.train.tilt import TiltNet, mirrored
from cropper.turn import Turn


def _view(pixels: np.ndarray) -> View:
    if pixels.ndim == 2:
        pixels = pixels[..., None].repeat(3, axis=2)
    pixels = np.ascontiguousarray(pixels, np.uint8)
    return View(pixels, (pixels.shape[1], pixels.shape[0]))


def _front(angle: float = 0.0, size: tuple[int, int] = (400, 300)) -> View:
    """A house front, windows on a wall above a street, tilted clockwise by ``angle`` degrees.

    Every pixel is the mean of 4 x 4 samples of the scene itself: nothing was turned as a picture.
    """
    width, height = size
    y, x = (
        np.mgrid[: height * 4, : width * 4] / 4 - np.array([height / 2, width / 2])[:, None, None]
    )
    turn = np.radians(angle)
    right, down = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    scene = np.full(x.shape, 170.0)
    scene[(right % 64 > 20) & (right % 64 < 48) & (down % 72 > 16) & (down % 72 < 52)] = 60
    scene[down > height * 0.3] = 110
    return _view(scene.reshape(height, 4, width, 4).mean((1, 3)).round())


@pytest.mark.parametrize("angle", [-12.0, -4.25, 0.25, 7.75])
def test_edges_of_a_turned_front_gather_at_its_angle(angle: float) -> None:
    edges = edge_directions(_front(angle))
    degrees = (np.arange(BINS) + 0.5) / 2 - BINS / 4
    for scale in edges:
        for direction in scale:  # upright edges, then level ones
            assert degrees[direction.sum((0, 1)).argmax()] == pytest.approx(angle, abs=0.5)


def test_edges_of_a_ramp_against_its_slope() -> None:
    """Of a plane that rises along one direction, every inner pixel has that direction."""
    y, x = np.mgrid[:160, :160]
    normal = np.radians(9.0)
    plane = 120 + 1.5 * ((x - 80) * np.cos(normal) + (y - 80) * np.sin(normal))
    edges = edge_directions(_view(plane.clip(0, 255).round()))[0]
    upright = edges[0][2:-2, 2:-2].sum((0, 1))
    expected = 9.0 * 2 + BINS / 2 - 0.5
    assert (upright @ np.arange(BINS)) / upright.sum() == pytest.approx(expected, abs=1.0)
    assert edges[1].sum() < 0.02 * edges[0].sum()


def test_a_mirrored_photo_has_mirrored_edges() -> None:
    pixels = data.astronaut()[:384, :384]
    edges, other = edge_directions(_view(pixels)), edge_directions(_view(pixels[:, ::-1]))
    assert np.allclose(other, mirrored(torch.from_numpy(edges)).numpy(), atol=1e-4)


def test_a_flat_picture_has_no_edges() -> None:
    assert not edge_directions(_view(np.full((200, 300), 128))).any()


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (7, 400)])
def test_tiny_pictures_have_a_tilt_too(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (*size[::-1], 3))
    assert 0 <= find_tilt(_view(pixels)).probability <= 1


def test_without_torch_it_is_the_same_network(tmp_path) -> None:
    """The NumPy network against the module that was trained, on random weights and edges."""
    torch.manual_seed(3)
    net = TiltNet().eval()
    save_file(net.state_dict(), tmp_path / "tilt.safetensors")
    finder = TiltFinder(tmp_path / "tilt.safetensors")
    edges = torch.rand(3, 2, 2, CELLS, CELLS, BINS) ** 4
    with torch.no_grad():
        expected = net(edges).numpy()
    for one, odds in zip(edges.numpy(), expected, strict=True):
        assert np.allclose(finder.odds(one), odds, atol=1e-4)
    assert expected.shape[1] == len(ANGLES)


def test_other_weights_are_refused_by_name(tmp_path) -> None:
    path = tmp_path / "no.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(MissingModelError, match=r"no\.safetensors holds no tilt network"):
        TiltFinder(path)


@pytest.mark.parametrize("angle", [-9.0, -3.0, 4.0, 8.0])
def test_a_tilted_front_is_found_within_a_degree(angle: float) -> None:
    assert find_tilt(_front(angle)).turned == pytest.approx(angle, abs=0.5)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_mirror_images_have_mirrored_tilts(name: str) -> None:
    pixels = getattr(data, name)()
    there, back = find_tilt(_view(pixels)), find_tilt(_view(pixels[:, ::-1]))
    assert there.angle == pytest.approx(-back.angle, abs=0.1)
    assert there.probability == pytest.approx(back.probability, abs=0.02)


def _circle() -> np.ndarray:
    y, x = np.mgrid[:300, :400]
    return np.where(np.hypot(x - 200, y - 150) < 100, 40, 200)


@pytest.mark.parametrize(
    "pixels",
    [np.full((300, 400), 128), _circle(), _front().pixels],
    ids=["flat grey", "a circle", "a level front"],
)
def test_what_is_level_or_has_no_direction_is_left_alone(pixels: np.ndarray) -> None:
    assert find_tilt(_view(pixels)).turned == 0


def test_there_and_back_comes_home() -> None:
    """A tilted front that is turned by what was found is level to a degree."""
    view = _front(6.0)
    tilt = find_tilt(view)
    assert tilt.angle == pytest.approx(6.0, abs=0.5)
    turned = Turn(view.size, tilt.angle).view(view)
    assert find_tilt(turned).angle == pytest.approx(0, abs=1.0)

"""Faces are aligned by a similarity, and the graph computes what the network in torch does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from cropper import from_array
from cropper.errors import MissingModelError
from cropper.faces import Face, find_faces
from cropper.identity.config import SIDE, TEMPLATE, WEIGHTS
from cropper.identity.descriptor import Descriptor, _similarity, aligned, misfit, shared_descriptor
from cropper.identity.export import build_graph
from cropper.identity.network import FaceNetwork
from tests.faces import astronaut


def chips(count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def test_the_graph_is_the_network() -> None:
    network = FaceNetwork().load(load_file(WEIGHTS)).eval()
    with torch.no_grad():
        expected = network(torch.tensor(chips())).numpy()
    np.testing.assert_allclose(shared_descriptor().encode(chips()), expected, atol=2e-6)


def test_the_graph_in_the_package_is_the_one_that_is_built() -> None:
    assert WEIGHTS.with_suffix(".onnx").read_bytes() == build_graph().SerializeToString()


def test_a_batch_is_its_faces_one_by_one() -> None:
    many = chips(40)
    alone = np.concatenate([shared_descriptor().encode(each[None]) for each in many])
    np.testing.assert_allclose(shared_descriptor().encode(many), alone, atol=2e-6)
    assert shared_descriptor().encode(many[:0]).shape == (0, 128)


@given(
    st.floats(-3, 3),
    st.floats(0.1, 9),
    st.floats(-500, 500),
    st.floats(-500, 500),
    st.integers(0, 99),
)
def test_a_similarity_is_the_least_squares_one(
    angle: float, scale: float, x: float, y: float, seed: int
) -> None:
    noise = np.random.default_rng(seed).normal(0, 3, TEMPLATE.shape)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    target = TEMPLATE @ turn.T + (x, y) + noise
    linear, shift = _similarity(TEMPLATE, target)
    # as a linear system in (a, b, x, y): x' = a x - b y + x0, y' = b x + a y + y0
    rows = [([px, -py, 1, 0], [py, px, 0, 1]) for px, py in TEMPLATE]
    a, b, x0, y0 = np.linalg.lstsq(np.concatenate(rows), target.ravel(), rcond=None)[0]
    np.testing.assert_allclose(linear, [[a, -b], [b, a]], atol=1e-6)
    np.testing.assert_allclose(shift, [x0, y0], atol=1e-4)


def test_the_points_of_an_aligned_face_lie_where_all_do() -> None:
    """The face is found again in the aligned picture, its points near the template."""
    view = from_array(astronaut()).view(512)
    (chip,) = aligned(view, find_faces(view))
    framed = np.pad(chip, ((60, 60), (60, 60), (0, 0)), mode="edge")
    (found,) = find_faces(from_array(framed).view(512))
    off = np.array(found.points) - 60 - TEMPLATE
    assert np.abs(off).max() < 9


def test_a_large_face_is_averaged_down() -> None:
    """No aliasing: a chequerboard of single pixels becomes an even grey."""
    rows, columns = np.indices((900, 900))
    board = np.where((rows + columns) % 2, 255, 0).astype(np.uint8)
    view = from_array(np.repeat(board[..., None], 3, 2)).view(900)
    points = tuple((x, y) for x, y in (TEMPLATE * 4 + 100).tolist())
    (chip,) = aligned(view, [Face((100.0, 100.0, 700.0, 700.0), 1.0, points)])
    inner = chip[5:-5, 5:-5]
    assert abs(float(inner.mean()) - 127.5) < 2
    assert inner.std() < 3


def test_a_profile_fits_no_frontal_face() -> None:
    frontal = Face((0, 0, 100, 100), 1.0, tuple(map(tuple, TEMPLATE.tolist())))
    narrow = TEMPLATE * (0.2, 1.0)
    profile = Face((0, 0, 100, 100), 1.0, tuple(map(tuple, narrow.tolist())))
    assert misfit(frontal) == pytest.approx(0, abs=1e-6)
    assert misfit(profile) > 0.08


def test_a_file_that_is_no_descriptor_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    with pytest.raises(MissingModelError, match="other"):
        Descriptor(path)
    path.write_bytes(b"nothing")
    with pytest.raises(MissingModelError, match="no face descriptor"):
        Descriptor(path)

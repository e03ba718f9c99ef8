"""How a GPU is fed, as far as a CPU can tell: what is computed stays the same."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from cropper.image import from_array
from cropper.scorers import WEIGHTS, cuda_graphs
from cropper.scorers.cropnet.network import CropNetScorer
from cropper.scorers.cuda_graphs import Replayed, padded, upload
from cropper.scorers.loading import scorer_at
from cropper.space import CropSpace

PATH = WEIGHTS / "cropnet.safetensors"


@given(st.integers(1, 70))
def test_batches_are_padded_to_a_power_of_two(count: int) -> None:
    batch = torch.arange(3 * count).reshape(count, 3)
    full = padded(batch)
    assert len(full) in {1 << power for power in range(8)}
    assert count <= len(full) < 2 * count
    assert torch.equal(full[:count], batch)
    assert (full[count:] == batch[-1]).all()


class _Recorder:
    """In place of a CUDA graph: computes anew what was captured, into the same memory."""

    made = 0

    def __init__(self, forward: Any, batch: torch.Tensor) -> None:
        type(self).made += 1
        self.forward, self.read = forward, batch.clone()
        self.written = forward(self.read)

    def replay(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.read.copy_(batch)
        for place, value in zip(self.written, self.forward(self.read), strict=True):
            place.copy_(value)
        return tuple(each.clone() for each in self.written)


def test_each_shape_is_captured_once_and_answers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graphs, "_capture", _Recorder)
    monkeypatch.setattr(cuda_graphs, "_MOST", 2)
    replayed = Replayed(lambda rows: (rows * 2, rows.sum(1)))
    answers = []
    batches = [torch.rand(count, 4) for count in (3, 4, 1, 3)]
    for batch in batches:
        answers.append(replayed._replay(padded(batch), len(batch)))
    assert _Recorder.made == 2  # of 4 rows, of 1 row
    for batch, (double, total) in zip(batches, answers, strict=True):
        assert torch.equal(double, batch * 2)
        assert torch.equal(total, batch.sum(1))
    replayed._replay(padded(torch.rand(2, 4)), 2)
    assert len(replayed._captured) == 2  # the one that was not used for longest is gone


def test_without_a_gpu_nothing_is_captured() -> None:
    replayed = Replayed(lambda rows: (rows + 1,))
    assert torch.equal(replayed(torch.zeros(3, 2))[0], torch.ones(3, 2))
    assert not replayed._captured
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.array_equal(upload(array, torch.device("cpu")).numpy(), array)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket"])
def test_half_precision_finds_the_same_crop(name: str) -> None:
    image = from_array(getattr(data, name)())
    space = CropSpace(image.size, 1.0)
    boxes = space.boxes(space.grid(0.1))
    single = scorer_at(PATH, "cpu", torch=True)
    assert isinstance(single, CropNetScorer)
    half = CropNetScorer(copy.deepcopy(single.net), single.spec, precision=torch.float16)
    assert half.net.trunk.dtype is torch.float16
    with torch.no_grad():
        view = single.spec.view(image)
        expected, found = single.bind(view)(boxes), half.bind(view)(boxes)
        together = half.bind_all([view, view, view])[1](boxes)
    np.testing.assert_allclose(found, expected, atol=0.03)
    np.testing.assert_allclose(together, found, atol=0.01)
    assert expected.max() - expected[found.argmax()] < 0.01

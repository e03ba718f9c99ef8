"""Own tilts of photos, by networks that never saw them: against tilts that are known."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from cropper.tilt import ANGLES
from cropper.train.own_tilts import own_tilts

_WINDOWS = 6


def _photos(count: int) -> tuple[Tensor, Tensor, np.ndarray]:
    """What a window shows, (N, 2): how far it looks tilted, and which photo it is of."""
    rng = np.random.default_rng(0)
    own = rng.laplace(0, 1.0, count).clip(-5, 5)
    turns = torch.from_numpy(rng.uniform(-10, 10, count * _WINDOWS)).float()
    looks = turns.numpy() + np.repeat(own, _WINDOWS)
    shown = np.stack([looks, np.repeat(np.arange(count), _WINDOWS)], 1)
    return torch.from_numpy(shown).float(), turns, own


def _sure(spread: float) -> nn.Module:
    class Reader(nn.Module):
        def forward(self, shown: Tensor) -> Tensor:
            return -0.5 * ((torch.from_numpy(ANGLES) - shown[:, :1]) / spread).square()

    return Reader()


def test_what_a_photo_s_windows_have_in_common_is_its_own_tilt() -> None:
    shown, turns, own = _photos(40)
    trained: list[tuple[int, set[float]]] = []

    def train(part: Tensor, angles: Tensor, half: int) -> nn.Module:
        assert len(part) == len(angles)
        trained.append((half, set(part[:, 1].tolist())))
        return _sure(0.5)

    found = own_tilts(shown, turns, _WINDOWS, train, lambda net, each: net(each))
    np.testing.assert_allclose(found, own, atol=0.25)
    assert [half for half, _ in trained] == [0, 1]
    first, second = (photos for _, photos in trained)
    assert first.isdisjoint(second)
    assert len(first | second) == 40


def test_no_network_reads_what_it_was_trained_on() -> None:
    shown, turns, _ = _photos(12)

    def train(part: Tensor, angles: Tensor, half: int) -> nn.Module:
        net = _sure(0.5)
        net.seen = set(part[:, 1].tolist())  # type: ignore[assignment]
        return net

    def read(net: nn.Module, each: Tensor) -> Tensor:
        assert net.seen.isdisjoint(each[:, 1].tolist())  # type: ignore[operator]
        odds: Tensor = net(each)
        return odds

    own_tilts(shown, turns, _WINDOWS, train, read)


def test_photos_that_say_nothing_are_level() -> None:
    shown, turns, _ = _photos(10)
    found = own_tilts(shown, turns, _WINDOWS, lambda *_: _sure(1e3), lambda net, each: net(each))
    assert np.abs(found).max() < 0.01

"""Costs against slow loops, and their slopes against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cropper.style.costs import content_cost, gram, style_cost, variation


def test_gram_is_a_slow_loop() -> None:
    features = torch.randn(1, 4, 3, 5, dtype=torch.float64)
    expected = np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            for y in range(3):
                for x in range(5):
                    expected[i, j] += features[0, i, y, x] * features[0, j, y, x] / 15
    assert np.allclose(gram(features), expected)


def test_costs_are_slow_loops() -> None:
    found, target = torch.randn(2, 1, 3, 4, 4, dtype=torch.float64).unbind()
    above = below = 0.0
    for a, b in zip(found.flatten().tolist(), target.flatten().tolist(), strict=True):
        above, below = above + (a - b) ** 2, below + b * b
    assert content_cost(found, target).item() == pytest.approx(above / below)
    matrix = gram(target)
    above = sum(
        (a - b) ** 2
        for a, b in zip(gram(found).flatten().tolist(), matrix.flatten().tolist(), strict=True)
    )
    expected = above / sum(b * b for b in matrix.flatten().tolist())
    layers = {"a": found, "b": target}
    cost = style_cost(layers, {"a": matrix, "b": matrix}).item()
    assert cost == pytest.approx(expected / 2)


def test_variation_is_a_slow_loop() -> None:
    pixels = torch.rand(1, 3, 4, 6, dtype=torch.float64)
    across = [
        (pixels[0, c, y, x + 1] - pixels[0, c, y, x]) ** 2
        for c in range(3)
        for y in range(4)
        for x in range(5)
    ]
    down = [
        (pixels[0, c, y + 1, x] - pixels[0, c, y, x]) ** 2
        for c in range(3)
        for y in range(3)
        for x in range(6)
    ]
    assert variation(pixels).item() == pytest.approx(np.mean(across) + np.mean(down))


def test_slopes() -> None:
    features = torch.randn(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    target = torch.randn(1, 3, 4, 4, dtype=torch.float64)
    matrix = gram(target)
    check = torch.autograd.gradcheck
    assert check(lambda x: content_cost(x, target), features)
    assert check(lambda x: style_cost({"a": x}, {"a": matrix}), features)
    assert check(variation, features)


@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_a_style_is_the_same_wherever_its_strokes_are(seed: int, scale: float) -> None:
    """And in a picture twice as large; costs do not depend on the unit of the features."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(1, 3, 4, 6, generator=generator, dtype=torch.float64)
    moved = features.roll((1, 2), (2, 3)).repeat(1, 1, 2, 1)
    assert torch.allclose(gram(moved), gram(features))
    other = torch.randn(1, 3, 4, 6, generator=generator, dtype=torch.float64)
    cost = content_cost(features, other).item()
    assert content_cost(features * scale, other * scale).item() == pytest.approx(cost)

"""Windows, mirrors and colours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from numpy.typing import NDArray

from cropper.scorers.trunk import input_size
from cropper.train.augment import Augment, Drawn, draw, render
from cropper.train.data import Judged
from tests.train.support import SEEDS, WHOLE, judged


def painted(size: tuple[int, int], expert: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Grey, the expert's box in red; fine enough that its edges are where they are said to be."""
    height, width = 400, 400
    pixels = np.full((height, width, 3), 90, np.uint8)
    x0, y0, x1, y1 = np.round(expert[0] * [width, height, width, height]).astype(int)
    pixels[y0:y1, x0:x1] = (220, 20, 20)
    return pixels


@settings(max_examples=40, deadline=None)
@given(judged(), SEEDS)
def test_the_expert_s_box_refers_to_the_same_pixels_after_augmentation(
    item: Judged, seed: int
) -> None:
    item = replace(item, pixels=painted(item.size, item.expert))
    drawn = draw(item, Augment(window=1.0), 25_000, np.random.default_rng(seed))
    seen = render(item, drawn)
    x0, y0, x1, y1 = seen.expert[0]
    assert 0 <= x0 < x1 <= 1
    assert 0 <= y0 < y1 <= 1
    height, width = seen.pixels.shape[:2]
    assert (width, height) == drawn.size
    red = seen.pixels[..., 0].astype(int) - seen.pixels[..., 1] > 60
    xs, ys = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    slack_x, slack_y = 1.5 / width + 0.01, 1.5 / height + 0.01
    columns, rows = red.any(0), red.any(1)
    assert columns[(xs > x0 + slack_x) & (xs < x1 - slack_x)].all()
    assert not columns[(xs < x0 - slack_x) | (xs > x1 + slack_x)].any()
    assert rows[(ys > y0 + slack_y) & (ys < y1 - slack_y)].all()
    assert not rows[(ys < y0 - slack_y) | (ys > y1 + slack_y)].any()


@given(judged(), SEEDS)
def test_a_window_holds_the_expert_s_box_and_lies_inside(item: Judged, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x0, y0, x1, y1 = draw(item, Augment(window=1.0), 9409, rng).window
    left, top, right, bottom = item.expert[0]
    assert 0 <= x0 <= left + 1e-12
    assert 0 <= y0 <= top + 1e-12
    assert right - 1e-12 <= x1 <= 1
    assert bottom - 1e-12 <= y1 <= 1


@given(judged(), SEEDS)
def test_without_augmentation_the_picture_is_seen_whole(item: Judged, seed: int) -> None:
    drawn = draw(item, Augment(0, 0, 0, 0), 9409, np.random.default_rng(seed))
    assert np.array_equal(drawn.window, WHOLE)
    assert drawn.size == input_size(item.size, 9409)
    assert drawn.colour == (1, 1, 1)
    assert np.array_equal(render(item, drawn).expert, item.expert)


def test_pairs_outside_the_window_are_left_out_with_their_votes() -> None:
    inner, outer = [0.3, 0.3, 0.7, 0.6], [0.0, 0.3, 0.7, 0.6]
    pairs = np.array([[inner, inner], [inner, outer], [outer, inner], [inner, inner]])
    votes = np.array([[5.0, 0], [4, 1], [3, 2], [2, 3]])
    pixels = np.zeros((100, 100, 3), np.uint8)
    item = Judged(Path("x"), (400, 200), pixels, np.array([inner]), pairs, votes)
    window = np.array([0.2, 0.2, 0.8, 0.7])
    seen = render(item, Drawn(window, (97, 65), (1.0, 1.0, 1.0), False))
    assert seen.votes.tolist() == [[5, 0], [2, 3]]
    assert np.allclose(seen.pairs, (0.1 / 0.6, 0.2, 0.5 / 0.6, 0.8))
    assert seen.size == (240, 100)


def test_colour_changes_brightness_contrast_and_saturation_alone() -> None:
    pixels = np.full((97, 97, 3), (100, 60, 20), np.uint8)
    expert = np.array([[0.1, 0.1, 0.9, 0.9]])
    item = Judged(Path("x"), (97, 97), pixels, expert, np.empty((0, 2, 4)), np.empty((0, 2)))

    def seen(*colour: float) -> list[int]:
        drawn = Drawn(WHOLE, (97, 97), (colour[0], colour[1], colour[2]), False)
        return [int(v) for v in render(item, drawn).pixels[40, 40]]

    assert seen(1, 1, 1) == [100, 60, 20]
    assert seen(1.5, 1, 1) == [150, 90, 30]
    assert seen(1, 0, 1) == [60, 60, 60]
    assert seen(1, 1, 0) == [60, 60, 60]
    assert seen(1, 1, 0.5) == [80, 60, 40]


@given(judged(), SEEDS)
def test_the_same_seed_draws_the_same(item: Judged, seed: int) -> None:
    first, again = (draw(item, Augment(), 9409, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(first.window, again.window)
    assert (first.size, first.colour) == (again.size, again.colour)


@given(judged(), SEEDS)
def test_a_mirrored_picture_has_its_boxes_mirrored(item: Judged, seed: int) -> None:
    drawn = draw(item, Augment(mirror=1.0), 9409, np.random.default_rng(seed))
    plain, seen = render(item, replace(drawn, mirror=False)), render(item, drawn)
    assert np.array_equal(seen.pixels, plain.pixels[:, ::-1])
    for flipped, boxes in ((seen.expert, plain.expert), (seen.pairs, plain.pairs)):
        x0, y0, x1, y1 = np.moveaxis(boxes, -1, 0)
        assert np.allclose(flipped, np.stack([1 - x1, y0, 1 - x0, y1], -1))

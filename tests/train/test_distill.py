"""Beliefs of teachers, and scores that are log-odds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cropper.boxes import Boxes, iou
from cropper.image import View
from cropper.scorers import BoundScorer, ScorerSpec
from cropper.scorers.cropnet.config import CropNetConfig
from cropper.scorers.cropnet.network import CropNet
from cropper.train.augment import Augment, draw, render
from cropper.train.calibrate import calibrate, fit_slope, pair_gains
from cropper.train.data import Belief, Judged, candidates, overlap
from cropper.train.distill import DistillConfig, Teacher, teach

EXPERT = np.array([[0.1, 0.1, 0.6, 0.6]])
SMALL = DistillConfig(free=300, given=100)


class Near:
    """Likes crops that overlap with one box of the picture."""

    spec = ScorerSpec("near", 64, 1000, False, "overlap with a box", "Apache-2.0")

    def __init__(self, box: tuple[float, float, float, float]) -> None:
        self.box = np.array([box])

    def bind(self, view: View) -> BoundScorer:
        size = np.array(view.size * 2, dtype=np.float64)

        def score(boxes: Boxes) -> np.ndarray:
            return 10 * iou(boxes / size, self.box)[:, 0]

        return BoundScorer(score, view.size, 1000)


def judged(pairs: int = 0) -> Judged:
    pixels = np.random.default_rng(0).integers(0, 255, (97, 129, 3), dtype=np.uint8)
    boxes = np.random.default_rng(1).uniform(0, 0.4, (pairs, 2, 4))
    boxes[..., 2:] += 0.5
    votes = np.tile([4.0, 1.0], (pairs, 1))
    return Judged(Path("a.png"), (400, 300), pixels, EXPERT, boxes, votes)


def test_a_belief_is_a_distribution_around_what_the_teachers_like() -> None:
    liked = (0.3, 0.2, 0.9, 0.8)
    config = DistillConfig(free=600, given=200, trust=0.0, windows=0)
    (item,) = teach([judged()], [], [Teacher(Near(liked), 1.0)], 9409, config=config)
    assert item.beliefs is not None
    for belief in item.beliefs:
        assert belief.weights.sum() == pytest.approx(1)
        assert (belief.boxes[:, :2] >= 0).all()
        assert (belief.boxes[:, 2:] <= 1 + 1e-9).all()
    assert iou(item.expert, np.array([liked]))[0, 0] > 0.7  # the pseudo expert


def test_two_teachers_are_believed_together_and_an_expert_counts_by_trust() -> None:
    teachers = [Teacher(Near((0, 0, 0.5, 1)), 1.0), Teacher(Near((0.5, 0, 1, 1)), 1.0)]
    config = DistillConfig(free=300, given=100, windows=0, trust=0.25)
    (item,) = teach([judged()], [], teachers, 9409, config=config)
    assert item.beliefs is not None
    for belief in item.beliefs:
        assert np.array_equal(belief.boxes[-1], EXPERT[0])
        assert belief.weights[-1] == pytest.approx(0.25)
        centre = belief.weights[:-1] @ belief.boxes[:-1, [0, 2]].mean(1) / 0.75
        assert centre == pytest.approx(0.5, abs=0.05)


def test_a_calibrated_teacher_believes_what_it_did_before() -> None:
    class Louder(Near):
        def bind(self, view: View) -> BoundScorer:
            quiet = super().bind(view)
            return BoundScorer(lambda boxes: 4 * quiet(boxes), view.size, 1000)

    box = (0.2, 0.2, 0.8, 0.8)
    (one,) = teach([judged()], [], [Teacher(Near(box), 1.0)], 9409, config=replace_windows())
    (two,) = teach([judged()], [], [Teacher(Louder(box), 4.0)], 9409, config=replace_windows())
    assert one.beliefs is not None
    assert two.beliefs is not None
    assert np.allclose(one.beliefs[0].weights, two.beliefs[0].weights)


def replace_windows() -> DistillConfig:
    return DistillConfig(free=300, given=100, windows=0)


def test_windows_and_photos_are_taught_and_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    Image.new("RGB", (80, 60), (200, 10, 10)).save(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    teachers = [Teacher(Near((0, 0, 0.7, 0.7)), 1.0)]
    photos = sorted(tmp_path.iterdir())
    seen: list[tuple[int, int]] = []
    items = teach(
        [judged(3)], photos, teachers, 9409, config=SMALL, progress=lambda *at: seen.append(at)
    )
    assert [len(item.pairs) for item in items] == [3, 0, 0]
    assert items[1].size[0] < 400
    assert items[2].size == (80, 60)
    assert seen[-1] == (3, 4)
    assert items[1].aspect is not None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_expected_overlap_is_the_mean_over_draws(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 0.5, (5, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.1, 0.5, (5, 2))], 1)
    weights = rng.dirichlet(np.ones(5))
    belief = Belief(boxes, weights)
    slow = [
        sum(w * iou(b[None], c[None])[0, 0] for w, c in zip(weights, boxes, strict=True))
        for b in boxes
    ]
    assert np.allclose(belief.expected_overlap(boxes), slow)


def test_the_target_of_a_taught_picture_is_its_belief_mirrored_with_it() -> None:
    free, given_ = Belief(EXPERT, np.ones(1)), Belief(EXPERT / 2, np.ones(1))
    item = Judged(Path("a"), (129, 97), judged().pixels, EXPERT, np.empty((0, 2, 4)),
                  np.empty((0, 2)), (free, given_), 2.0)  # fmt: skip
    rng = np.random.default_rng(0)
    assert overlap(item, EXPERT, given=False) == pytest.approx([1.0])
    assert overlap(item, EXPERT / 2, given=True) == pytest.approx([1.0])
    boxes = candidates(item, 8, True, rng)
    assert np.allclose((boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1]), 2.0)
    drawn = draw(item, Augment(window=1.0, mirror=1.0), 9409, rng)
    assert np.array_equal(drawn.window, [0, 0, 1, 1])
    seen = render(item, drawn)
    assert overlap(seen, seen.expert, given=False) == pytest.approx([1.0])
    assert overlap(seen, EXPERT, given=False)[0] < 0.99


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 4), st.integers(0, 100))
def test_the_slope_is_the_one_that_votes_were_drawn_with(slope: float, seed: int) -> None:
    gains = np.random.default_rng(seed).normal(0, 1, 400)
    wins = 1 / (1 + np.exp(-slope * gains))
    assert fit_slope(gains, wins, np.full(400, 5.0)) == pytest.approx(slope, rel=1e-4)


def test_no_pairs_give_no_slope() -> None:
    assert fit_slope(np.empty(0), np.empty(0), np.empty(0)) == 0


def test_a_calibrated_network_has_the_slope_one_and_ranks_as_before() -> None:
    torch.manual_seed(0)
    net = CropNet(CropNetConfig(pixels=9409, fused=8, channels=4, hidden=8)).eval()
    item = judged(40)
    before, wins, votes = pair_gains(net, [item])
    wins = (before > np.median(before)) * 0.6 + 0.2
    item = Judged(*(getattr(item, key) for key in ("path", "size", "pixels", "expert", "pairs")),
                  np.stack([wins * 5, 5 - wins * 5], 1))  # fmt: skip
    slope = calibrate(net, [item])
    after, _, _ = pair_gains(net, [item])
    assert slope > 0
    assert np.allclose(after, slope * before, rtol=1e-4, atol=1e-5)
    assert fit_slope(after, wins, votes) == pytest.approx(1, rel=1e-2)

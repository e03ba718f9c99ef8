import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cropper.boxes import Boxes, area, iou
from cropper.errors import ScorerOutputError, SearchError
from cropper.result import SearchResult, StopReason
from cropper.scorers import BoundScorer
from cropper.search import STRATEGIES, SearchConfig, search
from cropper.space import FREE_ASPECTS, CropSpace, crop_spaces

SIZE = (640, 480)
SQUARE = CropSpace(SIZE, 1.0)
Scores = NDArray[np.float64]


class Bump:
    """Highest at one crop; falls with the square of the distance in units of that crop's side."""

    def __init__(self, space: CropSpace, best: Sequence[float]) -> None:
        self.space, self.best = space, np.array(best)
        self.seen: list[Boxes] = []

    def errors(self, boxes: Boxes) -> NDArray[np.float64]:
        """(N, 3): how far the scale and the centre are off."""
        params = self.space.params(boxes)
        side = self.best[0] * self.space.largest
        off = (params[:, 1:] - self.best[1:]) / side
        return np.concatenate([np.log(params[:, :1] / self.best[0]), off], axis=1)

    def __call__(self, boxes: Boxes) -> Scores:
        self.seen.append(boxes.copy())
        return np.exp(-(self.errors(boxes) ** 2).sum(axis=1))

    @property
    def count(self) -> int:
        return sum(len(boxes) for boxes in self.seen)

    def error(self, result: SearchResult) -> float:
        return float(np.abs(self.errors(np.array([result.best.box]))).max())


def somewhere(space: CropSpace, seed: int, low: float = 0.55, high: float = 0.9) -> Bump:
    rng = np.random.default_rng(seed)
    scale = rng.uniform(low, high)
    half = scale * space.largest / 2
    return Bump(space, [scale, *rng.uniform(half, 1 - half)])


def waves(boxes: Boxes) -> Scores:
    """Many peaks, no symmetry."""
    x0, y0, x1, y1 = (boxes / 97).T
    wave: Scores = np.sin(3 * x0 + y1) + np.cos(2 * y0 - x1) + np.sin(x0 * y0)
    return wave


@pytest.mark.parametrize("seed", range(12))
def test_grid_finds_the_optimum_within_its_stride(seed: int) -> None:
    bump = somewhere(SQUARE, seed)
    result = search(bump, SQUARE, SearchConfig(stride=0.08))
    assert bump.error(result) <= 1.25 * 0.08  # the nearest lattice point may lie a rung below
    assert result.stop is StopReason.EXHAUSTED
    assert result.rounds == 1


@pytest.mark.parametrize("seed", range(4))
def test_grid_finds_a_closer_crop_with_a_larger_budget(seed: int) -> None:
    bump = somewhere(SQUARE, seed)
    errors = [
        1 - search(bump, SQUARE, SearchConfig(budget=budget)).best.score
        for budget in (50, 1000, 50_000)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-3


@pytest.mark.parametrize("seed", range(12))
def test_halving_that_converges_finds_the_optimum_within_its_resolution(seed: int) -> None:
    bump = somewhere(SQUARE, seed)
    result = search(bump, SQUARE, SearchConfig("halving", budget=2000))
    assert result.stop is StopReason.CONVERGED
    assert bump.error(result) <= 0.01


@pytest.mark.parametrize("seed", range(4))
def test_halving_reaches_its_resolution_on_a_small_budget(seed: int) -> None:
    bump = somewhere(SQUARE, seed)
    result = search(bump, SQUARE, SearchConfig("halving", budget=500))
    assert result.stop is StopReason.CONVERGED
    assert bump.error(result) <= 0.01


@pytest.mark.parametrize("seed", range(6))
def test_halving_beats_the_grid_of_the_same_budget_on_one_bump(seed: int) -> None:
    bump = somewhere(SQUARE, seed)
    halving, grid = (
        search(bump, SQUARE, SearchConfig(strategy, budget=1000))
        for strategy in ("halving", "grid")
    )
    assert halving.best.score >= grid.best.score


def test_random_finds_closer_crops_with_a_larger_budget() -> None:
    def mean_error(budget: int) -> float:
        errors = []
        for seed in range(10):
            config = SearchConfig("random", budget, seed)
            errors.append(1 - search(somewhere(SQUARE, seed), SQUARE, config).best.score)
        return float(np.mean(errors))

    small, middle, large = mean_error(30), mean_error(600), mean_error(12_000)
    assert small > 2 * middle > 4 * large
    assert large < 1e-3


def test_random_gives_the_same_answer_for_the_same_seed_alone() -> None:
    results = [search(waves, SQUARE, SearchConfig("random", 300, seed)) for seed in (1, 1, 2)]
    assert results[0] == results[1]
    assert results[0].best != results[2].best
    assert results[0].stop is StopReason.BUDGET


@pytest.mark.parametrize("strategy", ["grid", "halving"])
def test_strategies_without_chance_ignore_the_seed(strategy: str) -> None:
    results = [search(waves, SQUARE, SearchConfig(strategy, 800, seed)) for seed in (1, 2)]
    assert results[0] == results[1]


@settings(deadline=None)
@given(st.sampled_from(sorted(STRATEGIES)), st.integers(120, 3000), st.booleans())
def test_evaluations_are_counted_and_never_over_budget(
    strategy: str, budget: int, free: bool
) -> None:
    seen: list[int] = []

    def objective(boxes: Boxes) -> Scores:
        seen.append(len(boxes))
        return waves(boxes)

    budget = budget + 400 if free else budget  # nine spaces
    spaces = crop_spaces(SIZE, "free" if free else "4:5")
    result = search(objective, spaces, SearchConfig(strategy, budget))
    assert result.evaluations == sum(seen) <= budget
    assert result.rounds == len(seen)
    if strategy == "random":
        assert result.evaluations == budget


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_no_box_is_scored_twice_or_outside(strategy: str) -> None:
    bump = somewhere(SQUARE, 0)
    search(bump, SQUARE, SearchConfig(strategy, 1500))
    boxes = np.concatenate(bump.seen)
    assert len(np.unique(boxes.round(5), axis=0)) == len(boxes)
    assert boxes.min() >= 0
    assert (boxes[:, 2:] <= SIZE).all()


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@pytest.mark.parametrize("batch_size", [1, 7, 100_000])
def test_batch_size_never_changes_the_result(strategy: str, batch_size: int) -> None:
    config = SearchConfig(strategy, 700, top_k=5)
    objective = BoundScorer(waves, SIZE, batch_size)
    assert search(objective, SQUARE, config) == search(waves, SQUARE, config)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_progress_callback_never_changes_the_result(strategy: str) -> None:
    config = SearchConfig(strategy, 700, top_k=5)
    calls: list[tuple[int, int]] = []
    result = search(waves, SQUARE, config, lambda done, budget: calls.append((done, budget)))
    assert result == search(waves, SQUARE, config)
    done = [count for count, _ in calls]
    assert done == sorted(done)
    assert done[-1] == result.evaluations
    assert {budget for _, budget in calls} == {700}


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_constant_objective_gives_the_largest_then_most_central_box(strategy: str) -> None:
    seen: list[Boxes] = []

    def constant(boxes: Boxes) -> Scores:
        seen.append(boxes)
        return np.zeros(len(boxes))

    best = np.array([search(constant, SQUARE, SearchConfig(strategy, 900)).best.box])
    boxes = np.concatenate(seen)
    assert area(best)[0] >= area(boxes).max() - 1e-3
    rivals = boxes[area(boxes) >= area(best)[0] - 1e-3]
    assert off_centre(best)[0] <= off_centre(rivals).min() + 1e-9


def off_centre(boxes: Boxes) -> Scores:
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / SIZE
    distance: Scores = np.abs(centres - 0.5).sum(axis=1)
    return distance


@pytest.mark.parametrize("strategy", ["grid", "halving"])
def test_a_constant_objective_gives_the_whole_picture_where_the_aspect_allows(
    strategy: str,
) -> None:
    result = search(lambda boxes: np.ones(len(boxes)), crop_spaces(SIZE), SearchConfig(strategy))
    assert np.allclose(result.best.box, (0, 0, *SIZE))


@pytest.mark.parametrize("stride", [0.1, 0.2, 0.25])
def test_equal_scores_go_to_the_more_central_of_equal_boxes(stride: float) -> None:
    small = CropSpace(SIZE, 1.0, 0.5, 0.5)
    left, right = (small.boxes([0.5, x, 0.5])[0] for x in (0.4, 0.5))

    def two_peaks(boxes: Boxes) -> Scores:
        """1 for boxes that hold the middle of either; most central wins."""
        middles = [(left[0] + left[2]) / 2, (right[0] + right[2]) / 2]
        return np.array([float(any(b[0] < m < b[2] for m in middles)) for b in boxes])

    best = np.array([search(two_peaks, small, SearchConfig(stride=stride)).best.box])
    grid = small.boxes(small.grid(stride))
    tied = grid[two_peaks(grid) == 1]
    assert off_centre(best)[0] <= off_centre(tied).min() + 1e-9


def test_equal_scores_go_to_the_larger_box_before_the_more_central() -> None:
    def left_edge(boxes: Boxes) -> Scores:
        return (boxes[:, 0] < 1).astype(float)

    best = search(left_edge, SQUARE, SearchConfig(stride=0.1)).best
    assert best.x0 < 1
    assert best.width == pytest.approx(480)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(STRATEGIES)),
    st.integers(1, 12),
    st.floats(0, 1),
    st.tuples(*[st.floats(0.2, 5)] * 3),
)
def test_the_best_crops_are_sorted_and_apart(
    strategy: str, top_k: int, nms_iou: float, waving: tuple[float, float, float]
) -> None:
    def objective(boxes: Boxes) -> Scores:
        x0, y0, x1, y1 = (boxes / 97).T
        a, b, c = waving
        wave: Scores = np.sin(a * x0 + y1) + np.cos(b * y0 - x1) + np.sin(c * x1)
        return wave

    config = SearchConfig(strategy, 400, top_k=top_k, nms_iou=nms_iou)
    result = search(objective, SQUARE, config)
    boxes = np.array([crop.box for crop in result.crops])
    scores = [crop.score for crop in result.crops]
    assert 1 <= len(boxes) <= top_k
    assert scores == sorted(scores, reverse=True)
    assert np.allclose(scores, objective(boxes))
    overlaps = iou(boxes, boxes)[np.triu_indices(len(boxes), 1)]
    assert (overlaps <= nms_iou + 1e-12).all()
    assert result.best == search(objective, SQUARE, replace(config, top_k=1)).best


def test_the_best_crop_is_the_best_of_all_that_were_scored() -> None:
    for strategy in STRATEGIES:
        bump = somewhere(SQUARE, 5)
        result = search(bump, SQUARE, SearchConfig(strategy, 600))
        assert result.best.score == bump(np.concatenate(bump.seen)).max()


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@pytest.mark.parametrize("wanted", [FREE_ASPECTS[1], 1.0, FREE_ASPECTS[6]])
def test_several_spaces_together_find_the_right_aspect(strategy: str, wanted: float) -> None:
    width, height = 0.7 * CropSpace(SIZE, wanted).largest * SIZE

    def objective(boxes: Boxes) -> Scores:
        sides = boxes[:, 2:] - boxes[:, :2]
        off_aspect = np.log(sides[:, 0] / sides[:, 1] / wanted)
        off_area = np.log(area(boxes) / (width * height))
        return -9 * off_aspect**2 - off_area**2 - off_centre(boxes) ** 2

    best = search(objective, crop_spaces(SIZE, "free"), SearchConfig(strategy, 4000)).best
    assert best.width / best.height == pytest.approx(wanted, rel=1e-6)
    assert best.score > -0.1


@pytest.mark.parametrize("strategy", ["grid", "halving"])
@pytest.mark.parametrize("seed", range(4))
def test_a_mirrored_objective_gives_the_mirrored_crop(strategy: str, seed: int) -> None:
    bump = somewhere(SQUARE, seed)
    width = SIZE[0]

    def mirror(boxes: Boxes) -> Boxes:
        return np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1)

    config = SearchConfig(strategy, 2000)
    here = np.array([search(bump, SQUARE, config).best.box])
    there = np.array([search(lambda boxes: bump(mirror(boxes)), SQUARE, config).best.box])
    slack = 1e-6 if strategy == "grid" else 0.02 * max(SIZE)  # px; the grid itself is symmetric
    assert np.abs(mirror(there) - here).max() <= slack


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@pytest.mark.parametrize(
    "broken",
    [
        lambda boxes: np.full(len(boxes), np.nan),
        lambda boxes: np.where(np.arange(len(boxes)) == len(boxes) - 1, np.inf, 0.0),
        lambda boxes: np.zeros((len(boxes), 1)),
        lambda boxes: np.zeros(len(boxes) - 1),
        lambda boxes: np.float64(0),
    ],
)
def test_an_objective_that_breaks_its_contract_is_named(strategy: str, broken: Any) -> None:
    with pytest.raises(ScorerOutputError):
        search(broken, SQUARE, SearchConfig(strategy, 200))


def test_a_bad_score_is_named_with_its_box() -> None:
    def broken(boxes: Boxes) -> Scores:
        return np.where(boxes[:, 0] == 0, np.nan, 1.0)

    with pytest.raises(ScorerOutputError, match=r"nan.*\[ *0\."):
        search(broken, SQUARE)


def test_a_budget_too_small_for_the_coarsest_grid_is_refused() -> None:
    with pytest.raises(SearchError, match=r"budget of 4:.*halving"):
        search(waves, SQUARE, SearchConfig("grid", 4))


@pytest.mark.parametrize("strategy", ["random", "halving"])
@pytest.mark.parametrize("budget", [1, 2, 4])
def test_without_a_grid_no_budget_is_too_small(strategy: str, budget: int) -> None:
    found = search(waves, SQUARE, SearchConfig(strategy, budget))
    assert 1 <= found.evaluations <= budget


def test_strips_are_halved_from_random_draws() -> None:
    strips = CropSpace((1200, 800), aspect=1081, min_scale=0.8)
    middle = 523.0

    def near(boxes: Boxes) -> Scores:
        return -np.abs((boxes[:, 1] + boxes[:, 3]) / 2 - middle)

    found = search(near, strips, SearchConfig("halving", 1000))
    assert found.evaluations <= 1000
    box = found.best.box
    assert abs((box[1] + box[3]) / 2 - middle) < 3
    again = search(near, strips, SearchConfig("halving", 1000))
    assert again.best.box == box


def test_an_explicit_stride_over_budget_is_refused_before_anything_is_scored() -> None:
    bump = somewhere(SQUARE, 0)
    with pytest.raises(SearchError, match="raise the budget or the stride"):
        search(bump, SQUARE, SearchConfig(stride=0.01, budget=1000))
    assert bump.count == 0


def test_an_explicit_stride_is_used() -> None:
    result = search(waves, SQUARE, SearchConfig(stride=0.1))
    assert result.evaluations == SQUARE.grid_size(0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"strategy": "annealing"},
        {"budget": 0},
        {"top_k": 0},
        {"stride": 0.0},
        {"stride": 1.0},
        {"stride": math.nan},
    ],
)
def test_a_config_that_breaks_a_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SearchError):
        SearchConfig(**wrong)


def test_no_space_is_refused() -> None:
    with pytest.raises(SearchError):
        search(waves, ())


def test_an_error_of_the_objective_passes_through() -> None:
    def broken(boxes: Boxes) -> Scores:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        search(broken, SQUARE)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(sorted(STRATEGIES)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from(["original", "1:1", "4:5"]),
)
def test_pictures_of_a_few_pixels_are_searched(
    strategy: str, size: tuple[int, int], aspect: str
) -> None:
    result = search(waves, crop_spaces(size, aspect), SearchConfig(strategy, 300))
    x0, y0, x1, y1 = result.best.box
    assert 0 <= x0 < x1 <= size[0]
    assert 0 <= y0 < y1 <= size[1]


def test_many_spaces_are_searched_together() -> None:
    aspects = np.geomspace(0.5, 2, 300)
    many = [CropSpace((300, 200), float(aspect), min_scale=0.9) for aspect in aspects]

    def near(boxes: Boxes) -> Scores:
        return -np.abs(np.log((boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1])) - 0.3)

    found = search(near, many, SearchConfig("halving", 3000))
    assert found.evaluations <= 3000
    assert found.best.score > -0.003

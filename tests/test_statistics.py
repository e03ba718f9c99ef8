"""Correlation and the bootstrap, against slow and obvious ones and SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cropper.errors import ConfigError
from cropper.statistics import (
    Interval,
    bootstrap,
    cluster_bootstrap,
    midranks,
    paired_bootstrap,
    pearson,
    spearman,
)
from tests.eval.test_metrics import columns, few, numbers
from tests.reference import eval_metrics as slow


class TestCorrelation:
    @pytest.mark.parametrize("name", ["pearson", "spearman"])
    @given(rows=columns(2, st.one_of(few, numbers)))
    def test_is_the_oracle(self, name: str, rows: tuple[list[float], list[float]]) -> None:
        fast, obvious = {
            "pearson": (pearson, slow.pearson),
            "spearman": (spearman, slow.spearman),
        }[name]
        found = fast(*rows)
        assert -1 <= found <= 1
        spreads = [max(row) - min(row) for row in rows]
        if all(spread == 0 or spread > 1e-3 for spread in spreads):  # the oracle's own precision
            assert found == pytest.approx(obvious(*rows), abs=1e-5)

    @given(st.lists(st.integers(-1000, 1000), min_size=2, unique=True))
    def test_order_alone_decides_the_spearman(self, values: list[int]) -> None:
        cubes = [float(v) ** 3 for v in values]
        assert spearman(values, cubes) == pytest.approx(1)
        assert spearman(values, [-v for v in cubes]) == pytest.approx(-1)

    def test_a_constant_says_nothing(self) -> None:
        assert pearson([1, 1, 1], [1, 2, 3]) == 0
        assert spearman([0.1, 0.1, 0.1], [1, 2, 3]) == 0


class TestBootstrap:
    @settings(max_examples=10, deadline=None)
    @given(st.integers(0, 10_000))
    def test_is_the_oracle_up_to_chance(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        values, weights = rng.normal(1, 2, 60), rng.integers(1, 5, 60).astype(float)
        found = bootstrap(values, weights, rounds=3000, seed=seed)
        mean, low, high = slow.bootstrap(values.tolist(), weights.tolist(), 3000, seed)
        assert found.mean == pytest.approx(mean)
        assert found.low == pytest.approx(low, abs=0.1 * (high - low))
        assert found.high == pytest.approx(high, abs=0.1 * (high - low))

    def test_is_the_normal_interval_for_many_photos(self) -> None:
        values = np.random.default_rng(1).normal(0.7, 0.2, 2000)
        found = bootstrap(values)
        error = 1.96 * values.std() / np.sqrt(len(values))
        assert (found.low, found.high) == pytest.approx(
            (found.mean - error, found.mean + error), abs=0.1 * error
        )

    @given(columns(1, numbers))
    def test_lies_between_the_values(self, rows: tuple[list[float]]) -> None:
        found = bootstrap(rows[0], rounds=50)
        slack = 1e-9 * (1 + max(map(abs, rows[0])))
        assert min(rows[0]) - slack <= found.low <= found.high <= max(rows[0]) + slack

    def test_a_seed_gives_one_answer(self) -> None:
        values = np.random.default_rng(2).random(30)
        assert bootstrap(values, seed=3) == bootstrap(values, seed=3) != bootstrap(values, seed=4)

    def test_weights_pool_pairs(self) -> None:
        # one photo with 1 of 1 right, one with 0 of 3: 1 of 4
        assert bootstrap([1, 0], [1, 3]).mean == 0.25

    def test_photos_without_weight_are_as_if_not_there(self) -> None:
        assert bootstrap([0.5, 9], [1, 0], rounds=100) == Interval(0.5, 0.5, 0.5)

    def test_pairing_removes_what_the_photos_share(self) -> None:
        rng = np.random.default_rng(5)
        hard = rng.random(100)
        better = hard + 0.01 + rng.normal(0, 0.01, 100)
        assert paired_bootstrap(better, hard).low > 0
        assert bootstrap(better).low < bootstrap(hard).mean  # unpaired, nothing can be said

    def test_pairing_with_itself_is_zero(self) -> None:
        assert paired_bootstrap([0.1, 0.9], [0.1, 0.9], rounds=10) == Interval(0, 0, 0)

    @pytest.mark.parametrize(("values", "weights"), [([], None), ([1], [0]), ([1, 2], [1])])
    def test_refuses_nothing(self, values: list[float], weights: list[float] | None) -> None:
        with pytest.raises(ConfigError, match="at least one photo"):
            bootstrap(values, weights)

    def test_refuses_other_photos(self) -> None:
        with pytest.raises(ConfigError, match="one length"):
            paired_bootstrap([1, 2], [1])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=30), st.integers(0, 99))
def test_rank_correlation_is_scipy_s(values: list[int], seed: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    a = np.array(values, float)
    b = np.random.default_rng(seed).integers(0, 5, len(a)).astype(float)
    assert np.array_equal(midranks(a), stats.rankdata(a))
    if len(set(values)) > 1 and len(set(b.tolist())) > 1:
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b)[0])


def test_the_interval_of_clusters_is_wider_than_that_of_their_pictures() -> None:
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(40), 10)
    values = np.repeat(rng.normal(size=40), 10)

    def mean(rows: NDArray[np.intp]) -> float:
        return float(values[rows].mean())

    by_user, by_picture = cluster_bootstrap(mean, user), cluster_bootstrap(mean, np.arange(400))
    assert by_user[1] - by_user[0] > 2 * (by_picture[1] - by_picture[0])
    low, high = cluster_bootstrap(mean, np.arange(400))
    error = values.std() / 20
    assert (high - low) == pytest.approx(2 * 1.96 * error, rel=0.15)

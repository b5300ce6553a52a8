"""Data values against brute force over all subsets, and in worlds where they are known."""

from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from memtail_core.estimation.data_values import data_values
from memtail_core.plan.designs import _block, _independent, block_size

N = 8
Floats = NDArray[np.float64]


def utility(subset: NDArray[np.bool_]) -> float:
    """A game with diminishing returns, a harmful player, and two that need each other."""
    weights = np.array([3, 2, 1, 1, 0.5, 0, -1, 2])
    return float(np.sqrt(max(0, weights[subset].sum())) + 2 * (subset[3] and subset[5]))


def played(subsets: NDArray[np.bool_]) -> Floats:
    outcome = np.array([utility(subset) for subset in subsets])
    return data_values(np.packbits(subsets, axis=1), N, outcome).value


def with_one(subset: NDArray[np.bool_], i: int) -> NDArray[np.bool_]:
    joined = subset.copy()
    joined[i] = True
    return joined


def test_over_all_subsets_it_is_the_banzhaf_value() -> None:
    every = np.array(list(product([False, True], repeat=N)))
    banzhaf = [
        sum(utility(with_one(s, i)) - utility(s) for s in every if not s[i]) / 2 ** (N - 1)
        for i in range(N)
    ]
    np.testing.assert_allclose(played(every), banzhaf, atol=1e-12)


@pytest.mark.parametrize("m", [3, 4, 6])
def test_over_all_subsets_of_one_size_it_compares_with_the_other_examples(m: int) -> None:
    every = np.zeros((comb(N, m), N), bool)
    for row, chosen in zip(every, combinations(range(N), m), strict=True):
        row[list(chosen)] = True
    expected = []
    for i in range(N):
        others = [j for j in range(N) if j != i]
        gains = []
        for chosen in combinations(others, m - 1):
            rest = np.isin(np.arange(N), chosen)
            gains += [
                utility(with_one(rest, i)) - utility(with_one(rest, j))
                for j in others
                if j not in chosen
            ]
        expected.append(np.mean(gains))
    values = played(every)
    np.testing.assert_allclose(values, expected, atol=1e-12)
    assert values.sum() == pytest.approx(0, abs=1e-12)


def subsets_of(design: str, n: int, trials: int, seed: int) -> NDArray[np.bool_]:
    m = 7 * n // 10
    if design == "independent":
        return np.stack([_independent(n, m, seed, t) for t in range(trials)])
    size = block_size(0.7)
    return np.stack([_block(n, m, size, seed, t // size)[t % size] for t in range(trials)])


class World:
    """Example i adds w_i to the outcome; chance adds noise of deviation ``noise``."""

    def __init__(self, design: str, weights: Floats, noise: float) -> None:
        self.design, self.weights, self.noise = design, weights, noise
        n = len(weights)
        self.true = (weights - weights.mean()) * n / (n - 1)

    def studied(self, seed: int, trials: int = 60):  # type: ignore[no-untyped-def]
        inside = subsets_of(self.design, len(self.weights), trials, seed)
        rng = np.random.default_rng([seed, 1])
        outcome = inside @ self.weights + self.noise * rng.normal(size=trials)
        group = np.arange(trials) // (10 if self.design == "balanced" else trials)
        return data_values(np.packbits(inside, axis=1), len(self.weights), outcome, group)


@pytest.mark.parametrize("noise", [0.0, 3.0])
@pytest.mark.parametrize("design", ["balanced", "independent"])
def test_intervals_cover(design: str, noise: float) -> None:
    """Also where the subsets alone make outcomes differ: nothing but the blocks is dependent."""
    weights = np.random.default_rng(0).normal(size=100)
    world = World(design, weights, noise)
    covered = []
    for seed in range(40):
        found = world.studied(seed)
        covered.append((found.ci_low <= world.true) & (world.true <= found.ci_high))
    assert 0.94 < np.mean(covered) < 0.96
    raw = [world.studied(seed).value for seed in range(40)]
    assert np.std(raw, axis=0, ddof=1).mean() == pytest.approx(
        np.mean([world.studied(seed).standard_error for seed in range(5)]), rel=0.05
    )


@pytest.mark.parametrize("design", ["balanced", "independent"])
def test_the_false_discovery_rate_holds(design: str) -> None:
    nothing, planted = np.zeros(200), np.zeros(200)
    planted[:20] = -2.0
    discovered = [
        np.nanmin(World(design, nothing, 1.0).studied(seed).q_value) <= 0.1 for seed in range(150)
    ]
    assert np.mean(discovered) < 0.1 + 3 * (0.09 / 150) ** 0.5, "without an effect all are false"
    false, power = [], []
    for seed in range(30):
        found = World(design, planted, 1.0).studied(seed, trials=200)
        rejected = (found.q_value <= 0.1) & (found.value < 0)
        false.append(rejected[20:].sum() / max(1, rejected.sum()))
        power.append(rejected[:20].mean())
    assert np.mean(false) < 0.1
    assert np.mean(power) > 0.3


def test_independent_trials_are_compared_by_the_t_test() -> None:
    inside = subsets_of("independent", 20, 50, 3)
    outcome = np.random.default_rng(4).normal(size=50)
    found = data_values(np.packbits(inside, axis=1), 20, outcome)
    expected = [stats.ttest_ind(outcome[x], outcome[~x]) for x in inside.T]
    intervals = np.array([each.confidence_interval(0.95) for each in expected])
    np.testing.assert_allclose(found.ci_low, intervals[:, 0], atol=1e-12)
    np.testing.assert_allclose(found.ci_high, intervals[:, 1], atol=1e-12)
    q = stats.false_discovery_control([each.pvalue for each in expected])
    np.testing.assert_allclose(found.q_value, q, atol=1e-12)


def test_whole_blocks_are_compared_as_in_a_randomized_block_design() -> None:
    """Against least squares with a constant for each block."""
    inside = subsets_of("balanced", 20, 40, 5)
    outcome = np.random.default_rng(6).normal(size=40) + np.repeat([0, 5, 0, -5], 10)
    found = data_values(np.packbits(inside, axis=1), 20, outcome, np.arange(40) // 10)
    blocks = np.repeat(np.eye(4), 10, axis=0)
    for i in range(20):
        design = np.c_[inside[:, i], blocks]
        solved, (residual,), *_ = np.linalg.lstsq(design, outcome)
        error = np.sqrt(np.linalg.inv(design.T @ design)[0, 0] * residual / 35)
        assert found.value[i] == pytest.approx(solved[0])
        assert found.standard_error[i] == pytest.approx(error)


def test_what_is_not_known_is_missing() -> None:
    inside = subsets_of("independent", 20, 30, 0)
    inside[:, 4], inside[:, 5] = True, False
    outcome = np.random.default_rng(1).normal(size=30)
    found = data_values(np.packbits(inside, axis=1), 20, outcome)
    for numbers in (found.value, found.standard_error, found.ci_low, found.q_value):
        assert np.flatnonzero(np.isnan(numbers)).tolist() == [4, 5]
    same = data_values(np.packbits(inside, axis=1), 20, np.full(30, 0.3))
    np.testing.assert_allclose(same.value[:4], 0, atol=1e-15)
    assert np.isnan(same.standard_error).all()
    assert np.isnan(same.q_value).all(), "trials that are all alike show nothing"
    assert np.isnan(same.signal)


def test_the_share_of_signal() -> None:
    world = World("balanced", 0.5 * np.random.default_rng(2).normal(size=400), 8.0)
    found = world.studied(0, trials=400)
    expected = world.true.var(ddof=1) / found.value.var(ddof=1)
    assert found.signal == pytest.approx(expected, abs=0.1)
    assert World("balanced", np.zeros(400), 1.0).studied(1).signal < 0.15

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from memtail_core.estimation.influence import Family
from memtail_core.estimation.influence.families import Census
from memtail_core.estimation.influence.null_distribution import (
    NEVER,
    expected_pairs,
    least_counts,
    log_p_values,
)
from tests.estimation.influence.oracle import exact_p


def log_p(x: list[int], n_in: list[int], total: list[int], trials: int) -> np.ndarray:
    return log_p_values(np.array(x), np.array(n_in), np.array(total), trials)


def exact_log_p(x: int, n_in: int, total: int, trials: int) -> float:
    """Of integers as long as they need to be, so that no tail is too far out."""
    p = exact_p(x, n_in, total, trials)
    if p == 0:
        return -math.inf
    if p > 0.5:
        return math.log1p(-float(1 - p))
    return math.log(p.numerator) - math.log(p.denominator)


def test_one_pair_by_enumeration() -> None:
    """Of 6 trials, 4 contain i and 3 got j right: all 20 ways to place the 3, counted."""
    ways = list(combinations(range(6), 3))
    for x in range(-1, 6):
        share = sum(sum(k < 4 for k in way) >= x for way in ways) / len(ways)
        (found,) = np.exp(log_p([x], [4], [3], 6))
        assert found == pytest.approx(share)


def test_every_table_of_up_to_12_trials() -> None:
    for t in range(1, 13):
        cases = list(product(range(-2, t + 3), range(t + 1), range(t + 1)))
        x, n_in, total = (list(each) for each in zip(*cases, strict=True))
        found = log_p(x, n_in, total, t)
        expected = [exact_log_p(*case, t) for case in cases]
        np.testing.assert_allclose(found, expected, atol=1e-13)


@settings(max_examples=100, deadline=None)
@given(t=st.integers(2, 400), data=st.data())
def test_any_count_has_scipys_probability(t: int, data: st.DataObject) -> None:
    n_in, total = data.draw(st.integers(1, t - 1)), data.draw(st.integers(1, t - 1))
    x = np.arange(max(0, n_in + total - t) - 1, min(n_in, total) + 2)
    found = log_p_values(x, np.full(len(x), n_in), np.full(len(x), total), t)
    np.testing.assert_allclose(
        np.exp(found), hypergeom.sf(x - 1, t, total, n_in), rtol=1e-9, atol=1e-300
    )


@pytest.mark.parametrize("t", [20, 100, 500, 3000])
def test_tails_of_thousands_of_trials(t: int) -> None:
    rng = np.random.default_rng(t)
    for _ in range(60 if t < 1000 else 10):
        n_in, total = (int(v) for v in rng.integers(1, t, size=2))
        low, high = max(0, n_in + total - t), min(n_in, total)
        x = np.unique(np.linspace(low - 1, high + 1, 9).astype(np.int64))
        found = log_p_values(x, np.full(len(x), n_in), np.full(len(x), total), t)
        expected = [exact_log_p(int(v), n_in, total, t) for v in x]
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-9)


def test_p_values_far_below_the_least_float_are_told_apart() -> None:
    """All 700 right trials contain i, of 1,000 of which 700 do: one way of C(1000, 700)."""
    found = log_p([700, 699, 690], [700] * 3, [700] * 3, 1000)
    assert found[0] == pytest.approx(-math.log(math.comb(1000, 700)))
    assert found[0] < found[1] < found[2] < -500
    x = [400, 450, 480, 495, 500]
    tails = log_p(x, [500] * 5, [500] * 5, 1000)
    np.testing.assert_allclose(tails, hypergeom.logsf(np.array(x) - 1, 1000, 500, 500))
    assert tails[2] / math.log(10) < -200


def test_at_and_below_the_least_possible_count_p_is_1_and_above_the_largest_0() -> None:
    """7 of 10 trials contain i and 6 got j right: at least 3 are both, at most 6."""
    found = log_p([-5, 0, 3, 4, 6, 7, 10], [7] * 7, [6] * 7, 10)
    assert found[:3].tolist() == [0, 0, 0]
    assert (np.diff(found[2:6]) < 0).all()
    assert np.isneginf(found[5:]).all()


@pytest.mark.parametrize("p", [0.87, 0.31, 0.011, 1.1e-6, 1.1e-30])
@pytest.mark.parametrize("t", [1, 2, 13, 40])
def test_the_least_count_with_so_small_a_probability(t: int, p: float) -> None:
    sizes, totals = np.arange(t + 1), np.arange(t + 1)
    found = least_counts(sizes, totals, t, math.log(p))
    for n_in, total in product(range(t + 1), repeat=2):
        passing = [x for x in range(min(n_in, total) + 1) if exact_p(x, n_in, total, t) <= p]
        assert found[n_in, total] == (passing[0] if passing else NEVER)


def test_every_count_has_a_probability_of_at_most_1() -> None:
    found = least_counts(np.array([7]), np.array([6]), 10, 0.0)
    assert exact_p(int(found[0, 0]), 7, 6, 10) == 1


def test_the_expected_number_is_a_sum_of_probabilities() -> None:
    rng = np.random.default_rng(0)
    n_in, n_correct = rng.integers(1, 30, size=20), rng.integers(0, 31, size=25)
    family = Family(
        (
            (np.arange(0, 12), np.arange(0, 9)),
            (np.arange(5, 20), np.arange(9, 25)),
        )
    )
    census = family.census(n_in, n_correct)
    least = rng.integers(0, 31, size=census.pairs.shape)
    least[0] = NEVER
    expected = 0.0
    for rows, columns in family.groups:
        for i, j in product(rows, columns):
            s, k = (
                np.searchsorted(census.sizes, n_in[i]),
                np.searchsorted(census.totals, n_correct[j]),
            )
            if least[s, k] < NEVER:
                expected += float(hypergeom.sf(least[s, k] - 1, 30, n_correct[j], n_in[i]))
    assert expected_pairs(census, least, 30) == pytest.approx(expected)


def test_nothing_is_expected_of_no_pairs() -> None:
    none = np.zeros(0, np.int64)
    assert expected_pairs(Census(none, none, np.zeros((0, 0))), np.zeros((0, 0), int), 9) == 0
    some = Census(np.array([3]), np.array([4]), np.array([[5.0]]))
    assert expected_pairs(some, np.array([[NEVER]]), 9) == 0

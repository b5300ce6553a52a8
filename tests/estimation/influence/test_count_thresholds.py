import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from memtail_core.estimation.influence.count_thresholds import (
    AllOf,
    AnyOf,
    InfluenceThreshold,
    PValueThreshold,
)
from memtail_core.estimation.influence.null_distribution import NEVER
from tests.estimation.influence.oracle import exact_influence, exact_p

SIZES, TOTALS, T = np.arange(21), np.arange(21), 20


@pytest.mark.parametrize("theta", ["-1", "-1/4", "0", "3/20", "1/4", "1/3", "9/10", "1", "11/10"])
def test_the_least_count_of_so_much_influence(theta: str) -> None:
    wanted = Fraction(theta)
    found = InfluenceThreshold(float(wanted)).least(SIZES, TOTALS, T)
    for n_in, total in product(range(T + 1), repeat=2):
        possible = range(max(0, n_in + total - T), min(n_in, total) + 1)
        if n_in in (0, T):
            assert found[n_in, total] == NEVER
            continue
        passing = [x for x in possible if exact_influence(x, n_in, total, T) >= wanted]
        assert [x for x in possible if x >= found[n_in, total]] == passing


def test_a_value_equal_to_the_threshold_passes() -> None:
    """98 of 140 less 27 of 60 is 0.25, but 0.7 − 0.45 < 0.25 in floating point."""
    assert 98 / 140 - 27 / 60 < 0.25
    sizes, totals = np.array([140]), np.array([125])
    assert InfluenceThreshold(0.25).least(sizes, totals, 200).tolist() == [[98]]
    assert InfluenceThreshold(0.25001).least(sizes, totals, 200).tolist() == [[99]]


@pytest.mark.parametrize("theta", ["0.1", "0.15", "0.2", "0.3", "0.35", "0.7"])
def test_equal_values_pass_whichever_way_they_are_rounded(theta: str) -> None:
    wanted = Fraction(theta)
    for t in (12, 24, 36, 42, 100, 200):
        found = InfluenceThreshold(float(theta)).least(np.arange(1, t), np.arange(t + 1), t)
        for n_in, total in product(range(1, t), range(t + 1)):
            exact = n_in * (total + wanted * (t - n_in)) / t
            assert found[n_in - 1, total] == math.ceil(exact)


def test_so_little_chance() -> None:
    found = PValueThreshold(math.log(0.043)).least(SIZES, TOTALS, T)
    for n_in, total in product(range(1, T), repeat=2):
        passing = [x for x in range(min(n_in, total) + 1) if exact_p(x, n_in, total, T) <= 0.043]
        assert found[n_in, total] == (passing[0] if passing else NEVER)


def test_all_and_any_of_several() -> None:
    one, two = InfluenceThreshold(0.4), PValueThreshold(math.log(0.11))
    tables = [bar.least(SIZES, TOTALS, T) for bar in (one, two)]
    assert (tables[0] > tables[1]).any()
    assert (tables[0] < tables[1]).any()
    np.testing.assert_array_equal(AllOf([one, two]).least(SIZES, TOTALS, T), np.maximum(*tables))
    np.testing.assert_array_equal(AnyOf([one, two]).least(SIZES, TOTALS, T), np.minimum(*tables))

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from memtail_core.estimation.influence.false_discovery import LEVELS, Levels, levels, log_threshold
from tests.estimation.influence.oracle import exact_rejected

A_STEP = 10 ** (1 / 16)


def levels_of(p_values: list[float]) -> Levels:
    counts = np.bincount(levels(np.log(np.array(p_values))), minlength=LEVELS)
    return Levels(len(p_values), counts, first=0)


def rejected(p_values: list[float], fdr: float) -> list[bool]:
    threshold = levels_of(p_values).threshold(fdr)
    level = levels(np.log(np.array(p_values)))
    return [threshold is not None and int(each) >= threshold for each in level]


# few that are small among many that are not, and ties
many_p_values = st.builds(
    lambda small, ties, others: small + ties + others,
    st.lists(st.floats(1e-12, 0.02), max_size=20),
    st.builds(lambda p, n: [p] * n, st.floats(1e-4, 0.1), st.integers(0, 30)),
    st.lists(st.floats(0.001, 1.0), min_size=1, max_size=60),
)


def test_sixteen_levels_to_a_decade() -> None:
    p = np.array([1.0, 0.99, 0.9, 0.86, 0.1001, 0.0999, 1e-3 * 0.999, 1e-200, 1e-399])
    expected = [0, 0, 0, 1, 15, 16, 48, 3200]
    assert levels(np.log(p[:-1])).tolist() == expected
    assert levels(np.array([-1e9, -np.inf])).tolist() == [LEVELS - 1, LEVELS - 1]
    assert log_threshold(16) == pytest.approx(math.log(0.1))


def test_a_threshold_belongs_to_its_level_however_it_is_rounded() -> None:
    every = -np.arange(LEVELS) / 16 * math.log(10)
    assert levels(every).tolist() == list(range(LEVELS))
    assert levels(every[1:] + 1e-11).tolist() == list(range(1, LEVELS))
    assert levels(every[1:] + 1e-9).tolist() == list(range(LEVELS - 1))


def test_a_bar_passes_what_is_of_its_level() -> None:
    largest = np.array([log_threshold(level) for level in range(LEVELS)])
    assert levels(largest - 1e-11).tolist() == list(range(LEVELS))
    assert levels(largest[1:] + 1e-11).tolist() == list(range(LEVELS - 1))


def test_so_many_have_at_most_so_large_a_p_value() -> None:
    p = np.random.default_rng(0).random(1000) ** 4
    found = levels_of(p.tolist())
    for level in range(0, 200, 7):
        assert found.at_least[level] == (p <= 10 ** (-level / 16)).sum()


@settings(max_examples=300, deadline=None)
@given(many_p_values, st.sampled_from([0.01, 0.05, 0.1, 0.2, 0.5]))
def test_what_is_rejected_lies_between_two_exact_procedures(p: list[float], fdr: float) -> None:
    """All that Benjamini & Hochberg reject at a rate one step smaller, nothing that they do not."""
    found = np.array(rejected(p, fdr))
    assert (found <= exact_rejected(p, fdr * (1 + 1e-9))).all()
    assert (found >= exact_rejected(p, fdr / A_STEP * (1 - 1e-9))).all()


@settings(max_examples=100, deadline=None)
@given(many_p_values)
def test_q_values_lie_between_scipys_and_one_step_above(p: list[float]) -> None:
    q = levels_of(p).q_values[levels(np.log(np.array(p)))]
    exact = false_discovery_control(p)
    assert (q >= exact * (1 - 1e-6)).all()
    assert (q <= np.minimum(1, exact * A_STEP) * (1 + 1e-6)).all()


@settings(max_examples=100, deadline=None)
@given(many_p_values, st.floats(0.001, 0.9))
def test_q_values_and_the_threshold_agree(p: list[float], fdr: float) -> None:
    q = levels_of(p).q_values[levels(np.log(np.array(p)))]
    assert (q <= fdr).tolist() == rejected(p, fdr)


def test_q_values_fall_with_the_level() -> None:
    q = levels_of((np.random.default_rng(0).random(500) ** 3).tolist()).q_values
    assert (np.diff(q) <= 0).all()
    assert q[0] == 1


def test_p_values_that_were_not_counted_have_q_1() -> None:
    counts = np.zeros(LEVELS, np.int64)
    counts[40] = 100
    found = Levels(100, counts, first=32)
    assert (found.q_values[:32] == 1).all()
    assert found.threshold(0.9) == 32
    assert found.q_values[40] == pytest.approx(10 ** (-40 / 16))


def test_nothing_is_rejected_where_nothing_is_small() -> None:
    assert levels_of([0.9, 0.5, 0.3]).threshold(0.1) is None
    assert Levels(0, np.zeros(LEVELS, np.int64), 0).threshold(0.5) is None
    assert Levels(1000, np.zeros(LEVELS, np.int64), 4).threshold(0.5) is None, "not even noted"

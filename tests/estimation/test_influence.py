import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtail_core.estimation import PairsRule, influence, memorization, pairs
from memtail_core.estimation import influence as influence_of
from memtail_core.estimation.influence import reaches
from tests.estimation.oracle import difference_of_means, random_trials


def packed(bits: np.ndarray) -> np.ndarray:
    return np.packbits(bits, axis=1)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    t=st.integers(1, 60),
    n=st.integers(1, 20),
    n_test=st.integers(1, 20),
    ratio=st.sampled_from([0.05, 0.7, 0.97]),
)
def test_every_number_equals_the_brute_force_oracle(
    seed: int, t: int, n: int, n_test: int, ratio: float
) -> None:
    subset, _, correct = random_trials(seed, t, n, n_test, ratio)
    found = influence(packed(subset), packed(correct), np.arange(n), np.arange(n_test))
    for i in range(n):
        for j in range(n_test):
            expected = difference_of_means(subset, correct, i, j)
            np.testing.assert_allclose(found.influence[i, j], expected["estimate"], atol=1e-12)
            np.testing.assert_allclose(
                found.standard_error[i, j], expected["standard_error"], atol=1e-12
            )


def test_influence_of_an_example_on_itself_is_its_memorization() -> None:
    subset, correct, _ = random_trials(1, 200, 30, 1)
    found = influence_of(packed(subset), packed(correct), np.arange(30), np.arange(30))
    scores = memorization(packed(subset), packed(correct), 30)
    np.testing.assert_array_equal(np.diagonal(found.influence), scores.memorization)


def test_rows_and_columns_may_be_any_selection_in_any_order() -> None:
    subset, _, correct = random_trials(2, 90, 50, 33)
    full = influence(packed(subset), packed(correct), np.arange(50), np.arange(33))
    rows, columns = np.array([49, 3, 8, 0]), np.array([32, 7, 31])
    part = influence(packed(subset), packed(correct), rows, columns)
    np.testing.assert_array_equal(part.influence, full.influence[np.ix_(rows, columns)])


@pytest.mark.parametrize("same_class", [True, False])
@pytest.mark.parametrize(("theta_mem", "theta_infl"), [(0.25, 0.15), (-1.0, -1.0), (0.6, 0.4)])
def test_pairs_are_exactly_those_that_the_rule_selects(
    same_class: bool, theta_mem: float, theta_infl: float
) -> None:
    n, n_test = 600, 45  # more rows than a block holds
    subset, train_correct, correct = random_trials(4, 80, n, n_test)
    subset[:, 5] = True  # never held out: missing
    rng = np.random.default_rng(0)
    y_train, y_test = rng.integers(4, size=n), rng.integers(4, size=n_test)
    scores = memorization(packed(subset), packed(train_correct), n).memorization
    found = pairs(
        packed(subset),
        packed(correct),
        scores,
        y_train,
        y_test,
        PairsRule(theta_mem, theta_infl, same_class),
    )
    expected = set()
    for i in range(n):
        if not scores[i] >= theta_mem - 1e-9:
            continue
        for j in range(n_test):
            value = difference_of_means(subset, correct, i, j)["estimate"]
            if value >= theta_infl - 1e-9 and (not same_class or y_train[i] == y_test[j]):
                expected.add((i, j))
    assert expected
    assert set(zip(found.train_index.tolist(), found.test_index.tolist(), strict=True)) == expected
    assert len(found) == len(expected)
    assert 5 not in found.train_index
    assert (np.diff(found.influence) <= 0).all(), "strongest first"
    np.testing.assert_array_equal(found.memorization, scores[found.train_index])
    i, j = int(found.train_index[0]), int(found.test_index[0])
    oracle = difference_of_means(subset, correct, i, j)
    np.testing.assert_allclose(found.influence[0], oracle["estimate"])
    np.testing.assert_allclose(found.standard_error[0], oracle["standard_error"], atol=1e-15)


def test_a_value_equal_to_the_threshold_reaches_it() -> None:
    """98 of 140 less 27 of 60 is 0.25, but 0.7 − 0.45 < 0.25 in floating point."""
    subset = np.arange(200)[:, None] < 140
    correct = (np.arange(200)[:, None] < 98) | (np.arange(200)[:, None] >= 173)
    value = influence(packed(subset), packed(correct), np.array([0]), np.array([0])).influence
    assert value[0, 0] < 0.25
    rule, y = PairsRule(theta_infl=0.25), np.zeros(1, int)
    assert len(pairs(packed(subset), packed(correct), value[0], y, y, rule)) == 1
    barely = PairsRule(theta_infl=0.25001)
    assert len(pairs(packed(subset), packed(correct), value[0], y, y, barely)) == 0
    assert not reaches(np.array([np.nan]), -1.0).any()


def test_thresholds_that_select_nothing_give_no_pairs() -> None:
    subset, train_correct, correct = random_trials(4, 30, 20, 10)
    scores = memorization(packed(subset), packed(train_correct), 20).memorization
    y = np.zeros(20, int)
    found = pairs(packed(subset), packed(correct), scores, y, y[:10], PairsRule(theta_mem=2.0))
    assert len(found) == 0
    assert found.train_index.dtype == np.int64

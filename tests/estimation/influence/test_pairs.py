"""What is listed, and every number of it, against each pair by itself."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

from memtail_core.estimation import memorization
from memtail_core.estimation.influence import Family, PairCounter, PairsRule, find
from tests.estimation.influence.families_of_pairs import (
    CORRECT,
    FAMILIES,
    N_TEST,
    SUBSET,
    TRAIN_CORRECT,
    N,
    T,
    indices_of,
    listed,
    looked_at,
    rows_of,
)
from tests.estimation.influence.oracle import (
    Pair,
    all_pairs,
    evidence,
    exact_influence,
    exact_p,
    packed,
)
from tests.estimation.oracle import random_trials

THETAS, RATES = (-1.0, 0.0, 0.15, 0.3, 2.0), (None, 0.01, 0.1, 0.3, 0.5)


@pytest.mark.parametrize("fdr", RATES)
@pytest.mark.parametrize("theta", THETAS)
@pytest.mark.parametrize("name", FAMILIES)
def test_pairs_are_exactly_those_asked_for_and_every_number_is_theirs(
    counter: PairCounter, name: str, theta: float, fdr: float | None
) -> None:
    trials, family, pairs = looked_at(name)
    found = find(trials, family, theta, fdr, counter=counter)
    expected = {(pair.train, pair.test): (pair, q) for pair, q in listed(pairs, theta, fdr)}
    assert len(found) == len(expected)
    assert found.n_tested == len(pairs)
    assert found.n_found == len(expected)
    z = norm.isf(0.025 * len(expected) / len(pairs)) if expected else 0
    for row in rows_of(found):
        pair, q = expected.pop((int(row["train_index"]), int(row["test_index"])))
        assert row["influence"] == pytest.approx(float(pair.influence), abs=1e-12)
        assert row["standard_error"] == pytest.approx(pair.standard_error, abs=1e-12)
        assert row["p_value"] == pytest.approx(float(pair.p_value), rel=1e-9)
        assert row["q_value"] == pytest.approx(q)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(pair.interval(z))
    assert not expected


def largest(pairs: list[Pair], fdr: float | None) -> float:
    """The largest threshold 10^(−l/16) whose rate is allowed, which is any without a rate."""
    if fdr is None:
        return 1
    p = np.array([float(pair.p_value) for pair in pairs])
    grid = [10 ** (-level / 16) for level in range(4, 1000)]
    return next(t for t in grid if len(p) * t <= fdr * (p <= t * (1 + 1e-9)).sum())


@pytest.mark.parametrize("fdr", RATES)
@pytest.mark.parametrize("theta", THETAS)
def test_as_many_are_expected_by_chance_as_probabilities_add_up_to(
    counter: PairCounter, theta: float, fdr: float | None
) -> None:
    """What could be listed of each pair, were its trials dealt anew."""
    trials, family, pairs = looked_at("one class")
    found = find(trials, family, theta, fdr, counter=counter)
    largest_p = largest(pairs, fdr)
    expected = 0.0
    for pair in pairs:
        kind = pair.n_in, pair.total, T
        low, high = max(0, pair.n_in + pair.total - T), min(pair.n_in, pair.total)
        passing = [
            x
            for x in range(low, high + 1)
            if exact_influence(x, *kind) >= theta - 1e-9 and exact_p(x, *kind) <= largest_p
        ]
        expected += float(exact_p(passing[0], *kind)) if passing else 0.0
    assert found.expected_by_chance == pytest.approx(expected)


def test_the_bar_is_what_a_pair_had_to_reach(counter: PairCounter) -> None:
    trials, family, pairs = looked_at("one class")
    for theta, fdr in ((0.15, None), (0.15, 0.1), (-1.0, 0.3)):
        found = find(trials, family, theta, fdr, counter=counter)
        assert found.threshold is not None
        passing = [
            (pair.train, pair.test)
            for pair in pairs
            if pair.count
            >= found.threshold.least(np.array([pair.n_in]), np.array([pair.total]), T)[0, 0]
        ]
        assert sorted(passing) == sorted(indices_of(found))


def test_where_nothing_is_significant_nothing_is_listed_or_expected(counter: PairCounter) -> None:
    trials, family, pairs = looked_at("one class")
    found = find(trials, family, 0.15, 1e-300, counter=counter)
    assert len(found) == found.n_found == found.expected_by_chance == 0
    assert found.threshold is None
    assert found.n_tested == len(pairs)


def test_harm_is_influence_on_errors(counter: PairCounter) -> None:
    """Trials that get a test example right only without a training example."""
    trials, family, pairs = looked_at("every pair")
    found = find(trials.of_errors(), family, 0.2, counter=counter).of_harm()
    expected = {(pair.train, pair.test): pair for pair in pairs if pair.influence <= -0.2 + 1e-9}
    assert set(indices_of(found)) == expected.keys()
    assert expected
    for row in rows_of(found):
        pair = expected[int(row["train_index"]), int(row["test_index"])]
        assert row["influence"] == pytest.approx(float(pair.influence))
        assert row["standard_error"] == pytest.approx(pair.standard_error)
        interval = pair.interval(norm.isf(0.025 * len(found) / len(pairs)))
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(interval)
        at_most = sum(
            math.comb(pair.total, x) * math.comb(T - pair.total, pair.n_in - x)
            for x in range(pair.count + 1)
            if pair.n_in - x <= T - pair.total
        )
        assert row["p_value"] == pytest.approx(at_most / math.comb(T, pair.n_in))


@pytest.mark.parametrize("fdr", RATES)
def test_the_strongest_come_first_and_equals_by_their_indices(
    counter: PairCounter, fdr: float | None
) -> None:
    trials, family, _ = looked_at("every pair")
    found = find(trials, family, -1, fdr, counter=counter)
    keys = [(-row["influence"], row["train_index"], row["test_index"]) for row in rows_of(found)]
    assert keys == sorted(keys)
    assert any(one[0] == two[0] for one, two in pairwise(keys)), "some are equal"


def test_a_value_equal_to_the_threshold_reaches_it(counter: PairCounter) -> None:
    """98 of 140 less 27 of 60 is 0.25, but 0.7 − 0.45 < 0.25 in floating point."""
    subset = np.arange(200)[:, None] < 140
    correct = (np.arange(200)[:, None] < 98) | (np.arange(200)[:, None] >= 173)
    trials, family = evidence(subset, correct), Family.of(np.arange(1), np.arange(1))
    found = find(trials, family, 0.25, counter=counter)
    assert len(found) == 1
    assert found.influence[0] < 0.25
    assert len(find(trials, family, 0.25001, counter=counter)) == 0


def test_the_papers_rule_selects_memorized_examples_of_the_class(counter: PairCounter) -> None:
    y_train, y_test = np.arange(N) % 4, np.arange(N_TEST) % 4
    scores = memorization(packed(SUBSET), packed(TRAIN_CORRECT), N).memorization
    assert np.isnan(scores[[5, 6]]).all()
    for rule in (PairsRule(), PairsRule(-1.0, -1.0, False), PairsRule(0.6, 0.3)):
        found = find(
            evidence(SUBSET, CORRECT),
            rule.family(scores, y_train, y_test),
            rule.theta_infl,
            rule.fdr,
            counter=counter,
        )
        expected = {
            (pair.train, pair.test)
            for pair in all_pairs(SUBSET, CORRECT, list(range(N)))
            if scores[pair.train] >= rule.theta_mem - 1e-9
            and pair.influence >= rule.theta_infl - 1e-9
            and (not rule.same_class or y_train[pair.train] == y_test[pair.test])
        }
        assert expected
        assert set(indices_of(found)) == expected


def test_thresholds_that_select_nothing_give_no_pairs(counter: PairCounter) -> None:
    trials, family, _ = looked_at("every pair")
    found = find(trials, family, 2.0, counter=counter)
    assert len(found) == 0
    assert found.train_index.dtype == np.int64
    assert found.ci_low.dtype == np.float64


def test_real_influence_is_found_beyond_chance(counter: PairCounter) -> None:
    subset, _, correct = random_trials(0, 400, 60, 40)
    family = Family.of(np.arange(60), np.arange(40))
    found = find(evidence(subset, correct), family, 0.3, 0.01, counter=counter)
    assert len(found) >= 38  # one planted pair per test example
    assert found.expected_by_chance < 0.1
    assert found.p_value.max() < 1e-4

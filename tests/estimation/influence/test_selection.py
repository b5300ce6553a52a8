"""Rates, limits and tiles: what they change of what is listed, and what they must not."""

import numpy as np
import pytest
from scipy.stats import norm

from memtail_core.errors import EstimationError
from memtail_core.estimation.influence import (
    Family,
    PairCounter,
    Pairs,
    find,
    pair_statistics,
    scan,
    select,
)
from memtail_core.estimation.influence.bit_counter import BitCounter
from tests.estimation.influence.families_of_pairs import (
    CORRECT,
    SUBSET,
    T,
    indices_of,
    looked_at,
    rows_of,
)
from tests.estimation.influence.oracle import evidence, exact_p, exact_rejected


def assert_equal(one: Pairs, two: Pairs) -> None:
    for name, value in vars(one).items():
        np.testing.assert_array_equal(value, getattr(two, name), err_msg=name)


@pytest.mark.parametrize("name", ["every pair", "one class", "some"])
def test_q_values_tell_what_each_rate_would_list(counter: PairCounter, name: str) -> None:
    trials, family, _ = looked_at(name)
    every = find(trials, family, -1, counter=counter)
    for fdr in (1e-6, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5):
        found = find(trials, family, -1, fdr, counter=counter)
        expected = every.q_value <= fdr
        assert indices_of(found) == [
            pair for pair, is_in in zip(indices_of(every), expected, strict=True) if is_in
        ]


@pytest.mark.parametrize("fdr", [0.01, 0.05, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("name", ["every pair", "one class", "some"])
def test_what_is_significant_lies_between_two_exact_procedures(
    counter: PairCounter, name: str, fdr: float
) -> None:
    trials, family, pairs = looked_at(name)
    found = find(trials, family, -1, fdr, counter=counter)
    significant = set(indices_of(found))
    p = [float(pair.p_value) for pair in pairs]

    def exact(rate: float) -> set[tuple[int, int]]:
        kept = exact_rejected(p, rate)
        return {(pair.train, pair.test) for pair, is_in in zip(pairs, kept, strict=True) if is_in}

    assert exact(fdr / 1.16) <= significant <= exact(fdr)
    assert significant


@pytest.mark.parametrize(("t", "n_in"), [(5, 2), (20, 2), (30, 3), (100, 1), (100, 10), (200, 2)])
def test_a_p_value_equal_to_a_threshold_is_at_it_for_rates_q_values_and_bars_alike(
    counter: PairCounter, t: int, n_in: int
) -> None:
    """One test example is right in one trial, which has the example: p = n_in / T, as 0.1 or 0.01.

    The other is right in more trials, and not significant. Where only one pair may be listed, a
    second pass looks for it.
    """
    subset = np.arange(t)[:, None] < n_in
    many = max(k for k in range(n_in, t) if exact_p(n_in, n_in, k, t) <= 0.55)
    correct = np.column_stack([np.arange(t) < 1, np.arange(t) < many])
    if t == 5:  # two of two: one way of ten
        correct[1, 0] = True
    trials, family = evidence(subset, correct), Family.of(np.arange(1), np.arange(2))
    p, q = (
        find(trials, family, -1, counter=counter).__dict__[k][0] for k in ("p_value", "q_value")
    )
    assert p == pytest.approx(round(float(p), 3))
    assert 2 * p * (1 - 1e-9) <= q <= 2 * p * 1.16
    for fdr in (q, q * 1.01, q * 1.1):
        for most in (1, 1000):
            found = find(trials, family, -1, fdr, counter=counter, most=most)
            assert indices_of(found) == [(0, 0)]
            assert found.threshold is not None
            least = found.threshold.least(trials.n_in, trials.n_correct[:1], t)
            assert least[0, 0] <= trials.n_correct[0], "all its right trials had the example"
    assert len(find(trials, family, -1, q * 0.99, counter=counter)) == 0


@pytest.mark.parametrize("fdr", [None, 0.1])
@pytest.mark.parametrize(("columns", "pairs"), [(1, 1), (7, 20), (4, 1000), (1000, 100)])
def test_tiles_change_nothing(
    every_counter: PairCounter,
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    pairs: int,
    fdr: float | None,
) -> None:
    trials, family, _ = looked_at("one class")
    expected = find(trials, family, 0.15, fdr, counter=BitCounter(1))
    monkeypatch.setattr(scan, "_COLUMNS", columns)
    monkeypatch.setattr(scan, "_PAIRS", pairs)
    assert len(expected) > 10
    assert_equal(find(trials, family, 0.15, fdr, counter=every_counter), expected)


@pytest.mark.parametrize("fdr", [None, 0.1, 0.3])
def test_a_survey_serves_several_selections(counter: PairCounter, fdr: float | None) -> None:
    trials, family, _ = looked_at("every pair")
    seen = pair_statistics(trials, family, 0.15, counter=counter, n_bins=40)
    assert_equal(
        select(trials, seen, fdr, counter=counter), find(trials, family, 0.15, fdr, counter=counter)
    )


def test_a_survey_of_significant_pairs_serves_only_those(counter: PairCounter) -> None:
    trials, family, _ = looked_at("every pair")
    seen = pair_statistics(trials, family, 0.15, counter=counter, significant=True)
    for fdr in (0.01, 0.3):
        expected = find(trials, family, 0.15, fdr, counter=counter)
        assert_equal(select(trials, seen, fdr, counter=counter), expected)
    with pytest.raises(ValueError, match="say at which fdr"):
        select(trials, seen, counter=counter)


def test_what_was_not_kept_is_looked_for_again(
    every_counter: PairCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More reach the threshold than may be listed, but few of them are significant."""
    monkeypatch.setattr(scan, "_COLUMNS", 4)
    monkeypatch.setattr(scan, "_PAIRS", 20)
    trials, family, _ = looked_at("every pair")
    expected = find(trials, family, 0.1, 0.1, counter=BitCounter(1))
    most = len(expected)
    assert (
        pair_statistics(
            trials, family, 0.1, counter=BitCounter(1), significant=True, most=most
        ).kept
        is None
    )
    assert_equal(find(trials, family, 0.1, 0.1, counter=every_counter, most=most), expected)


def test_the_order_of_the_trials_changes_nothing(counter: PairCounter) -> None:
    _, family, _ = looked_at("one class")
    order = np.random.default_rng(0).permutation(T)
    one = find(evidence(SUBSET, CORRECT), family, 0.1, 0.3, counter=counter)
    two = find(evidence(SUBSET[order], CORRECT[order]), family, 0.1, 0.3, counter=counter)
    assert_equal(one, two)


@pytest.mark.parametrize("fdr", [None, 0.1])
def test_more_pairs_than_may_be_listed_are_refused(counter: PairCounter, fdr: float | None) -> None:
    trials, family, _ = looked_at("one class")
    many = len(find(trials, family, 0.15, fdr, counter=counter))
    assert len(find(trials, family, 0.15, fdr, counter=counter, most=many)) == many
    with pytest.raises(EstimationError, match="ask for more influence"):
        find(trials, family, 0.15, fdr, counter=counter, most=many - 1)


@pytest.mark.parametrize("strongest", [0, 1, 7, 10_000])
def test_only_the_strongest_are_kept_with_intervals_for_so_few(
    counter: PairCounter, strongest: int
) -> None:
    trials, family, pairs = looked_at("one class")
    every = find(trials, family, 0.15, counter=counter)
    found = find(trials, family, 0.15, counter=counter, strongest=strongest)
    for name in ("train_index", "test_index", "influence", "p_value", "q_value"):
        np.testing.assert_array_equal(getattr(found, name), getattr(every, name)[:strongest])
    assert found.expected_by_chance == every.expected_by_chance
    assert found.n_found == len(every)
    by_index = {(pair.train, pair.test): pair for pair in pairs}
    for row in rows_of(found):
        pair = by_index[int(row["train_index"]), int(row["test_index"])]
        interval = pair.interval(norm.isf(0.025 * len(found) / len(pairs)))
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(interval)

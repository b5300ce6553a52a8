"""Agreement, counted with plain sets, by enumeration and by scipy."""

from fractions import Fraction
from itertools import combinations
from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr

from memtail_core.estimation import memorization
from memtail_core.estimation.agreement import agreement, high_pairs, pairs_overlap
from memtail_core.estimation.influence import Family, PairsRule
from memtail_core.estimation.influence.bit_counter import BitCounter
from tests.estimation.influence.oracle import all_pairs, evidence
from tests.estimation.oracle import random_trials

THRESHOLDS = (-1.0, 0.1, 0.25, 0.5, 0.9, 1.1)
score = st.integers(-20, 20).map(lambda k: k / 20) | st.just(float("nan"))
scores_of_both = st.lists(st.tuples(score, score), max_size=30)


def correlated(seed: int, n: int, decimals: int = 1) -> tuple[NDArray, NDArray]:
    rng = np.random.default_rng(seed)
    common = rng.random(n)
    one, other = (np.round(common + 0.2 * rng.standard_normal(n), decimals) for _ in range(2))
    return one, other


@given(scores_of_both)
def test_overlaps_and_differences_are_those_of_sets(pairs: list[tuple[float, float]]) -> None:
    one, other = np.array(pairs, float).reshape(-1, 2).T
    found = agreement(one, other, THRESHOLDS)
    known = [(a, b) for a, b in pairs if not isnan(a) and not isnan(b)]
    assert (found.n_compared, found.n_missing) == (len(known), len(pairs) - len(known))
    for k, threshold in enumerate(THRESHOLDS):
        bar = round(20 * threshold)
        first = {i for i, (a, _) in enumerate(known) if round(20 * a) >= bar}
        second = {i for i, (_, b) in enumerate(known) if round(20 * b) >= bar}
        overlap = found.overlap
        assert overlap.n_one[k] == len(first)
        assert overlap.n_other[k] == len(second)
        assert overlap.n_both[k] == len(first & second)
        union = first | second
        if union:
            assert overlap.jaccard[k] == len(first & second) / len(union)
            apart = [abs(known[i][0] - known[i][1]) for i in union]
            assert found.difference[k] == pytest.approx(sum(apart) / len(union))
        else:
            assert isnan(overlap.jaccard[k])
            assert isnan(found.difference[k])


@pytest.mark.parametrize("decimals", [1, 9])
def test_correlations_are_scipys(decimals: int) -> None:
    one, other = correlated(0, 300, decimals)
    found = agreement(one, other, ())
    assert found.pearson == pytest.approx(pearsonr(one, other).statistic)
    assert found.spearman == pytest.approx(spearmanr(one, other).statistic)
    assert found.overall == pytest.approx(sum(abs(one - other)) / 300)


def test_what_is_missing_in_either_changes_nothing() -> None:
    one, other = correlated(1, 50)
    nothing = np.full(2, np.nan)
    more = agreement(
        np.concatenate([one, nothing, [0.9]]),
        np.concatenate([other, [0.8, 0.9], [np.nan]]),
        THRESHOLDS,
    )
    alone = agreement(one, other, THRESHOLDS)
    assert (more.n_missing, more.n_compared) == (3, 50)
    np.testing.assert_array_equal(more.overlap.jaccard, alone.overlap.jaccard)
    assert (more.pearson, more.spearman, more.top) == (alone.pearson, alone.spearman, alone.top)


def test_nothing_is_said_of_constant_or_no_scores() -> None:
    constant = agreement(np.zeros(30), correlated(2, 30)[0], ())
    assert isnan(constant.pearson)
    assert isnan(constant.spearman)
    none = agreement(np.zeros(0), np.zeros(0), (0.5,))
    assert all(map(isnan, (none.pearson, none.spearman, none.overall, none.top)))
    with pytest.raises(ValueError, match="3 scores cannot be compared with 4"):
        agreement(np.zeros(3), np.zeros(4), ())


def test_the_top_without_ties_is_a_share_of_sets() -> None:
    one, other = correlated(3, 237, decimals=9)
    first, second = (set(np.argsort(-each)[:12].tolist()) for each in (one, other))
    assert agreement(one, other, ()).top == pytest.approx(len(first & second) / 12)  # 11.85 of 237


def test_ties_for_the_top_are_broken_in_every_way() -> None:
    rng = np.random.default_rng(4)
    one, other = rng.integers(0, 6, (2, 47)) / 5  # the highest 3 of 47

    def ways(values: NDArray) -> list[set[int]]:
        last = sorted(values)[-3]
        above = {i for i, value in enumerate(values) if value > last}
        tied = [i for i, value in enumerate(values) if value == last]
        return [above | set(some) for some in combinations(tied, 3 - len(above))]

    shares = [Fraction(len(a & b), 3) for a in ways(one) for b in ways(other)]
    assert len(shares) > 100
    found = agreement(one, other, ()).top
    assert found == pytest.approx(float(sum(shares) / len(shares)))


RULE = PairsRule(theta_mem=0.25)
INFLUENCES = (0.15, 0.2, 0.3, 0.45, 2.0)
N, N_TEST = 60, 50


def two_sides(same_class: bool = True) -> list[tuple]:
    """Two studies with the same planted influence: bits, memorization, labels."""
    rng = np.random.default_rng(0)
    y_train, y_test = rng.integers(3, size=N), rng.integers(3, size=N_TEST)
    subset, train, test = random_trials(5, 160, N, N_TEST)
    sides = []
    for half in (slice(0, 80), slice(80, 160)):
        bits = [np.packbits(each[half], axis=1) for each in (subset, train)]
        scores = memorization(*bits, N).memorization
        sides.append((subset[half], test[half], scores, y_train, y_test))
    return sides


@pytest.mark.parametrize("same_class", [True, False])
def test_pairs_at_every_threshold_are_those_found_one_by_one(same_class: bool) -> None:
    rule = PairsRule(theta_mem=0.25, same_class=same_class)
    found, expected = [], []
    for subset, test, scores, y_train, y_test in two_sides():
        family = rule.family(scores, y_train, y_test)
        found.append(high_pairs(evidence(subset, test), family, INFLUENCES, counter=BitCounter(1)))
        memorized = [i for i in range(N) if scores[i] >= 0.25 - 1e-9]
        labels = (y_train, y_test) if same_class else None
        expected.append(list(all_pairs(subset, test, memorized, labels)))
    overlap = pairs_overlap(found[0], found[1], INFLUENCES)
    assert overlap.n_both[1] > 2
    for k, theta in enumerate(INFLUENCES):
        bar = Fraction(str(theta))
        sets = [{(p.train, p.test) for p in side if p.influence >= bar} for side in expected]
        assert overlap.n_one[k] == len(sets[0])
        assert overlap.n_other[k] == len(sets[1])
        assert overlap.n_both[k] == len(sets[0] & sets[1])
    assert isnan(overlap.jaccard[-1])


def test_where_chance_alone_gives_too_many_the_bar_rises() -> None:
    subset, test, *_ = two_sides()[0]
    trials, family = evidence(subset, test), Family.of(np.arange(N), np.arange(N_TEST))
    everything = high_pairs(trials, family, (0.01, 0.3), counter=BitCounter(1))
    fewer = high_pairs(trials, family, (0.3, 0.01), counter=BitCounter(1), most=500)
    none = high_pairs(trials, family, (0.01, 0.3), counter=BitCounter(1), most=0)
    assert (everything.theta, fewer.theta, none.theta) == (0.01, 0.3, inf)
    kept = everything.influence >= 0.3 - 1e-9
    np.testing.assert_array_equal(fewer.key, everything.key[kept])
    overlap = pairs_overlap(everything, fewer, (0.01, 0.3))
    assert np.isnan(overlap.jaccard).tolist() == [True, False]
    assert overlap.jaccard[1] == 1
    assert np.isnan(pairs_overlap(everything, none, (0.01, 0.3)).n_one).all()


def test_more_than_chance_gives_can_be_too_many_as_well() -> None:
    """40 pairs rest on each other; chance alone would give far fewer than are allowed."""
    rng = np.random.default_rng(0)
    subset = rng.random((200, 40)) < 0.7
    family = Family.of(np.arange(40), np.arange(40))
    found = high_pairs(evidence(subset, subset), family, (0.9,), counter=BitCounter(1), most=39)
    assert (found.theta, len(found.key)) == (inf, 0)
    found = high_pairs(evidence(subset, subset), family, (0.9,), counter=BitCounter(1), most=40)
    assert found.key.tolist() == [41 * k for k in range(40)]

"""Influence by a measure, against loops and scipy's Welch test."""

import numpy as np
import pytest
from scipy.stats import ttest_ind

from memtail_core.errors import EstimationError
from memtail_core.estimation.averaged import Averaged
from memtail_core.estimation.estimator import Observations
from memtail_core.estimation.influence import Family
from memtail_core.estimation.intervals import reaches
from memtail_core.estimation.mean_influence import MeanEvidence, find, pairs_of_permuted
from memtail_core.estimation.measures import ACCURACY, MARGIN, PROBABILITY, Measure

N, N_TEST, T = 60, 45, 70


def simulated(measure: Measure) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Subsets, and outcomes of the training and of the test examples, as they are stored."""
    rng = np.random.default_rng(5)
    subset = rng.random((T, N)) < 0.7
    subset[:, :3] = [[True, False, True]]  # never out, never in
    subset[0, 2] = False  # once out
    rests_on = rng.integers(3, N, N_TEST)
    own = 2.0 * subset + rng.standard_normal((T, N))
    test = 1.5 * subset[:, rests_on] + rng.standard_normal((T, N_TEST))
    if measure is ACCURACY:
        own, test = (1 / (1 + np.exp(-each)) for each in (own, test))
    test[:, 0] = 0.5  # nothing has any influence on it
    return subset, own.astype(np.float16), test.astype(np.float16)


def outcome(measure: Measure, values: np.ndarray) -> np.ndarray:
    whole = values.astype(float)
    return 1 / (1 + np.exp(-whole)) if measure is PROBABILITY else whole


def made(measure: Measure, *, chosen: bool = False) -> tuple[MeanEvidence, Family, np.ndarray]:
    """The evidence, the family of all pairs or of memorized examples, and all influence."""
    subset, own, test = simulated(measure)
    packed = np.packbits(subset, axis=1)
    evidence = MeanEvidence.of(packed, test, N, measure, own if chosen else None)
    seen = Observations(packed, packed, N, np.zeros(N, np.int64), own)
    scores = Averaged(measure).memorization(seen).memorization
    train, above = np.arange(N), None
    if chosen:
        train, above = np.flatnonzero(scores >= measure.theta_mem), scores - measure.theta_mem
    values = outcome(measure, test)
    with np.errstate(invalid="ignore"):
        influence = np.array(
            [
                values[subset[:, i]].mean(axis=0) - values[~subset[:, i]].mean(axis=0)
                if 1 < subset[:, i].sum() < T - 1
                else np.full(N_TEST, np.nan)
                for i in range(N)
            ]
        )
    return evidence, Family.of(train, np.arange(N_TEST), above=above), influence


@pytest.mark.parametrize("measure", [PROBABILITY, MARGIN, ACCURACY], ids=lambda m: m.name)
@pytest.mark.parametrize("harmful", [False, True])
def test_pairs_are_those_of_the_whole_matrix(measure: Measure, harmful: bool) -> None:
    evidence, family, influence = made(measure)
    if harmful:
        evidence, influence = evidence.of_harm(), -influence
    theta = 0.5 * measure.theta_infl
    found = find(evidence, family, theta, n_bins=40, threads=2)
    expected = np.argwhere(influence >= theta)
    pairs = found.pairs
    assert {*zip(pairs.train_index.tolist(), pairs.test_index.tolist(), strict=True)} == {
        *map(tuple, expected.tolist())
    }
    subset, _, test = simulated(measure)
    values = outcome(measure, test)
    for p in range(0, len(pairs), 7):
        i, j = pairs.train_index[p], pairs.test_index[p]
        inside, outside = values[subset[:, i], j], values[~subset[:, i], j]
        welch = ttest_ind(inside, outside, equal_var=False)
        level = 1 - 0.05 * len(pairs) / pairs.n_tested
        low, high = welch.confidence_interval(level)
        if harmful:
            low, high = -high, -low
        assert pairs.influence[p] == pytest.approx(influence[i, j], rel=1e-4, abs=1e-6)
        error = np.sqrt(inside.var(ddof=1) / len(inside) + outside.var(ddof=1) / len(outside))
        assert pairs.standard_error[p] == pytest.approx(error, rel=1e-4)
        if len(outside) < 15:  # intervals are wider: see test_averaged.py
            continue
        assert pairs.ci_low[p] == pytest.approx(low, rel=1e-3, abs=1e-5)
        assert pairs.ci_high[p] == pytest.approx(high, rel=1e-3, abs=1e-5)
    known = influence[~np.isnan(influence)]
    edges = np.linspace(-measure.span, measure.span, 41)
    assert found.tally.sum() == len(known)
    exact = np.histogram(known, edges)[0]
    assert np.abs(np.cumsum(found.tally) - np.cumsum(exact)).max() <= 0.05 * len(known)


def test_p_values_are_those_of_permutations() -> None:
    evidence, family, influence = made(PROBABILITY)
    pairs = find(evidence, family, 0.1).pairs
    values = outcome(PROBABILITY, simulated(PROBABILITY)[2])
    rng = np.random.default_rng(0)
    some = np.flatnonzero((pairs.p_value > 0.002) & (pairs.p_value < 0.2))[::20]
    assert len(some) > 3
    for p in some:
        i, j = pairs.train_index[p], pairs.test_index[p]
        n_in = int(evidence.n_in[i])
        dealt = rng.permuted(np.repeat(values[None, :, j], 20_000, axis=0), axis=1)
        inside = dealt[:, :n_in].mean(axis=1)
        chance = (inside - dealt[:, n_in:].mean(axis=1) >= influence[i, j]).mean()
        error = np.sqrt(chance / 20_000)
        assert pairs.p_value[p] == pytest.approx(chance, abs=5 * error + 0.03 * chance)


def test_significant_pairs_are_some_of_all() -> None:
    for chosen in (False, True):
        evidence, family, influence = made(PROBABILITY, chosen=chosen)
        every = find(evidence, family, 0.05).pairs
        some = find(evidence, family, 0.05, 0.05).pairs
        p = {
            (i, j): each
            for i, j, each in zip(every.train_index, every.test_index, every.p_value, strict=True)
        }
        assert 0 < len(some) < len(every)
        assert (some.q_value <= 0.05).all()
        # Benjamini & Hochberg on a grid of thresholds
        limit = max(p[i, j] for i, j in zip(some.train_index, some.test_index, strict=True))
        assert limit * some.n_tested / sum(each <= limit for each in p.values()) <= 0.05 * 1.16
        assert reaches(influence[some.train_index, some.test_index] + 1e-6, 0.05).all()


def test_what_the_same_trials_chose_is_less_significant() -> None:
    evidence, family, _ = made(PROBABILITY, chosen=True)
    given = find(evidence, family, 0.0).pairs
    other, _, _ = made(PROBABILITY)
    without = find(other, family, 0.0).pairs
    assert (given.train_index == without.train_index).all()
    assert (given.p_value >= without.p_value - 1e-12).all()
    assert (given.p_value > 1.5 * without.p_value).any()
    assert (given.ci_low <= without.ci_low + 1e-9).all()
    np.testing.assert_allclose(given.ci_high, without.ci_high)


def test_permuted_trials_find_what_is_expected_by_chance() -> None:
    evidence, family, _ = made(ACCURACY)
    found = find(evidence, family, 0.1)
    assert found.rule is not None
    counts = pairs_of_permuted(evidence, family, found.rule, range(30))
    error = counts.std(ddof=1) / np.sqrt(len(counts))
    assert counts.mean() == pytest.approx(found.pairs.expected_by_chance, abs=4 * error)
    sure = find(evidence, family, 0.0, 0.05)
    assert sure.rule is not None
    assert len(sure.pairs) > 20
    counts = pairs_of_permuted(evidence, family, sure.rule, range(20))
    assert counts.mean() < sure.pairs.expected_by_chance + 4 * counts.std(ddof=1) / np.sqrt(20)
    assert sure.pairs.expected_by_chance < 0.06 * len(sure.pairs)


def test_too_many_pairs_and_too_few_trials_are_refused() -> None:
    evidence, family, _ = made(ACCURACY)
    with pytest.raises(EstimationError, match="found by chance alone"):
        find(evidence, family, -0.5, most=100)
    subset, _, test = simulated(ACCURACY)
    with pytest.raises(EstimationError, match="3 models: influence on the accuracy takes 4"):
        MeanEvidence.of(np.packbits(subset[:3], axis=1), test[:3], N, ACCURACY)

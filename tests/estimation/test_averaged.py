"""Memorization by a measure, against loops and scipy's Welch test."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t, ttest_ind

from memtail_core.errors import EstimationError
from memtail_core.estimation.averaged import Averaged, by_measure
from memtail_core.estimation.calibrated import CALIBRATED
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.estimator import Estimator, Observations
from memtail_core.estimation.measures import ACCURACY, CORRECTNESS, MARGIN, PROBABILITY, Measure
from tests.estimation import estimator_contract as contract

CONTRACT = (
    contract.arrays_have_one_number_for_each_example,
    contract.counts_are_those_of_the_subsets,
    contract.an_estimate_is_the_difference_of_its_accuracies,
    contract.the_same_trials_give_the_same_bits,
    contract.the_order_of_the_trials_changes_no_bit,
    contract.the_order_of_the_examples_hardly_matters,
    contract.it_changes_nothing_that_it_is_given,
)
"""Of an estimator that needs values, and two trials on each side."""


def observed(subset: np.ndarray, values: np.ndarray) -> Observations:
    packed = np.packbits(subset, axis=1)
    labels = np.zeros(subset.shape[1], np.int64)
    return Observations(packed, packed, subset.shape[1], labels, values.astype(np.float16))


def plain(measure: Measure, values: np.ndarray) -> np.ndarray:
    whole = values.astype(np.float16).astype(float)
    return 1 / (1 + np.exp(-whole)) if measure is PROBABILITY else whole


def expected_interval(inside: np.ndarray, outside: np.ndarray) -> tuple[float, float]:
    """Welch's by scipy; of few trials, from the summary with variances that are at least pooled."""
    sizes = np.array([len(inside), len(outside)])
    variances = np.array([inside.var(ddof=1), outside.var(ddof=1)])
    pooled = (variances * (sizes - 1)).sum() / (sizes.sum() - 2)
    raised = np.where(sizes < 15, np.maximum(variances, pooled), variances)
    if (raised == variances).all():
        welch = ttest_ind(inside, outside, equal_var=False).confidence_interval(0.95)
        return float(welch.low), float(welch.high)
    squared = raised / sizes
    freedom = squared.sum() ** 2 / (squared**2 / (sizes - 1)).sum()
    half = t.ppf(0.975, freedom) * np.sqrt(squared.sum())
    middle = inside.mean() - outside.mean()
    return middle - half, middle + half


@pytest.mark.parametrize("assertion", CONTRACT, ids=lambda each: each.__name__)
def test_contract(assertion: Callable[[Estimator], None]) -> None:
    assertion(Averaged(PROBABILITY))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n_trials=st.integers(1, 70),
    n=st.sampled_from([1, 7, 40, 2100]),
    ratio=st.sampled_from([0.1, 0.5, 0.7]),
    measure=st.sampled_from([PROBABILITY, MARGIN, ACCURACY]),
)
def test_every_number_equals_the_loops_and_scipys(
    seed: int, n_trials: int, n: int, ratio: float, measure: Measure
) -> None:
    rng = np.random.default_rng(seed)
    subset = rng.random((n_trials, n)) < ratio
    values = (
        rng.beta(2, 1, (n_trials, n))
        if measure is ACCURACY
        else 3 * rng.standard_normal((n_trials, n))
    )
    found = Averaged(measure).memorization(observed(subset, values))
    outcome = plain(measure, values)
    for i in rng.choice(n, min(n, 5), replace=False):
        inside, outside = outcome[subset[:, i], i], outcome[~subset[:, i], i]
        assert (found.n_in[i], found.n_out[i]) == (len(inside), len(outside))
        if len(inside):
            np.testing.assert_allclose(found.accuracy_in[i], inside.mean(), rtol=1e-6, atol=1e-7)
        if min(len(inside), len(outside)) < 2:
            assert np.isnan(found.memorization[i])
            assert np.isnan(found.standard_error[i])
            assert np.isnan([found.ci_low[i], found.ci_high[i]]).all()
            continue
        low, high = expected_interval(inside, outside)
        error = np.sqrt(inside.var(ddof=1) / len(inside) + outside.var(ddof=1) / len(outside))
        limit = measure.span
        np.testing.assert_allclose(
            [found.memorization[i], found.standard_error[i], found.ci_low[i], found.ci_high[i]],
            [inside.mean() - outside.mean(), error, max(low, -limit), min(high, limit)],
            rtol=1e-5,
            atol=1e-6,
        )


def test_a_side_that_always_says_the_same_is_given_the_least_and_the_largest() -> None:
    """With bits it is the interval of Agresti & Caffo on that side."""
    subset = np.arange(12)[:, None] < 6
    values = np.array([1.0] * 6 + [0.2, 0.4, 0.3, 0.2, 0.5, 0.1])[:, None]
    found = Averaged(ACCURACY).memorization(observed(subset, values))
    out = values[6:].astype(np.float16).astype(float)
    assert found.standard_error[0] == pytest.approx(np.sqrt(out.var(ddof=1) / 6))
    p = 7 / 8
    a, b = p * (1 - p) / 8, out.var(ddof=1) / 6  # more than the variance of both pooled
    freedom = (a + b) ** 2 / (a**2 / 5 + b**2 / 5)
    width = found.memorization[0] - found.ci_low[0]
    assert width == pytest.approx(t.ppf(0.975, freedom) * np.sqrt(a + b))
    flat = Averaged(ACCURACY).memorization(observed(subset, np.full((12, 1), 0.3)))
    assert flat.standard_error[0] == 0
    assert flat.ci_low[0] < -0.2 < 0.2 < flat.ci_high[0]


def test_probabilities_close_to_one_still_have_a_spread() -> None:
    values = np.array([16.0, 15.0, 14.0, 16.5, 13.0, 12.0, 15.5, 16.0])[:, None]
    subset = np.arange(8)[:, None] % 2 == 0
    found = Averaged(PROBABILITY).memorization(observed(subset, values))
    exact = 1 / (1 + np.exp(-values))
    expected = np.sqrt(exact[::2].var(ddof=1) / 4 + exact[1::2].var(ddof=1) / 4)
    assert found.standard_error[0] == pytest.approx(expected, rel=0.05)


def test_bits_are_counted_and_nothing_else_estimates_by_a_measure() -> None:
    assert by_measure(CORRECTNESS, COUNTED) is COUNTED
    assert by_measure(CORRECTNESS, CALIBRATED) is CALIBRATED
    assert by_measure(MARGIN, COUNTED) == Averaged(MARGIN)
    with pytest.raises(EstimationError, match="calibrated estimates correctness: leave out --mea"):
        by_measure(MARGIN, CALIBRATED)
    with pytest.raises(EstimationError, match="no values beside their bits"):
        Averaged(MARGIN).memorization(contract.observed(6, values=False))

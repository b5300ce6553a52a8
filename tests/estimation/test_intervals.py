"""Coverage: by exact enumeration, and by a simulation through the plan and the estimator."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, norm

from memtail_core.estimation import memorization
from memtail_core.estimation.intervals import agresti_caffo, difference_of_proportions, reaches
from memtail_core.plan import designs
from tests.plan.test_designs import study

COUNTS = [(7, 3), (14, 6), (35, 15), (70, 30), (210, 90)]  # 10 to 300 trials at ratio 0.7


def exact_coverage(n_in: int, n_out: int, p_in: float, p_out: float) -> float:
    """The probability that the interval holds p_in − p_out: a sum over every pair of counts."""
    k_in, k_out = np.meshgrid(np.arange(n_in + 1), np.arange(n_out + 1), indexing="ij")
    low, high = agresti_caffo(k_in, np.array(n_in), k_out, np.array(n_out))
    weights = np.outer(
        binom.pmf(np.arange(n_in + 1), n_in, p_in), binom.pmf(np.arange(n_out + 1), n_out, p_out)
    )
    truth = p_in - p_out
    return float(weights[(low <= truth + 1e-12) & (truth - 1e-12 <= high)].sum())


def grid(kind: str) -> NDArray[np.float64]:
    """Pairs (p_in, p_out): anything, or as they are where memorization lives (p_in near 1)."""
    rng = np.random.default_rng(0)
    if kind == "any":
        return rng.random((300, 2))
    return np.column_stack([1 - 0.2 * rng.beta(0.3, 8, 300), rng.random(300)])


@pytest.mark.parametrize("kind", ["any", "memorized"])
@pytest.mark.parametrize(("n_in", "n_out"), COUNTS)
def test_the_interval_covers_95_percent_on_average(n_in: int, n_out: int, kind: str) -> None:
    coverage = np.array([exact_coverage(n_in, n_out, *p) for p in grid(kind)])
    assert 0.95 <= coverage.mean() <= 0.98
    worst = 0.86 if n_out < 15 else 0.90  # at single points; no interval for so few does better
    assert coverage.min() >= worst


@pytest.mark.parametrize("wrong", [0.05, 1e-3, 1e-5, 1e-7])
@pytest.mark.parametrize("t", [40, 100, 300, 1000])
def test_the_lower_end_is_seldom_too_high_at_any_level(t: int, wrong: float) -> None:
    """Where the largest of many are chosen it is this end that errs; exact, by enumeration."""
    n_in, n_out = round(0.7 * t), t - round(0.7 * t)
    k_in, k_out = np.arange(n_in + 1)[:, None], np.arange(n_out + 1)[None, :]
    z = norm.isf(wrong / 2)
    low, _ = agresti_caffo(k_in, np.array(n_in), k_out, np.array(n_out), z)
    for p_out in (0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99):
        for true in (0, 0.1, 0.3, 0.5, 0.8):
            if p_out + true <= 1:
                weights = binom.pmf(k_in, n_in, p_out + true) * binom.pmf(k_out, n_out, p_out)
                too_high = float(weights[low > true + 1e-12].sum())
                assert too_high <= 1.25 * wrong / 2


@pytest.mark.parametrize("design", ["balanced", "independent"])
@pytest.mark.parametrize("t", [20, 50, 200])
def test_the_interval_covers_through_plan_and_estimator(design: str, t: int) -> None:
    """4,000 examples with known probabilities, trained by coin tosses."""
    n, rng = 4000, np.random.default_rng(t)
    p_in, p_out = 1 - 0.2 * rng.beta(0.3, 8, n), rng.beta(0.5, 0.5, n)
    subset = designs.subsets(study(n, 0.7, design), range(t))
    correct = rng.random((t, n)) < np.where(subset, p_in, p_out)
    found = memorization(np.packbits(subset, axis=1), np.packbits(correct, axis=1), n)
    known = ~np.isnan(found.memorization)
    truth = (p_in - p_out)[known]
    covered = (found.ci_low[known] <= truth) & (truth <= found.ci_high[known])
    assert covered.mean() >= 0.945
    errors = found.memorization[known] - truth
    assert abs(errors.mean()) < 4 * errors.std() / np.sqrt(n), "the estimator has no bias"


@pytest.mark.parametrize("kind", ["any", "memorized"])
def test_the_standard_error_is_the_spread_of_the_estimate(kind: str) -> None:
    rng = np.random.default_rng(1)
    p_in, p_out = grid(kind)[:5].T
    n_in, n_out = np.array(140), np.array(60)
    k_in, k_out = rng.binomial(140, p_in, (20_000, 5)), rng.binomial(60, p_out, (20_000, 5))
    estimate, error = difference_of_proportions(k_in, n_in, k_out, n_out)
    np.testing.assert_allclose((error**2).mean(axis=0), estimate.var(axis=0), rtol=0.05)


def test_the_formula_by_hand() -> None:
    """7 of 10 against 3 of 10, with one success and one failure added to each by hand."""
    low, high = agresti_caffo(np.array(7), np.array(10), np.array(3), np.array(10))
    half = 1.959963984540054 * (2 * (8 / 12) * (4 / 12) / 12) ** 0.5
    assert (low, high) == (pytest.approx(4 / 12 - half), pytest.approx(4 / 12 + half))


def test_agreement_of_all_trials_is_not_certainty() -> None:
    """The plug-in error is 0 there; the interval is not."""
    estimate, error = difference_of_proportions(np.array(7), np.array(7), np.array(0), np.array(3))
    low, high = agresti_caffo(np.array(7), np.array(7), np.array(0), np.array(3))
    assert (estimate, error) == (1, 0)
    assert low < 0.5
    assert high == 1


def test_no_trials_no_interval() -> None:
    zero, some = np.array([0, 3]), np.array([3, 0])
    low, high = agresti_caffo(zero * 0, zero, some * 0, some)
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_a_value_equal_to_a_threshold_reaches_it_and_a_missing_one_does_not() -> None:
    values = np.array([0.7 - 0.45, 0.25, 0.2499, np.nan])
    assert values[0] < 0.25
    assert reaches(values, 0.25).tolist() == [True, True, False, False]
    assert reaches(values, -1.0).tolist() == [True, True, True, False]

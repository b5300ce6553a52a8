"""What calibration is put together from, each against an oracle."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import beta

from memtail_core.estimation.calibrated import kernel_machine
from memtail_core.estimation.calibrated.kernel_machine import _RIDGES, leave_one_out_scores
from memtail_core.estimation.calibrated.shrinkage import fit_prior_strength, shrink
from memtail_core.estimation.calibrated.stacking import fit_stack
from memtail_core.estimation.calibrated.sums import OrderedTrials
from memtail_core.estimation.calibrated.uncertainty import (
    DEFAULT,
    Posterior,
    fit_posterior,
    interval_of_difference,
)
from tests.estimation.calibrated.simulated import simulated


def test_a_trial_taken_out_of_a_tally_leaves_the_others() -> None:
    trials = simulated(6, n=50)
    seen = OrderedTrials.of(trials.inside, trials.correct, trials.margin)
    left = seen.trials(range(6)) - seen.trial(2)
    others = [seen.order[k] for k in range(6) if k != 2]
    squashed = np.arcsinh(trials.margin / (trials.margin[~trials.inside].std() / 2))[others]
    for side, is_there in (
        (left.held_in, trials.inside[others]),
        (left.held_out, ~trials.inside[others]),
    ):
        for i in range(50):
            rows = is_there[:, i]
            assert side.n[i] == rows.sum()
            if rows.sum() == 0:
                assert np.isnan(side.rate[i])
                continue
            assert side.rate[i] == pytest.approx(trials.correct[others][rows, i].mean())
            assert side.mean_margin[i] == pytest.approx(squashed[rows, i].mean())
            if rows.sum() > 1:
                expected = squashed[rows, i].var(ddof=1)
                assert side.variance[i] == pytest.approx(expected, abs=1e-9)


def test_the_kernel_machine_leaves_each_example_out() -> None:
    """The oracle solves the system anew without each example, for every ridge."""
    rng = np.random.default_rng(0)
    x, label = rng.normal(size=(40, 3)).astype(np.float32), rng.integers(3, size=40)
    x /= x.std()
    distance = np.sqrt(((x[:, None] - x[None]) ** 2).sum(2, dtype=np.float64))
    kernel = np.exp(-distance / np.median(distance))
    wanted = np.where(np.arange(3) == label[:, None], 1.0, -1.0)
    scores = {}
    for ridge in _RIDGES:
        found = np.empty((40, 3))
        for i in range(40):
            rest = np.delete(np.arange(40), i)
            system = kernel[np.ix_(rest, rest)] + ridge * np.eye(39)
            found[i] = kernel[i, rest] @ np.linalg.solve(system, wanted[rest])
        scores[ridge] = found
    best = min(_RIDGES, key=lambda ridge: ((scores[ridge] - wanted) ** 2).mean())
    own = scores[best][np.arange(40), label]
    other = np.where(wanted > 0, -np.inf, scores[best]).max(1)
    found = leave_one_out_scores(x, label)
    np.testing.assert_allclose(found[:, 0], own, atol=2e-3)
    np.testing.assert_allclose(found[:, 1], other, atol=2e-3)
    np.testing.assert_allclose(found[:, 2], own - other, atol=4e-3)


@pytest.mark.parametrize(
    ("n", "part"), [(610, 600), pytest.param(6100, 6000, marks=pytest.mark.slow)]
)
def test_the_kernel_machine_deals_many_examples_into_parts(
    n: int, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_machine, "_PART", part)
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=n)
    inputs = (label[:, None] * 2 + rng.normal(size=(n, 2))).astype(np.float32)
    found = leave_one_out_scores(inputs, label)
    assert ((found[:, 2] > 0).mean()) > 0.85
    assert (found == leave_one_out_scores(inputs, label)).all()


@pytest.mark.parametrize("true", [2.0, 20.0])
def test_the_priors_strength_is_found(true: float) -> None:
    rng = np.random.default_rng(0)
    mean = rng.uniform(0.1, 0.9, 40_000)
    p = rng.beta(true * mean, true * (1 - mean))
    n = rng.integers(1, 12, len(p)).astype(float)
    correct = rng.binomial(n.astype(int), p).astype(float)
    found = fit_prior_strength(mean, correct, n, rng.random(len(p)) < p)
    np.testing.assert_allclose(found.trials[1:3], true, rtol=0.3)
    assert (found.of(np.array([0.3, 0.7])) == found.trials[1:3]).all()


def test_models_are_weighed_as_a_penalised_regression_weighs_them() -> None:
    """The oracle minimises the same penalised likelihood, written out, without derivatives."""
    rng = np.random.default_rng(0)
    truth = rng.normal(1, 2, 3000)
    odds = np.stack([0.5 * truth + rng.normal(0, 0.3, 3000), rng.normal(0, 1, 3000)], axis=1)
    correct = rng.random(3000) < expit(truth)

    def loss(weights: NDArray[np.float64]) -> float:
        p = expit(weights[0] + odds @ weights[1:])
        penalty = ((weights - [0, 0.5, 0.5]) ** 2).sum() / (2 * 0.25**2)
        return float(penalty - np.log(np.where(correct, p, 1 - p)).sum())

    found = fit_stack(odds, correct)
    best = minimize(loss, [0, 0.5, 0.5], method="Nelder-Mead", options={"xatol": 1e-6})
    np.testing.assert_allclose(found.weights, best.x, atol=1e-3)
    assert found.weights[1] > 1.5  # what is too near to the usual is stretched
    assert abs(found.weights[2]) < 0.15  # what says nothing has no weight
    np.testing.assert_allclose(found.of(odds), expit(found.weights[0] + odds @ found.weights[1:]))


def test_without_trials_models_are_averaged() -> None:
    odds = np.array([[2.0, 0.0], [-1.0, 3.0]])
    found = fit_stack(odds[:0], np.zeros(0, np.bool_))
    np.testing.assert_allclose(found.of(odds), expit([1.0, 1.0]))


def test_what_is_always_right_stays_finite() -> None:
    odds = np.full((5000, 2), 9.0)
    found = fit_stack(odds, np.ones(5000, np.bool_))
    assert np.isfinite(found.weights).all()
    assert (found.of(odds) > 0.999).all()


def test_a_prediction_that_says_nothing_is_hardly_followed() -> None:
    rng = np.random.default_rng(0)
    p = rng.choice([0.02, 0.98], 20_000)
    n = np.full(len(p), 6.0)
    correct = rng.binomial(6, p).astype(float)
    found = fit_prior_strength(np.full(len(p), 0.5), correct, n, rng.random(len(p)) < p)
    assert found.of(np.array([0.5]))[0] < 0.3


def test_no_estimate_leaves_its_rate_by_much() -> None:
    n = np.array([4.0, 400.0, 40_000.0, 0.0])
    found = shrink(np.full(4, 0.1), 0.9 * n, n, np.full(4, 1e6))
    assert (np.diff(found[:3]) > 0).all()
    assert found[2] == pytest.approx(0.9, abs=2 * np.sqrt(0.09 / 40_000) + 1e-5)
    assert found[3] == 0.1


@pytest.mark.parametrize("kappa", [0.5, 2.0])
def test_how_sure_estimates_are_is_found(kappa: float) -> None:
    rng = np.random.default_rng(0)
    e, n = rng.uniform(0.05, 0.45, 20_000), np.full(20_000, 4.0)
    nu = kappa * (n + 1)
    p = rng.beta(nu * e, nu * (1 - e))
    of = rng.integers(1, 5, len(p)).astype(float)
    found = fit_posterior(e, n, rng.binomial(of.astype(int), p).astype(float), of)
    assert 0.8 * kappa < found.kappa[0] < kappa  # what is not certain makes intervals wider
    low, high = found.interval(e, n)
    assert ((low <= p) & (p <= high)).mean() == pytest.approx(0.955, abs=0.015)
    spread = np.sqrt(found.variance(e, n).mean())
    assert spread == pytest.approx(np.sqrt(((p - e) ** 2).mean()), rel=0.12)


def test_one_left_out_trial_tells_nothing_of_certainty() -> None:
    e = np.full(1000, 0.3)
    found = fit_posterior(e, np.full(1000, 3.0), np.ones(1000), np.ones(1000))
    assert (found.kappa == DEFAULT.kappa).all()


def test_the_interval_of_a_rate_is_that_of_the_beta_distribution() -> None:
    low, high = Posterior(np.ones(4)).interval(np.array([0.3]), np.array([9.0]))
    assert (low[0], high[0]) == pytest.approx(beta(3, 7).interval(0.95))


def test_an_end_where_the_density_has_a_pole_is_part_of_the_interval() -> None:
    sure = Posterior(np.ones(4))
    estimate = np.array([0.02, 0.98, 0.5])
    low, high = sure.interval(estimate, np.array([9.0, 9.0, 0.0]))
    assert low[0] == low[2] == 0
    assert high[1] == high[2] == 1
    assert high[0] == pytest.approx(beta(0.2, 9.8).ppf(0.95))
    assert low[1] == pytest.approx(beta(9.8, 0.2).ppf(0.05))


def test_the_interval_of_a_difference_by_hand() -> None:
    one, other = np.array([0.9]), np.array([0.4])
    low, high = interval_of_difference(
        (one, other), (np.array([0.8]), np.array([0.1])), (np.array([1.0]), np.array([0.8]))
    )
    assert low[0] == pytest.approx(0.5 - np.hypot(0.1, 0.4))
    assert high[0] == pytest.approx(0.5 + np.hypot(0.1, 0.3))

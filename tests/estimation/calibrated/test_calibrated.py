"""Calibrated estimates, where the truth is known: better with few trials, the same with many."""

from dataclasses import fields
from functools import lru_cache

import numpy as np
import pytest

from memtail_core.estimation.calibrated import CalibratedMemorization, calibrated_memorization
from tests.estimation.calibrated.simulated import Simulated, simulated

MANY = pytest.mark.slow  # 80 trials take as long as all others together
EVERY = [field.name for field in fields(CalibratedMemorization)]


@lru_cache
def of(n_trials: int) -> tuple[Simulated, CalibratedMemorization]:
    trials = simulated(n_trials)
    return trials, trials.estimate()


@pytest.mark.parametrize(
    ("n_trials", "factor"), [(2, 0.6), (5, 0.7), (20, 0.85), pytest.param(80, 1.0, marks=MANY)]
)
def test_it_errs_less_than_counting(n_trials: int, factor: float) -> None:
    trials, found = of(n_trials)
    assert trials.error(found.memorization) < factor * trials.error(trials.plain())


def test_one_trial_alone_says_much() -> None:
    trials, found = of(1)
    assert np.corrcoef(found.memorization, trials.truth)[0, 1] > 0.75


@pytest.mark.parametrize("n_trials", [1, 2, 5, 20, pytest.param(80, marks=MANY)])
def test_the_intervals_hold_as_often_as_they_say(n_trials: int) -> None:
    trials, found = of(n_trials)
    holds = (found.ci_low <= trials.truth) & (trials.truth <= found.ci_high)
    assert holds.mean() > (0.93 if n_trials > 1 else 0.9)  # one alone rests on an assumption
    high = found.memorization >= 0.25
    assert high.sum() > 100
    assert 0.89 < holds[high].mean() <= 1


@pytest.mark.parametrize("n_trials", [5, 20, pytest.param(80, marks=MANY)])
def test_the_standard_error_is_the_size_of_the_error(n_trials: int) -> None:
    trials, found = of(n_trials)
    said = np.sqrt((found.standard_error**2).mean())
    assert 0.75 < said / trials.error(found.memorization) < 1.35


@pytest.mark.parametrize("n_trials", [1, 2, 5, pytest.param(80, marks=MANY)])
def test_every_number_is_there_and_possible(n_trials: int) -> None:
    _, found = of(n_trials)
    for name in EVERY:
        assert np.isfinite(getattr(found, name)).all(), name
        assert getattr(found, name).dtype == (np.int64 if name.startswith("n_") else np.float64)
    assert (found.ci_low <= found.memorization).all()
    assert (found.memorization <= found.ci_high).all()
    assert (np.abs(found.memorization) <= 1).all()
    np.testing.assert_allclose(found.memorization, found.accuracy_in - found.accuracy_out)


@pytest.mark.slow
def test_with_many_trials_it_is_the_papers_estimate() -> None:
    """No further from it than two of its standard errors on each side, which go to 0."""
    trials, found = of(80)
    n_in, n_out = trials.inside.sum(0), (~trials.inside).sum(0)
    for estimate, right, n in (
        (found.accuracy_in, (trials.inside & trials.correct).sum(0), n_in),
        (found.accuracy_out, (~trials.inside & trials.correct).sum(0), n_out),
    ):
        smooth = (right + 1) / (n + 2)
        assert (np.abs(estimate - right / n) <= 2 * np.sqrt(smooth * (1 - smooth) / n) + 1e-9).all()
    assert found.weight.mean() > of(5)[1].weight.mean()


def test_the_order_of_the_trials_does_not_change_a_bit() -> None:
    trials = simulated(7, n=300)
    other = trials.reordered(np.random.default_rng(1).permutation(7))
    one, two = trials.estimate(), other.estimate()
    for name in EVERY:
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes(), name


@pytest.mark.slow
def test_features_that_say_nothing_gain_nothing_and_cost_little() -> None:
    """Features of other examples: no better than none, for then something would have leaked."""
    trials, found = of(10)
    shuffled = np.random.default_rng(2).permutation(len(trials.label))
    index, distance = trials.neighbours
    wrong = trials.estimate(
        clues=trials.clues[shuffled], neighbours=(index[shuffled], distance[shuffled])
    )
    without = trials.estimate(clues=None, neighbours=None)
    ratio = trials.error(wrong.memorization) / trials.error(without.memorization)
    assert 0.97 < ratio < 1.05
    right = trials.error(found.memorization)
    assert right < 0.95 * trials.error(without.memorization)


@pytest.mark.slow
def test_luck_is_not_taken_for_memorization() -> None:
    """All examples are alike: whatever differs between them is chance, and is drawn in."""
    trials, rng = of(10)[0], np.random.default_rng(3)
    margin = np.where(trials.inside, 2.5, 0.5) + rng.normal(0, 1, trials.margin.shape)
    found = calibrated_memorization(
        trials.inside, margin > 0, trials.label, margin=margin, neighbours=trials.neighbours
    )
    counted = Simulated(**(vars(trials) | {"correct": margin > 0})).plain()
    assert found.memorization.std() < 0.35 * counted.std()
    fresh = np.where(rng.random(len(counted)) < 0.69, 1.0, 0.0)  # another trial, no example better
    assert abs(np.corrcoef(found.accuracy_out, fresh)[0, 1]) < 0.1


@pytest.mark.parametrize("n_trials", [1, 6])
def test_it_makes_do_with_bits_alone(n_trials: int) -> None:
    trials = simulated(n_trials, n=400)
    found = trials.estimate(margin=None, neighbours=None, clues=None)
    assert np.isfinite(found.memorization).all()
    if n_trials > 1:
        assert trials.error(found.memorization) < trials.error(trials.plain())


def test_few_examples_and_neighbours_that_are_not_there() -> None:
    rng = np.random.default_rng(0)
    inside = np.array([[1, 1, 1, 0], [1, 1, 0, 1], [1, 0, 1, 1]], bool)  # one was never held out
    index = np.array([[1, -1], [0, 2], [1, -1], [-1, -1]])
    found = calibrated_memorization(
        inside,
        rng.random((3, 4)) < 0.5,
        np.array([0, 0, 1, 1]),
        margin=rng.normal(size=(3, 4)),
        neighbours=(index, np.where(index < 0, np.nan, 1.0)),
    )
    for name in EVERY:
        assert np.isfinite(getattr(found, name)).all(), name

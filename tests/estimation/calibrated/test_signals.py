"""Signals of recorded trials: what they are worth, and that none is used where it would leak."""

from dataclasses import fields

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata

from memtail_core.estimation.calibrated import CalibratedMemorization
from memtail_core.estimation.estimator import Signals
from tests.estimation.calibrated.simulated import Simulated, simulated

EVERY = [field.name for field in fields(CalibratedMemorization)]


def ranked(value: NDArray[np.float64]) -> NDArray[np.float32]:
    ranks = (rankdata(value, axis=-1) - 0.5) / value.shape[-1]
    return ranks.astype(np.float32)[..., None]


def telling(trials: Simulated, noise: float) -> Signals:
    """Each trial's noisy look at the truth, as curves and gradients give it."""
    rng = np.random.default_rng(5)
    shape = trials.inside.shape
    return Signals(np.arange(shape[0]), ranked(trials.truth + rng.normal(0, noise, shape)))


def test_signals_that_tell_make_the_error_smaller() -> None:
    trials = simulated(5)
    without = trials.estimate()
    found = trials.estimate(signals=telling(trials, 0.3))
    assert trials.error(found.memorization) < 0.9 * trials.error(without.memorization)
    holds = (found.ci_low <= trials.truth) & (trials.truth <= found.ci_high)
    assert holds.mean() > 0.93
    assert holds[found.memorization >= 0.25].mean() > 0.89


@pytest.mark.slow
def test_a_part_of_the_trials_may_be_recorded() -> None:
    trials = simulated(5)
    every = telling(trials, 0.1)
    some = Signals(every.trial[3:], every.value[3:])
    errors = [
        trials.error(trials.estimate(signals=each).memorization) for each in (every, some, None)
    ]
    assert errors[0] < errors[1] < errors[2]


@pytest.mark.slow
def test_what_a_trial_shows_of_its_own_outcome_is_not_taken_for_knowledge() -> None:
    """The signal is the very outcome: worth no more than the outcomes, and intervals hold."""
    trials = simulated(10)
    leaking = Signals(np.arange(10), ranked(trials.margin))
    without, found = trials.estimate(), trials.estimate(signals=leaking)
    ratio = trials.error(found.memorization) / trials.error(without.memorization)
    assert 0.9 < ratio < 1.05
    holds = (found.ci_low <= trials.truth) & (trials.truth <= found.ci_high)
    assert holds.mean() > 0.93


def test_one_trial_alone_makes_no_use_of_signals() -> None:
    trials = simulated(1, n=300)
    one, two = trials.estimate(), trials.estimate(signals=telling(trials, 0.1))
    for name in EVERY:
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes(), name


def test_the_order_of_the_trials_does_not_change_a_bit() -> None:
    trials = simulated(6, n=300)
    signals = telling(trials, 0.3)
    order = np.random.default_rng(1).permutation(6)
    other = Signals(np.argsort(order)[[4, 2, 0, 1, 3]], signals.value[[4, 2, 0, 1, 3]])
    some = Signals(np.arange(5), signals.value[:5])
    one, two = trials.estimate(signals=some), trials.reordered(order).estimate(signals=other)
    for name in EVERY:
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes(), name


@pytest.mark.parametrize(
    ("stored", "rows"), [([0, 1, 2, 3], [0, 2]), ([2, 3, 7], [0]), ([4, 5], [])]
)
def test_signals_follow_their_trials(stored: list[int], rows: list[int]) -> None:
    value = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
    found = Signals(np.array([0, 2]), value).among(np.array(stored, np.int64))
    assert found.trial.tolist() == rows
    kept = [i for i, trial in enumerate((0, 2)) if trial in stored]
    assert found.value.tolist() == value[kept].tolist()

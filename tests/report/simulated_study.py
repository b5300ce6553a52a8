"""A study as large as wanted, of made-up trials of drawn digits, in a second."""

import numpy as np

from memtail_core.preparation import prepare
from memtail_core.report import Analysis, analyse
from memtail_core.trials import Trials
from tests.conftest import digits
from tests.report.simulated_exploration import simulated


def simulated_analysis(n: int, n_test: int, trials: int = 200, seed: int = 0) -> Analysis:
    """Make it up: one in eight is odd, more or less, and most odd ones support a test example."""
    chance = np.random.default_rng(seed)
    dataset = simulated(n, n_test, seed=seed).dataset
    inside = np.zeros((trials, n), bool)
    for row in inside:
        row[chance.permutation(n)[: round(0.7 * n)]] = True
    odd = chance.beta(0.5, 0.6, n) * (chance.random(n) < 0.13)
    right = chance.random((trials, n)) < np.where(inside, 0.995, 1 - odd)
    rests = np.repeat(chance.beta(9, 0.4, n_test)[None], trials, axis=0)
    for i in np.flatnonzero(odd > 0.3).tolist():
        same = np.flatnonzero(dataset.y_test == dataset.y_train[i])
        j = same[chance.integers(len(same))]
        rests[:, j] = np.where(inside[:, i], 0.97, 1 - odd[i])
    test_right = chance.random((trials, n_test)) < rests
    study, _ = prepare(digits(study={"name": "simulated"}))
    made = Trials(
        n=n,
        n_test=n_test,
        subset=np.packbits(inside, axis=1),
        train_correct=np.packbits(right, axis=1),
        test_correct=np.packbits(test_right, axis=1),
        train_margin=None,
        test_margin=None,
        trials=np.arange(trials),
        seconds=np.full(trials, 0.5),
        about=({"torch": "simulated"},),
    )
    return analyse(study, dataset, made)

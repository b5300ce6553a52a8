import numpy as np
import pytest

from memtail_core.estimation.influence import PairCounter, by_class, influence
from tests.estimation.influence.oracle import all_pairs, evidence
from tests.estimation.oracle import difference_of_means, random_trials


@pytest.mark.parametrize("t", [5, 64, 65, 300])
def test_means_of_every_pair_of_two_classes(t: int) -> None:
    subset, _, correct = random_trials(t, t, 40, 30)
    subset[:, 3], subset[:, 11] = True, False
    correct[:, 0], correct[:, 7] = True, False  # an influence of 0 is one to average
    rng = np.random.default_rng(0)
    y_train, y_test = rng.integers(4, size=40), rng.integers(4, size=30)
    found = by_class(evidence(subset, correct), y_train, y_test, 4)
    for a in range(4):
        for b in range(4):
            values = [
                difference_of_means(subset, correct, i, j)["estimate"]
                for i in np.flatnonzero(y_train == a).tolist()
                for j in np.flatnonzero(y_test == b).tolist()
            ]
            np.testing.assert_allclose(found[a, b], np.nanmean(values), atol=1e-12)


def test_a_class_of_which_nothing_can_be_said_is_missing() -> None:
    subset, _, correct = random_trials(0, 50, 10, 9)
    y_train, y_test = np.array([0] * 4 + [1] * 4 + [2] * 2), np.array([0] * 5 + [2] * 4)
    subset[:, 4:8] = True
    found = by_class(evidence(subset, correct), y_train, y_test, 4)
    expected = np.ones((4, 4), bool)
    expected[np.ix_([0, 2], [0, 2])] = False
    np.testing.assert_array_equal(np.isnan(found), expected)


def test_one_class_is_the_mean_of_all(counter: PairCounter) -> None:
    subset, _, correct = random_trials(1, 77, 30, 20)
    trials = evidence(subset, correct)
    every = influence(trials, np.arange(30), np.arange(20), counter=counter).influence
    (found,) = by_class(trials, np.zeros(30, int), np.zeros(20, int), 1)[0]
    assert found == pytest.approx(every.mean())
    values = [float(pair.influence) for pair in all_pairs(subset, correct, list(range(30)))]
    assert found == pytest.approx(sum(values) / (30 * 20))

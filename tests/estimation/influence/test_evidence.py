import numpy as np
import pytest

from memtail_core.errors import EstimationError
from memtail_core.estimation.influence import Evidence
from memtail_core.estimation.influence import evidence as module
from tests.estimation.influence.oracle import evidence
from tests.estimation.oracle import difference_of_means, random_trials


def test_what_is_estimable_and_what_varies() -> None:
    subset = np.array([[1, 0, 1, 0], [1, 0, 0, 1]], bool)
    correct = np.array([[1, 0, 1], [1, 0, 0]], bool)
    found = evidence(subset, correct)
    assert found.trials == 2
    assert found.n_in.tolist() == [2, 0, 1, 1]
    assert found.n_correct.tolist() == [2, 0, 1]
    assert found.is_estimable.tolist() == [False, False, True, True]
    assert found.varies.tolist() == [False, False, True]


def test_counts_become_influence_and_its_error() -> None:
    subset, _, correct = random_trials(0, 50, 6, 5)
    subset[:, 2], subset[:, 3] = True, False
    counts = subset.T.astype(int) @ correct
    rows, columns = np.arange(6)[:, None], np.arange(5)[None, :]
    values, errors = evidence(subset, correct).estimate(counts, rows, columns)
    for i in range(6):
        for j in range(5):
            expected = difference_of_means(subset, correct, i, j)
            np.testing.assert_allclose(values[i, j], expected["estimate"], atol=1e-12)
            np.testing.assert_allclose(errors[i, j], expected["standard_error"], atol=1e-12)
    assert np.isnan(values[2:4]).all(), "never out, never in: missing, not zero"


def test_of_errors_every_influence_has_the_opposite_sign() -> None:
    subset, _, correct = random_trials(0, 77, 6, 9)
    found, expected = evidence(subset, correct).of_errors(), evidence(subset, ~correct)
    np.testing.assert_array_equal(found.correct.words, expected.correct.words)
    np.testing.assert_array_equal(found.members.words, expected.members.words)


def test_no_trials_are_no_evidence() -> None:
    with pytest.raises(EstimationError, match="0 trials"):
        Evidence.of(np.zeros((0, 1), np.uint8), np.zeros((0, 1), np.uint8), 8, 8)


def test_more_trials_than_can_be_counted_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_TRIALS", 10)
    one = np.zeros((10, 1), np.uint8)
    with pytest.raises(EstimationError, match="10 trials"):
        Evidence.of(one, one, 8, 8)
    assert Evidence.of(one[:9], one[:9], 8, 8).trials == 9

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtail_core.estimation import memorization
from memtail_core.estimation.influence import Evidence, PairCounter, influence, write_matrix
from memtail_core.estimation.influence.bit_counter import BitCounter
from tests.estimation.influence.oracle import evidence, packed
from tests.estimation.oracle import difference_of_means, random_trials

module = import_module("memtail_core.estimation.influence.matrix")


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    t=st.integers(1, 60),
    n=st.integers(1, 20),
    n_test=st.integers(1, 20),
    ratio=st.sampled_from([0.05, 0.7, 0.97]),
)
def test_every_number_equals_the_brute_force_oracle(
    seed: int, t: int, n: int, n_test: int, ratio: float
) -> None:
    subset, _, correct = random_trials(seed, t, n, n_test, ratio)
    trials = evidence(subset, correct)
    found = influence(trials, np.arange(n), np.arange(n_test), counter=BitCounter(1))
    for i in range(n):
        for j in range(n_test):
            expected = difference_of_means(subset, correct, i, j)
            np.testing.assert_allclose(found.influence[i, j], expected["estimate"], atol=1e-12)
            np.testing.assert_allclose(
                found.standard_error[i, j], expected["standard_error"], atol=1e-12
            )


def test_influence_of_an_example_on_itself_is_its_memorization(every_counter: PairCounter) -> None:
    subset, correct, _ = random_trials(1, 200, 30, 1)
    subset[:, 4] = True
    trials = evidence(subset, correct)
    found = influence(trials, np.arange(30), np.arange(30), counter=every_counter)
    scores = memorization(packed(subset), packed(correct), 30)
    np.testing.assert_array_equal(np.diagonal(found.influence), scores.memorization)
    np.testing.assert_array_equal(np.diagonal(found.standard_error), scores.standard_error)


def test_rows_and_columns_may_be_any_selection_in_any_order(every_counter: PairCounter) -> None:
    subset, _, correct = random_trials(2, 90, 50, 33)
    trials = evidence(subset, correct)
    full = influence(trials, np.arange(50), np.arange(33), counter=every_counter)
    rows, columns = np.array([49, 3, 8, 0, 3]), np.array([32, 7, 31])
    part = influence(trials, rows, columns, counter=every_counter)
    np.testing.assert_array_equal(part.influence, full.influence[np.ix_(rows, columns)])
    np.testing.assert_array_equal(part.standard_error, full.standard_error[np.ix_(rows, columns)])


@pytest.mark.parametrize(("n", "n_test"), [(0, 7), (7, 0), (0, 0)])
def test_nothing_asked_for_is_nothing_found(
    every_counter: PairCounter, n: int, n_test: int
) -> None:
    subset, _, correct = random_trials(2, 90, 9, 9)
    found = influence(
        evidence(subset, correct), np.arange(n), np.arange(n_test), counter=every_counter
    )
    assert found.influence.shape == found.standard_error.shape == (n, n_test)


@pytest.fixture
def trials() -> Evidence:
    subset, _, correct = random_trials(3, 90, 50, 33)
    subset[:, 4], subset[:, 9] = True, False
    return evidence(subset, correct)


@pytest.mark.parametrize("at_once", [1, 100, 2**22])
def test_what_is_written_opens_without_being_read(
    every_counter: PairCounter,
    trials: Evidence,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    monkeypatch.setattr(module, "_PAIRS", at_once)
    rows, columns = np.array([49, 4, 8, 9, 0, 30]), np.array([32, 7, 31])
    told: list[int] = []
    path = tmp_path / "influence.npy"
    write_matrix(path, trials, rows, columns, counter=every_counter, progress=told.append)
    found = np.load(path, mmap_mode="r")
    assert isinstance(found, np.memmap)
    assert found.dtype == np.float32
    expected = influence(trials, rows, columns, counter=every_counter).influence
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    assert np.isnan(found).all(axis=1).tolist() == [False, True, False, True, False, False]
    assert sum(told) == 18
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interruption_leaves_nothing_behind(
    counter: PairCounter,
    trials: Evidence,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
) -> None:
    monkeypatch.setattr(module, "_PAIRS", 100)

    def interrupted(pairs: int) -> None:
        raise error

    path = tmp_path / "influence.npy"
    every = np.arange(50), np.arange(33)
    with pytest.raises(error):
        write_matrix(path, trials, *every, counter=counter, progress=interrupted)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_what_was_there_before(
    counter: PairCounter, trials: Evidence, tmp_path: Path
) -> None:
    path = tmp_path / "influence.npy"
    path.write_text("an earlier one")

    def interrupted(pairs: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_matrix(
            path, trials, np.arange(50), np.arange(33), counter=counter, progress=interrupted
        )
    assert path.read_text() == "an earlier one"
    write_matrix(path, trials, np.arange(50), np.arange(33), counter=counter)
    assert np.load(path).shape == (50, 33)

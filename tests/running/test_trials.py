"""Trials as arrays."""

from dataclasses import replace

import numpy as np
import pytest

from memtail_core.errors import EstimationError
from memtail_core.estimation.measures import CORRECTNESS, PROBABILITY
from memtail_core.running import loading, matrices
from memtail_core.running.trials import Trials
from tests.conftest import Trained


def made(subset: np.ndarray, train: np.ndarray, test: np.ndarray) -> Trials:
    packed = [np.packbits(bits, axis=1) for bits in (subset, train, test)]
    t = len(subset)
    return Trials(
        n=subset.shape[1],
        n_test=test.shape[1],
        subset=packed[0],
        train_correct=packed[1],
        test_correct=packed[2],
        train_values=None,
        test_values=None,
        trials=np.arange(t),
        seconds=np.ones(t),
        about=({"study": "made"},),
    )


def test_accuracies_are_held_in_held_out_and_test() -> None:
    subset = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 1, 1]], bool)
    train = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 1, 1]], bool)
    test = np.array([[1, 0, 0, 0], [1, 1, 1, 0]], bool)
    accuracies = made(subset, train, test).accuracies()
    assert accuracies.held_in.tolist() == [0.5, 1.0]
    assert accuracies.held_out.tolist() == [pytest.approx(2 / 3), 0.0]
    assert accuracies.test.tolist() == [0.25, 0.75]


def test_parts_join_in_order_and_with_each_provenance_once(trained: Trained) -> None:
    whole = trained.trials
    parts = [whole.taken(np.arange(first, first + 10)) for first in range(0, 40, 10)]
    joined = Trials.joined(parts)
    assert joined.trials.tolist() == list(range(40))
    assert joined.subset.tobytes() == whole.subset.tobytes()
    assert joined.about == whole.about
    other = replace(parts[0], about=({"study": "other"},))
    assert Trials.joined([other, *parts]).about == ({"study": "other"}, *whole.about)


def test_values_are_joined_only_if_every_part_has_them(trained: Trained) -> None:
    part = trained.trials.taken(np.arange(2))
    values = np.ones((2, part.n), np.float16), np.ones((2, part.n_test), np.float16)
    full = replace(part, train_values=values[0], test_values=values[1])
    both = Trials.joined([full, full])
    assert both.train_values is not None
    assert both.train_values.shape == (4, part.n)
    assert Trials.joined([full, part]).train_values is None
    assert full.without_values().test_values is None


def test_blocks_of_a_measure_are_parts_of_the_whole(trained: Trained) -> None:
    trials, _ = loading.load(trained.store, trained.study, values=True)
    for measure in (CORRECTNESS, PROBABILITY):
        for whole, block, n in (
            (matrices.outcomes, matrices.outcomes_block, trials.n_test),
            (matrices.own_outcomes, matrices.own_outcomes_block, trials.n),
        ):
            parts = [block(trials, measure, start, 64) for start in range(0, n, 64)]
            assert all(part.dtype == np.float32 for part in parts)
            np.testing.assert_array_equal(
                np.concatenate(parts, axis=1), whole(trials, measure.name)
            )
    with pytest.raises(EstimationError):
        matrices.outcomes_block(trials.without_values(), PROBABILITY, 0, 8)

from fractions import Fraction
from importlib import import_module
from typing import Literal

import numpy as np
import pytest

from memtail_core.estimation.influence import Evidence, PairCounter, strongest_partners
from tests.estimation.influence.oracle import Bools, Pair, all_pairs, evidence, exact_influence
from tests.estimation.oracle import random_trials

N, N_TEST = 40, 30
Which = Literal["test", "train"]
BOTH = pytest.mark.parametrize("of", ["test", "train"])
module = import_module("memtail_core.estimation.influence.partners")


def tossed(t: int) -> tuple[Bools, Bools]:
    subset, _, correct = random_trials(t, t, N, N_TEST)
    subset[:, 3], subset[:, 11] = True, False  # no estimate
    correct[:, 0], correct[:, 7] = True, False  # nothing has influence on them
    return subset, correct


def partners(subset: Bools, correct: Bools, of: Which) -> dict[int, list[Pair]]:
    """The pairs of each example by falling influence, then by the partner's index."""
    found: dict[int, list[Pair]] = {}
    for pair in all_pairs(subset, correct, list(range(subset.shape[1]))):
        found.setdefault(getattr(pair, of), []).append(pair)
    other = "train" if of == "test" else "test"
    for each in found.values():
        each.sort(key=lambda pair: (-pair.influence, getattr(pair, other)))
    return found


def examples(of: Which) -> np.ndarray:
    return np.random.default_rng(0).permutation(N_TEST if of == "test" else N)


@BOTH
@pytest.mark.parametrize("t", [12, 90])
@pytest.mark.parametrize("k", [1, 5, 20, 45])
def test_the_strongest_partners_of_each_example(
    every_counter: PairCounter, of: Which, t: int, k: int
) -> None:
    """With 12 trials nearly all influences are equal to others; 45 are more than there are."""
    subset, correct = tossed(t)
    found = strongest_partners(
        evidence(subset, correct), examples(of), k, of, counter=every_counter
    )
    expected = partners(subset, correct, of)
    assert found.example.tolist() == [e for e in examples(of).tolist() if e in expected]
    assert found.partner.shape == found.influence.shape == (len(expected), k)
    other = "train" if of == "test" else "test"
    for row, example in enumerate(found.example.tolist()):
        pairs = expected[example][:k]
        there = len(pairs)
        assert found.partner[row, :there].tolist() == [getattr(pair, other) for pair in pairs]
        np.testing.assert_allclose(
            found.influence[row, :there], [float(pair.influence) for pair in pairs], atol=1e-12
        )
        np.testing.assert_allclose(
            found.standard_error[row, :there], [pair.standard_error for pair in pairs], atol=1e-12
        )
        assert (found.partner[row, there:] == -1).all()
        assert np.isnan(found.influence[row, there:]).all()
        assert np.isnan(found.standard_error[row, there:]).all()


def test_examples_of_which_nothing_can_be_said_are_left_out(counter: PairCounter) -> None:
    trials = evidence(*tossed(90))
    found = strongest_partners(trials, np.array([11, 4, 3]), 2, "train", counter=counter)
    assert found.example.tolist() == [4]
    found = strongest_partners(trials, np.array([0, 7, 9]), 2, "test", counter=counter)
    assert found.example.tolist() == [9]
    assert not {3, 11} & set(found.partner.ravel().tolist())


@BOTH
def test_the_least_influence_is_the_most_on_errors(counter: PairCounter, of: Which) -> None:
    subset, correct = tossed(90)
    trials = evidence(subset, correct).of_errors()
    found = strongest_partners(trials, examples(of), 4, of, counter=counter).of_harm()
    expected = partners(subset, correct, of)
    for row, example in enumerate(found.example.tolist()):
        least = sorted(pair.influence for pair in expected[example])[:4]
        np.testing.assert_allclose(found.influence[row], [float(v) for v in least], atol=1e-12)


@BOTH
@pytest.mark.parametrize(("columns", "pairs"), [(1, 1), (7, 20), (1000, 30)])
@pytest.mark.slow
def test_the_size_of_a_step_changes_nothing(
    every_counter: PairCounter, monkeypatch: pytest.MonkeyPatch, of: Which, columns: int, pairs: int
) -> None:
    trials = evidence(*tossed(12))
    expected = strongest_partners(trials, examples(of), 6, of, counter=every_counter)
    monkeypatch.setattr(module, "_COLUMNS", columns)
    monkeypatch.setattr(module, "_PAIRS", pairs)
    found = strongest_partners(trials, examples(of), 6, of, counter=every_counter)
    for name, value in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, name), value)


def test_equal_influences_of_examples_in_other_numbers_of_trials_are_equal(
    every_counter: PairCounter,
) -> None:
    """In 3 to 27 of 30 trials, of which 15 are right, and all of one influence on it."""
    kinds: dict[Fraction, list[tuple[int, int]]] = {}
    for n_in in range(3, 28):
        for x in range(max(0, n_in - 15), min(n_in, 15) + 1):
            kinds.setdefault(exact_influence(x, n_in, 15, 30), []).append((n_in, x))
    del kinds[Fraction(0)]
    same = max(kinds.values(), key=lambda each: len({n * (30 - n) for n, _ in each}))
    assert len({n * (30 - n) for n, _ in same}) > 2, "by which influence is divided"
    subset, k = np.zeros((30, 60), bool), np.arange(30)
    for i in range(60):
        n_in, x = same[(7 * i) % len(same)]
        subset[:, i] = (k < x) | ((k >= 15) & (k < 15 + n_in - x))
    correct = k[:, None] < 15
    found = strongest_partners(
        evidence(subset, correct), np.array([0]), 60, "test", counter=every_counter
    )
    assert found.partner[0].tolist() == list(range(60))


@BOTH
def test_progress_adds_up_to_all_pairs(
    counter: PairCounter, monkeypatch: pytest.MonkeyPatch, of: Which
) -> None:
    monkeypatch.setattr(module, "_COLUMNS", 7)
    monkeypatch.setattr(module, "_PAIRS", 30)
    told: list[int] = []
    subset, correct = tossed(90)
    strongest_partners(
        evidence(subset, correct), examples(of), 2, of, counter=counter, progress=told.append
    )
    assert sum(told) == len(list(all_pairs(subset, correct, list(range(N)))))
    assert len(told) > 10


@BOTH
def test_where_nothing_can_be_said_there_are_no_partners(counter: PairCounter, of: Which) -> None:
    trials: Evidence = evidence(np.ones((9, 4), bool), np.eye(9, 3, dtype=bool))
    found = strongest_partners(trials, np.arange(3), 2, of, counter=counter)
    assert (found.partner == -1).all()
    assert np.isnan(found.influence).all()
    none = strongest_partners(trials, np.zeros(0, np.int64), 2, of, counter=counter)
    assert none.partner.shape == (0, 2)


def test_no_partner_at_all_is_no_question(counter: PairCounter) -> None:
    with pytest.raises(ValueError, match="ask for at least one"):
        strongest_partners(evidence(*tossed(12)), np.arange(3), 0, "test", counter=counter)

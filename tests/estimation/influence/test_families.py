from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtail_core.estimation.influence import Family
from tests.estimation.influence.oracle import evidence
from tests.estimation.oracle import random_trials


def pairs_of(family: Family) -> list[tuple[int, int]]:
    return [(int(i), int(j)) for rows, columns in family.groups for i, j in product(rows, columns)]


def test_without_labels_it_is_every_pair() -> None:
    family = Family.of(np.array([7, 3]), np.array([0, 5, 2]))
    assert sorted(pairs_of(family)) == [(3, 0), (3, 2), (3, 5), (7, 0), (7, 2), (7, 5)]
    assert family.n_pairs == 6


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(0, 30), n_test=st.integers(0, 30))
def test_with_labels_it_is_every_pair_within_a_class_once(seed: int, n: int, n_test: int) -> None:
    rng = np.random.default_rng(seed)
    y_train, y_test = rng.integers(5, size=40), rng.integers(2, 7, size=40)
    train, test = rng.permutation(40)[:n], rng.permutation(40)[:n_test]
    family = Family.of(train, test, (y_train, y_test))
    expected = [(int(i), int(j)) for i in train for j in test if y_train[i] == y_test[j]]
    assert sorted(pairs_of(family)) == sorted(expected)
    assert family.n_pairs == len(expected)
    assert all(len(rows) and len(columns) for rows, columns in family.groups)


@pytest.mark.parametrize("labels", [None, (np.zeros(9, np.int64), np.zeros(9, np.int64))])
@pytest.mark.parametrize(("n", "n_test"), [(0, 3), (3, 0), (0, 0)])
def test_of_nothing_there_are_no_pairs(
    n: int, n_test: int, labels: tuple[np.ndarray, np.ndarray] | None
) -> None:
    family = Family.of(np.arange(n), np.arange(n_test), labels)
    assert family.n_pairs == 0
    assert family.groups == ()


@pytest.mark.parametrize("same_class", [True, False])
def test_testable_are_those_of_which_something_can_be_said(same_class: bool) -> None:
    subset, _, correct = random_trials(0, 30, 20, 12)
    subset[:, 3], subset[:, 9] = True, False
    correct[:, 0], correct[:, 7] = True, False
    y_train, y_test = np.arange(20) % 3, np.arange(12) % 4
    labels = (y_train, y_test) if same_class else None
    family, trials = Family.of(np.arange(20), np.arange(12), labels), evidence(subset, correct)
    expected = {(i, j) for i, j in pairs_of(family) if i not in (3, 9) and j not in (0, 7)}
    testable = family.testable(trials)
    assert len(pairs_of(testable)) == len(expected) == testable.n_pairs
    assert set(pairs_of(testable)) == expected
    assert family.n_estimable(trials) == sum(i not in (3, 9) for i, _ in pairs_of(family))


def test_a_family_of_which_nothing_can_be_said_has_no_testable_pairs() -> None:
    trials = evidence(np.ones((5, 4), bool), np.eye(5, 3, dtype=bool))
    family = Family.of(np.arange(4), np.arange(3))
    assert family.testable(trials).groups == ()
    assert family.n_estimable(trials) == 0


def test_the_census_counts_pairs_by_what_chance_depends_on() -> None:
    rng = np.random.default_rng(0)
    n_in, n_correct = rng.integers(3, 8, size=30), rng.integers(5, size=20)
    family = Family.of(
        np.arange(3, 30), np.arange(1, 20), (rng.integers(4, size=30), rng.integers(5, size=20))
    )
    census = family.census(n_in, n_correct)
    found = {
        (int(size), int(total)): int(census.pairs[s, k])
        for (s, size), (k, total) in product(enumerate(census.sizes), enumerate(census.totals))
        if census.pairs[s, k]
    }
    expected: dict[tuple[int, int], int] = {}
    for i, j in pairs_of(family):
        kind = int(n_in[i]), int(n_correct[j])
        expected[kind] = expected.get(kind, 0) + 1
    assert found == expected
    assert census.pairs.sum() == family.n_pairs
    assert (np.diff(census.sizes) > 0).all()
    assert (np.diff(census.totals) > 0).all()

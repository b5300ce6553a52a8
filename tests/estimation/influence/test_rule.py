from itertools import product

import numpy as np

from memtail_core.estimation.influence import Family, PairsRule


def pairs_of(family: Family) -> list[tuple[int, int]]:
    return sorted((int(i), int(j)) for group in family.groups for i, j in product(*group))


def test_the_rule_looks_at_memorized_examples_of_the_class() -> None:
    scores = np.array([0.3, 0.24, np.nan, 0.25, 0.9])
    y_train, y_test = np.array([0, 0, 0, 1, 2]), np.array([1, 0, 1, 3])
    same = PairsRule().family(scores, y_train, y_test)
    assert pairs_of(same) == [(0, 1), (3, 0), (3, 2)]
    other = PairsRule(theta_mem=0.3, same_class=False).family(scores, y_train, y_test)
    assert pairs_of(other) == [(i, j) for i in (0, 4) for j in range(4)]


def test_a_memorization_equal_to_the_threshold_reaches_it_and_a_missing_one_never() -> None:
    scores = np.array([0.7 - 0.45, 0.2499, np.nan])
    assert scores[0] < 0.25
    assert PairsRule().is_memorized(scores).tolist() == [True, False, False]
    assert PairsRule(theta_mem=-1).is_memorized(scores).tolist() == [True, True, False]

import numpy as np
import pytest

from memtail_core.estimation.influence import (
    Family,
    PairCounter,
    PairsRule,
    find,
    pairs_of_permuted,
)
from memtail_core.plan import designs
from tests.estimation.influence.oracle import evidence
from tests.estimation.oracle import random_trials
from tests.plan.test_designs import study


def assert_mean_is(found: np.ndarray, expected: float) -> None:
    error = found.std(ddof=1) / np.sqrt(len(found))
    assert abs(found.mean() - expected) < 4 * error + 0.01 * expected


@pytest.mark.parametrize("design", ["balanced", "independent"])
@pytest.mark.parametrize("theta", [0.15, 0.3])
@pytest.mark.parametrize("same_class", [True, False])
def test_without_influence_as_many_pairs_are_found_as_were_expected(
    counter: PairCounter, design: str, theta: float, same_class: bool
) -> None:
    """Tests that are tossed coins: every pair found is a false one."""
    n, n_test, t = 400, 300, 60
    rng = np.random.default_rng(0)
    y_train, y_test = rng.integers(3, size=n), rng.integers(3, size=n_test)
    memorization = np.where(rng.random(n) < 0.5, 0.9, 0.0)
    memorization[:5] = np.nan
    family = PairsRule(same_class=same_class).family(memorization, y_train, y_test)
    differences, expected = [], []
    for seed in range(10):
        subset = designs.subsets(study(n, 0.7, design, seed), range(t))
        correct = rng.random((t, n_test)) < rng.random(n_test)
        found = find(evidence(subset, correct), family, theta, counter=counter)
        differences.append(len(found) - found.expected_by_chance)
        expected.append(found.expected_by_chance)
    assert np.mean(expected) > 5
    assert_mean_is(np.array(differences) + np.mean(expected), float(np.mean(expected)))


@pytest.mark.parametrize(("planted", "fdr"), [(False, None), (True, None), (True, 0.3)])
def test_permuted_trials_give_what_chance_is_expected_to_give(
    counter: PairCounter, planted: bool, fdr: float | None
) -> None:
    """Also where there is influence: dealing the trials anew takes it away."""
    subset, _, correct = random_trials(0, 80, 60, 200)
    if not planted:
        correct = correct[np.random.default_rng(0).permutation(80)]
    trials, family = evidence(subset, correct), Family.of(np.arange(60), np.arange(200))
    found = find(trials, family, 0.15, fdr, counter=counter)
    assert found.threshold is not None
    counted = pairs_of_permuted(trials, family, found.threshold, range(40), counter=counter)
    assert counted.dtype == np.int64
    assert_mean_is(counted, found.expected_by_chance)
    assert counted.mean() > 1
    if planted:
        assert len(found) - counted.max() > 100, "of 200 planted"


def test_the_same_seeds_deal_the_same(counter: PairCounter) -> None:
    subset, _, correct = random_trials(0, 80, 60, 40)
    trials, family = evidence(subset, correct), Family.of(np.arange(60), np.arange(40))
    bar = find(trials, family, 0.2, counter=counter).threshold
    assert bar is not None
    every = pairs_of_permuted(trials, family, bar, range(6), counter=counter)
    assert len(set(every.tolist())) > 1
    again = pairs_of_permuted(trials, family, bar, range(2, 5), counter=counter)
    assert again.tolist() == every[2:5].tolist()

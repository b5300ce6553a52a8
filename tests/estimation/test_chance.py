import numpy as np
import pytest

from memtail_core import plans
from memtail_core.estimation import PairsRule, pairs, pairs_by_chance
from tests.estimation.oracle import random_trials
from tests.test_plans import study


@pytest.mark.parametrize("design", ["balanced", "independent"])
@pytest.mark.parametrize("theta", [0.15, 0.3])
@pytest.mark.parametrize("same_class", [True, False])
def test_without_influence_as_many_pairs_are_found_as_were_expected(
    design: str, theta: float, same_class: bool
) -> None:
    """Tests that are tossed coins: every pair found is a false one."""
    n, n_test, t = 400, 300, 60
    rng = np.random.default_rng(0)
    y_train, y_test = rng.integers(3, size=n), rng.integers(3, size=n_test)
    memorization = np.where(rng.random(n) < 0.5, 0.9, 0.0)
    memorization[:5] = np.nan
    rule = PairsRule(theta_infl=theta, same_class=same_class)
    found, expected = [], []
    for seed in range(10):
        subset = np.packbits(plans.subsets(study(n, 0.7, design, seed), range(t)), axis=1)
        correct = np.packbits(rng.random((t, n_test)) < rng.random(n_test), axis=1)
        arguments = (subset, correct, memorization, y_train, y_test, rule)
        found.append(len(pairs(*arguments)))
        expected.append(pairs_by_chance(*arguments))
    assert np.mean(expected) > 5
    difference = np.array(found) - np.array(expected)
    assert abs(difference.mean()) < 4 * difference.std(ddof=1) / np.sqrt(10) + 0.01 * np.mean(found)


def test_real_influence_is_found_beyond_chance() -> None:
    subset, _, correct = random_trials(0, 400, 60, 40)
    packed = np.packbits(subset, axis=1), np.packbits(correct, axis=1)
    everyone = (np.ones(60), np.zeros(60, int), np.zeros(40, int), PairsRule(theta_infl=0.3))
    assert len(pairs(*packed, *everyone)) >= 38  # one planted pair per test example
    assert pairs_by_chance(*packed, *everyone) < 0.1


def test_the_probability_of_one_pair_by_enumeration() -> None:
    """Of 6 trials, 4 contain i and 3 got j right: all 20 ways to place the 3, counted."""
    from itertools import combinations

    subset = np.array([[1], [1], [1], [1], [0], [0]], bool)
    correct = np.array([[1], [1], [1], [0], [0], [0]], bool)
    ways = list(combinations(range(6), 3))
    for theta in (0.0, 0.1, 0.25, 0.5, 0.75):
        passing = [
            w for w in ways if sum(k < 4 for k in w) / 4 - sum(k >= 4 for k in w) / 2 >= theta
        ]
        found = pairs_by_chance(
            np.packbits(subset, axis=1),
            np.packbits(correct, axis=1),
            np.ones(1),
            np.zeros(1, int),
            np.zeros(1, int),
            PairsRule(theta_infl=theta),
        )
        assert found == pytest.approx(len(passing) / len(ways))
